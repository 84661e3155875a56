/**
 * Arrow data as columns, without copies, from any supported version of apache-arrow.
 *
 * Types are told apart by their number, never by class, so that data built by another copy of Arrow works too.
 */
import type { Data, DataType } from "apache-arrow";
import { TableError } from "../../../support/errors.js";
import { type Column, type DictionaryColumn, nullColumn, type Validity, type VectorColumn } from "./column.js";
import { concatColumns } from "./slices.js";

type Common = { readonly length: number; readonly validity: Validity };

/** Type numbers of Arrow's schema format, the same in every version of the package. */
export const TYPE = {
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
  list: 12,
  struct: 13,
  fixedSizeBinary: 15,
  fixedSizeList: 16,
  map: 17,
  duration: 18,
  largeBinary: 19,
  largeUtf8: 20,
  largeList: 21,
  dictionary: -1,
} as const;

/** Rows of one Arrow column. @throws NOT_SUPPORTED for a type that Lance files do not hold, naming `path`. */
export function readColumn(data: Data, path: string, length: number = data.length): Column {
  const validity = readValidity(data);
  const common = { length, validity };
  switch (data.type.typeId as number) {
    case TYPE.null:
      return nullColumn(length);
    case TYPE.bool:
      return { kind: "bit", ...common, bits: { bytes: bytesOf(data.values), offset: data.offset } };
    case TYPE.int:
    case TYPE.float:
    case TYPE.decimal:
    case TYPE.date:
    case TYPE.time:
    case TYPE.timestamp:
    case TYPE.duration:
    case TYPE.fixedSizeBinary: {
      const width = widthOf(data.type);
      return { kind: "fixed", ...common, width, bytes: bytesOf(data.values).subarray(0, length * width) };
    }
    case TYPE.utf8:
    case TYPE.binary:
    case TYPE.largeUtf8:
    case TYPE.largeBinary: {
      const offsetWidth = isLarge(data.type) ? 8 : 4;
      return { kind: "variable", ...common, offsetWidth, offsets: offsetsOf(data, path), bytes: bytesOf(data.values) };
    }
    case TYPE.list:
    case TYPE.largeList:
    case TYPE.map:
      return { kind: "list", ...common, offsets: offsetsOf(data, path), items: readColumn(data.children[0]!, path) };
    case TYPE.struct:
      return {
        kind: "struct",
        ...common,
        children: data.children.map((child, i) => readColumn(child, `${path}.${data.type.children[i]!.name}`, length)),
      };
    case TYPE.fixedSizeList:
      return readVector(data, path, common);
    case TYPE.dictionary:
      return readDictionary(data, path, common);
    default:
      throw notSupported(path, data.type);
  }
}

function readVector(data: Data, path: string, common: Common): VectorColumn {
  const dimension = (data.type as DataType & { listSize: number }).listSize;
  const items = readColumn(data.children[0]!, path, common.length * dimension);
  if (items.kind !== "fixed" && items.kind !== "bit" && items.kind !== "vector") throw notSupported(path, data.type);
  return { kind: "vector", ...common, dimension, items };
}

function readDictionary(data: Data, path: string, common: Common): DictionaryColumn {
  const { indices: indexType } = data.type as DataType & { indices: DataType };
  const width = widthOf(indexType);
  const vector = data.dictionary!;
  const items = vector.data.map((part) => readColumn(part, path));
  return {
    kind: "dictionary",
    ...common,
    indices: {
      kind: "fixed",
      length: common.length,
      validity: undefined,
      width,
      bytes: bytesOf(data.values).subarray(0, common.length * width),
    },
    identity: vector.data.length === 1 ? vector.data[0]! : vector,
    items: items.length === 1 ? items[0]! : concatColumns(items),
  };
}

function readValidity(data: Data): Validity {
  const bytes = data.nullBitmap;
  if (data.nullCount === 0 || !bytes || bytes.length === 0) return undefined;
  return { bytes, offset: data.offset };
}

/** Bytes of one value of a fixed-width type. */
export function widthOf(type: DataType): number {
  const facts = type as DataType & { bitWidth?: number; byteWidth?: number; precision?: number; unit?: number };
  switch (type.typeId as number) {
    case TYPE.float:
      return [2, 4, 8][facts.precision ?? 0]!;
    case TYPE.date:
      return facts.unit === 0 ? 4 : 8;
    case TYPE.timestamp:
    case TYPE.duration:
      return 8;
    case TYPE.fixedSizeBinary:
      return facts.byteWidth!;
    default:
      return facts.bitWidth! / 8;
  }
}

export function isLarge(type: DataType): boolean {
  const id = type.typeId as number;
  return id === TYPE.largeUtf8 || id === TYPE.largeBinary || id === TYPE.largeList;
}

function bytesOf(values: ArrayBufferView | undefined): Uint8Array {
  if (!values) return new Uint8Array(0);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function offsetsOf(data: Data, path: string): Int32Array {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array | undefined;
  if (!offsets || offsets.length === 0) return new Int32Array(1);
  if (offsets.BYTES_PER_ELEMENT === 4) return (offsets as Int32Array).subarray(0, data.length + 1);
  const narrow = new Int32Array(data.length + 1);
  for (let i = 0; i <= data.length; i++) {
    const value = Number(offsets[i]!);
    if (value > 0x7fffffff) {
      throw new TableError("NOT_SUPPORTED", `Column "${path}" holds 2 GiB or more in one batch; pass smaller batches.`);
    }
    narrow[i] = value;
  }
  return narrow;
}

function notSupported(path: string, type: DataType): TableError {
  return new TableError(
    "NOT_SUPPORTED",
    `Column "${path}" has type ${String(type)}, which Lance data files do not hold; cast it or leave it out.`,
    { details: { path } },
  );
}
