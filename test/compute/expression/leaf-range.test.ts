import { Float32, Float64, Int8, Int16, Int32, makeData, Uint8, Uint16, Uint32 } from "apache-arrow";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selectNumbers, selectWords, selectWordsIn } from "../../../src/compute/expression/leaf-range.js";

const EDGES = [0n, 1n, -1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, -(2n ** 32n), 2n ** 53n - 1n, 1n - 2n ** 53n];
const bound = fc.oneof(
  fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY),
  fc.constantFrom(...EDGES).map(Number),
  fc.maxSafeInteger(),
);
const signed = fc.oneof(
  fc.constantFrom(...EDGES, -(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
);
const unsigned = signed.map((value) => BigInt.asUintN(64, value));

const some = (rows: number, mask: readonly boolean[] | undefined) =>
  mask === undefined ? undefined : Uint32Array.from({ length: rows }, (_, i) => i).filter((i) => mask[i] === true);

const FRACTIONS = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -0, 0, 0.5, -0.5, 2 ** 31];
const fraction = fc.oneof(fc.constantFrom(...FRACTIONS), fc.float(), fc.integer({ min: -3, max: 3 }));
const integer = (least: number, greatest: number) =>
  fc.oneof(fc.constantFrom(least, greatest), fc.integer({ min: least, max: greatest }));

describe.each([
  ["int8", integer(-128, 127), (all: readonly number[]) => makeData({ type: new Int8(), data: Int8Array.from(all) })],
  ["uint8", integer(0, 255), (all: readonly number[]) => makeData({ type: new Uint8(), data: Uint8Array.from(all) })],
  [
    "int16",
    integer(-32768, 32767),
    (all: readonly number[]) => makeData({ type: new Int16(), data: Int16Array.from(all) }),
  ],
  [
    "uint16",
    integer(0, 65535),
    (all: readonly number[]) => makeData({ type: new Uint16(), data: Uint16Array.from(all) }),
  ],
  [
    "int32",
    integer(-(2 ** 31), 2 ** 31 - 1),
    (all: readonly number[]) => makeData({ type: new Int32(), data: Int32Array.from(all) }),
  ],
  [
    "uint32",
    integer(0, 2 ** 32 - 1),
    (all: readonly number[]) => makeData({ type: new Uint32(), data: Uint32Array.from(all) }),
  ],
  ["float32", fraction, (all: readonly number[]) => makeData({ type: new Float32(), data: Float32Array.from(all) })],
  ["float64", fraction, (all: readonly number[]) => makeData({ type: new Float64(), data: Float64Array.from(all) })],
] as const)("%s", (name, value, pack) => {
  const isInteger = name.includes("int");
  // What is compared with a column of whole numbers is whole; the neighbour below it is not.
  const whole = fc.oneof(
    fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, -(2 ** 31) - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 40, -(2 ** 40)),
    fc.integer({ min: -300, max: 300 }),
    fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY),
  );
  const low = isInteger ? whole : fraction.filter((one) => !Number.isNaN(one));
  const high = isInteger ? fc.oneof(whole, fc.constantFrom(-(2 ** 31) - 0.5, -0.5, 0.5, 2 ** 31 - 0.5)) : low;

  it("is inside a range when its value is, NaN never, with bounds that its type cannot hold, too", () => {
    const values = fc.array(value, { minLength: 1, maxLength: 20 });
    const mask = fc.option(fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), { nil: undefined, freq: 1 });
    const bounds = fc.tuple(low, high);
    const ascending = bounds.map(
      ([a, b]) => [isInteger ? Math.floor(Math.min(a, b)) : Math.min(a, b), Math.max(a, b)] as const,
    );
    const range = fc.record({ bounds: fc.oneof(bounds, ascending), outside: fc.boolean() });
    fc.assert(
      fc.property(values, range, mask, (given, { bounds: [low, high], outside }, chosen) => {
        const data = pack(given);
        const all = [...data.values];
        const candidates = some(all.length, chosen);
        const found = selectNumbers(data, { low, high, outside }, candidates);
        const rows = candidates ?? Uint32Array.from(all, (_, i) => i);
        expect([...found]).toEqual([...rows].filter((i) => (all[i]! >= low && all[i]! <= high) !== outside));
      }),
      { numRuns: 300 },
    );
  });
});

describe.each([
  ["signed", signed, (values: readonly bigint[]) => BigInt64Array.from(values)],
  ["unsigned", unsigned, (values: readonly bigint[]) => BigUint64Array.from(values)],
] as const)("%s 64-bit integers compared by halves", (name, value, pack) => {
  const isUnsigned = name === "unsigned";
  const values = fc.array(value, { minLength: 1, maxLength: 20 });
  const mask = fc.option(fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), { nil: undefined });

  it("are inside a range when their exact value is, at both ends of their own range too", () => {
    const check = (all: bigint[], low: number, high: number, outside: boolean, chosen: boolean[] | undefined) => {
      const words = pack(all);
      const candidates = some(all.length, chosen);
      const found = selectWords(words, all.length, { low, high, outside }, isUnsigned, candidates);
      const rows = candidates ?? Uint32Array.from(all, (_, i) => i);
      expect([...found]).toEqual([...rows].filter((i) => (all[i]! >= low && all[i]! <= high) !== outside));
    };
    // The operators make ranges that are open on one side or hold one value at least.
    const range = fc.tuple(bound, bound).filter(([low, high]) => low < Number.POSITIVE_INFINITY && high > -Infinity);
    fc.assert(
      fc.property(values, range, fc.boolean(), mask, (all, [low, high], ...rest) => check(all, low, high, ...rest)),
    );
  });

  it("are found in a list by their exact value, not by the bits that are looked at first", () => {
    const check = (all: bigint[], extra: bigint[], negated: boolean, chosen: boolean[] | undefined) => {
      // Same low bits, another number.
      const items = new Set([...extra, ...all.slice(0, 3).map((one) => one ^ (1n << 40n))]);
      const candidates = some(all.length, chosen);
      const found = selectWordsIn(pack(all), all.length, items, negated, candidates);
      const rows = candidates ?? Uint32Array.from(all, (_, i) => i);
      expect([...found]).toEqual([...rows].filter((i) => items.has(all[i]!) !== negated));
    };
    fc.assert(fc.property(values, fc.array(value, { maxLength: 4 }), fc.boolean(), mask, check));
  });
});
