/** Rows and foreign Arrow data as record batches: what fits, what is refused, and with which words. */
import * as arrow from "apache-arrow";
import * as arrow15 from "arrow-15";
import * as arrow18 from "arrow-18";
import { expect, test } from "vitest";
import {
  fromBufferToRecordBatch,
  fromDataToBuffer,
  fromTableToBuffer,
  makeArrowTable,
  makeEmptyTable,
} from "../../src/api/arrow.js";
import { readInput } from "../../src/api/input.js";
import { normalizeBatches } from "../../src/data/columns/adopt.js";
import { buildBatches } from "../../src/data/columns/build.js";
import { inferSchema } from "../../src/data/columns/infer.js";
import { isTableError } from "../../src/support/errors.js";

const { Field, Schema } = arrow;

function table(batches: arrow.RecordBatch[]): unknown[] {
  return new arrow.Table(batches)
    .toArray()
    .map((row) => JSON.parse(JSON.stringify(row, (_, v) => (typeof v === "bigint" ? `${v}n` : v))));
}

function refusal(action: () => unknown): { message: string; details: { row?: unknown; column?: unknown } } {
  try {
    action();
  } catch (error) {
    if (isTableError(error, "SCHEMA_MISMATCH")) return { message: error.message, details: { ...error.details } };
    throw error;
  }
  throw new Error("nothing was refused");
}

const one = (name: string, type: arrow.DataType, nullable = true) => new Schema([new Field(name, type, nullable)]);

test("types are inferred as LanceDB infers them, nullable, in order of appearance", () => {
  const schema = inferSchema([
    {
      a: null,
      b: 1n,
      c: "x",
      d: true,
      e: new Date(5),
      f: Buffer.from("x"),
      vector: [1, 2],
      tags: [],
      s: { x: 1 },
      doc_embedding: [1, 2, 3],
      u: new Uint8Array(2),
    },
    { a: 1, tags: ["t"], s: { y: "z" }, late: [[1], [2]], items: [{ k: 1 }] },
  ]);
  expect(Object.fromEntries(schema.fields.map((f) => [f.name, String(f.type)]))).toEqual({
    a: "Float64",
    b: "Int64",
    c: "Utf8",
    d: "Bool",
    e: "Timestamp<MILLISECOND>",
    f: "Binary",
    vector: "FixedSizeList[2]<Float32>",
    tags: "List<Utf8>",
    s: "Struct<{x:Float64, y:Utf8}>",
    doc_embedding: "FixedSizeList[3]<Float32>",
    u: "FixedSizeList[2]<Uint8>",
    late: "List<List<Float64>>",
    items: "List<Struct<{k:Float64}>>",
  });
  expect(schema.fields.every((f) => f.nullable)).toBe(true);
});

test("a column of nulls only has no type and asks for a schema", () => {
  expect(refusal(() => inferSchema([{ a: null }, { a: [] }])).message).toMatch(
    "Failed to infer data type for field a at row 0",
  );
  expect(inferSchema([{ a: undefined, b: 1 }]).fields.map((f) => f.name)).toEqual(["b"]);
});

test("rows keep their values through every kind of column, nulls and missing keys included", () => {
  const rows = [
    { a: 1, b: 2n, c: "ä€😀", d: true, v: [1, 2], l: ["p", null], s: { x: 1, y: "q" }, t: new Date(1234) },
    {},
    { a: null, c: "", d: false, v: new Float32Array([3, 4]), l: [], s: { x: null }, t: 99 },
    new Map<string, unknown>([["a", 5]]),
  ];
  const schema = inferSchema(rows);
  const out = table(buildBatches(rows, schema));
  expect(out[0]).toEqual({
    a: 1,
    b: "2n",
    c: "ä€😀",
    d: true,
    v: [1, 2],
    l: ["p", null],
    s: { x: 1, y: "q" },
    t: 1234,
  });
  expect(Object.values(out[1] as object).every((v) => v === null)).toBe(true);
  expect(out[2]).toMatchObject({ a: null, c: "", d: false, v: [3, 4], l: [], s: { x: null, y: null }, t: 99 });
  expect(out[3]).toMatchObject({ a: 5 });
});

test("an integer out of range is refused by row and column, never wrapped", () => {
  const cases: [arrow.DataType, unknown][] = [
    [new arrow.Int8(), 128],
    [new arrow.Uint8(), -1],
    [new arrow.Int16(), 1.5],
    [new arrow.Int32(), 2 ** 31],
    [new arrow.Int64(), 2n ** 63n],
    [new arrow.Int64(), 2 ** 53],
    [new arrow.Uint64(), -1n],
    [new arrow.Float64(), "1"],
    [new arrow.Utf8(), 7],
    [new arrow.Utf8(), "\ud800"],
    [new arrow.Bool(), "yes"],
    [new arrow.Binary(), "text"],
    [new arrow.TimestampMillisecond(), new Date(Number.NaN)],
    [new arrow.FixedSizeBinary(3), Buffer.alloc(2)],
    [new arrow.Decimal(2, 5), "1.234"],
    [new arrow.FixedSizeList(2, new Field("item", new arrow.Float32())), [1, 2, 3]],
  ];
  for (const [type, value] of cases) {
    const error = refusal(() => buildBatches([{ c: null }, { c: value }], one("c", type)));
    expect(error.details, String(type)).toEqual({ row: 1, column: "c" });
    expect(error.message).toContain(String(type));
  }
});

const words = (integer: bigint) => BigUint64Array.of(BigInt.asUintN(64, integer), BigInt.asUintN(64, integer >> 64n));

test("words of a decimal hold no more digits than their column, whatever array brings them", () => {
  const type = new arrow.Decimal(2, 5, 128);
  const wide = (integer: bigint) => new Uint32Array(words(integer).buffer);
  const stored = (value: unknown) =>
    new BigInt64Array(buildBatches([{ c: value }], one("c", type))[0]!.getChildAt(0)!.data[0]!.values.buffer)[0];
  for (const integer of [0n, 1n, 99_999n, -1n, -99_999n]) {
    expect([stored(words(integer)), stored(wide(integer))]).toEqual([integer, integer]);
  }
  for (const integer of [100_000n, -100_000n, 1n << 64n, 1n << 126n, -(1n << 127n)]) {
    for (const value of [words(integer), wide(integer), new DataView(words(integer).buffer)]) {
      const error = refusal(() => buildBatches([{ c: 1 }, { c: value }], one("c", type)));
      expect(error.details).toEqual({ row: 1, column: "c" });
    }
  }
  expect(() => buildBatches([{ c: Uint32Array.of(1) }], one("c", type))).toThrow("at most 5 digits");
  const widest = new arrow.Decimal(0, 76, 256);
  const ten = (digits: number) =>
    BigUint64Array.from([0n, 64n, 128n, 192n], (by) => BigInt.asUintN(64, (10n ** BigInt(digits)) >> by));
  expect(buildBatches([{ c: ten(75) }], one("c", widest))).toHaveLength(1);
  expect(() => buildBatches([{ c: ten(76) }], one("c", widest))).toThrow("at most 76 digits");
});

test("a number of milliseconds is a timestamp exactly, or refused, where a double cannot name each unit", () => {
  const at = (type: arrow.DataType, value: unknown) =>
    (buildBatches([{ c: value }], one("c", type))[0]!.getChildAt(0)!.data[0]!.values as BigInt64Array)[0];
  const [micros, nanos] = [new arrow.TimestampMicrosecond(), new arrow.TimestampNanosecond()];
  expect(at(micros, 1_763_709_804_000.123)).toBe(1_763_709_804_000_123n);
  expect(at(nanos, 1_763_709_804_001)).toBe(1_763_709_804_001_000_000n);
  expect(at(nanos, new Date(1_763_709_804_001))).toBe(1_763_709_804_001_000_000n);
  expect(at(nanos, -1_763_709_804_000.5)).toBe(-1_763_709_804_000_500_000n);
  expect(at(nanos, 1234.567891)).toBe(1_234_567_891n);
  expect(at(nanos, 1_763_709_804_000_123_456n)).toBe(1_763_709_804_000_123_456n);
  const lost: [arrow.DataType, number][] = [
    [nanos, 1_763_709_804_000.123],
    [nanos, -1_763_709_804_000.123],
    [micros, 10_000_000_000_000.123],
    [new arrow.TimestampMillisecond(), 2 ** 53 + 2],
    [new arrow.TimestampSecond(), 2 ** 60],
    [new arrow.DateMillisecond(), -(2 ** 53) - 2],
  ];
  for (const [type, value] of lost) {
    const error = refusal(() => buildBatches([{ c: value }], one("c", type)));
    expect(error.details, String(type)).toEqual({ row: 0, column: "c" });
    expect(error.message).toContain("bigint");
  }
});

test("a wrong value deep inside is found by its row and its path", () => {
  const schema = inferSchema([{ s: { l: [{ k: 1 }] } }]);
  const rows = [{ s: { l: [{ k: 1 }, { k: 2 }] } }, { s: { l: [] } }, { s: { l: [{ k: 3 }, { k: "no" }] } }];
  const error = refusal(() => buildBatches(rows, schema));
  expect(error.details.row).toBe(2);
  expect(error.details.column).toBe("s.l.item.k");
});

test("unknown columns and missing required values are refused by name", () => {
  const schema = new Schema([new Field("a", new arrow.Int64(), false), new Field("b", new arrow.Utf8(), true)]);
  expect(refusal(() => buildBatches([{ a: 1 }, { a: 1, extra: 2 }], schema)).details).toEqual({
    row: 1,
    column: "extra",
  });
  expect(refusal(() => buildBatches([{ a: 1 }, { b: "x" }], schema)).details).toEqual({ row: 1, column: "a" });
  expect(refusal(() => buildBatches([{ a: 1 }, 5 as never], schema)).details).toEqual({ row: 1 });
});

test("columns named like members of Object hold what the row holds", () => {
  const rows = [JSON.parse('{"__proto__": 1, "constructor": 2, "toString": 3}'), {}];
  const out = new arrow.Table(buildBatches(rows, inferSchema(rows)));
  expect(out.schema.fields.map((f) => f.name)).toEqual(["__proto__", "constructor", "toString"]);
  for (const index of [0, 1, 2]) expect([...out.getChildAt(index)!]).toEqual([index + 1, null]);
  expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
});

test.each([
  ["15", arrow15],
  ["18", arrow18],
  ["21", arrow],
])("tables of apache-arrow %s become our own without copying", (_, foreign) => {
  const other = foreign as unknown as typeof arrow;
  const floats = new Float64Array([1, 2, 3]);
  const source = new other.Table({
    f: other.makeVector(floats),
    s: other.vectorFromArray(["a", null, "b"], new other.Utf8()),
    t: other.vectorFromArray([new Date(1), new Date(2), null], new other.TimestampMicrosecond()),
    d: other.vectorFromArray(["x", "y", "x"]),
    v: other.vectorFromArray(
      [[1, 2], null, [3, 4]],
      new other.FixedSizeList(2, new other.Field("item", new other.Float32())),
    ),
  });
  const [batch] = normalizeBatches(source);
  expect(batch).toBeInstanceOf(arrow.RecordBatch);
  const values = batch!.getChild("f")!.data[0]!.values as Float64Array;
  expect(values.buffer).toBe(floats.buffer);
  expect([...batch!.getChild("s")!]).toEqual(["a", null, "b"]);
  expect([...batch!.getChild("d")!]).toEqual(["x", "y", "x"]);
  expect([...batch!.getChild("t")!]).toEqual([1, 2, null]);
  expect(table([batch!]).map((r) => (r as { v: unknown }).v)).toEqual([[1, 2], null, [3, 4]]);
});

test("Arrow data is fitted to the table's schema where nothing is lost", () => {
  const { vectorFromArray } = arrow;
  const schema = new Schema([
    new Field("i", new arrow.Int64(), true),
    new Field("s", new arrow.Utf8(), true),
    new Field("v", new arrow.FixedSizeList(2, new Field("item", new arrow.Float32())), true),
    new Field("t", new arrow.TimestampMicrosecond(), true),
    new Field("gone", new arrow.Bool(), true),
  ]);
  const source = new arrow.Table({
    t: vectorFromArray([new Date(5), null], new arrow.TimestampMillisecond()),
    v: vectorFromArray([[1, 2], null], new arrow.List(new Field("item", new arrow.Float64()))),
    s: vectorFromArray(["x", "y"]),
    i: vectorFromArray([1, null], new arrow.Int32()),
  });
  expect(table(normalizeBatches(source, schema))).toEqual([
    { i: "1n", s: "x", v: [1, 2], t: 5, gone: null },
    { i: null, s: "y", v: null, t: null, gone: null },
  ]);
  const bad = (columns: Record<string, arrow.Vector>) =>
    refusal(() => normalizeBatches(new arrow.Table(columns), schema));
  expect(bad({ other: vectorFromArray([1], new arrow.Int32()) }).details).toEqual({ column: "other" });
  expect(bad({ i: vectorFromArray([1, 1.5], new arrow.Float64()) }).details).toEqual({ row: 1, column: "i" });
  expect(bad({ i: vectorFromArray(["1"], new arrow.Utf8()) }).message).toContain("cannot be written as Int64");
  expect(
    bad({ v: vectorFromArray([[1, 2], [3]], new arrow.List(new Field("item", new arrow.Float64()))) }).details,
  ).toEqual({
    row: 1,
    column: "v",
  });
  const required = new Schema([new Field("i", new arrow.Int32(), false)]);
  expect(
    refusal(() => normalizeBatches(new arrow.Table({ i: vectorFromArray([1, null], new arrow.Int32()) }), required))
      .details,
  ).toEqual({ row: 1, column: "i" });
});

test("slices of Arrow tables keep their values and nulls", () => {
  const whole = new arrow.Table({
    b: arrow.vectorFromArray([true, null, false, true, true], new arrow.Bool()),
    l: arrow.vectorFromArray([["a"], null, ["b", "c"], [], ["d"]], new arrow.List(new Field("item", new arrow.Utf8()))),
    i: arrow.vectorFromArray([1, 2, null, 4, 5], new arrow.Int32()),
  });
  const schema = new Schema([
    new Field("b", new arrow.Bool(), true),
    new Field("l", new arrow.List(new Field("item", new arrow.Utf8())), true),
    new Field("i", new arrow.Int64(), true),
  ]);
  expect(table(normalizeBatches(whole.slice(1, 4), schema))).toEqual([
    { b: null, l: null, i: "2n" },
    { b: false, l: ["b", "c"], i: null },
    { b: true, l: [], i: "4n" },
  ]);
});

test("an iterable is pulled one batch at a time and closed when the consumer stops", async () => {
  let pulled = 0;
  let closed = false;
  async function* rows() {
    try {
      for (let i = 0; i < 1000; i++) {
        pulled++;
        yield { id: i };
      }
    } finally {
      closed = true;
    }
  }
  const input = await readInput(rows(), undefined, { batchRows: 10 });
  expect(pulled).toBe(10);
  for await (const batch of input.batches) {
    expect(batch.numRows).toBe(10);
    break;
  }
  expect(pulled).toBeLessThanOrEqual(21);
  expect(closed).toBe(true);
});

test("iterables of rows, arrays of rows and Arrow batches may be mixed; rows are counted through", async () => {
  const arrowPart = new arrow.Table({ id: arrow.vectorFromArray([3, 4], new arrow.Float64()) });
  const input = await readInput([{ id: 1 }, [{ id: 2 }], arrowPart, { id: "five" }] as never);
  const ids: unknown[] = [];
  await expect(
    (async () => {
      for await (const batch of input.batches) ids.push(...batch.getChild("id")!);
    })(),
  ).rejects.toMatchObject({ code: "SCHEMA_MISMATCH", details: { row: 4, column: "id" } });
  expect(ids).toEqual([1, 2, 3, 4]);
});

test("data that is neither rows nor Arrow is refused", async () => {
  await expect(readInput(5 as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(readInput([])).rejects.toThrow("At least one record or a schema needs to be provided");
  expect((await readInput([], one("a", new arrow.Int8()))).rows).toBe(0);
});

test("text and binary views become plain text and binary columns", () => {
  const long = "longer than the twelve bytes that fit into a view";
  const source = new arrow.Table({
    t: arrow.vectorFromArray(["a", null, long], new arrow.Utf8View()),
    b: arrow.vectorFromArray([Buffer.from("x"), null, Buffer.from(long)], new arrow.BinaryView()),
  });
  const [batch] = normalizeBatches(source);
  expect(batch!.schema.fields.map((field) => String(field.type))).toEqual(["Utf8", "Binary"]);
  expect([...batch!.getChild("t")!]).toEqual(["a", null, long]);
  expect(Buffer.from(batch!.getChild("b")!.get(2) as Uint8Array).toString()).toBe(long);
});

test("makeArrowTable follows LanceDB: given types win, absent columns are left out, names outside are refused", () => {
  const schema = new Schema([
    new Field("a", new arrow.Int32(), true),
    new Field(
      "s",
      new arrow.Struct([new Field("x", new arrow.Int32(), true), new Field("y", new arrow.Int32(), true)]),
      true,
    ),
    new Field("b", new arrow.Int16(), true),
  ]);
  expect(makeArrowTable([{ b: 2, s: { y: 3 } }], { schema }).schema.fields.map(String)).toEqual([
    "s: Struct<{y:Int32}>",
    "b: Int16",
  ]);
  expect(
    makeArrowTable([{ v16: [1, 2] }], { vectorColumns: { v16: { type: new arrow.Float16() } } }).schema.fields.map(
      String,
    ),
  ).toEqual(["v16: FixedSizeList[2]<Float16>"]);
  expect(String(makeArrowTable([{ s: "x" }], { dictionaryEncodeStrings: true }).schema.fields[0]!.type)).toBe(
    "Dictionary<Int32, Utf8>",
  );
  expect(() => makeArrowTable([{ z: 1 }], { schema })).toThrow("Found field not in schema: z at row 0");
  expect(() => makeArrowTable([])).toThrow("At least one record or a schema needs to be provided");
  expect(makeEmptyTable(schema).numRows).toBe(0);
});

test("tables go through IPC bytes and back, empty ones with their schema", async () => {
  const full = makeArrowTable([{ a: 1, b: "x" }]);
  const read = arrow.tableFromIPC(await fromTableToBuffer(full));
  expect(read.toArray().map((row) => row.toJSON())).toEqual([{ a: 1, b: "x" }]);
  expect((await fromBufferToRecordBatch(await fromDataToBuffer([{ a: 1 }])))?.numRows).toBe(1);
  expect(await fromBufferToRecordBatch(await fromTableToBuffer(makeEmptyTable(full.schema)))).toBeNull();
});
