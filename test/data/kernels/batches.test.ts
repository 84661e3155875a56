import * as arrow21 from "apache-arrow";
import * as arrow15 from "arrow-15";
import * as arrow18 from "arrow-18";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  adoptBatch,
  concatBatches,
  filterRows,
  makeBatch,
  nullColumn,
  sliceRows,
  takeRows,
} from "../../../src/data/kernels/batches.js";
import { copyBits, countBits, gatherBits, onesBitmap, setBits } from "../../../src/data/kernels/bits.js";
import { gather } from "../../../src/data/kernels/gather.js";

type Arrow = typeof arrow21;
const ARROWS: readonly [string, Arrow][] = [
  ["15", arrow15 as unknown as Arrow],
  ["18", arrow18 as unknown as Arrow],
  ["21", arrow21],
];

/** A value as plain data, so that rows of any type compare by value. */
function plain(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return `${value}n`;
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, plain);
  if (value instanceof Date) return value.getTime();
  if (typeof value !== "object") return value;
  if (Symbol.iterator in value) return Array.from(value as Iterable<unknown>, plain);
  return JSON.stringify(value);
}

function rowsOf(batch: arrow21.RecordBatch): unknown[][] {
  const columns = batch.schema.fields.map((_, i) => batch.getChildAt(i));
  return Array.from({ length: batch.numRows }, (_, row) => columns.map((column) => plain(column?.get(row))));
}

/** One column of every kind that a table can hold, with NULLs every few rows. */
function sample(a: Arrow, rows: number, seed: number): arrow21.RecordBatch {
  const at = <T>(make: (n: number) => T, every: number) =>
    Array.from({ length: rows }, (_, i) => ((i + seed) % every === 0 ? null : make(i + seed)));
  const item = (type: arrow21.DataType) => new a.Field("item", type, true);
  const text = (n: number) => "é".repeat(n % 5) + "x".repeat((n % 3) * 20) + n;
  const columns: Record<string, arrow21.Vector> = {
    flag: a.vectorFromArray(
      at((n) => n % 3 === 0, 4),
      new a.Bool(),
    ),
    small: a.vectorFromArray(
      at((n) => n % 100, 5),
      new a.Int8(),
    ),
    short: a.vectorFromArray(
      at((n) => n, 5),
      new a.Uint16(),
    ),
    int: a.vectorFromArray(
      Array.from({ length: rows }, (_, i) => i * 7 + seed),
      new a.Int32(),
    ),
    long: a.vectorFromArray(
      at((n) => BigInt(n) * 2n ** 40n, 3),
      new a.Int64(),
    ),
    float: a.vectorFromArray(
      at((n) => n / 7, 6),
      new a.Float32(),
    ),
    double: a.vectorFromArray(
      at((n) => n / 3, 6),
      new a.Float64(),
    ),
    text: a.vectorFromArray(at(text, 7), new a.Utf8()),
    bytes: a.vectorFromArray(
      at((n) => new Uint8Array([n, n + 1]), 7),
      new a.Binary(),
    ),
    wide: a.vectorFromArray(at(text, 5), new a.LargeUtf8()),
    pair: a.vectorFromArray(
      at((n) => new Uint8Array([n, 1, 2]), 4),
      new a.FixedSizeBinary(3),
    ),
    vector: a.vectorFromArray(
      at((n) => [n, n + 0.5, -n], 4),
      new a.FixedSizeList(3, item(new a.Float32())),
    ),
    flags: a.vectorFromArray(
      at((n) => [n % 2 === 0, null], 4),
      new a.FixedSizeList(2, item(new a.Bool())),
    ),
    list: a.vectorFromArray(
      at((n) => Array.from({ length: n % 4 }, (_, j) => (j === 2 ? null : n + j)), 5),
      new a.List(item(new a.Int32())),
    ),
    nested: a.vectorFromArray(
      at((n) => [[`a${n}`], [], [text(n), "z"]].slice(0, n % 4), 6),
      new a.List(item(new a.List(item(new a.Utf8())))),
    ),
    struct: a.vectorFromArray(
      at((n) => ({ x: n % 2 === 0 ? n : null, y: `s${n}` }), 5),
      new a.Struct([new a.Field("x", new a.Int32(), true), new a.Field("y", new a.Utf8(), true)]),
    ),
    word: a.vectorFromArray(
      at((n) => `w${(n * seed) % 5}`, 5),
      new a.Dictionary(new a.Utf8(), new a.Int8()),
    ),
    decimal: a.vectorFromArray(
      at((n) => new Uint32Array([n, 1, 2, 3]) as unknown as number, 4),
      new a.Decimal(2, 30, 128),
    ),
    time: a.vectorFromArray(
      at((n) => n * 1000, 4),
      new a.TimestampMillisecond(),
    ),
    day: a.vectorFromArray(
      at((n) => new Date(n * 86_400_000), 4),
      new a.DateDay(),
    ),
    nothing: new a.Vector([a.makeData({ type: new a.Null(), length: rows })]),
  };
  const fields = Object.entries(columns).map(([name, vector]) => new a.Field(name, vector.type, true));
  const children = Object.values(columns).map((vector) => vector.data[0]!);
  const data = a.makeData({ type: new a.Struct(fields), length: rows, nullCount: 0, children });
  return new a.RecordBatch(new a.Schema(fields), data);
}

describe.each(ARROWS)("batches made by apache-arrow %s", (_, a) => {
  const whole = sample(a, 97, 1);
  // Odd starts make every bitmap begin inside a byte.
  const sliced = whole.slice(5, 90);
  const model = rowsOf(whole).slice(5, 90);

  it("take gives the rows of the indices, repeated and out of order, also from the middle of a larger batch", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(84), { maxLength: 40 }), (picked) => {
        const taken = takeRows(sliced, Uint32Array.from(picked));
        expect(rowsOf(taken)).toEqual(picked.map((row) => model[row]));
      }),
      { numRuns: 30 },
    );
  });

  it("take of a taken, sliced and joined batch is still right, so results can be used as inputs", () => {
    const taken = takeRows(
      sliced,
      Uint32Array.from({ length: 85 }, (_, i) => 84 - i),
    );
    const joined = concatBatches([sliceRows(taken, 3, 30), sliceRows(sliced, 11, 20), sliceRows(taken, 0, 0)]);
    const expected = [...model.toReversed().slice(3, 33), ...model.slice(11, 31)];
    expect(rowsOf(joined)).toEqual(expected);
    const again = takeRows(sliceRows(joined, 1, 49), new Uint32Array([48, 0, 0, 7]));
    expect(rowsOf(again)).toEqual([expected[49], expected[1], expected[1], expected[8]]);
  });

  it("join merges dictionaries that differ by value", () => {
    const other = sample(a, 20, 3);
    const joined = concatBatches([sliced, other]);
    expect(rowsOf(joined)).toEqual([...model, ...rowsOf(other)]);
    expect(joined.getChild("word")!.data[0]!.dictionary!.length).toBeLessThanOrEqual(5);
  });

  it("filter keeps the marked rows in order", () => {
    const keep = Uint8Array.from({ length: 85 }, (_, i) => (i % 7 === 2 ? 1 : 0));
    expect(rowsOf(filterRows(sliced, keep))).toEqual(model.filter((_, i) => i % 7 === 2));
    expect(filterRows(sliced, new Uint8Array(85)).numRows).toBe(0);
  });

  it("results are of the same copy of apache-arrow and keep the schema object", () => {
    const taken = takeRows(sliced, new Uint32Array([4, 2]));
    expect(taken).toBeInstanceOf(a.RecordBatch);
    expect(taken.schema.fields.map(String)).toEqual(sliced.schema.fields.map(String));
  });

  it("adopt shows the same rows through this package's classes", () => {
    const schema = sample(arrow21, 1, 1).schema;
    const adopted = adoptBatch(sliced, schema);
    expect(adopted).toBeInstanceOf(arrow21.RecordBatch);
    expect(rowsOf(adopted)).toEqual(model);
    expect(rowsOf(takeRows(adopted, new Uint32Array([9, 1])))).toEqual([model[9], model[1]]);
  });

  it("a column of NULLs exists for every type and joins with real rows", () => {
    const { schema } = sample(arrow21, 1, 1);
    const columns = schema.fields.map((field) => nullColumn(field.type, 9));
    const nulls = makeBatch(schema, columns, 9);
    expect(rowsOf(nulls)).toEqual(Array.from({ length: 9 }, () => columns.map(() => null)));
    const joined = concatBatches([adoptBatch(sliced, nulls.schema), nulls]);
    expect(rowsOf(joined)).toEqual([...model, ...rowsOf(nulls)]);
    for (const [i, column] of joined.data.children.entries()) {
      if (column.typeId !== arrow21.Type.Null)
        expect([i, column.nullCount]).toEqual([i, model.filter((row) => row[i] === null).length + 9]);
    }
  });
});

describe("fixed-size lists", () => {
  it("wide vectors move as blocks and keep every bit, NaN payloads too", () => {
    const bits = Uint32Array.from({ length: 64 * 10 }, (_, i) => (i % 3 === 0 ? 0x7fa00000 + i : i));
    const type = new arrow21.FixedSizeList(64, new arrow21.Field("item", new arrow21.Float32(), true));
    const child = arrow21.makeData({ type: new arrow21.Float32(), data: new Float32Array(bits.buffer) });
    const taken = gather(arrow21.makeData({ type, length: 10, child }), new Uint32Array([7, 8, 9, 2]));
    const words = taken.children[0]!.values as Float32Array;
    const seen = new Uint32Array(words.buffer, words.byteOffset, words.length);
    expect(Array.from(seen)).toEqual([...bits.subarray(7 * 64), ...bits.subarray(2 * 64, 3 * 64)]);
  });
});

describe("bitmaps", () => {
  it("copy, set, count and gather agree with single bits at every alignment", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        fc.nat(20),
        fc.nat(20),
        fc.nat(40),
        (source, from, to, count) => {
          const bit = (bytes: Uint8Array, at: number) => (bytes[at >>> 3]! >>> (at & 7)) & 1;
          const target = new Uint8Array(8);
          copyBits(source, from, target, to, count);
          const expected = Array.from({ length: 64 }, (_, at) =>
            at < to || at >= to + count ? 0 : bit(source, at - to + from),
          );
          expect(Array.from({ length: 64 }, (_, at) => bit(target, at))).toEqual(expected);
          expect(countBits(source, from, count)).toBe(expected.reduce((sum, one) => sum + one, 0));
          const indices = Uint32Array.from({ length: count }, (_, i) => (i * 5) % 40);
          const gathered = gatherBits(source, from, indices);
          expect(Array.from(indices, (_, i) => bit(gathered, i))).toEqual(
            Array.from(indices, (at) => bit(source, from + at)),
          );
          const ones = new Uint8Array(8);
          setBits(ones, to, count);
          expect(countBits(ones, 0, 64)).toBe(count);
          expect(countBits(ones, to, count)).toBe(count);
          expect(countBits(onesBitmap(count), 0, count)).toBe(count);
        },
      ),
    );
  });
});
