/** Whether one number has a place in a type, and the form it takes there: wide integers are bigint, narrow ones number. */
import type { DataType } from "apache-arrow";
import { halfToNumber } from "./read.js";
import { shapeOf } from "./types.js";
import { numberToHalf } from "./write.js";

/** One element of a vector of numbers, times, booleans or decimals. */
export type Scalar = number | bigint;

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int8: [-128n, 127n],
  int16: [-32768n, 32767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 255n],
  uint16: [0n, 65535n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  date32: [-(2n ** 31n), 2n ** 31n - 1n],
  time32: [0n, 2n ** 31n - 1n],
};

/** Stores a whole number in the form of an integer kind, when it fits. */
export function fitInteger(value: Scalar, kind: string): Scalar | undefined {
  const [low, high] = (RANGES[kind] ?? RANGES.int64) as readonly [bigint, bigint];
  const wide = kind === "int64" || kind === "uint64" || RANGES[kind] === undefined;
  if (typeof value === "number") {
    if (Number.isNaN(value) || value < Number(low) || value > Number(high)) return undefined;
    if (!wide) return value;
    const exact = BigInt(value);
    return exact < low || exact > high ? undefined : exact;
  }
  if (value < low || value > high) return undefined;
  return wide ? value : Number(value);
}

/** Rounds to the precision of a float kind. */
export function fitFloat(value: number, kind: string): number {
  if (kind === "float64") return value;
  return kind === "float32" ? Math.fround(value) : halfToNumber(numberToHalf(value));
}

/** An unscaled decimal, when it fits the precision. */
export function fitDecimal(unscaled: bigint, type: DataType): bigint | undefined {
  const limit = 10n ** BigInt(shapeOf(type).precision as number);
  return unscaled < limit && unscaled > -limit ? unscaled : undefined;
}

/** Divides with rounding half away from zero. */
export function divideRound(value: bigint, divisor: bigint): bigint {
  const half = value < 0n ? -divisor / 2n : divisor / 2n;
  return (value + half) / divisor;
}
