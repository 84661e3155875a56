/** Arrow's Schema table (Schema.fbs): encode and decode. Dictionary ids are numbered depth-first within a file. */
import {
  type DataType,
  type Date_,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float,
  Int,
  type Int32,
  List,
  Map_,
  type Schema,
  Struct,
  Time,
  Timestamp,
} from "apache-arrow";
import { adoptType } from "../columns/adopt.js";
import { childrenOf, largeListType, TYPE_ID } from "../kernels/layout.js";
import { FlatError, type FlatReader, type TablePosition } from "./flat-reader.js";
import { FlatWriter } from "./flat-writer.js";

/** A Schema table as bytes that can be pasted into any message; `start` is where the table begins in them. */
export interface SchemaBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
}

const cache = new WeakMap<Schema, SchemaBytes>();

export function encodeSchema(schema: Schema): SchemaBytes {
  const known = cache.get(schema);
  if (known !== undefined) return known;
  const writer = new FlatWriter();
  const table = writer.table([[2, 0], "ref", schema.metadata.size > 0 ? "ref" : null]);
  const dictionaryIds = { next: 0 };
  const fields = writer.refs(schema.fields.length);
  writer.patch(table.at[1], fields.start);
  for (const [i, field] of schema.fields.entries())
    writer.patch(fields.at[i], encodeField(writer, field, dictionaryIds));
  if (schema.metadata.size > 0) writer.patch(table.at[2], encodeMetadata(writer, schema.metadata));
  const result = { bytes: writer.finish(0), start: table.start };
  cache.set(schema, result);
  return result;
}

/** A vector of KeyValue tables. */
export function encodeMetadata(writer: FlatWriter, metadata: ReadonlyMap<string, string>): number {
  const items = writer.refs(metadata.size);
  let i = 0;
  for (const [key, value] of metadata) {
    const pair = writer.table(["ref", "ref"]);
    writer.patch(items.at[i++], pair.start);
    writer.patch(pair.at[0], writer.string(key));
    writer.patch(pair.at[1], writer.string(value));
  }
  return items.start;
}

function encodeField(writer: FlatWriter, field: Field, dictionaryIds: { next: number }): number {
  const type = field.type as DataType;
  const isDictionary = (type.typeId as number) === TYPE_ID.dictionary;
  const stored = isDictionary ? ((type as Dictionary).dictionary as DataType) : type;
  const table = writer.table([
    "ref",
    [1, field.nullable ? 1 : 0],
    [1, stored.typeId],
    "ref",
    isDictionary ? "ref" : null,
    "ref",
    field.metadata.size > 0 ? "ref" : null,
  ]);
  writer.patch(table.at[0], writer.string(field.name));
  writer.patch(table.at[3], encodeType(writer, stored));
  if (isDictionary) {
    const { indices, isOrdered } = type as Dictionary;
    const encoding = writer.table([[8, dictionaryIds.next++], "ref", [1, isOrdered ? 1 : 0]]);
    writer.patch(table.at[4], encoding.start);
    writer.patch(encoding.at[1], encodeType(writer, indices));
  }
  const children = childrenOf(stored);
  const items = writer.refs(children.length);
  writer.patch(table.at[5], items.start);
  for (const [i, child] of children.entries()) writer.patch(items.at[i], encodeField(writer, child, dictionaryIds));
  if (field.metadata.size > 0) writer.patch(table.at[6], encodeMetadata(writer, field.metadata));
  return table.start;
}

function encodeType(writer: FlatWriter, type: DataType): number {
  switch (type.typeId as number) {
    case TYPE_ID.int:
      return writer.table([
        [4, (type as Int).bitWidth],
        [1, (type as Int).isSigned ? 1 : 0],
      ]).start;
    case TYPE_ID.float:
      return writer.table([[2, (type as Float).precision]]).start;
    case TYPE_ID.decimal: {
      const { precision, scale, bitWidth } = type as Decimal;
      return writer.table([
        [4, precision],
        [4, scale],
        [4, bitWidth],
      ]).start;
    }
    case TYPE_ID.date:
    case TYPE_ID.duration:
      return writer.table([[2, (type as Date_).unit]]).start;
    case TYPE_ID.time:
      return writer.table([
        [2, (type as Time).unit],
        [4, (type as Time).bitWidth],
      ]).start;
    case TYPE_ID.timestamp: {
      const { unit, timezone } = type as Timestamp;
      const table = writer.table([[2, unit], timezone == null ? null : "ref"]);
      if (timezone != null) writer.patch(table.at[1], writer.string(timezone));
      return table.start;
    }
    case TYPE_ID.fixedSizeBinary:
      return writer.table([[4, (type as FixedSizeBinary).byteWidth]]).start;
    case TYPE_ID.fixedSizeList:
      return writer.table([[4, (type as FixedSizeList).listSize]]).start;
    case TYPE_ID.map:
      return writer.table([[1, (type as Map_).keysSorted ? 1 : 0]]).start;
    default:
      return writer.table([]).start;
  }
}

const DEPTH_MAX = 64;

/** The fields of a Schema table. @throws FlatError */
export function decodeFields(reader: FlatReader, schema: TablePosition): Field[] {
  if (reader.i16(schema, 0) !== 0) throw new FlatError("big-endian data");
  return reader.tables(schema, 1).map((field) => decodeField(reader, field, 0));
}

/** KeyValue pairs of a vector. */
export function decodeMetadata(reader: FlatReader, table: TablePosition, slot: number): Map<string, string> {
  return new Map(
    reader.tables(table, slot).map((pair) => [reader.string(pair, 0) ?? "", reader.string(pair, 1) ?? ""]),
  );
}

function decodeField(reader: FlatReader, table: TablePosition, depth: number): Field {
  if (depth > DEPTH_MAX) throw new FlatError(`columns nested deeper than ${DEPTH_MAX}`);
  const children = reader.tables(table, 5).map((child) => decodeField(reader, child, depth + 1));
  const body = reader.table(table, 3);
  if (body === undefined) throw new FlatError("a column without a type");
  const stored = decodeType(reader, reader.u8(table, 2), body, children);
  const name = reader.string(table, 0) ?? "";
  const encoding = reader.table(table, 4);
  if (encoding === undefined) return new Field(name, stored, reader.u8(table, 1) !== 0);
  const index = reader.table(encoding, 1);
  const indices = index === undefined ? new Int(true, 32) : decodeType(reader, TYPE_ID.int, index, []);
  const type = new Dictionary(stored, indices as Int32, reader.i64(encoding, 0), reader.u8(encoding, 2) !== 0);
  return new Field(name, type, reader.u8(table, 1) !== 0);
}

function oneOf<T extends number>(value: number, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) throw new FlatError(`an unknown type parameter (${value})`);
  return value as T;
}

function decodeType(reader: FlatReader, id: number, body: TablePosition, children: readonly Field[]): DataType {
  switch (id) {
    case TYPE_ID.int:
      return new Int(reader.u8(body, 1) !== 0, oneOf(reader.i32(body, 0), [8, 16, 32, 64]));
    case TYPE_ID.float:
      return new Float(oneOf(reader.i16(body, 0), [0, 1, 2]));
    case TYPE_ID.decimal:
      return new Decimal(reader.i32(body, 1), reader.i32(body, 0), oneOf(reader.i32(body, 2, 128), [128, 256]));
    case TYPE_ID.time:
      return new Time(oneOf(reader.i16(body, 0, 1), [0, 1, 2, 3]), oneOf(reader.i32(body, 1, 32), [32, 64]));
    case TYPE_ID.timestamp:
      return new Timestamp(oneOf(reader.i16(body, 0), [0, 1, 2, 3]), reader.string(body, 1) ?? null);
    case TYPE_ID.date:
    case TYPE_ID.duration:
      return adoptType({ typeId: id, unit: oneOf(reader.i16(body, 0, 1), [0, 1, 2, 3]) } as unknown as DataType);
    case TYPE_ID.fixedSizeBinary:
      return new FixedSizeBinary(natural(reader.i32(body, 0)));
    default:
      return decodeNestedType(reader, id, body, children);
  }
}

function natural(value: number): number {
  if (value < 0) throw new FlatError(`a negative size (${value})`);
  return value;
}

function decodeNestedType(reader: FlatReader, id: number, body: TablePosition, children: readonly Field[]): DataType {
  const wanted: number | undefined = id === TYPE_ID.struct ? undefined : id === TYPE_ID.map || isListId(id) ? 1 : 0;
  if (wanted !== undefined && children.length !== wanted)
    throw new FlatError("a column with the wrong number of children");
  switch (id) {
    case TYPE_ID.struct:
      return new Struct([...children]);
    case TYPE_ID.list:
      return new List(children[0]!);
    case TYPE_ID.largeList:
      return largeListType(children[0]!);
    case TYPE_ID.fixedSizeList:
      return new FixedSizeList(natural(reader.i32(body, 0)), children[0]!);
    case TYPE_ID.map:
      if (childrenOf(children[0]!.type as DataType).length !== 2) throw new FlatError("a map without keys and values");
      return new Map_(children[0] as ConstructorParameters<typeof Map_>[0], reader.u8(body, 0) !== 0);
    default:
      if (!PLAIN_IDS.includes(id)) throw new FlatError(`a column of a type that is never written (${id})`);
      return adoptType({ typeId: id } as DataType);
  }
}

/** Types without parameters. */
const PLAIN_IDS: readonly number[] = [
  TYPE_ID.null,
  TYPE_ID.bool,
  TYPE_ID.utf8,
  TYPE_ID.largeUtf8,
  TYPE_ID.binary,
  TYPE_ID.largeBinary,
];

function isListId(id: number): boolean {
  return id === TYPE_ID.list || id === TYPE_ID.largeList || id === TYPE_ID.fixedSizeList;
}
