/** Columns of every type that Lance files hold, with values from a seed, for round trips through the codec. */
import {
  Binary,
  Bool,
  type Data,
  type DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  Dictionary,
  DurationNanosecond,
  DurationSecond,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  LargeBinary,
  LargeUtf8,
  List,
  Map_,
  makeData,
  Null,
  RecordBatch,
  Schema,
  Struct,
  TimeMicrosecond,
  TimeMillisecond,
  TimeNanosecond,
  TimeSecond,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  Type,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
  Vector,
  vectorFromArray,
} from "apache-arrow";
import type { ByteSource } from "../../../src/data/codec.js";
import type { SchemaNode, TableSchema } from "../../../src/format/schema.js";

const item = <T extends DataType>(type: T) => new Field("item", type, true);
const wide = (type: DataType) => new Field("item", type, true);

export const TYPES: Readonly<Record<string, DataType>> = {
  int8: new Int8(),
  int16: new Int16(),
  int32: new Int32(),
  int64: new Int64(),
  uint8: new Uint8(),
  uint16: new Uint16(),
  uint32: new Uint32(),
  uint64: new Uint64(),
  float16: new Float16(),
  float32: new Float32(),
  float64: new Float64(),
  bool: new Bool(),
  null: new Null(),
  utf8: new Utf8(),
  largeUtf8: new LargeUtf8(),
  longUtf8: new Utf8(),
  binary: new Binary(),
  largeBinary: new LargeBinary(),
  fixedSizeBinary5: new FixedSizeBinary(5),
  fixedSizeBinary300: new FixedSizeBinary(300),
  dateDay: new DateDay(),
  dateMillisecond: new DateMillisecond(),
  timeSecond: new TimeSecond(),
  timeMillisecond: new TimeMillisecond(),
  timeMicrosecond: new TimeMicrosecond(),
  timeNanosecond: new TimeNanosecond(),
  timestampSecond: new TimestampSecond(),
  timestampMillisecond: new TimestampMillisecond("UTC"),
  timestampMicrosecond: new TimestampMicrosecond(),
  timestampNanosecond: new TimestampNanosecond("America/New_York"),
  durationSecond: new DurationSecond(),
  durationNanosecond: new DurationNanosecond(),
  decimal128: new Decimal(10, 30, 128),
  vector4: new FixedSizeList(4, item(new Float32())),
  vector3Int16: new FixedSizeList(3, item(new Int16())),
  vector11Bool: new FixedSizeList(11, item(new Bool())),
  vector64: new FixedSizeList(64, item(new Float64())),
  vector100: new FixedSizeList(100, item(new Float32())),
  dictionary32: new Dictionary(new Utf8(), new Int32()),
  dictionary8: new Dictionary(new Utf8(), new Int8()),
  list: new List(item(new Int32())),
  listUtf8: new List(item(new Utf8())),
  listLongUtf8: new List(item(new Utf8())),
  listBool: new List(item(new Bool())),
  listVector: new List(wide(new FixedSizeList(2, item(new Float32())))),
  listList: new List(wide(new List(item(new Int64())))),
  struct: new Struct([
    new Field("a", new Int32(), true),
    new Field("b", new Utf8(), true),
    new Field("c", new Struct([new Field("d", new Float64(), true)]), true),
  ]),
  structList: new Struct([
    new Field("l", new List(item(new Int16())), true),
    new Field("v", new FixedSizeList(3, item(new Float32())), true),
  ]),
  listStruct: new List(
    wide(new Struct([new Field("x", new Int32(), true), new Field("y", new List(item(new Utf8())), true)])),
  ),
  map: new Map_(
    new Field(
      "entries",
      new Struct<{ key: Utf8; value: Int32 }>([
        new Field("key", new Utf8(), false),
        new Field("value", new Int32(), true),
      ]),
      false,
    ),
  ),
};

export type Nulls = "none" | "some" | "all";

/** A generator of numbers in [0, 1) that says the same for the same seed. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One column of `rows` values. */
export function sampleColumn(name: string, type: DataType, rows: number, nulls: Nulls, seed: number): Data {
  const random = chance(seed);
  const share = nulls === "some" ? 0.3 : 0;
  const values = Array.from({ length: rows }, () => (nulls === "all" ? null : sample(name, type, share, random)));
  return vectorFromArray(values, type).data[0]!;
}

function sample(name: string, type: DataType, share: number, random: () => number): unknown {
  if (random() < share) return null;
  const below = (limit: number) => Math.floor(random() * limit);
  const facts = type as DataType & Record<string, number>;
  switch (type.typeId) {
    case Type.Null:
      return null;
    case Type.Int: {
      const bits = facts.bitWidth!;
      const isSigned = (type as Int32).isSigned;
      if (bits === 64) return BigInt(below(2 ** 31)) * BigInt(below(2 ** 31)) * 2n - (isSigned ? 2n ** 61n : 0n);
      return below(2 ** bits) - (isSigned ? 2 ** (bits - 1) : 0);
    }
    case Type.Float:
      if (facts.precision === 0) return below(100) / 4;
      return facts.precision === 1 ? Math.fround(random() * 100 - 50) : below(50) === 0 ? Number.NaN : random() * 1e6;
    case Type.Utf8:
    case Type.LargeUtf8:
      if (name.includes("ong")) return below(3) > 0 ? "é".repeat(below(400)) : "x".repeat(below(5));
      return below(10) === 0 ? "" : `v${"ü".repeat(below(6))}${below(1000)}`;
    case Type.Binary:
    case Type.LargeBinary:
      return Uint8Array.from({ length: below(20) }, () => below(256));
    case Type.FixedSizeBinary:
      return Uint8Array.from({ length: facts.byteWidth! }, () => below(256));
    case Type.Bool:
      return random() < 0.5;
    case Type.Date:
      return facts.unit === 0 ? new Date(below(20_000) * 86_400_000) : new Date(below(2 ** 31) * 500);
    case Type.Time:
      return facts.bitWidth === 32 ? below(86_400) : BigInt(below(86_400)) * 1_000_000n;
    case Type.Timestamp:
      return below(2 ** 31) * 1000;
    case Type.Duration:
      return BigInt(below(2 ** 31));
    case Type.Decimal:
      return Uint32Array.of(below(2 ** 32), below(2 ** 32), below(100), 0);
    case Type.Dictionary:
      return ["red", "green", "blue", "a rather long name of a colour"][below(4)];
    default:
      return sampleNested(name, type, share, random);
  }
}

function sampleNested(name: string, type: DataType, share: number, random: () => number): unknown {
  const below = (limit: number) => Math.floor(random() * limit);
  const child = type.children[0]!;
  switch (type.typeId) {
    case Type.FixedSizeList:
      return Array.from({ length: (type as FixedSizeList).listSize }, () =>
        sample(name, child.type, share / 3, random),
      );
    case Type.List:
      return Array.from({ length: below(5) }, () => sample(name, child.type, share / 2, random));
    case Type.Map:
      return new Map(Array.from({ length: below(4) }, (_, i) => [`k${i}`, random() < share ? null : below(1000)]));
    default: {
      const fields = type.children.map((field) => [field.name, sample(name, field.type, share, random)]);
      return Object.fromEntries(fields);
    }
  }
}

/** A batch with these columns, and the schema that a table would have for it. */
export function batchOf(columns: Readonly<Record<string, Data>>): { batch: RecordBatch; schema: TableSchema } {
  const fields = Object.entries(columns).map(([name, data]) => new Field(name, data.type, true));
  const arrow = new Schema(fields);
  const length = Object.values(columns)[0]?.length ?? 0;
  const data = makeData({ type: new Struct(fields), length, nullCount: 0, children: Object.values(columns) });
  return { batch: new RecordBatch(arrow, data), schema: tableSchema(arrow) };
}

/** Ids depth first from 0, as a new table gives them. */
export function tableSchema(arrow: Schema): TableSchema {
  let next = 0;
  const node = (field: Field): SchemaNode => {
    const id = next++;
    const isLeaf = field.type.typeId === Type.FixedSizeList || field.type.typeId === Type.Dictionary;
    return { id, field, children: isLeaf ? [] : (field.type.children ?? []).map(node) };
  };
  return { arrow, nodes: arrow.fields.map(node) };
}

/** Every cell of a column in a form that compares with ===. */
export function cells(chunks: readonly Data[]): string[] {
  if (chunks.length === 0) return [];
  return [...new Vector([...chunks])].map((value) => JSON.stringify(plain(value)));
}

function plain(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : value;
  if (typeof value !== "object") return value;
  if (ArrayBuffer.isView(value)) return Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (value instanceof Vector) return [...value].map(plain);
  return [...(value as Iterable<[unknown, unknown]>)].map(([key, one]) => [key, plain(one)]);
}

/** Bytes in memory as a file; counts what is read. */
export class MemorySource implements ByteSource {
  readonly path = "data/test.lance";
  readonly bytes: Uint8Array;
  bytesRead = 0;

  constructor(chunks: readonly Uint8Array[]) {
    this.bytes = new Uint8Array(Buffer.concat(chunks));
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  async read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    this.bytesRead += end - start;
    return new Uint8Array(this.bytes.slice(start, end));
  }
}
