/** Histograms keep their promise about quantiles, for every value that a duration may have. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "../../src/support/telemetry.js";

test("a quantile is at least the true one and at most a sixteenth above it", () => {
  const durations = fc.array(fc.double({ min: 0.001, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.95, 0.99), (values, share) => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(share * sorted.length) - 1] as number;
      const found = histogram.quantileMs(share);
      expect(found).toBeGreaterThanOrEqual(Math.min(exact, histogram.summary().maxMs));
      expect(found).toBeLessThanOrEqual(exact * 1.0625 + 0.002);
    }),
  );
});

test("nothing recorded is 0, and the extremes are kept", () => {
  expect(new Histogram().summary()).toEqual({ count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 });
  const histogram = new Histogram();
  histogram.record(0);
  histogram.record(1e12);
  expect(histogram.summary()).toMatchObject({ count: 2, p50Ms: 0, maxMs: 1e12 });
});

test("merging is the same as recording everything in one", () => {
  const [one, two, all] = [new Histogram(), new Histogram(), new Histogram()] as const;
  for (let i = 1; i <= 100; i++) {
    (i % 3 === 0 ? one : two).record(i);
    all.record(i);
  }
  one.merge(two);
  expect(one.summary()).toEqual(all.summary());
});
