import * as arrow from "apache-arrow";
import { describe, expect, it } from "vitest";
import { scan } from "../../src/compute/scan.js";
import { sortRows } from "../../src/compute/sort-rows.js";
import { collect, type Row, sampleTable } from "./sample-table.js";

const column = (type: arrow.DataType, values: unknown[]) => arrow.vectorFromArray(values, type as arrow.Utf8).data[0]!;
const order = (type: arrow.DataType, values: unknown[], ascending = true, nullsFirst = false) =>
  Array.from(sortRows([{ data: column(type, values), ascending, nullsFirst }], values.length));

describe("the order of values", () => {
  const item = (type: arrow.DataType) => new arrow.Field("item", type, true);
  const bytes = (...values: number[]) => Uint8Array.from(values);

  // Each list is in ascending order; the last row is NULL.
  const cases: readonly (readonly [string, arrow.DataType, unknown[]])[] = [
    ["booleans", new arrow.Bool(), [false, true, null]],
    ["small integers", new arrow.Int8(), [-128, -1, 0, 127, null]],
    ["unsigned integers above the sign bit", new arrow.Uint32(), [0, 1, 4_000_000_000, null]],
    ["long integers", new arrow.Int64(), [-(2n ** 63n), -1n, 0n, 2n ** 40n, 2n ** 63n - 1n, null]],
    ["unsigned long integers", new arrow.Uint64(), [0n, 2n ** 63n, 2n ** 64n - 1n, null]],
    [
      "floats in total order",
      new arrow.Float64(),
      [Number.NEGATIVE_INFINITY, -1, -0, 0, 1e-300, 5, Number.POSITIVE_INFINITY, Number.NaN, null],
    ],
    ["single floats", new arrow.Float32(), [-2, -0, 0, 0.5, Number.NaN, null]],
    ["half floats", new arrow.Float16(), [-2, -1, 0.5, 1, 2, null]],
    [
      "text by its bytes",
      new arrow.Utf8(),
      ["", "B", "a", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab", "é", "\u{ffff}", "\u{1f600}", null],
    ],
    ["large text", new arrow.LargeUtf8(), ["a", "b", "ba", null]],
    ["text with zeros at the end", new arrow.Utf8(), ["a", "a\0", "a\0\0", null]],
    ["binary", new arrow.Binary(), [bytes(1), bytes(1, 200), bytes(2), null]],
    ["fixed-size binary", new arrow.FixedSizeBinary(2), [bytes(1, 1), bytes(1, 200), bytes(2, 0), null]],
    ["days", new arrow.DateDay(), [new Date(-86_400_000), new Date(0), new Date(86_400_000), null]],
    ["timestamps", new arrow.TimestampMillisecond(), [-5, 0, 7, null]],
    ["durations", new arrow.DurationMillisecond(), [-5n, 0n, 7n, null]],
    ["lists", new arrow.List(item(new arrow.Int32())), [[], [1], [1, 2], [2], null]],
    ["vectors", new arrow.FixedSizeList(2, item(new arrow.Float32())), [[1, 2], [1, 3], [2, 0], null]],
    [
      "structs",
      new arrow.Struct([new arrow.Field("x", new arrow.Int32(), true), new arrow.Field("y", new arrow.Utf8(), true)]),
      [{ x: 1, y: "b" }, { x: 2, y: "a" }, { x: null, y: "a" }, null],
    ],
  ];

  it.each(cases)("%s: up, down, NULLs last or first", (_, type, ascending) => {
    const rows = ascending.map((_, i) => i);
    const last = rows.length - 1;
    const mixed = rows.toSorted((a, b) => ((a * 7) % 5) - ((b * 7) % 5));
    const values = mixed.map((i) => ascending[i]);
    const inOrder = (result: readonly number[]) => result.map((i) => mixed[i]);
    expect(inOrder(order(type, values))).toEqual(rows);
    // A NULL inside a struct goes where the NULLs of the key go, in both directions.
    if (type.typeId === arrow.Type.Struct) return;
    expect(inOrder(order(type, values, true, true))).toEqual([last, ...rows.slice(0, -1)]);
    expect(inOrder(order(type, values, false))).toEqual([...rows.slice(0, -1).toReversed(), last]);
    expect(inOrder(order(type, values, false, true))).toEqual(rows.toReversed());
  });

  it("dictionaries sort by their words, decimals by their value", () => {
    expect(order(new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()), ["z", null, "a", "b", "a"])).toEqual([
      2, 4, 3, 0, 1,
    ]);
    const words = (low: number, high: number) => [low, high, high, high];
    const values = Uint32Array.from([...words(5, 0), ...words(0xffff_fffb, 0xffff_ffff), ...words(4, 0)]);
    const data = arrow.makeData({ type: new arrow.Decimal(2, 30, 128), length: 3, data: values });
    expect(Array.from(sortRows([{ data, ascending: true, nullsFirst: false }], 3))).toEqual([1, 2, 0]);
  });

  it("rows that compare equal keep their order, in both directions and by several keys", () => {
    const key = { data: column(new arrow.Int32(), [1, 0, 1, 0, 1]), nullsFirst: false };
    expect(Array.from(sortRows([{ ...key, ascending: true }], 5))).toEqual([1, 3, 0, 2, 4]);
    expect(Array.from(sortRows([{ ...key, ascending: false }], 5))).toEqual([0, 2, 4, 1, 3]);
    const text = { data: column(new arrow.Utf8(), ["b", "a", "a", "a", "b"]), ascending: false, nullsFirst: false };
    expect(Array.from(sortRows([{ ...key, ascending: true }, text], 5))).toEqual([1, 3, 0, 4, 2]);
  });

  it("a type without an order is refused", () => {
    const entries = new arrow.Struct([
      new arrow.Field("key", new arrow.Utf8(), false),
      new arrow.Field("value", new arrow.Int32(), true),
    ]);
    const type = new arrow.Map_(new arrow.Field("entries", entries as never, false));
    const map = arrow.makeData({
      type,
      length: 1,
      valueOffsets: new Int32Array(2),
      child: arrow.makeData({ type: entries, length: 0, children: [] }) as never,
    });
    expect(() => sortRows([{ data: map, ascending: true, nullsFirst: false }], 1)).toThrow(
      expect.objectContaining({ code: "NOT_SUPPORTED" }),
    );
  });
});

describe("an ordered scan with a limit", () => {
  const schema = new arrow.Schema([
    new arrow.Field("id", new arrow.Int32(), true),
    new arrow.Field("key", new arrow.Int32(), true),
    new arrow.Field("text", new arrow.Utf8(), true),
  ]);
  // More rows than are collected before the best are picked, so that the bound comes into play.
  const rows = Array.from({ length: 60_000 }, (_, i): Row => {
    const key = (i * 7919) % 5000;
    return { id: i, key: i % 11 === 0 ? null : key, text: `shared prefix ${key % 50}` };
  });
  const half = rows.length / 2;
  const table = sampleTable(schema, [{ rows: rows.slice(0, half), deleted: [3, 4] }, { rows: rows.slice(half) }]);
  const live = rows.filter(({ id }) => id !== 3 && id !== 4);

  it.each([
    { columnName: "key", ascending: true, nullsFirst: false },
    { columnName: "key", ascending: false, nullsFirst: true },
    { columnName: "text", ascending: false, nullsFirst: false },
  ])("gives what sorting everything would give: $columnName, ascending $ascending", async (key) => {
    const { source } = await table;
    const rank = (row: Row) => (row[key.columnName] === null ? (key.nullsFirst ? 0 : 2) : 1);
    const expected = live.toSorted((a, b) => {
      const [x, y] = [a[key.columnName], b[key.columnName]];
      if (rank(a) !== 1 || rank(b) !== 1) return rank(a) - rank(b);
      const result = (x as number) < (y as number) ? -1 : x === y ? 0 : 1;
      return key.ascending ? result : -result;
    });
    const found = await collect(scan(source, { columns: [{ name: "id" }], orderBy: [key], offset: 700, limit: 900 }));
    expect(found.map(({ id }) => id)).toEqual(expected.slice(700, 1600).map(({ id }) => id));
  });

  it("keeps NULLs apart by the second key when the limit reaches into them", async () => {
    const few = rows.map((_, id): Row => ({ id, key: id % 30 === 0 ? id : null, text: null }));
    const { source } = await sampleTable(schema, [{ rows: few }]);
    const orderBy = [{ columnName: "key" }, { columnName: "id", ascending: false }];
    const found = await collect(scan(source, { columns: [{ name: "id" }], orderBy, offset: 2000, limit: 4 }));
    expect(found.map(({ id }) => id)).toEqual([59_999, 59_998, 59_997, 59_996]);
  });

  it("reads columns that only the result needs for the rows of the result alone", async () => {
    const { source } = await sampleTable(schema, [{ rows: rows.slice(0, half) }]);
    const wide = await collect(scan(source, { orderBy: [{ columnName: "key" }], limit: 2 }));
    expect(wide).toEqual([rows[5000], rows[10_000]]);
  });
});
