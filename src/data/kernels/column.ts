/**
 * What the kernels need to know of an Arrow column: its layout, its validity, and how to make one from buffers.
 *
 * Columns are recognised by `typeId`, never by class, so that data made by any supported copy of apache-arrow works.
 * Unions and view types are refused with NOT_SUPPORTED: no table can hold them.
 */
import { Data, type DataType, Vector } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { bitmapBytes } from "./bits.js";

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

/** How a column keeps its rows. */
export type Layout = "null" | "bits" | "fixed" | "bytes" | "list" | "struct" | "fixed-list" | "dictionary";

/** Numbers of apache-arrow's `Type` for the families; 21 is LargeList, which older copies do not name. */
const LAYOUTS: Readonly<Record<number, Layout>> = {
  1: "null",
  2: "fixed",
  3: "fixed",
  4: "bytes",
  5: "bytes",
  6: "bits",
  7: "fixed",
  8: "fixed",
  9: "fixed",
  10: "fixed",
  11: "fixed",
  12: "list",
  13: "struct",
  15: "fixed",
  16: "fixed-list",
  17: "list",
  18: "fixed",
  19: "bytes",
  20: "bytes",
  21: "list",
  "-1": "dictionary",
};

/** @throws NOT_SUPPORTED for a type that no table can hold */
export function layoutOf(type: DataType): Layout {
  const layout = LAYOUTS[type.typeId];
  if (layout === undefined) {
    throw new TableError("NOT_SUPPORTED", `Columns of type ${type} are not supported; cast them to another type.`, {
      details: { type: String(type) },
    });
  }
  return layout;
}

/** The parts of a column that a kernel makes; what is absent does not exist. */
export interface ColumnParts {
  readonly offsets?: Offsets;
  readonly values?: Values;
  readonly validity?: Uint8Array;
  readonly nullCount?: number;
  readonly children?: Data[];
  readonly dictionary?: Vector;
}

/** A column that starts at bit 0 of its own buffers. Without validity every row is valid. */
export function makeColumn(type: DataType, length: number, parts: ColumnParts): Data {
  return build(Data, type, length, parts);
}

/** A column of the type and of the copy of apache-arrow of `source`: their classes refuse each other's. */
export function makeLike(source: Data, length: number, parts: ColumnParts): Data {
  return build(source.constructor as typeof Data, source.type, length, parts);
}

function build(make: typeof Data, type: DataType, length: number, parts: ColumnParts): Data {
  const nullCount = type.typeId === 1 ? length : parts.validity === undefined ? 0 : (parts.nullCount ?? -1);
  const buffers = buffersOf(parts.offsets, parts.values, parts.validity);
  return new make(type, 0, length, nullCount, buffers, parts.children ?? [], parts.dictionary);
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

/** Elements of the values array that make one row: 4 for a 128-bit decimal, the width of fixed-size bytes, else 1. */
export function strideOf(type: DataType): number {
  const shape = type as DataType & { bitWidth?: number; byteWidth?: number; listSize?: number; unit?: number };
  if (type.typeId === 7) return (shape.bitWidth ?? 128) / 32;
  if (type.typeId === 11) return shape.unit === 2 ? 4 : 1 + (shape.unit ?? 0);
  if (type.typeId === 15) return shape.byteWidth ?? 1;
  if (type.typeId === 16) return shape.listSize ?? 1;
  return 1;
}

/** A column of `rows` NULLs. */
export function nullColumn(type: DataType, rows: number): Data {
  const layout = layoutOf(type);
  if (layout === "null") return makeColumn(type, rows, {});
  const parts = { validity: new Uint8Array(bitmapBytes(rows)), nullCount: rows };
  const children: readonly { type: DataType }[] = type.children ?? [];
  switch (layout) {
    case "bits":
      return makeColumn(type, rows, { ...parts, values: new Uint8Array(bitmapBytes(rows)) });
    case "fixed":
      return makeColumn(type, rows, { ...parts, values: new (arrayTypeOf(type))(rows * strideOf(type)) });
    case "bytes":
      return makeColumn(type, rows, { ...parts, offsets: zeroOffsets(type, rows), values: new Uint8Array(0) });
    case "list": {
      const child = nullColumn(children[0]!.type, 0);
      return makeColumn(type, rows, { ...parts, offsets: zeroOffsets(type, rows), children: [child] });
    }
    case "struct":
      return makeColumn(type, rows, { ...parts, children: children.map((child) => nullColumn(child.type, rows)) });
    case "fixed-list":
      return makeColumn(type, rows, { ...parts, children: [nullColumn(children[0]!.type, rows * strideOf(type))] });
    case "dictionary":
      return nullDictionary(type, rows, parts);
  }
}

function zeroOffsets(type: DataType, rows: number): Offsets {
  return hasWideOffsets(type) ? new BigInt64Array(rows + 1) : new Int32Array(rows + 1);
}

/** True when offsets are 64 bits wide: large binary, large utf8, large list. */
export function hasWideOffsets(type: DataType): boolean {
  return type.typeId >= 19 && type.typeId <= 21;
}

type ArrayConstructor = new (length: number) => Values;

function arrayTypeOf(type: DataType): ArrayConstructor {
  return type.ArrayType as ArrayConstructor;
}

function nullDictionary(type: DataType, rows: number, parts: ColumnParts): Data {
  const { indices, dictionary } = type as DataType & { indices: DataType; dictionary: DataType };
  const values = new (arrayTypeOf(indices))(rows);
  return makeColumn(type, rows, { ...parts, values, dictionary: new Vector([nullColumn(dictionary, 0)]) });
}
