/**
 * Makers of a branch that are taken for dead, or die: whoever makes the branch after them has it as asked for, and
 * nothing of theirs gets into it.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createBranch } from "../../src/chores/branches.js";
import { SharedTable } from "../../src/commit/shared-table.js";
import { BaseDirectories } from "../../src/format/bases.js";
import { branchDirectory, manifestPath, SHARED_BY_LINES } from "../../src/format/layout.js";
import type { ObjectStore, StagedObject } from "../../src/store/contract.js";
import { lineView } from "../../src/store/line-view.js";
import { localStore } from "../../src/store/local.js";
import { within } from "../../src/store/within.js";
import { TableError } from "../../src/support/errors.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { connected, connectedApart, freshDirectory, rowsOf } from "../api/places.js";

const LEASE = { published: true, ttlMs: 60_000 };
const MANIFESTS = `${branchDirectory("side")}/_versions/`;
const REFERENCES = "_refs/branches/";

/** What happens at the steps of the first maker. */
interface Steps {
  readonly beforeStage?: (path: string) => Promise<void>;
  readonly publish?: (path: string, publish: StagedObject["publish"]) => ReturnType<StagedObject["publish"]>;
}

/** A table with rows 1 and 2 at version 2, row 1 alone at version 1. */
async function tableOnDisk() {
  const directory = freshDirectory();
  const table = await (await connected(directory)).createTable("t", [{ id: 1 }]);
  await table.add([{ id: 2 }]);
  const place = join(directory, "t.lance");
  const store = within(localStore(directory), "t.lance");

  /** Makes branch 'side' in a process whose steps a test has a hand in. */
  const make = (version: number, { beforeStage, publish }: Steps) => {
    const handled: ObjectStore = {
      ...store,
      stage: async (path, chunks, options) => {
        await beforeStage?.(path);
        const staged = await store.stage(path, chunks, options);
        if (publish === undefined) return staged;
        return { ...staged, publish: (named) => publish(path, () => staged.publish(named)) };
      },
    };
    const root = new SharedTable("t", handled, systemRuntime, LEASE);
    const bases = new BaseDirectories(store.display);
    const view = { directory: branchDirectory("side"), shared: SHARED_BY_LINES, directoryOf: bases.directoryOf };
    const line = { branch: "side", bases };
    const target = new SharedTable("t@side", lineView(handled, view), systemRuntime, LEASE, line);
    const request = { root, parent: root, target, name: "side", version, timeoutMs: 1000 };
    return createBranch({ ...request, durability: "relaxed" });
  };

  /** Another process makes the branch. */
  const makeApart = async (version: number) => {
    const other = await (await connectedApart(directory)).openTable("t");
    await (await other.branches()).create("side", "main", version);
  };

  /** Versions and rows of the branch, to somebody who has not seen it yet. */
  const look = async () => {
    const side = await (await connectedApart(directory)).openTable("t", { branch: "side" });
    const ids = (await rowsOf(side)).map(({ id }) => id).sort();
    return { versions: (await side.listVersions()).map(({ version }) => version), ids };
  };
  return { place, make, makeApart, look };
}

test("what the other maker made stays, whatever the first one cleans up behind itself", async () => {
  const { place, make } = await tableOnDisk();
  const manifest = join(place, branchDirectory("side"), manifestPath(1, "v2"));
  const takeOver = () => {
    // The other one has the turn, has swept what was staged, and has made the same first version.
    writeFileSync(join(place, "_coord/branch-99.json"), '{"owner":"other"}');
    for (const name of readdirSync(join(place, REFERENCES))) rmSync(join(place, REFERENCES, name));
    expect(existsSync(manifest)).toBe(true);
  };
  const publish: Steps["publish"] = (path, go) => {
    if (path.startsWith(REFERENCES)) takeOver();
    return go();
  };
  await expect(make(1, { publish })).rejects.toMatchObject({ code: "BUSY" });
  expect(existsSync(manifest)).toBe(true);
});

test("what the first one stages after the other's sweep never becomes a version of the other's branch", async () => {
  const { place, make, makeApart, look } = await tableOnDisk();
  let taken = false;
  const beforeStage = async (path: string) => {
    if (taken || !path.startsWith(MANIFESTS)) return;
    taken = true;
    // Taken for dead: the turn counts as free, and another process makes the branch, from another version.
    writeFileSync(join(place, "_coord/branch-99.json"), '{"owner":""}');
    await makeApart(1);
  };
  await expect(make(2, { beforeStage })).rejects.toMatchObject({ code: "BUSY" });
  expect(taken).toBe(true);
  expect(await look()).toEqual({ versions: [1], ids: [1] });
});

test("versions that a maker left without a reference are none of the branch that is made after it died", async () => {
  const { place, make, makeApart, look } = await tableOnDisk();
  const publish: Steps["publish"] = async (path, go) => {
    // Dies here: nothing is undone.
    if (path.startsWith(REFERENCES)) throw new TableError("UNKNOWN_OUTCOME", "killed");
    return go();
  };
  await expect(make(2, { publish })).rejects.toMatchObject({ code: "UNKNOWN_OUTCOME" });
  expect(readdirSync(join(place, MANIFESTS)).filter((name) => name.endsWith(".manifest"))).toHaveLength(1);
  await makeApart(1);
  expect(await look()).toEqual({ versions: [1], ids: [1] });
});
