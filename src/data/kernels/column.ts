/**
 * Makers of Arrow columns, and what the kernels read of one.
 *
 * `Data.offset` counts for bit-packed buffers only (validity, booleans); all other buffers and the children are already
 * cut.
 */
import { Data, type DataType, type Dictionary, Vector } from "apache-arrow";
import { bitmapBytes } from "./bits.js";
import { childrenOf, hasWideOffsets, layoutOf, strideOf, TYPE_ID } from "./layout.js";

/** Any typed array that can stand behind a column. */
export type Values =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

export type Offsets = Int32Array | BigInt64Array;

/** The parts of a column; what is absent does not exist. */
export interface ColumnParts {
  readonly length: number;
  /** Absent: none without validity, else counted when somebody asks. */
  readonly nullCount?: number;
  /** Of bits: validity, and the values of booleans. */
  readonly bitOffset?: number;
  readonly validity?: Uint8Array | undefined;
  readonly offsets?: Offsets | undefined;
  /** Bytes in the layout of the type; viewed as the array class that the loaded apache-arrow has for it. */
  readonly values?: ArrayBufferView | undefined;
  readonly children?: readonly Data[];
  readonly dictionary?: Vector | undefined;
}

/** What a column holds, however many rows it has. */
export type ColumnContent = Omit<ColumnParts, "length">;

/** One column chunk out of its buffers; nothing is copied unless `values` is not aligned to its element size. */
export function makeColumn(type: DataType, parts: ColumnParts): Data {
  const { values } = parts;
  return build(Data, type, parts, values === undefined ? undefined : viewAs(type, values));
}

/** A column of the type and of the copy of apache-arrow of `source`: their classes refuse each other's. */
export function makeLike(source: Data, parts: ColumnParts): Data {
  return build(source.constructor as typeof Data, source.type, parts, parts.values);
}

function build(make: typeof Data, type: DataType, parts: ColumnParts, values: ArrayBufferView | undefined): Data {
  const { length, validity, offsets, dictionary, bitOffset = 0 } = parts;
  const nullCount = parts.nullCount ?? (type.typeId === TYPE_ID.null ? length : validity === undefined ? 0 : -1);
  const buffers = buffersOf(offsets, values, validity);
  return new make(type, bitOffset, length, nullCount, buffers, [...(parts.children ?? [])], dictionary);
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

type Buffer = ArrayBufferView | null | undefined;

/** Buffers as `Data` takes them: apache-arrow's own type wants all four, of the classes of one type. */
export function buffersOf(offsets: Buffer, values: Buffer, validity: Buffer): Data["buffers"] {
  const buffers: unknown = [offsets, values, validity];
  return buffers as Data["buffers"];
}

/** The validity bitmap if the column has NULLs (it starts at bit `data.offset`), else undefined. */
export function validityOf(data: Data): Uint8Array | undefined {
  const bitmap: Uint8Array | null | undefined = data.nullBitmap;
  if (bitmap === null || bitmap === undefined || bitmap.length === 0 || data.nullCount === 0) return undefined;
  return bitmap;
}

export function valuesOf(data: Data): Values {
  return data.values as Values;
}

/** Offsets of a list or a variable-width column; a column without rows may have none. */
export function offsetsOf(data: Data): Offsets {
  const offsets: Offsets | undefined = data.valueOffsets;
  return offsets === undefined || offsets.length === 0 ? EMPTY_OFFSETS : offsets;
}

const EMPTY_OFFSETS = new Int32Array(1);

/** A column of `rows` NULLs. */
export function nullColumn(type: DataType, rows: number): Data {
  const layout = layoutOf(type);
  if (layout.kind === "null") return makeColumn(type, { length: rows });
  const parts = { length: rows, validity: new Uint8Array(bitmapBytes(rows)), nullCount: rows };
  const children = childrenOf(type);
  switch (layout.kind) {
    case "bool":
      return makeColumn(type, { ...parts, values: new Uint8Array(bitmapBytes(rows)) });
    case "fixed":
      return makeColumn(type, { ...parts, values: new (arrayTypeOf(type))(rows * strideOf(type)) });
    case "bytes":
      return makeColumn(type, { ...parts, offsets: zeroOffsets(type, rows), values: new Uint8Array(0) });
    case "list": {
      const child = nullColumn(children[0]!.type, 0);
      return makeColumn(type, { ...parts, offsets: zeroOffsets(type, rows), children: [child] });
    }
    case "struct":
      return makeColumn(type, { ...parts, children: children.map((child) => nullColumn(child.type, rows)) });
    case "fixed-list":
      return makeColumn(type, { ...parts, children: [nullColumn(children[0]!.type, rows * strideOf(type))] });
    case "dictionary":
      return nullDictionary(type, rows, parts);
  }
}

function zeroOffsets(type: DataType, rows: number): Offsets {
  return hasWideOffsets(type) ? new BigInt64Array(rows + 1) : new Int32Array(rows + 1);
}

type ArrayConstructor = new (length: number) => Values;

function arrayTypeOf(type: DataType): ArrayConstructor {
  return type.ArrayType as ArrayConstructor;
}

function nullDictionary(type: DataType, rows: number, parts: ColumnParts): Data {
  const { indices, dictionary } = type as DataType & { indices: DataType; dictionary: DataType };
  const values = new (arrayTypeOf(indices))(rows);
  return makeColumn(type, { ...parts, values, dictionary: new Vector([nullColumn(dictionary, 0)]) });
}
