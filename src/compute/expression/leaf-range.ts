/**
 * Loops that find the numbers inside or outside a range: one per physical type, so that each stays fast.
 *
 * Every row is written to the list, and the next one takes its place unless it belongs there: `Number` of a comparison
 * compiles to no branch. Where half of the rows match, a branch is guessed wrong as often, which took 5 ns a row, not 1.4.
 */
import type { Data } from "apache-arrow";
import { newRowList } from "./row-list.js";

/** Accepts low <= value <= high, or, with `outside`, everything else (NaN is outside every range). */
export interface Range {
  readonly low: number;
  readonly high: number;
  readonly outside: boolean;
}

type Numbers =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** Rows of a column of numbers up to 32 bits or floats whose value the range accepts; NULL rows are not looked at. */
export function selectNumbers(data: Data, range: Range, candidates: Uint32Array | undefined): Uint32Array {
  const values = data.values as Numbers;
  const length = candidates?.length ?? data.length;
  const out = newRowList(length);
  const { low, high } = range;
  const flip = range.outside ? 1 : 0;
  let count: number;
  if (candidates !== undefined) count = amongCandidates(values, low, high, flip, candidates, out);
  else if (values instanceof Int32Array) count = inInt32(values, length, low, high, flip, out);
  else if (values instanceof Float64Array) count = inFloat64(values, length, low, high, flip, out);
  else if (values instanceof Float32Array) count = inFloat32(values, length, low, high, flip, out);
  else count = inFloat64(new Float64Array(values), length, low, high, flip, out);
  return out.subarray(0, count);
}

function inInt32(
  values: Int32Array,
  length: number,
  low: number,
  high: number,
  flip: number,
  out: Uint32Array,
): number {
  // Bounds as 32-bit integers keep the loop free of doubles; an empty range stays empty.
  if (low > 2147483647 || high < -2147483648 || low > high) return flip === 1 ? fill(out, length) : 0;
  const from = Math.ceil(Math.max(low, -2147483648));
  const to = Math.min(Math.floor(high), 2147483647) | 0;
  let count = 0;
  for (let i = 0; i < length; i++) {
    const value = values[i] as number;
    out[count] = i;
    count += (Number(value >= from) & Number(value <= to)) ^ flip;
  }
  return count;
}

function inFloat64(
  values: Float64Array,
  length: number,
  low: number,
  high: number,
  flip: number,
  out: Uint32Array,
): number {
  let count = 0;
  for (let i = 0; i < length; i++) {
    const value = values[i] as number;
    out[count] = i;
    count += (Number(value >= low) & Number(value <= high)) ^ flip;
  }
  return count;
}

function inFloat32(
  values: Float32Array,
  length: number,
  low: number,
  high: number,
  flip: number,
  out: Uint32Array,
): number {
  let count = 0;
  for (let i = 0; i < length; i++) {
    const value = values[i] as number;
    out[count] = i;
    count += (Number(value >= low) & Number(value <= high)) ^ flip;
  }
  return count;
}

function fill(out: Uint32Array, length: number): number {
  for (let i = 0; i < length; i++) out[i] = i;
  return length;
}

function amongCandidates(
  values: Numbers,
  low: number,
  high: number,
  flip: number,
  candidates: Uint32Array,
  out: Uint32Array,
): number {
  let count = 0;
  for (let k = 0; k < candidates.length; k++) {
    const row = candidates[k] as number;
    const value = values[row] as number;
    out[count] = row;
    count += (Number(value >= low) & Number(value <= high)) ^ flip;
  }
  return count;
}

const LEAST = -(2n ** 63n);
const GREATEST = 2n ** 63n - 1n;

/**
 * The same for 64-bit integers, read as two halves, so that no bigint is made. The bounds must be safe integers or
 * infinite.
 */
export function selectWords(
  words: BigInt64Array | BigUint64Array,
  rows: number,
  range: Range,
  unsigned: boolean,
  candidates: Uint32Array | undefined,
): Uint32Array {
  const halves = new Uint32Array(words.buffer as ArrayBuffer, words.byteOffset, words.length * 2);
  const length = candidates?.length ?? rows;
  const out = newRowList(length);
  const flip = range.outside ? 1 : 0;
  const least = unsigned ? 0n : LEAST;
  const greatest = unsigned ? 2n ** 64n - 1n : GREATEST;
  const low = clamp(range.low, least, greatest);
  const high = clamp(range.high, least, greatest);
  if (range.low > range.high || range.high < Number(least)) {
    if (flip === 0) return out.subarray(0, 0);
    if (candidates !== undefined) return candidates;
    return out.subarray(0, fill(out, length));
  }
  // Modulo 2^64, value - low is at most high - low for the values inside alone, signed or not.
  const lowWord = Number(BigInt.asUintN(32, low));
  const lowTop = Number(BigInt.asUintN(32, low >> 32n));
  const spanWord = Number(BigInt.asUintN(32, high - low));
  const spanTop = Number(BigInt.asUintN(32, (high - low) >> 32n));
  let count = 0;
  for (let k = 0; k < length; k++) {
    const row = candidates === undefined ? k : (candidates[k] as number);
    const word = halves[2 * row] as number;
    const top = ((halves[2 * row + 1] as number) - lowTop - Number(word < lowWord)) >>> 0;
    out[count] = row;
    const isSame = Number(top === spanTop) & Number((word - lowWord) >>> 0 <= spanWord);
    count += (Number(top < spanTop) | isSame) ^ flip;
  }
  return out.subarray(0, count);
}

function clamp(value: number, least: bigint, greatest: bigint): bigint {
  if (value <= Number(least)) return least;
  return value >= Number(greatest) ? greatest : BigInt(value);
}

const MARKS = 1 << 16;

/** Rows of 64-bit integers that are (or, with `negated`, are not) among `items`; NULL rows are not looked at. */
export function selectWordsIn(
  words: BigInt64Array | BigUint64Array,
  rows: number,
  items: ReadonlySet<bigint>,
  negated: boolean,
  candidates: Uint32Array | undefined,
): Uint32Array {
  const halves = new Uint32Array(words.buffer as ArrayBuffer, words.byteOffset, words.length * 2);
  // The low bits rule most rows out before a bigint is made of them.
  const marks = new Uint8Array(MARKS);
  for (const item of items) marks[Number(BigInt.asUintN(16, item))] = 1;
  const length = candidates?.length ?? rows;
  const out = newRowList(length);
  let count = 0;
  for (let k = 0; k < length; k++) {
    const row = candidates === undefined ? k : (candidates[k] as number);
    const found = marks[(halves[2 * row] as number) & (MARKS - 1)] === 1 && items.has(words[row] as bigint);
    if (found !== negated) out[count++] = row;
  }
  return out.subarray(0, count);
}
