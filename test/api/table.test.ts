/** The table as LanceDB's own tests describe it: adding, changing, deleting, taking, counting. */
import * as arrow from "apache-arrow";
import * as arrow15 from "arrow-15";
import * as arrow18 from "arrow-18";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Connection, Table, WriteProgress } from "../../src/index.js";
import { sql } from "../../src/index.js";
import { connected, connectedApart, freshDirectory, PLACES, rowsOf } from "./places.js";

const ID = new arrow.Schema([new arrow.Field("id", new arrow.Float64(), true)]);

describe.each(PLACES)("a table, $name", ({ connect }) => {
  let db: Connection;
  let table: Table;
  beforeEach(async () => {
    db = await connect();
    table = await db.createEmptyTable("some_table", ID);
  });
  afterEach(() => vi.restoreAllMocks());

  const ids = async () => (await rowsOf(table)).map((row) => row.id);

  test("adds rows and counts them, with and without a filter", async () => {
    const first = await table.add([{ id: 1 }, { id: 2 }]);
    expect(first).toMatchObject({ version: 2, rowsAdded: 2, attempts: 1, rebases: 0 });
    await table.add([{ id: 1 }]);
    expect(await table.countRows()).toBe(3);
    expect(await table.countRows("id == 1")).toBe(2);
    expect(await table.countRows(sql`id > ${1}`)).toBe(1);
  });

  test("overwrites when asked, and old versions stay", async () => {
    await table.add([{ id: 1 }, { id: 2 }]);
    expect(await table.add([{ id: 9 }], { mode: "overwrite" })).toMatchObject({ version: 3, rowsAdded: 1 });
    expect(await ids()).toEqual([9]);
    await table.checkout(2);
    expect(await ids()).toEqual([1, 2]);
  });

  test("an overwrite takes the schema of Arrow data, and the columns that rows have", async () => {
    const wide = await db.createTable("wide", [{ a: 1, b: "x" }]);
    await wide.add(arrow.tableFromArrays({ c: Int32Array.of(5) }), { mode: "overwrite" });
    expect((await wide.schema()).fields.map(String)).toEqual(["c: Int32"]);
    await wide.checkout(1);
    expect(await rowsOf(wide)).toEqual([{ a: 1, b: "x" }]);
    const narrow = await db.createTable("narrow", [{ a: 1, b: "x" }]);
    await narrow.add([{ a: 7 }], { mode: "overwrite" });
    expect(await rowsOf(narrow)).toEqual([{ a: 7 }]);
    await expect(narrow.add([{ zz: 7 }], { mode: "overwrite" })).rejects.toThrow("Found field not in schema: zz");
  });

  test("updates in the three forms, and sees the old value in expressions", async () => {
    await table.add([{ id: 1 }]);
    expect(await table.update({ id: "7" })).toMatchObject({ version: 3, rowsUpdated: 1 });
    await table.add([{ id: 2 }]);
    await table.update(new Map([["id", "id * 5"]]), { where: "id % 2 == 0" });
    expect(await ids()).toEqual([7, 10]);
    expect(await table.update({ values: { id: 8 }, where: "id = 7" })).toMatchObject({ rowsUpdated: 1 });
    expect(await table.update({ values: new Map([["id", "11"]]), where: "id = 10" })).toMatchObject({ rowsUpdated: 1 });
    expect(await table.update({ valuesSql: { id: "id + 1" } })).toMatchObject({ rowsUpdated: 2 });
    expect((await ids()).sort()).toEqual([12, 9]);
    expect(await table.update({ valuesSql: { id: sql`id - ${9}` }, where: sql`id IN ${[9]}` })).toMatchObject({
      rowsUpdated: 1,
    });
    expect(await table.countRows("id = 0")).toBe(1);
  });

  test("deletes the rows for which the predicate is true, not those for which it is unknown", async () => {
    await table.add([{ id: 1 }, { id: null }, { id: 3 }]);
    expect(await table.delete("id > 2")).toMatchObject({ version: 3, numDeletedRows: 1 });
    expect(await ids()).toEqual([1, null]);
    expect(await table.delete("id > 99")).toMatchObject({ version: 4, numDeletedRows: 0 });
    expect(await table.delete("true")).toMatchObject({ numDeletedRows: 2 });
    expect(await ids()).toEqual([]);
    expect((await table.stats()).fragmentStats.numFragments).toBe(0);
  });

  test("takes rows by position and by row id, numbers and bigints", async () => {
    await table.add([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect((await table.takeOffsets([1, 2]).toArrow()).getChild("id")?.toJSON()).toEqual([2, 3]);
    const rowIds = (await table.query().withRowId().toArray()).map((row) => row._rowid as bigint);
    expect(rowIds.every((id) => typeof id === "bigint")).toBe(true);
    const taken = await table.takeRowIds([rowIds[0] as bigint, Number(rowIds[2])]).toArray();
    expect(taken.map((row) => row.id)).toEqual([1, 3]);
    expect(() => table.takeRowIds([1.5])).toThrow("Row id must be an integer (or bigint)");
    expect(() => table.takeRowIds([0, -5])).toThrow("Row id cannot be negative");
    expect(() => table.takeRowIds([-1n])).toThrow("Row id cannot be negative");
    expect(() => table.takeRowIds([Number.MAX_SAFE_INTEGER + 1])).toThrow("Row id is too large for number");
  });

  test("reports progress that only grows, and survives a callback that throws", async () => {
    const events: WriteProgress[] = [];
    await table.add([{ id: 1 }, { id: 2 }, { id: 3 }], { progress: (event) => events.push(event) });
    const last = events.at(-1);
    expect(last).toMatchObject({ done: true, outputRows: 3, totalRows: 3 });
    expect(events.slice(0, -1).every((event) => !event.done)).toBe(true);
    const rows = events.map((event) => event.outputRows);
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const result = await table.add([{ id: 4 }], {
      progress: () => {
        throw new Error("bomb");
      },
    });
    expect(result.rowsAdded).toBe(1);
    expect(warn).toHaveBeenCalled();
  });

  test("says its size in the shape of LanceDB's stats", async () => {
    await table.add([{ id: 1 }, { id: 2 }]);
    await table.add([{ id: 1 }]);
    const stats = await table.stats();
    expect(stats).toMatchObject({
      numRows: 3,
      numIndices: 0,
      fragmentStats: {
        numFragments: 2,
        numSmallFragments: 2,
        lengths: { min: 1, max: 2, mean: 1, p25: 1, p50: 2, p75: 2, p99: 2 },
      },
    });
    expect(stats.totalBytes).toBeGreaterThan(0);
  });

  test("shows itself, and refuses everything once it is closed, while other handles go on", async () => {
    const other = await db.openTable("some_table");
    expect(table.display()).toBe("Table(some_table)");
    expect([table.name, table.isOpen()]).toEqual(["some_table", true]);
    table.close();
    expect([table.display(), table.isOpen()]).toEqual(["ClosedTable(some_table)", false]);
    await expect(table.countRows()).rejects.toMatchObject({
      code: "CLOSED",
      message: expect.stringContaining("Table some_table is closed"),
    });
    await expect(table.add([{ id: 1 }])).rejects.toThrow("is closed");
    expect(await other.add([{ id: 1 }])).toMatchObject({ rowsAdded: 1 });
  });

  test("takes rows that omit nullable columns, and refuses those that omit others until these become nullable", async () => {
    const schema = new arrow.Schema([
      new arrow.Field("vector", new arrow.FixedSizeList(2, new arrow.Field("item", new arrow.Float32(), true)), true),
      new arrow.Field("item", new arrow.Utf8(), true),
      new arrow.Field("price", new arrow.Float64(), false),
    ]);
    const goods = await db.createEmptyTable("goods", schema);
    await goods.add([{ item: "foo", price: 10 }]);
    await goods.add([{ vector: [3.5, 4.5], price: 2 }]);
    await goods.add([{ vector: undefined, item: undefined, price: 1 }]);
    await expect(goods.add([{ item: "foo" }])).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
    await expect(goods.add([{ item: "foo", price: null }])).rejects.toThrow(
      "declared as non-nullable but contains null values",
    );
    await goods.alterColumns([{ path: "price", nullable: true }]);
    await goods.add([{ item: "foo" }]);
    expect(await rowsOf(goods)).toEqual([
      { vector: null, item: "foo", price: 10 },
      { vector: [3.5, 4.5], item: null, price: 2 },
      { vector: null, item: null, price: 1 },
      { vector: null, item: "foo", price: null },
    ]);
  });

  test.each([
    ["apache-arrow 15", arrow15],
    ["apache-arrow 18", arrow18],
    ["apache-arrow 21", arrow],
  ])("takes tables of %s", async (_name, version) => {
    const data = version.tableFromArrays({ id: Float64Array.of(4, 5) });
    const made = await db.createTable("foreign", data as unknown as arrow.Table);
    await made.add(data as unknown as arrow.Table);
    expect((await rowsOf(made)).map((row) => row.id)).toEqual([4, 5, 4, 5]);
    expect(await made.toArrow()).toBeInstanceOf(arrow.Table);
  });

  test("reads an iterable only as fast as it is written, and all of it", async () => {
    let pulled = 0;
    let returned = false;
    async function* batches() {
      try {
        for (; pulled < 40; pulled++) yield Array.from({ length: 100 }, (_, i) => ({ id: pulled * 100 + i }));
      } finally {
        returned = true;
      }
    }
    expect(await table.add(batches())).toMatchObject({ rowsAdded: 4000, version: 2 });
    expect(await table.countRows()).toBe(4000);
    expect(await table.countRows("id = 3999")).toBe(1);
    expect(returned).toBe(true);
    const made = await db.createTable("streamed", [[{ id: 1 }], [{ id: 2 }]].values());
    expect(await made.countRows()).toBe(2);
  });
});

test("an iterable that is larger than one data file is not pulled to its end before the first file is written", async () => {
  const db = await connected(freshDirectory());
  const table = await db.createEmptyTable("t", ID);
  const wide = arrow.tableFromArrays({ id: new Float64Array(1_048_576) });
  let pulled = 0;
  const pulledAtFile: number[] = [];
  async function* tables() {
    for (; pulled < 3; pulled++) yield wide;
  }
  await table.add(tables(), { progress: () => pulledAtFile.push(pulled) });
  expect(pulledAtFile.slice(0, 3)).toEqual([0, 1, 2]);
  expect(await table.countRows()).toBe(3 * 1_048_576);
});

test("a schema of new columns reaches Arrow data of a handle that has not looked since", async () => {
  const directory = freshDirectory();
  const table = await (await connected(directory)).createTable("t", [{ a: 1 }]);
  const elsewhere = await (await connectedApart(directory)).openTable("t");
  await elsewhere.addColumns(new arrow.Field("b", new arrow.Float64(), true));
  await table.add(arrow.tableFromArrays({ a: Float64Array.of(2), b: Float64Array.of(3) }));
  expect(await rowsOf(table)).toEqual([
    { a: 1, b: null },
    { a: 2, b: 3 },
  ]);
});
