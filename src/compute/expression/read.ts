/** Arrow data to vectors, whole or at chosen rows: the only place that looks at Arrow's buffers as they are. */
import { type Data, type DataType, Type } from "apache-arrow";
import { buffersOf } from "../../data/kernels/column.js";
import { TableError } from "../../support/errors.js";
import { kindOf, shapeOf, typeText, valueType } from "./types.js";
import type { BytesVector, ListVector, Vector, WideVector } from "./vector.js";

/** `data` as a vector of all its rows, or of `rows` (offsets into it, any order). @throws NOT_SUPPORTED */
export function readVector(data: Data, rows?: Uint32Array): Vector {
  const type = data.type as DataType;
  const length = rows?.length ?? data.length;
  if (type.typeId === Type.Dictionary) return readDictionary(data, rows);
  const head = { type, length, constant: false, valid: readValid(data, rows) } as const;
  const kind = kindOf(type);
  switch (kind) {
    case "null":
      return { form: "nothing", type, length, constant: true, valid: new Uint8Array(1) };
    case "bool":
      return { ...head, form: "truth", values: readBits(data.values as Uint8Array, data.offset, data.length, rows) };
    case "utf8":
    case "binary":
      return readBytes(data, rows, head);
    case "list":
      return readList(data, rows, head);
    case "struct":
      return { ...head, form: "struct", children: data.children.map((child) => readVector(child, rows)) };
    case "decimal":
      return { ...head, form: "wide", values: readDecimals(data.values as Uint32Array, length, rows) };
    case "other":
      throw new TableError("NOT_SUPPORTED", `Expressions cannot compute with values of type ${typeText(type)}.`);
    default:
      return data.values instanceof BigInt64Array || data.values instanceof BigUint64Array || is64(type)
        ? { ...head, form: "wide", values: readWords(data, length, rows) }
        : { ...head, form: "number", values: readNumbers(data, length, rows) };
  }
}

type Head = {
  readonly type: DataType;
  readonly length: number;
  readonly constant: false;
  readonly valid: Uint8Array | undefined;
};

function is64(type: DataType): boolean {
  const kind = kindOf(type);
  if (kind === "time") return shapeOf(type).bitWidth === 64;
  return kind === "int64" || kind === "uint64" || kind === "date64" || kind === "timestamp" || kind === "duration";
}

/** One byte per row from a bitmap, or undefined when no row is NULL. */
export function readValid(data: Data, rows?: Uint32Array): Uint8Array | undefined {
  if (data.nullCount === 0 || !data.nullBitmap || data.nullBitmap.length === 0) return undefined;
  return readBits(data.nullBitmap, data.offset, data.length, rows);
}

export function readBits(bits: Uint8Array, offset: number, length: number, rows?: Uint32Array): Uint8Array {
  const out = new Uint8Array(rows?.length ?? length);
  for (let k = 0; k < out.length; k++) {
    const at = offset + (rows === undefined ? k : (rows[k] as number));
    out[k] = ((bits[at >> 3] as number) >> (at & 7)) & 1;
  }
  return out;
}

function readNumbers(data: Data, length: number, rows?: Uint32Array): Float64Array {
  const values = data.values as Int32Array;
  const out = new Float64Array(length);
  if (rows === undefined) out.set(values.subarray(0, length));
  else for (let k = 0; k < length; k++) out[k] = values[rows[k] as number] as number;
  if (kindOf(data.type) === "float16") for (let k = 0; k < length; k++) out[k] = halfToNumber(out[k] as number);
  return out;
}

/** IEEE 754 half precision, as bits, to a number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** 64-bit values, whatever pair layout this version of Arrow keeps them in. */
export function words64(data: Data): BigInt64Array | BigUint64Array {
  const values = data.values as BigInt64Array | BigUint64Array | Int32Array;
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) return values;
  if (values.byteOffset % 8 === 0) {
    return new BigInt64Array(values.buffer as ArrayBuffer, values.byteOffset, values.length >> 1);
  }
  return new BigInt64Array(values.slice().buffer as ArrayBuffer);
}

function readWords(data: Data, length: number, rows?: Uint32Array): WideVector["values"] {
  const words = words64(data);
  if (rows === undefined) return words.subarray(0, length);
  const out = words instanceof BigInt64Array ? new BigInt64Array(length) : new BigUint64Array(length);
  for (let k = 0; k < length; k++) out[k] = words[rows[k] as number] as bigint;
  return out;
}

function readDecimals(words: Uint32Array, length: number, rows?: Uint32Array): bigint[] {
  const out: bigint[] = new Array(length);
  const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
  for (let k = 0; k < length; k++) {
    const at = (rows === undefined ? k : (rows[k] as number)) * 16;
    out[k] = (view.getBigInt64(at + 8, true) << 64n) | view.getBigUint64(at, true);
  }
  return out;
}

function readBytes(data: Data, rows: Uint32Array | undefined, head: Head): BytesVector {
  const bytes = data.values as Uint8Array;
  const width = shapeOf(data.type as DataType).byteWidth;
  const offsets = width === undefined ? narrowOffsets(data.valueOffsets, head.type) : strideOffsets(width, data.length);
  if (rows === undefined) return { ...head, form: "bytes", bytes, offsets };
  const out = new Int32Array(rows.length + 1);
  let size = 0;
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    size += (offsets[row + 1] as number) - (offsets[row] as number);
    out[k + 1] = size;
  }
  const packed = new Uint8Array(size);
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    const from = offsets[row] as number;
    const to = offsets[row + 1] as number;
    let write = out[k] as number;
    if (to - from > 32) packed.set(bytes.subarray(from, to), write);
    else for (let read = from; read < to; read++) packed[write++] = bytes[read] as number;
  }
  return { ...head, form: "bytes", bytes: packed, offsets: out };
}

function strideOffsets(width: number, length: number): Int32Array {
  const offsets = new Int32Array(length + 1);
  for (let i = 0; i <= length; i++) offsets[i] = i * width;
  return offsets;
}

function narrowOffsets(offsets: unknown, type: DataType): Int32Array {
  if (offsets instanceof Int32Array) return offsets;
  const wide = offsets as BigInt64Array;
  if (wide.length > 0 && (wide[wide.length - 1] as bigint) > 0x7fffffffn) {
    throw new TableError("NOT_SUPPORTED", `A batch with more than 2 GiB of ${typeText(type)} cannot be computed with.`);
  }
  return Int32Array.from(wide, Number);
}

function readList(data: Data, rows: Uint32Array | undefined, head: Head): ListVector {
  const child = data.children[0] as Data;
  const size = shapeOf(head.type).listSize;
  const offsets = size === undefined ? (data.valueOffsets as Int32Array) : strideOffsets(size, data.length);
  if (rows === undefined) return { ...head, form: "list", offsets, child: readVector(child) };
  const out = new Int32Array(rows.length + 1);
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    out[k + 1] = (out[k] as number) + (offsets[row + 1] as number) - (offsets[row] as number);
  }
  const picked = new Uint32Array(out[rows.length] as number);
  let write = 0;
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    for (let i = offsets[row] as number; i < (offsets[row + 1] as number); i++) picked[write++] = i;
  }
  return { ...head, form: "list", offsets: out, child: readVector(child, picked) };
}

function readDictionary(data: Data, rows?: Uint32Array): Vector {
  const length = rows?.length ?? data.length;
  const keys = data.values as Int32Array;
  const valid = readValid(data, rows);
  const picked = new Uint32Array(length);
  for (let k = 0; k < length; k++) {
    if (valid === undefined || valid[k] === 1) picked[k] = Number(keys[rows === undefined ? k : (rows[k] as number)]);
  }
  const chunks = data.dictionary?.data ?? [];
  const type = valueType(data.type as DataType);
  if (chunks.length !== 1) {
    if (chunks.length === 0 || data.length === 0)
      return { form: "nothing", type, length, constant: true, valid: new Uint8Array(1) };
    throw new TableError(
      "NOT_SUPPORTED",
      "A dictionary in several chunks cannot be computed with; rewrite the column.",
    );
  }
  const dictionary = chunks[0] as Data;
  if (dictionary.length === 0) return { form: "nothing", type, length, constant: true, valid: new Uint8Array(1) };
  const values = readVector(dictionary, picked);
  if (valid === undefined || values.constant) return values;
  const inner = values.valid;
  return { ...values, valid: inner === undefined ? valid : valid.map((bit, k) => bit & (inner[k] as number)) };
}

/** The child `name` of a struct, NULL where the struct is. */
export function structChild(data: Data, index: number): Data {
  const child = data.children[index] as Data;
  if (data.nullCount === 0 || !data.nullBitmap) return child;
  const outer = readValid(data);
  const inner = readValid(child);
  const bits = new Uint8Array(((data.length + 63) >> 6) << 3);
  let nulls = 0;
  for (let i = 0; i < data.length; i++) {
    if ((outer === undefined || outer[i] === 1) && (inner === undefined || inner[i] === 1)) {
      bits[i >> 3] = (bits[i >> 3] as number) | (1 << (i & 7));
    } else nulls++;
  }
  return remask(child, bits, nulls);
}

/** The same values under another validity bitmap that starts at bit 0. */
function remask(child: Data, bits: Uint8Array, nullCount: number): Data {
  const values =
    kindOf(child.type as DataType) === "bool" && child.offset > 0
      ? packBits(readBits(child.values as Uint8Array, child.offset, child.length))
      : child.values;
  const buffers = buffersOf(child.valueOffsets, values, bits);
  return child.clone(child.type, 0, child.length, nullCount, buffers, child.children);
}

/** Bytes of 0 and 1 to a bitmap, padded to 64 bits. */
export function packBits(flags: Uint8Array): Uint8Array {
  const bits = new Uint8Array(((flags.length + 63) >> 6) << 3);
  for (let i = 0; i < flags.length; i++) {
    if (flags[i] !== 0) bits[i >> 3] = (bits[i >> 3] as number) | (1 << (i & 7));
  }
  return bits;
}
