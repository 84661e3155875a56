/** A compaction whose fragments vanish under it lets them be: it fails nobody, itself included, and brings nothing back. */
import { expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { memoryStore } from "../../src/store/memory.js";
import { rowsOf } from "../api/places.js";
import { processOn } from "../commit/process-on.js";
import { type Call, WrappedStore } from "../commit/wrapped-store.js";

/** Four fragments of one row, of which another process takes care at the first `call` of the compaction to `part`. */
async function compactBeside(call: Call, part: string, act: (other: Table, disk: WrappedStore) => Promise<unknown>) {
  const disk = new WrappedStore(memoryStore(""));
  const other = await processOn(disk).createTable("t", [{ id: 0 }]);
  for (let id = 1; id < 4; id++) await other.add([{ id }]);
  const mine = new WrappedStore(disk);
  const table = await processOn(mine).openTable("t");
  let met = false;
  mine.hooks.before = async (one, path) => {
    if (met || one !== call || !path.includes(part)) return;
    met = true;
    await act(other, disk);
  };
  const { compaction } = await table.optimize();
  expect(met).toBe(true);
  return { compaction, table, disk };
}

const overwrite = (other: Table) => other.add([{ id: 100 }], { mode: "overwrite" });
const restore = (other: Table) => other.restore(1);

test.each([
  ["overwritten", overwrite, [{ id: 100 }]],
  ["restored", restore, [{ id: 0 }]],
] as const)("a table that is %s while the copy is committed keeps what it was given", async (_how, act, rows) => {
  const { compaction, table } = await compactBeside("publish", ".manifest", act);
  expect(compaction).toMatchObject({ fragmentsRemoved: 0, fragmentsAdded: 0 });
  expect(await rowsOf(table)).toEqual(rows);
});

test("files that are removed before the copy reads them end the task, not the compaction", async () => {
  const { compaction, table, disk } = await compactBeside("get", "/data/", async (other, on) => {
    const files = await on.list("t.lance/data");
    await overwrite(other);
    // Native LanceDB's cleanup, which knows of no leases.
    for (const { name } of files) await on.delete(`t.lance/data/${name}`);
  });
  expect(compaction).toMatchObject({ fragmentsRemoved: 0, fragmentsAdded: 0 });
  expect(await rowsOf(table)).toEqual([{ id: 100 }]);
  expect(await disk.list("t.lance/data")).toHaveLength(1);
});
