/** A file that a version names and that is not there: damage if the version is, age if it is not. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { manifestPath } from "../../src/format/layout.js";
import type { Runtime, Table } from "../../src/index.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { connected, connectedApart, freshDirectory } from "./places.js";

let directory: string;
const below = (name: string) => join(directory, "t.lance", name);
const only = (name: string) => {
  const names = readdirSync(below(name));
  expect(names).toHaveLength(1);
  return join(below(name), names[0]!);
};

/** Two versions: rows 1 and 2 in one file; then row 1 is deleted, with a deletion file. */
beforeEach(async () => {
  directory = freshDirectory();
  const maker = await connected(directory);
  const table = await maker.createTable("t", [
    { id: 1, vector: [1, 2] },
    { id: 2, vector: [3, 4] },
  ]);
  await table.delete("id = 1");
  await maker.close();
});

async function opened(runtime: Runtime = systemRuntime): Promise<Table> {
  return (await connectedApart(directory, { runtime })).openTable("t");
}

const CALLS: readonly [string, (table: Table) => Promise<unknown>][] = [
  ["a query", (table) => table.query().toArray()],
  ["a count", (table) => table.countRows("id = 2")],
  ["a search", (table) => table.vectorSearch([1, 2]).toArray()],
  ["many searches", (table) => table.searchMany([[1, 2]])],
  ["a take", (table) => table.takeOffsets([0]).toArray()],
  ["an analyzed plan", (table) => table.query().where("id = 2").analyzePlan()],
  ["a count of a snapshot", async (table) => (await table.snapshot()).countRows("id = 2")],
  ["an update", (table) => table.update({ values: { id: 3 } })],
  ["a delete", (table) => table.delete("id = 2")],
  ["a compaction", (table) => table.optimize({ maxDeletedShare: 0 })],
];

describe.each(["data", "_deletions"])("a file of the newest version below %s that is missing", (where) => {
  test.each(CALLS)("is damage for %s, and the message says what to do", async (_what, call) => {
    const table = await opened();
    rmSync(only(where));
    await expect(call(table)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(/is missing, although version 2 of table 't' .* npx joust doctor \S+ t tells/),
      details: { path: expect.stringContaining(`${where}/`), table: "t", version: 2 },
    });
  });
});

test("files of an old version that a cleanup removed, and after them its name, say that the version is gone", async () => {
  const runtime = {
    ...systemRuntime,
    sleep: async () => rmSync(below(manifestPath(1, "v2")), { force: true }),
  };
  const table = await opened(runtime);
  await table.checkout(1);
  rmSync(only("data"));
  await expect(table.toArrow()).rejects.toMatchObject({ code: "SNAPSHOT_EXPIRED" });
});

test("a file of an old version whose name stays is damage, after a moment in which a cleanup would have ended", async () => {
  let passedMs = 0;
  const runtime = {
    ...systemRuntime,
    monotonicMs: () => systemRuntime.monotonicMs() + passedMs,
    sleep: async (ms: number) => {
      passedMs += ms;
    },
  };
  const table = await opened(runtime);
  await table.checkout(1);
  rmSync(only("data"));
  await expect(table.toArrow()).rejects.toMatchObject({ code: "CORRUPT", details: { version: 1 } });
  expect(passedMs).toBeGreaterThanOrEqual(1000);
});
