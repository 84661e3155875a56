/** A maker of a branch that was taken for dead wakes up after somebody else made the branch. */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createBranch } from "../../src/chores/branches.js";
import { SharedTable } from "../../src/commit/shared-table.js";
import { BaseDirectories } from "../../src/format/bases.js";
import { branchDirectory, manifestPath, SHARED_BY_LINES } from "../../src/format/layout.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { lineView } from "../../src/store/line-view.js";
import { localStore } from "../../src/store/local.js";
import { within } from "../../src/store/within.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { connected, freshDirectory } from "../api/places.js";

const LEASE = { published: true, ttlMs: 60_000 };

test("what the other maker made stays, whatever the first one cleans up behind itself", async () => {
  const directory = freshDirectory();
  await (await connected(directory)).createTable("t", [{ id: 1 }]);
  const table = within(localStore(directory), "t.lance");
  const place = join(directory, "t.lance");
  const manifest = join(place, branchDirectory("side"), manifestPath(1, "v2"));
  const takeOver = () => {
    // The other one has the turn, has swept what was staged, and has made the same first version.
    writeFileSync(join(place, "_coord/branch-99.json"), '{"owner":"other"}');
    const references = join(place, "_refs/branches");
    for (const name of readdirSync(references)) rmSync(join(references, name));
    expect(existsSync(manifest)).toBe(true);
  };
  const store: ObjectStore = {
    ...table,
    stage: async (path, chunks, options) => {
      const staged = await table.stage(path, chunks, options);
      if (!path.startsWith("_refs/")) return staged;
      return {
        ...staged,
        publish: (named) => {
          takeOver();
          return staged.publish(named);
        },
      };
    },
  };
  const root = new SharedTable("t", store, systemRuntime, LEASE);
  const bases = new BaseDirectories(table.display);
  const view = { directory: branchDirectory("side"), shared: SHARED_BY_LINES, directoryOf: bases.directoryOf };
  const line = { branch: "side", bases };
  const target = new SharedTable("t@side", lineView(store, view), systemRuntime, LEASE, line);
  const request = { root, parent: root, target, name: "side", version: undefined, timeoutMs: 1000 };
  await expect(createBranch({ ...request, durability: "relaxed" })).rejects.toMatchObject({ code: "BUSY" });
  expect(existsSync(manifest)).toBe(true);
});
