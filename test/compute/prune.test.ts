import { readFileSync } from "node:fs";
import { type RecordBatch, tableFromIPC, Vector } from "apache-arrow";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bindExpression, bindFilter } from "../../src/compute/expression/bind.js";
import { evaluate, selectRows } from "../../src/compute/expression/evaluate.js";
import { parseExpression } from "../../src/compute/expression/parse.js";
import { mightMatch } from "../../src/compute/prune.js";
import type { ColumnStatistics, Scalar } from "../../src/data/codec.js";
import { isTableError } from "../../src/support/errors.js";
import { randomFilter } from "./expression/filters.js";

const table = tableFromIPC(readFileSync(new URL("../../fixtures/expression/table.arrow", import.meta.url)));
const whole = table.batches[0] as RecordBatch;

const less = (a: Scalar, b: Scalar) =>
  typeof a === "string" ? Buffer.compare(Buffer.from(a), Buffer.from(b as string)) < 0 : a < b;

/** Exact statistics of a column; texts are cut to two characters on wish. */
function statisticsOf(
  batch: RecordBatch,
  path: readonly string[],
  options: { readonly cut: boolean },
): ColumnStatistics {
  const expression = bindExpression(parseExpression(path.map((name) => `\`${name}\``).join(".")), batch.schema);
  const data = evaluate(expression, batch);
  const times = /Date|Time|Decimal/.test(String(data.type));
  const values = times ? [] : [...new Vector([data])];
  const known: Scalar[] = [];
  let nullCount = 0;
  for (const value of [...new Vector([data])].keys()) if (!data.getValid(value)) nullCount++;
  for (const value of values) {
    if (value !== null && ["boolean", "number", "bigint", "string"].includes(typeof value) && !Number.isNaN(value)) {
      known.push(value as Scalar);
    }
  }
  if (known.length === 0) return { nullCount };
  let [min, max] = [known[0] as Scalar, known[0] as Scalar];
  for (const value of known) {
    if (less(value, min)) min = value;
    if (less(max, value)) max = value;
  }
  if (options.cut && typeof min === "string" && typeof max === "string" && [...max].length > 2) {
    return { min: [...min].slice(0, 2).join(""), nullCount };
  }
  return { min, max, nullCount };
}

describe("pruning by statistics", () => {
  test("never says no to a file in which a row matches", () => {
    let noes = 0;
    fc.assert(
      fc.property(randomFilter, fc.nat(22), fc.nat(4), fc.boolean(), (text, from, size, cut) => {
        const batch = whole.slice(from, from + size + 1) as RecordBatch;
        try {
          const filter = bindFilter(parseExpression(text), batch.schema);
          const found = selectRows(filter, batch).length;
          const might = mightMatch(filter, (path) => statisticsOf(batch, path, { cut }), batch.numRows);
          if (!might) noes++;
          expect(found > 0 && !might, text).toBe(false);
        } catch (error) {
          if (!isTableError(error)) throw error;
        }
      }),
      { numRuns: 1500 },
    );
    expect(noes).toBeGreaterThan(100);
  });

  const might = (text: string, statistics: ColumnStatistics | undefined) =>
    mightMatch(bindFilter(parseExpression(text), table.schema), () => statistics, 10);

  test.each([
    ["i32 = 5", { min: 6, max: 9 }, false],
    ["i32 = 5", { min: 5, max: 9 }, true],
    ["i32 > 9", { min: 6, max: 9 }, false],
    ["9 < i32", { min: 6, max: 9 }, false],
    ["i32 >= 9", { min: 6, max: 9 }, true],
    ["i64 < 6", { min: 6n, max: 9n }, false],
    ["NOT (i32 > 5)", { min: 6, max: 9 }, false],
    ["i32 = 5 OR i32 = 7", { min: 6, max: 9 }, true],
    ["i32 > 5 AND i32 > 9", { min: 6, max: 9 }, false],
    ["i32 BETWEEN 1 AND 5", { min: 6, max: 9 }, false],
    ["i32 IN (1, 2, 10)", { min: 6, max: 9 }, false],
    ["s = 'b'", { min: "c", max: "d" }, false],
    ["s LIKE 'b%'", { min: "c", max: "d" }, false],
    ["s LIKE 'b%'", { min: "bz", max: "d" }, true],
    ["s LIKE 'd%'", { min: "a", max: "c" }, false],
    ["s IN ('a', 'b')", { min: "c", max: "d" }, false],
    ["i32 IS NULL", { nullCount: 0 }, false],
    ["i32 IS NOT NULL", { nullCount: 10 }, false],
    ["i32 != 5", { nullCount: 10 }, false],
    ["b", { min: false, max: false }, false],
  ] as const)("%s with %o says %s", (text, statistics, answer) => {
    expect(might(text, statistics)).toBe(answer);
  });

  test("keeps on doubt: NaN above the bound, no statistics, computed operands, other units", () => {
    expect(might("f64 > 9", { min: 1, max: 2 })).toBe(true);
    expect(might("f64 < 1", { min: 1, max: 2 })).toBe(false);
    expect(might("i32 = 5", undefined)).toBe(true);
    expect(might("i32 + 1 = 5", { min: 6, max: 9 })).toBe(true);
    expect(might("i32 = 5", { min: "a", max: "b" })).toBe(true);
    expect(might("meta.name IS NULL", { nullCount: 0 })).toBe(true);
  });
});
