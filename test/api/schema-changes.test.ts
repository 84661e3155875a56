/** Schema changes, and old versions read after them. */
import * as arrow from "apache-arrow";
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection, Table } from "../../src/index.js";
import { PLACES, rowsOf } from "./places.js";

const vector = (type: arrow.DataType) => new arrow.FixedSizeList(2, new arrow.Field("item", type, true));

describe.each(PLACES)("schema changes, $name", ({ connect }) => {
  let db: Connection;
  let table: Table;
  beforeEach(async () => {
    db = await connect();
    table = await db.createTable("t", [{ id: 1n, vector: [0.5, 1.5], s: "x" }]);
    await table.add([{ id: 2n, vector: null, s: null }]);
  });

  const fields = async () => (await table.schema()).fields.map((field) => `${field}${field.nullable ? "" : "!"}`);

  test("columns are added by expressions over old ones, and the version before has them not", async () => {
    const added = await table.addColumns([
      { name: "twice", valueSql: "id * 2" },
      { name: "price", valueSql: "cast(10.5 as float)" },
      { name: "empty", valueSql: "cast(null as int)" },
    ]);
    expect(added.version).toBe(3);
    expect((await fields()).slice(3)).toEqual(["twice: Int64", "price: Float32!", "empty: Int32"]);
    expect((await rowsOf(table)).map((row) => [row.id, row.twice, row.price, row.empty])).toEqual([
      [1n, 2n, 10.5, null],
      [2n, 4n, 10.5, null],
    ]);
    expect(await table.countRows("twice = 4")).toBe(1);
    await table.checkout(2);
    expect(await fields()).toEqual(["id: Int64", "vector: FixedSizeList[2]<Float32>", "s: Utf8"]);
    expect(Object.keys((await rowsOf(table))[0] ?? {})).toEqual(["id", "vector", "s"]);
    await expect(table.countRows("twice = 4")).rejects.toThrow("No field named twice");
  });

  test("columns are added as fields, an array of them or a schema, full of nulls", async () => {
    await table.addColumns(new arrow.Field("a", new arrow.Float64(), true));
    await table.addColumns([
      new arrow.Field("b", new arrow.Utf8(), true),
      new arrow.Field("c", new arrow.Struct([new arrow.Field("x", new arrow.Int32(), true)]), true),
    ]);
    await table.addColumns(new arrow.Schema([new arrow.Field("d", vector(new arrow.Float32()), true)]));
    const [row] = await rowsOf(table);
    expect([row?.a, row?.b, row?.c, row?.d]).toEqual([null, null, null, null]);
    await table.add([{ id: 3n, a: 1, b: "q", c: { x: 5 }, d: [1, 2] }]);
    const taken = (await table.query().where("c.x = 5").toArray())[0];
    expect([taken?.a, taken?.b, String(taken?.c)]).toEqual([1, "q", '{"x": 5}']);
    await expect(table.addColumns(new arrow.Field("e", new arrow.Int32(), false))).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
    });
  });

  test("columns are renamed, made nullable and cast; old versions keep name and type", async () => {
    await table.addColumns([{ name: "price", valueSql: "cast(10 as double)" }]);
    const altered = await table.alterColumns([
      { path: "id", rename: "key" },
      { path: "price", nullable: true },
    ]);
    expect(altered.version).toBe(4);
    await table.alterColumns([{ path: "key", dataType: "int32" }]);
    await table.alterColumns([{ path: "vector", dataType: vector(new arrow.Float64()) }]);
    expect(await fields()).toEqual(["key: Int32", "vector: FixedSizeList[2]<Float64>", "s: Utf8", "price: Float64"]);
    await table.add([{ key: 3, vector: [7, 8], price: null }]);
    expect((await rowsOf(table)).map((row) => [row.key, row.vector, row.price])).toEqual([
      [1, [0.5, 1.5], 10],
      [2, null, 10],
      [3, [7, 8], null],
    ]);
    expect(await table.countRows("key > 1")).toBe(2);
    await table.update({ where: "key = 2", values: { s: "two" } });
    await table.delete("key = 1");
    for (const [version, name, rows] of [
      [2, "id", 2],
      [3, "id", 2],
      [4, "key", 2],
      [7, "key", 3],
    ] as const) {
      await table.checkout(version);
      const found = await rowsOf(table);
      expect([version, Object.keys(found[0] ?? {})[0], found.length]).toEqual([version, name, rows]);
    }
  });

  test("columns are dropped, their names can come back, and old versions still have the old values", async () => {
    expect((await table.dropColumns(["vector"])).version).toBe(3);
    expect(await fields()).toEqual(["id: Int64", "s: Utf8"]);
    await table.addColumns(new arrow.Field("vector", new arrow.Int32(), true));
    expect((await rowsOf(table)).map((row) => row.vector)).toEqual([null, null]);
    await table.update({ values: { vector: 9 } });
    expect((await rowsOf(table)).map((row) => row.vector)).toEqual([9, 9]);
    await table.checkout(2);
    expect((await rowsOf(table)).map((row) => row.vector)).toEqual([[0.5, 1.5], null]);
    await table.restore();
    expect(await fields()).toEqual(["id: Int64", "vector: FixedSizeList[2]<Float32>", "s: Utf8"]);
    await table.add([{ id: 5n, vector: [1, 1], s: "again" }]);
    expect(await table.countRows("s = 'again'")).toBe(1);
  });

  test("rows that were deleted or moved before a schema change stay as they are after it", async () => {
    await table.add([{ id: 3n }, { id: 4n }, { id: 5n }]);
    await table.delete("id = 4");
    await table.update({ where: "id = 3", values: { s: "moved" } });
    await table.addColumns([{ name: "next", valueSql: "id + 1" }]);
    await table.dropColumns(["vector"]);
    expect((await rowsOf(table)).map((row) => [row.id, row.s, row.next]).sort()).toEqual([
      [1n, "x", 2n],
      [2n, null, 3n],
      [3n, "moved", 4n],
      [5n, null, 6n],
    ]);
  });

  test("field metadata is merged key by key", async () => {
    const first = await table.updateFieldMetadata([{ path: "s", metadata: { unit: "label", pii: "no" } }]);
    expect(first.version).toBe(3);
    await table.updateFieldMetadata([{ path: "s", metadata: { source: "import", pii: null } }]);
    const metadata = (await table.schema()).fields.find((field) => field.name === "s")?.metadata;
    expect([...(metadata ?? [])].sort()).toEqual([
      ["source", "import"],
      ["unit", "label"],
    ]);
    expect(await table.countRows()).toBe(2);
  });

  test("field metadata that would make a column one that nobody can read is refused, and the table stays readable", async () => {
    for (const [key, value] of [
      ["lance-encoding:blob", "true"],
      ["ARROW:extension:name", "lance.blob.v2"],
    ] as const) {
      const update = table.updateFieldMetadata([{ path: "s", metadata: { unit: "x", [key]: value } }]);
      await expect(update).rejects.toMatchObject({ code: "NOT_SUPPORTED", details: { column: "s" } });
    }
    expect([await table.version(), await table.countRows()]).toEqual([2, 2]);
    await table.updateFieldMetadata([{ path: "s", metadata: { "lance-encoding:blob": null } }]);
    expect(await table.countRows("s IS NOT NULL")).toBeGreaterThan(0);
  });

  test("two updates of the metadata of one column in one call add up", async () => {
    await table.updateFieldMetadata([
      { path: "s", metadata: { a: "1", b: "1" } },
      { path: "s", metadata: { b: "2", c: "3" } },
    ]);
    const metadata = (await table.schema()).fields.find((field) => field.name === "s")?.metadata;
    expect(Object.fromEntries(metadata ?? [])).toMatchObject({ a: "1", b: "2", c: "3" });
  });

  test.each([
    ["ints", new arrow.Int64(), 1n, ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]],
    ["floats", new arrow.Float32(), 2.5, ["float16", "float32", "float64", "float"]],
    ["texts", new arrow.Utf8(), "7", ["int32", "string", "int64", "utf8"]],
  ] as const)("casts %s to every type of their kind", async (_name, type, value, names) => {
    const one = await db.createTable("one", [{ v: value }], {
      schema: new arrow.Schema([new arrow.Field("v", type, true)]),
    });
    for (const dataType of names) await one.alterColumns([{ path: "v", dataType }]);
    expect(await one.version()).toBe(1 + names.length);
    expect(String((await rowsOf(one))[0]?.v)).toBe(String(value));
  });
});
