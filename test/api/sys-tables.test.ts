/** System tables of databases with branches, and with tables that cannot be read. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { SysTable } from "../../src/index.js";
import { connected, freshDirectory } from "./places.js";

test("branches have rows of their own, in every system table", async () => {
  const db = await connected(freshDirectory());
  const table = await db.createTable("t", [{ id: 1 }]);
  const side = await (await table.branches()).create("feature/side");
  await side.add([{ id: 2 }]);
  const pin = await side.snapshot();
  const rows = async (name: SysTable, ...columns: string[]) =>
    (await db.sys(name).toArray()).map((row) => ["table", "branch", ...columns].map((column) => row[column]));
  expect(await rows("versions", "version", "operation", "error")).toEqual([
    ["t", null, 1, "overwrite", null],
    ["t", "feature/side", 1, "clone", null],
    ["t", "feature/side", 2, "append", null],
  ]);
  expect(await rows("fragments", "version", "rows")).toEqual([
    ["t", null, 1, 1],
    ["t", "feature/side", 2, 1],
    ["t", "feature/side", 2, 1],
  ]);
  expect(await rows("write_queue_metrics", "commits")).toEqual([
    ["t", null, 0],
    ["t", "feature/side", 1],
  ]);
  expect(await rows("process_readers", "own")).toContainEqual(["t", "feature/side", true]);
  expect(await rows("process_coordination", "kind")).toContainEqual(["t", "feature/side", "lease"]);
  expect(await db.sys("versions").where("branch = 'feature/side' AND version > 1").toArray()).toHaveLength(1);
  pin.close();
});

test("a branch that another process made is seen without being opened", async () => {
  const directory = freshDirectory();
  const maker = await connected(directory);
  await (await (await maker.createTable("t", [{ id: 1 }])).branches()).create("side");
  await maker.close();
  const db = await connected(directory);
  const rows = await db.sys("fragments").select(["branch"]).toArray();
  expect(rows.map(({ branch }) => branch)).toEqual([null, "side"]);
});

test("a damaged table says so in a row of its own, and hides none of the others", async () => {
  const directory = freshDirectory();
  const maker = await connected(directory);
  for (const name of ["a", "broken", "z"]) await maker.createTable(name, [{ id: 1 }]);
  await maker.close();
  const versions = join(directory, "broken.lance", "_versions");
  const [manifest] = readdirSync(versions).filter((name) => name.endsWith(".manifest"));
  writeFileSync(join(versions, manifest!), "no manifest");
  const db = await connected(directory);
  for (const name of ["versions", "fragments"] as const) {
    const rows = (await db.sys(name).toArray()).map(({ table, version, error }) => [table, version, error]);
    expect(rows).toEqual([
      ["a", 1, null],
      ["broken", null, expect.stringMatching(/^CORRUPT: .*manifest/)],
      ["z", 1, null],
    ]);
    expect(await db.sys(name).where("error IS NULL").toArray()).toHaveLength(2);
  }
});
