/** Vectors back to Arrow data. */
import { type Data, type DataType, Type } from "apache-arrow";
import { type ColumnParts, makeColumn } from "../../data/kernels/column.js";
import { hasWideOffsets } from "../../data/kernels/layout.js";
import { packBits } from "./read.js";
import { kindOf, shapeOf } from "./types.js";
import type { ListVector, Vector, WideValues } from "./vector.js";

/** `vector` as Arrow data of its type and length; constants are repeated. */
export function writeData(source: Vector): Data {
  const vector = source.constant ? repeat(source) : source;
  const { type, length, valid } = vector;
  const nullCount = valid === undefined ? 0 : countZeros(valid);
  const head = { length, nullCount, validity: valid === undefined ? undefined : packBits(valid) };
  switch (vector.form) {
    case "nothing":
      return kindOf(type) === "null"
        ? makeColumn(type, { length, nullCount: length })
        : writeData(emptyOf(type, length));
    case "truth":
      return makeColumn(type, { ...head, values: packBits(vector.values) });
    case "number":
      return makeColumn(type, { ...head, values: writeNumbers(vector.values, type) });
    case "wide":
      return makeColumn(type, { ...head, values: writeWide(vector.values, type) });
    case "bytes":
      return makeColumn(type, { ...head, ...writeBytes(vector) });
    case "list":
      return makeColumn(type, { ...head, ...writeList(vector) });
    case "struct":
      return makeColumn(type, { ...head, children: vector.children.map((child) => writeData(child)) });
  }
}

function countZeros(flags: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < flags.length; i++) if (flags[i] === 0) count++;
  return count;
}

type Parts = Omit<ColumnParts, "length" | "nullCount">;

function writeBytes({ type, bytes, offsets, length }: Extract<Vector, { form: "bytes" }>): Parts {
  if (type.typeId === Type.FixedSizeBinary) return { values: bytes.subarray(offsets[0], offsets[length]) };
  return { offsets: writeOffsets(offsets, length, type), values: bytes };
}

function writeList({ type, child, offsets, length }: ListVector): Parts {
  const children = [writeData(child)];
  if (shapeOf(type).listSize !== undefined) return { children };
  return { offsets: writeOffsets(offsets, length, type), children };
}

function writeOffsets(offsets: Int32Array, length: number, type: DataType): Int32Array | BigInt64Array {
  const own = offsets.subarray(0, length + 1);
  return hasWideOffsets(type) ? BigInt64Array.from(own, BigInt) : own;
}

function writeNumbers(values: Float64Array, type: DataType): ArrayBufferView {
  switch (kindOf(type)) {
    case "int8":
      return Int8Array.from(values);
    case "int16":
      return Int16Array.from(values);
    case "uint8":
      return Uint8Array.from(values);
    case "uint16":
      return Uint16Array.from(values);
    case "uint32":
      return Uint32Array.from(values);
    case "float16":
      return Uint16Array.from(values, numberToHalf);
    case "float32":
      return new Float32Array(values);
    case "float64":
      return values;
    default:
      return new Int32Array(values);
  }
}

/** A number to the nearest IEEE 754 half precision value, ties to even, as bits. */
export function numberToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const scaled = roundEven((size / 2 ** exponent) * 1024);
  return sign | (((exponent + 15) << 10) + (scaled - 1024));
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function writeWide(values: WideValues, type: DataType): ArrayBufferView {
  return kindOf(type) === "decimal" || Array.isArray(values) ? writeDecimals(values) : values;
}

function writeDecimals(values: WideValues): Uint32Array {
  const out = new Uint32Array(values.length * 4);
  const view = new DataView(out.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as bigint;
    view.setBigUint64(i * 16, BigInt.asUintN(64, value), true);
    view.setBigInt64(i * 16 + 8, BigInt.asIntN(64, value >> 64n), true);
  }
  return out;
}

/** A vector of NULLs that has the buffers its type asks for. */
export function emptyOf(type: DataType, length: number): Vector {
  const head = { type, length, constant: false, valid: new Uint8Array(length) } as const;
  const shape = shapeOf(type);
  switch (kindOf(type)) {
    case "null":
    case "other":
      return { form: "nothing", type, length, constant: true, valid: new Uint8Array(1) };
    case "bool":
      return { ...head, form: "truth", values: new Uint8Array(length) };
    case "utf8":
    case "binary": {
      const width = shape.byteWidth ?? 0;
      const offsets = Int32Array.from({ length: length + 1 }, (_, i) => i * width);
      return { ...head, form: "bytes", bytes: new Uint8Array(length * width), offsets };
    }
    case "list": {
      const size = shape.listSize ?? 0;
      const child = emptyOf(shape.children?.[0]?.type as DataType, length * size);
      return { ...head, form: "list", offsets: Int32Array.from({ length: length + 1 }, (_, i) => i * size), child };
    }
    case "struct":
      return { ...head, form: "struct", children: (shape.children ?? []).map((field) => emptyOf(field.type, length)) };
    case "decimal":
      return { ...head, form: "wide", values: new Array<bigint>(length).fill(0n) };
    case "uint64":
      return { ...head, form: "wide", values: new BigUint64Array(length) };
    case "int64":
    case "date64":
    case "timestamp":
    case "duration":
      return { ...head, form: "wide", values: new BigInt64Array(length) };
    case "time":
      if (shape.bitWidth === 64) return { ...head, form: "wide", values: new BigInt64Array(length) };
      return { ...head, form: "number", values: new Float64Array(length) };
    default:
      return { ...head, form: "number", values: new Float64Array(length) };
  }
}

/** A constant as one element per row. */
export function repeat(vector: Vector): Vector {
  const { length } = vector;
  const zeros = new Uint32Array(length);
  return vector.form === "nothing"
    ? emptyOf(vector.type, length)
    : takeVector({ ...vector, length: 1, constant: false } as Vector, zeros);
}

/** The elements of `vector` at `rows`, in that order. */
export function takeVector(vector: Vector, rows: Uint32Array): Vector {
  const length = rows.length;
  if (vector.constant) return { ...vector, length };
  const valid = vector.valid === undefined ? undefined : pick(vector.valid, rows, new Uint8Array(length));
  const head = { type: vector.type, length, constant: false, valid } as const;
  switch (vector.form) {
    case "nothing":
      return { ...vector, length };
    case "truth":
      return { ...head, form: "truth", values: pick(vector.values, rows, new Uint8Array(length)) };
    case "number":
      return { ...head, form: "number", values: pick(vector.values, rows, new Float64Array(length)) };
    case "wide": {
      const { values } = vector;
      if (values instanceof BigInt64Array)
        return { ...head, form: "wide", values: pick(values, rows, new BigInt64Array(length)) };
      if (values instanceof BigUint64Array)
        return { ...head, form: "wide", values: pick(values, rows, new BigUint64Array(length)) };
      return { ...head, form: "wide", values: pick(values, rows, new Array<bigint>(length)) };
    }
    case "bytes": {
      const { offsets, indexes } = takeRuns(vector.offsets, rows);
      return { ...head, form: "bytes", offsets, bytes: pick(vector.bytes, indexes, new Uint8Array(indexes.length)) };
    }
    case "list": {
      const { offsets, indexes } = takeRuns(vector.offsets, rows);
      return { ...head, form: "list", offsets, child: takeVector(vector.child, indexes) };
    }
    case "struct":
      return { ...head, form: "struct", children: vector.children.map((child) => takeVector(child, rows)) };
  }
}

function pick<A extends { [i: number]: number | bigint }>(source: A, rows: Uint32Array, out: A): A {
  for (let k = 0; k < rows.length; k++) out[k] = source[rows[k] as number] as number;
  return out;
}

function takeRuns(offsets: Int32Array, rows: Uint32Array): { offsets: Int32Array; indexes: Uint32Array } {
  const out = new Int32Array(rows.length + 1);
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    out[k + 1] = (out[k] as number) + (offsets[row + 1] as number) - (offsets[row] as number);
  }
  const indexes = new Uint32Array(out[rows.length] as number);
  let write = 0;
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k] as number;
    for (let i = offsets[row] as number; i < (offsets[row + 1] as number); i++) indexes[write++] = i;
  }
  return { offsets: out, indexes };
}
