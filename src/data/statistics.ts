/**
 * Smallest value, largest value and number of nulls of a column, computed over its buffers.
 *
 * Bounds are kept for booleans, integers, floats, dates, times, timestamps, durations and strings. Order of strings is
 * that of their UTF-8 bytes. A bound that cannot be vouched for is left out: columns with NaN have none, long strings
 * are cut (the upper bound is rounded up). Only bounds that hold for every value may be used to skip data.
 */
import type { Data, DataType, Date_, Float, Int, Time } from "apache-arrow";
import type { ColumnStatistics, Scalar } from "./codec.js";
import { bitAt } from "./kernels/bits.js";
import { bytesOf, type Offsets, validityOf } from "./kernels/column.js";
import { TYPE_ID } from "./kernels/layout.js";

/** Longer bounds of strings are cut to this many bytes of UTF-8. */
export const STRING_BOUND_BYTES = 64;

interface Bounds {
  readonly min: Scalar;
  readonly max: Scalar;
}

type Found = Bounds | "empty" | "unknown";

/** The statistics of a column that consists of these chunks. */
export function columnStatistics(type: DataType, chunks: readonly Data[]): ColumnStatistics {
  let nullCount = 0;
  let total: Found = "empty";
  const find = finderOf(type);
  const isText = find === textBounds;
  let textMin: Uint8Array | undefined;
  let textMax: Uint8Array | undefined;
  for (const chunk of chunks) {
    nullCount += (type.typeId as number) === TYPE_ID.null ? chunk.length : chunk.nullCount;
    if (isText) {
      const found = textBounds(chunk);
      if (found === undefined) continue;
      if (textMin === undefined || compareBytes(found.min, textMin) < 0) textMin = found.min;
      if (textMax === undefined || compareBytes(found.max, textMax) > 0) textMax = found.max;
    } else if (find !== undefined && total !== "unknown") {
      total = widen(total, (find as (chunk: Data) => Found)(chunk));
    }
  }
  if (isText && textMin !== undefined && textMax !== undefined) {
    const max = cutUpper(textMax);
    return { min: cutLower(textMin), ...(max === undefined ? {} : { max }), nullCount };
  }
  return typeof total === "string" ? { nullCount } : { ...total, nullCount };
}

function widen(a: Found, b: Found): Found {
  if (a === "unknown" || b === "unknown") return "unknown";
  if (a === "empty") return b;
  if (b === "empty") return a;
  const lower = b.min < a.min ? b : a;
  const upper = b.max > a.max ? b : a;
  return { min: lower.min, max: upper.max };
}

type Finder = ((chunk: Data) => Found) | typeof textBounds;

function finderOf(type: DataType): Finder | undefined {
  switch (type.typeId as number) {
    case TYPE_ID.bool:
      return boolBounds;
    case TYPE_ID.int:
      if ((type as Int).bitWidth < 64) return numberBounds;
      return (type as Int).isSigned ? longBounds : unsignedLongBounds;
    case TYPE_ID.float:
      return (type as Float).precision === 0 ? undefined : floatBounds;
    case TYPE_ID.date:
      return (type as Date_).unit === 0 ? numberBounds : longBounds;
    case TYPE_ID.time:
      return (type as Time).bitWidth === 32 ? numberBounds : longBounds;
    case TYPE_ID.timestamp:
    case TYPE_ID.duration:
      return longBounds;
    case TYPE_ID.utf8:
    case TYPE_ID.largeUtf8:
      return textBounds;
    default:
      return undefined;
  }
}

function boolBounds(chunk: Data): Found {
  const bits = validityOf(chunk);
  const values = chunk.values as Uint8Array;
  let trues = 0;
  let falses = 0;
  for (let i = 0; i < chunk.length; i++) {
    if (bits !== undefined && !bitAt(bits, chunk.offset + i)) continue;
    if (bitAt(values, chunk.offset + i)) trues++;
    else falses++;
  }
  if (trues + falses === 0) return "empty";
  return { min: falses === 0, max: trues > 0 };
}

function numberBounds(chunk: Data): Found {
  const values = chunk.values as Int32Array;
  const bits = validityOf(chunk);
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < chunk.length; i++) {
    if (bits !== undefined && !bitAt(bits, chunk.offset + i)) continue;
    const value = values[i]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min > max ? "empty" : { min, max };
}

/** Whether NaN equals, exceeds or matches nothing is the evaluator's affair; here it makes the bounds unknown. */
function floatBounds(chunk: Data): Found {
  const values = chunk.values as Float64Array;
  const bits = validityOf(chunk);
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let present = 0;
  for (let i = 0; i < chunk.length; i++) {
    if (bits !== undefined && !bitAt(bits, chunk.offset + i)) continue;
    const value = values[i]!;
    if (Number.isNaN(value)) return "unknown";
    present++;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return present === 0 ? "empty" : { min, max };
}

/** Signed 64-bit integers as pairs of words: making a bigint of every value costs ten times as much. */
function longBounds(chunk: Data): Found {
  return pairBounds(chunk, 0, true);
}

function unsignedLongBounds(chunk: Data): Found {
  return pairBounds(chunk, 0x8000_0000, false);
}

/** `flip` moves unsigned high words into signed order. */
function pairBounds(chunk: Data, flip: number, signed: boolean): Found {
  const bytes = bytesOf(chunk.values as ArrayBufferView);
  const lows = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const highs = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const bits = validityOf(chunk);
  let minHigh = 0x7fff_ffff;
  let minLow = 0xffff_ffff;
  let maxHigh = -0x8000_0000;
  let maxLow = 0;
  let present = 0;
  for (let i = 0; i < chunk.length; i++) {
    if (bits !== undefined && !bitAt(bits, chunk.offset + i)) continue;
    const low = lows[2 * i]!;
    const high = highs[2 * i + 1]! ^ flip;
    present++;
    if (high < minHigh || (high === minHigh && low < minLow)) {
      minHigh = high;
      minLow = low;
    }
    if (high > maxHigh || (high === maxHigh && low > maxLow)) {
      maxHigh = high;
      maxLow = low;
    }
  }
  if (present === 0) return "empty";
  const join = (high: number, low: number) => {
    const value = (BigInt(high ^ flip) << 32n) | BigInt(low);
    return signed ? value : BigInt.asUintN(64, value);
  };
  return { min: join(minHigh, minLow), max: join(maxHigh, maxLow) };
}

function textBounds(chunk: Data): { readonly min: Uint8Array; readonly max: Uint8Array } | undefined {
  const bytes = chunk.values as Uint8Array;
  const offsets = chunk.valueOffsets as Offsets;
  const bits = validityOf(chunk);
  let min = -1;
  let max = -1;
  for (let i = 0; i < chunk.length; i++) {
    if (bits !== undefined && !bitAt(bits, chunk.offset + i)) continue;
    if (min < 0) {
      min = i;
      max = i;
      continue;
    }
    if (compareSlices(bytes, offsets, i, min) < 0) min = i;
    else if (compareSlices(bytes, offsets, i, max) > 0) max = i;
  }
  if (min < 0) return undefined;
  const slice = (i: number) => bytes.subarray(Number(offsets[i]), Number(offsets[i + 1]));
  return { min: slice(min), max: slice(max) };
}

function compareSlices(bytes: Uint8Array, offsets: Offsets, a: number, b: number): number {
  let i = Number(offsets[a]);
  let k = Number(offsets[b]);
  const iEnd = Number(offsets[a + 1]);
  const kEnd = Number(offsets[b + 1]);
  while (i < iEnd && k < kEnd) {
    const difference = bytes[i++]! - bytes[k++]!;
    if (difference !== 0) return difference;
  }
  return iEnd - i - (kEnd - k);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.byteLength, b.byteLength);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.byteLength - b.byteLength;
}

/** The end of the longest prefix of whole characters that fits. */
function cutAt(bytes: Uint8Array): number {
  let end = Math.min(bytes.byteLength, STRING_BOUND_BYTES);
  while (end > 0 && end < bytes.byteLength && (bytes[end]! & 0xc0) === 0x80) end--;
  return end;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A prefix is never greater than the whole. */
function cutLower(bytes: Uint8Array): string {
  return decoder.decode(bytes.subarray(0, cutAt(bytes)));
}

/** The smallest text with fewer characters that is greater than all texts with this prefix; none beyond U+10FFFF. */
function cutUpper(bytes: Uint8Array): string | undefined {
  const end = cutAt(bytes);
  const text = decoder.decode(bytes.subarray(0, end));
  if (end === bytes.byteLength) return text;
  const points = Array.from(text, (char) => char.codePointAt(0)!);
  while (points.length > 0) {
    const last = points.pop()!;
    if (last >= 0x10ffff) continue;
    const next = last + 1 >= 0xd800 && last + 1 <= 0xdfff ? 0xe000 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}
