/**
 * Column values of fixed-width types out of plain JavaScript values. Integers outside the type's range, fractions in
 * integer columns and non-numbers are refused, never wrapped or rounded; Float32 and Float16 round to nearest.
 */
import type { DataType, Date_, Decimal, FixedSizeBinary, Float, Int, Timestamp } from "apache-arrow";
import { bytesOf } from "../kernels/column.js";
import { TYPE_ID } from "../kernels/layout.js";
import { refuse } from "./cell-error.js";
import { toFloat16 } from "./float16.js";

type Values = ArrayLike<unknown>;

/** The values of a fixed-width column; slots of nulls stay zero. */
export function buildFixed(type: DataType, values: Values, length: number): ArrayBufferView {
  switch (type.typeId as number) {
    case TYPE_ID.int:
      return buildInts(type as Int, values, length);
    case TYPE_ID.float:
      return buildFloats(type as Float, values, length);
    case TYPE_ID.timestamp:
      return buildTimestamps(type as Timestamp, values, length);
    case TYPE_ID.date:
      return buildDates(type as Date_, values, length);
    case TYPE_ID.time:
      return (type as { readonly bitWidth?: number }).bitWidth === 32
        ? buildInt32(type, values, length)
        : buildInt64(type, values, length);
    case TYPE_ID.duration:
      return buildInt64(type, values, length);
    case TYPE_ID.decimal:
      return buildDecimals(type as Decimal, values, length);
    default:
      return buildFixedBinary(type as FixedSizeBinary, values, length);
  }
}

function buildInts(type: Int, values: Values, length: number): ArrayBufferView {
  if (type.bitWidth === 64) return type.isSigned ? buildInt64(type, values, length) : buildUint64(type, values, length);
  if (type.bitWidth === 32 && type.isSigned) return buildInt32(type, values, length);
  const out = new (type.ArrayType as Uint8ArrayConstructor)(length);
  const min = type.isSigned ? -(2 ** (type.bitWidth - 1)) : 0;
  const max = type.isSigned ? 2 ** (type.bitWidth - 1) - 1 : 2 ** type.bitWidth - 1;
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number) || number < min || number > max) {
      refuse(i, value, type, `an integer from ${min} to ${max}`);
    }
    out[i] = number;
  }
  return out;
}

function buildInt32(type: DataType, values: Values, length: number): Int32Array {
  const out = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || (number | 0) !== number) refuse(i, value, type, "an integer of 32 bits");
    out[i] = number;
  }
  return out;
}

/** A whole number that a 64-bit column may be given; numbers beyond 2^53 have lost digits already. */
function toBigInt(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value;
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
}

function buildInt64(type: DataType, values: Values, length: number): BigInt64Array {
  const out = new BigInt64Array(length);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const integer = typeof value === "bigint" ? value : toBigInt(value);
    if (integer === undefined) refuse(i, value, type, "a bigint or a safe integer");
    out[i] = integer;
    if (out[i] !== integer) refuse(i, value, type, "an integer of 64 bits");
  }
  return out;
}

function buildUint64(type: DataType, values: Values, length: number): BigUint64Array {
  const out = new BigUint64Array(length);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const integer = typeof value === "bigint" ? value : toBigInt(value);
    if (integer === undefined) refuse(i, value, type, "a bigint or a safe integer");
    out[i] = integer;
    if (out[i] !== integer) refuse(i, value, type, "an integer from 0 to 2^64 - 1");
  }
  return out;
}

function buildFloats(type: Float, values: Values, length: number): ArrayBufferView {
  const out =
    type.precision === 2
      ? new Float64Array(length)
      : type.precision === 1
        ? new Float32Array(length)
        : new Uint16Array(length);
  if (type.precision === 0) {
    for (let i = 0; i < length; i++) if (values[i] != null) out[i] = toFloat16(floatOf(values[i], i, type));
    return out;
  }
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (typeof value === "number") out[i] = value;
    else if (value != null) out[i] = floatOf(value, i, type);
  }
  return out;
}

function floatOf(value: unknown, index: number, type: DataType): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" && BigInt(Number(value)) === value) return Number(value);
  return refuse(index, value, type, "a number");
}

const INSTANT = "a Date, milliseconds up to 2^53, or a bigint";

/** Milliseconds since 1970 of a Date or a number; undefined for anything else. Beyond 2^53 numbers have lost digits. */
function millisecondsOf(value: unknown): number | undefined {
  const ms = value instanceof Date ? value.getTime() : value;
  return typeof ms === "number" && Math.abs(ms) <= Number.MAX_SAFE_INTEGER ? ms : undefined;
}

/**
 * Dates and numbers are milliseconds since 1970, as in apache-arrow; bigints are in the unit of the column. A fraction
 * of a millisecond means the nearest unit for as long as a double can name each unit, and beyond has to be exact.
 */
function buildTimestamps(type: Timestamp, values: Values, length: number): BigInt64Array {
  const out = new BigInt64Array(length);
  const unit = type.unit;
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const ms = typeof value === "bigint" ? undefined : millisecondsOf(value);
    if (ms === undefined && typeof value !== "bigint") refuse(i, value, type, INSTANT);
    const exact = typeof value === "bigint" ? value : fromMilliseconds(ms!, unit);
    if (exact === undefined) refuse(i, value, type, "a bigint: a number of milliseconds does not say it exactly");
    out[i] = exact;
    if (out[i] !== exact) refuse(i, value, type, "within the range of 64 bits");
  }
  return out;
}

function fromMilliseconds(ms: number, unit: number): bigint | undefined {
  if (unit === 0) return BigInt(Math.floor(ms / 1000));
  const whole = Math.floor(ms);
  if (unit === 1) return BigInt(whole);
  const scale = unit === 2 ? 1000 : 1_000_000;
  const rest = (ms - whole) * scale;
  if (!Number.isInteger(rest) && Math.abs(ms * scale) > Number.MAX_SAFE_INTEGER) return undefined;
  return BigInt(whole) * BigInt(scale) + BigInt(Math.round(rest));
}

const DAY_MS = 86_400_000;

/** As timestamps; a bigint is a number of days (date32) or of milliseconds (date64). */
function buildDates(type: Date_, values: Values, length: number): ArrayBufferView {
  const days = type.unit === 0;
  const out = days ? new Int32Array(length) : new BigInt64Array(length);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const ms = millisecondsOf(value);
    if (ms === undefined && typeof value !== "bigint") refuse(i, value, type, INSTANT);
    if (out instanceof Int32Array) {
      const day = typeof value === "bigint" ? Number(value) : Math.floor(ms! / DAY_MS);
      if ((day | 0) !== day) refuse(i, value, type, "within the range of 32 bits");
      out[i] = day;
    } else {
      const exact = typeof value === "bigint" ? value : BigInt(Math.floor(ms!));
      out[i] = exact;
      if (out[i] !== exact) refuse(i, value, type, "within the range of 64 bits");
    }
  }
  return out;
}

/**
 * Decimals from text ("12.50"), numbers and bigints (all of them the value itself, not the unscaled integer), or from
 * apache-arrow's own form: little-endian 32-bit words of the unscaled integer.
 */
function buildDecimals(type: Decimal, values: Values, length: number): Uint8Array {
  const width = type.bitWidth >> 3;
  const out = new Uint8Array(length * width);
  const view = new DataView(out.buffer);
  const limit = 10n ** BigInt(type.precision);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    let rest = ArrayBuffer.isView(value) ? fromWords(value, width) : unscaled(value, type.scale);
    if (rest === undefined || rest >= limit || rest <= -limit) {
      refuse(i, value, type, `at most ${type.precision} digits, ${type.scale} of them after the point`);
    }
    for (let word = 0; word < width; word += 8) {
      view.setBigUint64(i * width + word, BigInt.asUintN(64, rest), true);
      rest >>= 64n;
    }
  }
  return out;
}

/** The signed integer of little-endian words; undefined unless they are `width` bytes. */
function fromWords(words: ArrayBufferView, width: number): bigint | undefined {
  if (words.byteLength !== width) return undefined;
  const view = new DataView(words.buffer, words.byteOffset, width);
  let integer = view.getBigInt64(width - 8, true);
  for (let at = width - 16; at >= 0; at -= 8) integer = (integer << 64n) | view.getBigUint64(at, true);
  return integer;
}

const DECIMAL_TEXT = /^([+-]?)(\d{1,80})(?:\.(\d{0,80}))?$/;

function unscaled(value: unknown, scale: number): bigint | undefined {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") return undefined;
  const match = DECIMAL_TEXT.exec(String(value));
  if (match === null) return undefined;
  const fraction = (match[3] ?? "").replace(/0+$/, "");
  if (fraction.length > Math.max(scale, 0)) return undefined;
  let digits = BigInt(match[2]! + fraction);
  const shift = scale - fraction.length;
  if (shift >= 0) digits *= 10n ** BigInt(shift);
  else if (digits % 10n ** BigInt(-shift) !== 0n) return undefined;
  else digits /= 10n ** BigInt(-shift);
  return match[1] === "-" ? -digits : digits;
}

function buildFixedBinary(type: FixedSizeBinary, values: Values, length: number): Uint8Array {
  const width = type.byteWidth;
  const out = new Uint8Array(length * width);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
    if (!ArrayBuffer.isView(bytes) || bytes.byteLength !== width) refuse(i, value, type, `exactly ${width} bytes`);
    out.set(bytesOf(bytes), i * width);
  }
  return out;
}
