import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selectWords, selectWordsIn } from "../../../src/compute/expression/leaf-range.js";

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
