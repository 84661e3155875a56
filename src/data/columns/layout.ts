/**
 * How a column of each Arrow type is laid out in memory, and the makers of `Data` and `RecordBatch` that all column
 * code shares.
 *
 * Types are told apart by `typeId`, never by class, because data comes from any copy of apache-arrow. `Data.offset`
 * counts for bit-packed buffers only (validity, booleans); all other buffers and the children are already cut.
 */
import * as arrow from "apache-arrow";
import {
  Data,
  type DataType,
  type Date_,
  type Decimal,
  type Dictionary,
  type Field,
  type FixedSizeBinary,
  type FixedSizeList,
  type Float,
  type Int,
  RecordBatch,
  type Schema,
  Struct,
  type Time,
  type Vector,
} from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { buffersOf } from "../kernels/column.js";

/** Type ids of the Arrow format (Schema.fbs); -1 is apache-arrow's own mark for dictionary-encoded columns. */
export const TYPE_ID = {
  dictionary: -1,
  null: 1,
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  interval: 11,
  list: 12,
  struct: 13,
  union: 14,
  fixedSizeBinary: 15,
  fixedSizeList: 16,
  map: 17,
  duration: 18,
  largeBinary: 19,
  largeUtf8: 20,
  largeList: 21,
  binaryView: 23,
  utf8View: 24,
} as const;

export type Layout =
  | { readonly kind: "null" }
  | { readonly kind: "bool" }
  | { readonly kind: "fixed"; readonly width: number }
  | { readonly kind: "bytes"; readonly large: boolean }
  | { readonly kind: "list"; readonly large: boolean }
  | { readonly kind: "fixed-list"; readonly size: number }
  | { readonly kind: "struct" }
  | { readonly kind: "dictionary"; readonly width: number };

/** The memory layout of a type. @throws NOT_SUPPORTED for types that no Lance table can hold (unions, views, ...). */
export function layoutOf(type: DataType): Layout {
  switch (type.typeId as number) {
    case TYPE_ID.null:
      return { kind: "null" };
    case TYPE_ID.bool:
      return { kind: "bool" };
    case TYPE_ID.int:
    case TYPE_ID.time:
      return { kind: "fixed", width: (type as Int | Time).bitWidth >> 3 };
    case TYPE_ID.float:
      return { kind: "fixed", width: 2 << (type as Float).precision };
    case TYPE_ID.decimal:
      return { kind: "fixed", width: (type as Decimal).bitWidth >> 3 };
    case TYPE_ID.date:
      return { kind: "fixed", width: (type as Date_).unit === 0 ? 4 : 8 };
    case TYPE_ID.timestamp:
    case TYPE_ID.duration:
      return { kind: "fixed", width: 8 };
    case TYPE_ID.fixedSizeBinary:
      return { kind: "fixed", width: (type as FixedSizeBinary).byteWidth };
    case TYPE_ID.utf8:
    case TYPE_ID.binary:
      return { kind: "bytes", large: false };
    case TYPE_ID.largeUtf8:
    case TYPE_ID.largeBinary:
      return { kind: "bytes", large: true };
    case TYPE_ID.list:
    case TYPE_ID.map:
      return { kind: "list", large: false };
    case TYPE_ID.largeList:
      return { kind: "list", large: true };
    case TYPE_ID.fixedSizeList:
      return { kind: "fixed-list", size: (type as FixedSizeList).listSize };
    case TYPE_ID.struct:
      return { kind: "struct" };
    case TYPE_ID.dictionary:
      return { kind: "dictionary", width: (type as Dictionary).indices.bitWidth >> 3 };
    default:
      throw new TableError("NOT_SUPPORTED", `Columns of type ${String(type)} cannot be stored; convert them first.`);
  }
}

/** True for types whose children have field ids of their own; the item of a fixed-size list has none. */
export function hasChildFields(type: DataType): boolean {
  const id = type.typeId as number;
  return id === TYPE_ID.list || id === TYPE_ID.largeList || id === TYPE_ID.map || id === TYPE_ID.struct;
}

/** The child fields of a nested type; none for all others. */
export function childrenOf(type: DataType): readonly Field[] {
  return (type.children ?? []) as readonly Field[];
}

export type Offsets = Int32Array | BigInt64Array;

export interface ColumnParts {
  readonly length: number;
  readonly nullCount: number;
  /** Of bits: validity, and the values of booleans. */
  readonly bitOffset?: number;
  readonly validity?: Uint8Array | undefined;
  readonly offsets?: Offsets | undefined;
  /** Bytes in the layout of the type; viewed as the array class that the loaded apache-arrow has for it. */
  readonly values?: ArrayBufferView | undefined;
  readonly children?: readonly Data[];
  readonly dictionary?: Vector | undefined;
}

/** One column chunk out of its buffers; nothing is copied unless `values` is not aligned to its element size. */
export function makeColumn(type: DataType, parts: ColumnParts): Data {
  const { values } = parts;
  const buffers = buffersOf(parts.offsets, values === undefined ? undefined : viewAs(type, values), parts.validity);
  return new Data(
    type,
    parts.bitOffset ?? 0,
    parts.length,
    parts.nullCount,
    buffers,
    (parts.children ?? []) as Data[],
    parts.dictionary,
  );
}

interface ViewClass {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT: number;
}

/** The same bytes as the array class that the loaded apache-arrow reads this type with. */
function viewAs(type: DataType, values: ArrayBufferView): ArrayBufferView {
  const indices = (type.typeId as number) === TYPE_ID.dictionary ? (type as Dictionary).indices : type;
  const wanted = indices.ArrayType as ViewClass;
  if (values.constructor === wanted) return values;
  const width = wanted.BYTES_PER_ELEMENT;
  const length = Math.floor(values.byteLength / width);
  if (values.byteOffset % width === 0) return new wanted(values.buffer, values.byteOffset, length);
  const copy = bytesOf(values).slice();
  return new wanted(copy.buffer, 0, length);
}

/** The bytes of any typed array, without a copy. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

const structs = new WeakMap<Schema, Struct>();

/** A batch of the given columns, one per field of the schema, all with `length` rows. */
export function makeBatch(schema: Schema, columns: readonly Data[], length: number): RecordBatch {
  let struct = structs.get(schema);
  if (struct === undefined) {
    struct = new Struct(schema.fields);
    structs.set(schema, struct);
  }
  const data = new Data(struct, 0, length, 0, undefined, columns as Data[]);
  return new RecordBatch(schema, data);
}

/** True when bit `index` is set. */
export function bitAt(bits: Uint8Array, index: number): boolean {
  return ((bits[index >> 3]! >> (index & 7)) & 1) === 1;
}

/** The validity bits of a column chunk, or undefined when all of its values are present. */
export function validityOf(data: Data): Uint8Array | undefined {
  const bits = data.nullBitmap as Uint8Array | undefined | null;
  if (bits === undefined || bits === null || bits.byteLength === 0) return undefined;
  return data.nullCount === 0 ? undefined : bits;
}

/** `length` bits from `bitOffset` on, moved to offset 0 in a fresh or shared array. */
export function alignBits(bits: Uint8Array, bitOffset: number, length: number): Uint8Array {
  const byteLength = (length + 7) >> 3;
  const first = bitOffset >> 3;
  const shift = bitOffset & 7;
  if (shift === 0) return bits.subarray(first, first + byteLength);
  const out = new Uint8Array(byteLength);
  for (let i = 0; i < byteLength; i++) {
    const low = bits[first + i]! >> shift;
    const high = (bits[first + i + 1] ?? 0) << (8 - shift);
    out[i] = low | high;
  }
  return out;
}

/** The class for lists with 64-bit offsets, which only newer apache-arrow versions have. @throws NOT_SUPPORTED */
export function largeListType(child: Field): DataType {
  const maker = (arrow as { readonly LargeList?: new (child: Field) => DataType }).LargeList;
  if (maker === undefined) {
    throw new TableError("NOT_SUPPORTED", "The loaded apache-arrow has no LargeList; install version 21 or newer.");
  }
  return new maker(child);
}
