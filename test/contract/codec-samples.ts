/** Columns of every type that a table can hold, with values that tell neighbours, nulls and types apart. */
import * as arrow from "apache-arrow";
import { Field, type Schema } from "apache-arrow";
import { buildBatches } from "../../src/data/columns/build.js";
import { fieldsFromSchema, schemaFromFields, type TableSchema } from "../../src/format/schema.js";

/** Value of a column in a row; null where the pattern of nulls says so. */
export type Maker = (row: number) => unknown;

export interface Sample {
  readonly type: arrow.DataType;
  readonly make: Maker;
}

const item = (type: arrow.DataType) => new Field("item", type, true);
const text = (i: number) => `row ${i} ${["ä", "ä€", "ä€😀"][i % 3]}`;

export const SAMPLES: Readonly<Record<string, Sample>> = {
  null: { type: new arrow.Null(), make: () => null },
  bool: { type: new arrow.Bool(), make: (i) => i % 3 === 0 },
  int8: { type: new arrow.Int8(), make: (i) => (i % 256) - 128 },
  uint8: { type: new arrow.Uint8(), make: (i) => i % 256 },
  int16: { type: new arrow.Int16(), make: (i) => -i },
  uint16: { type: new arrow.Uint16(), make: (i) => 65_535 - i },
  int32: { type: new arrow.Int32(), make: (i) => i * 1000 - 7 },
  uint32: { type: new arrow.Uint32(), make: (i) => 4_294_967_295 - i },
  int64: { type: new arrow.Int64(), make: (i) => BigInt(i) * -9_007_199_254_741n },
  uint64: { type: new arrow.Uint64(), make: (i) => 18_446_744_073_709_551_615n - BigInt(i) },
  float16: { type: new arrow.Float16(), make: (i) => (i % 100) / 4 },
  float32: { type: new arrow.Float32(), make: (i) => i / 8 },
  float64: { type: new arrow.Float64(), make: (i) => i / 3 },
  utf8: { type: new arrow.Utf8(), make: (i) => (i % 7 === 0 ? "" : text(i)) },
  largeUtf8: { type: new arrow.LargeUtf8(), make: text },
  binary: { type: new arrow.Binary(), make: (i) => Buffer.alloc(i % 5, i) },
  largeBinary: { type: new arrow.LargeBinary(), make: (i) => Buffer.alloc((i + 1) % 4, i) },
  fixedBinary: { type: new arrow.FixedSizeBinary(5), make: (i) => Buffer.alloc(5, i) },
  decimal: { type: new arrow.Decimal(2, 20), make: (i) => `${i - 3}.25` },
  date32: { type: new arrow.DateDay(), make: (i) => BigInt(i - 100) },
  date64: { type: new arrow.DateMillisecond(), make: (i) => BigInt(i) * 86_400_000n },
  time32: { type: new arrow.TimeMillisecond(), make: (i) => i },
  time64: { type: new arrow.TimeNanosecond(), make: (i) => BigInt(i) },
  timestampS: { type: new arrow.TimestampSecond(), make: (i) => BigInt(i) },
  timestampMs: { type: new arrow.TimestampMillisecond(), make: (i) => BigInt(i) },
  timestampUs: { type: new arrow.TimestampMicrosecond("UTC"), make: (i) => BigInt(i) * 1_000_003n },
  timestampNs: { type: new arrow.TimestampNanosecond(), make: (i) => BigInt(i) * 500_000n },
  duration: { type: new arrow.DurationMillisecond(), make: (i) => BigInt(i) },
  vector: { type: new arrow.FixedSizeList(3, item(new arrow.Float32())), make: (i) => [i, -i, i / 2] },
  list: {
    type: new arrow.List(item(new arrow.Int32())),
    make: (i) => Array.from({ length: i % 4 }, (_, k) => (k === 2 ? null : i)),
  },
  largeList: {
    type: new arrow.LargeList(item(new arrow.Utf8())),
    make: (i) => Array.from({ length: i % 3 }, () => text(i)),
  },
  lists: {
    type: new arrow.List(item(new arrow.List(item(new arrow.Utf8())))),
    make: (i) => [[text(i)], [], null].slice(i % 3),
  },
  struct: {
    type: new arrow.Struct([new Field("x", new arrow.Int64(), true), new Field("y", new arrow.Utf8(), true)]),
    make: (i) => ({ x: BigInt(i), y: i % 3 === 0 ? null : text(i) }),
  },
  structList: {
    type: new arrow.List(item(new arrow.Struct([new Field("k", new arrow.Float64(), true)]))),
    make: (i) => Array.from({ length: i % 3 }, (_, k) => (k === 1 ? null : { k: i + k })),
  },
  map: {
    type: new arrow.Map_(
      new Field(
        "entries",
        new arrow.Struct([new Field("key", new arrow.Utf8(), false), new Field("value", new arrow.Int32(), true)]),
        false,
      ) as never,
    ),
    make: (i) => new Map(Array.from({ length: i % 3 }, (_, k) => [`k${k}`, k === 1 ? null : i])),
  },
  dictionary: { type: new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()), make: (i) => `kind ${i % 5}` },
};

/** "none": no nulls. "some": every fourth row. "all": nothing else. */
export type Nulls = "none" | "some" | "all";

export function withNulls(make: Maker, nulls: Nulls): Maker {
  if (nulls === "none") return make;
  return (i) => (nulls === "all" || i % 4 === 1 ? null : make(i));
}

/** Field ids as a table gives them, not beginning at 0. */
export function tableSchema(schema: Schema): TableSchema {
  return schemaFromFields(fieldsFromSchema(schema, 3));
}

export function schemaOf(columns: Readonly<Record<string, Sample>>): TableSchema {
  return tableSchema(new arrow.Schema(Object.entries(columns).map(([name, { type }]) => new Field(name, type, true))));
}

/** Rows [0, count) as batches of at most `batchRows`. */
export function makeBatches(
  schema: TableSchema,
  columns: Readonly<Record<string, Sample>>,
  count: number,
  nulls: Nulls,
  batchRows = count,
): arrow.RecordBatch[] {
  const makers = Object.entries(columns).map(([name, { make }]) => [name, withNulls(make, nulls)] as const);
  const rows = Array.from({ length: count }, (_, i) =>
    Object.fromEntries(makers.map(([name, make]) => [name, make(i)])),
  );
  return count === 0 ? [] : buildBatches(rows, schema.arrow, { batchRows });
}

/** A value as plain data that can be compared. */
export function plain(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return `${value}n`;
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, plain);
  if (value instanceof Date) return value.getTime();
  if (typeof value !== "object") return value;
  if (value instanceof arrow.Vector) return Array.from(value, plain);
  return Object.entries(value as object).map(([key, one]) => [key, plain(one)]);
}

/** One column of batches, value by value. */
export function valuesOf(batches: readonly arrow.RecordBatch[], column: number): unknown[] {
  return batches.flatMap((batch) => {
    const vector = new arrow.Vector([batch.data.children[column]!]);
    return Array.from({ length: batch.numRows }, (_, i) => plain(vector.get(i)));
  });
}
