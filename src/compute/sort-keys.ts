/**
 * Column values as unsigned words that compare like the values: what sorting works on.
 *
 * Floats are in IEEE 754 total order (-NaN < -Infinity < -0 < 0 < Infinity < NaN), as LanceDB sorts them.
 */
import type { Data, DataType } from "apache-arrow";
import { offsetsOf, type Values, valuesOf } from "../data/kernels/column.js";

/** Words of every row, least significant first; rows without a value hold anything. */
export type SortWords = readonly Uint32Array[];

const SIGN = 0x8000_0000;

/** The words of a column of fixed width; undefined for columns that need a comparison of their own. */
export function sortWordsOf(data: Data): SortWords | undefined {
  const type = data.type as DataType & { isSigned?: boolean };
  switch (type.typeId) {
    case 2:
      return integerWords(data, type.isSigned === true);
    case 3:
      return floatWords(data);
    case 6:
      return [booleanWords(data)];
    case 7:
    case 8:
    case 9:
    case 10:
    case 18:
      return integerWords(data, true);
    default:
      return undefined;
  }
}

function integerWords(data: Data, signed: boolean): SortWords {
  const values = valuesOf(data);
  const width = values.BYTES_PER_ELEMENT * data.stride;
  const flip = signed ? SIGN : 0;
  if (width <= 4) {
    const words = new Uint32Array(data.length);
    for (let i = 0; i < words.length; i++) words[i] = (Number(values[i]) ^ flip) >>> 0;
    return [words];
  }
  const words = splitWords(values, data.length, width / 4);
  const top = words[words.length - 1]!;
  if (signed) for (let i = 0; i < top.length; i++) top[i] = top[i]! ^ SIGN;
  return words;
}

function splitWords(values: Values, rows: number, width: number): Uint32Array[] {
  const source = new Uint32Array(values.buffer, values.byteOffset, rows * width);
  const words = Array.from({ length: width }, () => new Uint32Array(rows));
  for (let j = 0; j < width; j++) {
    const word = words[j]!;
    for (let i = 0, at = j; i < rows; i++, at += width) word[i] = source[at]!;
  }
  return words;
}

function floatWords(data: Data): SortWords {
  const values = valuesOf(data);
  const rows = data.length;
  if (values.BYTES_PER_ELEMENT === 2) {
    const bits = values as Uint16Array;
    const words = new Uint32Array(rows);
    for (let i = 0; i < rows; i++) words[i] = totalOrder(bits[i]! << 16);
    return [words];
  }
  if (values.BYTES_PER_ELEMENT === 4) {
    const bits = new Uint32Array(values.buffer, values.byteOffset, rows);
    const words = new Uint32Array(rows);
    for (let i = 0; i < rows; i++) words[i] = totalOrder(bits[i]!);
    return [words];
  }
  const [low, high] = splitWords(values, rows, 2) as [Uint32Array, Uint32Array];
  for (let i = 0; i < rows; i++) {
    if (high[i]! >= SIGN) low[i] = ~low[i]!;
    high[i] = totalOrder(high[i]!);
  }
  return [low, high];
}

function totalOrder(bits: number): number {
  return ((bits & SIGN) === 0 ? bits | SIGN : ~bits) >>> 0;
}

function booleanWords(data: Data): Uint32Array {
  const bits = valuesOf(data) as Uint8Array;
  const words = new Uint32Array(data.length);
  for (let i = 0; i < words.length; i++) {
    const at = data.offset + i;
    words[i] = (bits[at >>> 3]! >>> (at & 7)) & 1;
  }
  return words;
}

/** Where the bytes of every row of a text or binary column begin and end. */
export interface ByteRows {
  readonly bytes: Uint8Array;
  readonly starts: Float64Array | Int32Array;
}

/** The rows of a column of bytes: text, binary, fixed-size binary; undefined for others. */
export function byteRowsOf(data: Data): ByteRows | undefined {
  const { typeId } = data.type;
  const bytes = (data.values as Uint8Array | undefined) ?? new Uint8Array(0);
  if (typeId === 4 || typeId === 5) return { bytes, starts: offsetsOf(data) as Int32Array };
  if (typeId === 19 || typeId === 20) return { bytes, starts: Float64Array.from(offsetsOf(data), Number) };
  if (typeId !== 15) return undefined;
  return { bytes, starts: Int32Array.from({ length: data.length + 1 }, (_, i) => i * data.stride) };
}

/** The first eight bytes of every row as two words, least significant first; shorter rows are padded with zeros. */
export function prefixWords({ bytes, starts }: ByteRows, rows: number): SortWords {
  const low = new Uint32Array(rows);
  const high = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) {
    const start = starts[i]!;
    const length = starts[i + 1]! - start;
    high[i] = packBytes(bytes, start, length);
    if (length > 4) low[i] = packBytes(bytes, start + 4, length - 4);
  }
  return [low, high];
}

function packBytes(bytes: Uint8Array, start: number, length: number): number {
  let word = 0;
  for (let j = 0; j < 4; j++) word = (word << 8) | (j < length ? bytes[start + j]! : 0);
  return word >>> 0;
}

export function compareBytes({ bytes, starts }: ByteRows, a: number, b: number): number {
  const startA = starts[a]!;
  const startB = starts[b]!;
  const lengthA = starts[a + 1]! - startA;
  const lengthB = starts[b + 1]! - startB;
  const shared = Math.min(lengthA, lengthB);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[startA + i]! - bytes[startB + i]!;
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}
