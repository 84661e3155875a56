/** Tables with Lance data files that we make: without rows, under other formats, and of types that do not fit. */
import * as arrow from "apache-arrow";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Connection, connect } from "../../src/index.js";

let database: Connection;

beforeEach(async () => {
  database = await connect("memory://", { dataFormat: "lance" });
});

afterEach(() => database.close());

const field = (name: string, type: arrow.DataType, nullable = true) => new arrow.Field(name, type, nullable);
const item = (type: arrow.DataType) => field("item", type);
const schemaOf = (type: arrow.DataType) => new arrow.Schema([field("id", new arrow.Int32()), field("c", type)]);
const vector = (size: number, type: arrow.DataType) => new arrow.FixedSizeList(size, item(type) as arrow.Field);
const micros = (zone: string) => new arrow.Timestamp(arrow.TimeUnit.MICROSECOND, zone);

const REFUSED: readonly (readonly [string, arrow.DataType])[] = [
  ["a time zone with a colon, at which native LanceDB stops", micros("+05:30")],
  ["such a time zone inside a list", new arrow.List(item(micros("a:b")))],
  ["such a time zone inside a vector", vector(2, micros("+01:00"))],
  ["a vector of no dimension", vector(0, new arrow.Float32())],
  ["a vector of text", vector(2, new arrow.Utf8())],
  ["a vector of vectors of text", vector(2, vector(2, new arrow.Utf8()))],
  ["a vector of structs", vector(2, new arrow.Struct([field("a", new arrow.Int32())]))],
  ["an interval", new arrow.IntervalDayTime()],
  ["a union", new arrow.DenseUnion(Int32Array.of(0), [field("a", new arrow.Int32())])],
];

describe.each(REFUSED)("%s", (_, type) => {
  test("is refused by the name of its column, before a table or a version is there", async () => {
    const refusal = { code: "NOT_SUPPORTED", message: expect.stringMatching(/\bc\b/) };
    await expect(database.createEmptyTable("t", schemaOf(type))).rejects.toMatchObject(refusal);
    expect(await database.tableNames()).toEqual([]);
    const table = await database.createTable("t", [{ id: 1 }]);
    await expect(table.addColumns([field("c", type)])).rejects.toMatchObject(refusal);
    expect(await table.version()).toBe(1);
    const wrong = database.createTable("t", [], { mode: "overwrite", schema: schemaOf(type) });
    await expect(wrong).rejects.toMatchObject(refusal);
    expect(await table.countRows()).toBe(1);
  });
});

test.each(["UTC", "Europe/Berlin", "+05", ""])("a timestamp in zone '%s' is held", async (zone) => {
  const table = await database.createEmptyTable("t", schemaOf(micros(zone)));
  await table.add([{ id: 1, c: new Date(5) }, { id: 2 }]);
  expect(await table.countRows("c IS NULL")).toBe(1);
});

test("vectors of vectors are held, also where all of them are null", async () => {
  const table = await database.createEmptyTable("t", schemaOf(vector(2, vector(2, new arrow.Float32()))));
  await table.add([{ id: 1 }]);
  await table.add([
    {
      id: 2,
      c: [
        [1, 2],
        [3, 4],
      ],
    },
  ]);
  const rows = await table.query().toArray();
  expect(rows.map((row) => String((row as { c: unknown }).c))).toEqual(["null", "[[1,2],[3,4]]"]);
});

test("a table without rows goes through every change, and then takes rows", async () => {
  const table = await database.createEmptyTable("t", schemaOf(new arrow.Utf8()));
  await table.add([]);
  await table.update({ where: "id > 1", values: { c: "x" } });
  await table.delete("id > 1");
  await table
    .mergeInsert("id")
    .whenMatchedUpdateAll()
    .execute([{ id: 1, c: "no partner" }]);
  await table.addColumns([{ name: "twice", valueSql: "id * 2" }]);
  await table.alterColumns([{ path: "twice", dataType: "int64" }]);
  await table.dropColumns(["c"]);
  await table.add([], { mode: "overwrite" });
  await table.restore(1);
  expect(await table.countRows()).toBe(0);
  expect((await table.toArrow()).schema.fields.map(({ name }) => name)).toEqual(["id", "c"]);
  await table.add([{ id: 5, c: "five" }]);
  await table.delete("true");
  expect(await table.countRows()).toBe(0);
  await table.add([{ id: 6, c: "six" }]);
  expect((await table.query().toArray()).map((row) => Number((row as { id: number }).id))).toEqual([6]);
});

test("an overwrite may change the format of the data files, and every version is read in its own", async () => {
  const formats = ["arrow", "lance", "parquet", "lance", "arrow"] as const;
  for (const [i, dataFormat] of formats.entries()) {
    await database.createTable("t", [{ id: i }], { mode: "overwrite", dataFormat });
  }
  const table = await database.openTable("t");
  for (const [i] of formats.entries()) {
    await table.checkout(i + 1);
    expect((await table.query().toArray()).map((row) => Number((row as { id: number }).id))).toEqual([i]);
  }
  await table.checkout(2);
  await table.restore();
  await table.add([{ id: 10 }]);
  expect(await table.countRows("id IN (1, 10)")).toBe(2);
});
