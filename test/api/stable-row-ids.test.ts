/** Tables whose rows keep their ids, by LanceDB's storage option, with data files of every format. */
import { describe, expect, test } from "vitest";
import type { Table } from "../../src/index.js";
import { connected, freshDirectory, PLACES } from "./places.js";

const ON = { storageOptions: { newTableEnableStableRowIds: "true" } };
const OFF = { storageOptions: { newTableEnableStableRowIds: "false" } };

async function idsOf(table: Table): Promise<[number, number][]> {
  const rows = await table.query().withRowId().toArray();
  return rows.map((row) => [row.id, Number(row._rowid)] as [number, number]).sort((a, b) => a[1] - b[1]);
}

/** True when an update leaves a row its id. */
async function isStable(table: Table): Promise<boolean> {
  const [first] = await idsOf(table);
  await table.update({ where: `id = ${first![0]}`, values: { id: 1000 } });
  return (await idsOf(table)).some(([id, rowId]) => id === 1000 && rowId === first![1]);
}

describe.each(PLACES)("stable row ids with $name", (place) => {
  test("rows keep their ids through updates, merges, compaction and branches, and new rows get new ones", async () => {
    const connection = await place.connect();
    const rows = [1, 2, 3].map((id) => ({ id, n: id }));
    const table = await connection.createTable("t", rows, ON);
    expect(await idsOf(table)).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
    await table.update({ where: "id = 2", values: { n: 22 } });
    await table.delete("id = 1");
    await table
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([
        { id: 3, n: 33 },
        { id: 4, n: 44 },
      ]);
    await table.optimize();
    const expected = [
      [2, 1],
      [3, 2],
      [4, 3],
    ];
    expect(await idsOf(table)).toEqual(expected);
    expect((await table.takeRowIds([1, 3]).toArray()).map(({ id }) => id)).toEqual([2, 4]);
    const side = await (await table.branches()).create("side");
    await side.add([{ id: 5, n: 55 }]);
    await side.update({ where: "id = 4", values: { n: 0 } });
    expect(await idsOf(side)).toEqual([...expected, [5, 4]]);
    expect(await table.verify({ deep: true }).toArray()).toEqual([]);
  });
});

test("the option of a table goes before that of the connection, and a table that is there stays as it is", async () => {
  const connection = await connected(freshDirectory(), ON);
  const schema = (await (await connection.createTable("a", [{ id: 1 }])).schema()) as never;
  expect(await isStable(await connection.openTable("a"))).toBe(true);
  expect(await isStable(await connection.createTable("b", [{ id: 1 }], OFF))).toBe(false);
  const snake = { storageOptions: { new_table_enable_stable_row_ids: "true" } };
  expect(await isStable(await (await connected("memory://", snake)).createTable("c", [{ id: 1 }]))).toBe(true);
  const empty = await connection.createEmptyTable("d", schema);
  await empty.add([{ id: 1 }]);
  expect(await isStable(empty)).toBe(true);
  expect(await isStable(await connection.createTable("a", [{ id: 1 }], { mode: "overwrite", ...OFF }))).toBe(true);
  expect(await isStable(await connection.createTable("b", [{ id: 1 }], { mode: "overwrite", ...ON }))).toBe(false);
  await expect(
    connection.createTable("x", [{ id: 1 }], { storageOptions: { newTableEnableStableRowIds: "yes" } }),
  ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(connected("memory://", { storageOptions: { newTableEnableStableRowIds: "1" } })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});
