import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COMPACTION_DEFAULTS, type CompactionRules, planCompaction } from "../../src/chores/plan-compaction.js";
import type { Fragment } from "../../src/format/fragment.js";

const RULES: CompactionRules = { ...COMPACTION_DEFAULTS, targetRows: 100, maxBytes: 8000 };

function fragment(id: number, rows: number, deleted = 0, sizeBytes = rows): Fragment {
  return {
    id,
    physicalRows: rows,
    files: [{ path: `${id}.lance`, fields: [0], columnIndices: [0], majorVersion: 2, minorVersion: 0, sizeBytes }],
    ...(deleted === 0 ? {} : { deletionFile: { kind: "bitmap", readVersion: 1, id: 1n, deletedRows: deleted } }),
  };
}

function ids(fragments: readonly Fragment[], rules = RULES, classOf?: (id: number) => string | undefined) {
  return planCompaction(fragments, rules, classOf).map((task) => task.fragments.map(({ id }) => id));
}

describe("a plan of a compaction", () => {
  test("merges small neighbours and leaves alone what is well shaped between them", () => {
    expect(ids([fragment(1, 10), fragment(2, 20), fragment(3, 100), fragment(4, 5), fragment(7, 5)])).toEqual([
      [1, 2],
      [4, 7],
    ]);
  });

  test("has nothing for one small fragment, for a whole one, for none", () => {
    expect(ids([])).toEqual([]);
    expect(ids([fragment(1, 10)])).toEqual([]);
    expect(ids([fragment(1, 100), fragment(2, 10), fragment(3, 100)])).toEqual([]);
  });

  test("rewrites a large fragment for its deleted rows only above the share", () => {
    expect(ids([fragment(1, 1000, 100)])).toEqual([]);
    expect(ids([fragment(1, 1000, 101)])).toEqual([[1]]);
  });

  test("ends a task where its rows fill a fragment, and before its bytes exceed the bound", () => {
    expect(ids([1, 2, 3, 4, 5, 6].map((id) => fragment(id, 40)))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const wide = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((id) => fragment(id, 2, 0, 999));
    expect(ids(wide)).toEqual([
      [1, 2, 3, 4, 5, 6, 7, 8],
      [9, 10],
    ]);
  });

  test("counts a fragment with many bytes as whole, however few rows they are", () => {
    expect(ids([fragment(1, 2, 0, 1000), fragment(2, 2, 0, 1000), fragment(3, 2), fragment(4, 2)])).toEqual([[3, 4]]);
  });

  test("never merges across classes and never touches what has none", () => {
    const four = [1, 2, 3, 4, 5, 6].map((id) => fragment(id, 1));
    expect(ids(four, RULES, (id) => (id < 3 ? "a" : id < 5 ? "b" : undefined))).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test("leaves out a fragment that outweighs its neighbours, so that growing tables are not copied again and again", () => {
    const rules = { ...RULES, largestShare: 0.5 };
    expect(ids([fragment(1, 60), fragment(2, 1), fragment(3, 1)], rules)).toEqual([[2, 3]]);
    expect(ids([fragment(1, 1), fragment(2, 60), fragment(3, 1)], rules)).toEqual([]);
    expect(ids([fragment(1, 30), fragment(2, 29), fragment(3, 1)], rules)).toEqual([[1, 2, 3]]);
  });

  test("of any table: tasks are runs of neighbours in order, within their bounds, each worth its commit", () => {
    const tables = fc.array(
      fc.record({ rows: fc.integer({ min: 1, max: 300 }), gone: fc.integer({ min: 0, max: 299 }) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(tables, fc.constantFrom(1, 0.5), (table, largestShare) => {
        const fragments = table.map(({ rows, gone }, id) => fragment(id, rows, Math.min(gone, rows - 1), rows * 5));
        const tasks = planCompaction(fragments, { ...RULES, largestShare });
        const seen: number[] = [];
        for (const { fragments: part, liveRows, sizeBytes } of tasks) {
          const first = part[0]!.id;
          expect(part.map(({ id }) => id)).toEqual(part.map((_, i) => first + i));
          seen.push(...part.map(({ id }) => id));
          const hollow = part.some((one) => (one.deletionFile?.deletedRows ?? 0) > 0.1 * one.physicalRows);
          expect(part.length > 1 || hollow).toBe(true);
          expect(part.length === 1 || sizeBytes <= RULES.maxBytes).toBe(true);
          const last = part[part.length - 1]!;
          const lastRows = last.physicalRows - (last.deletionFile?.deletedRows ?? 0);
          expect(liveRows - lastRows).toBeLessThan(RULES.targetRows);
        }
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      }),
    );
  });

  test("a table that grows row by row keeps a logarithmic number of fragments and copies each row as often", () => {
    const rules = { ...COMPACTION_DEFAULTS, largestShare: 0.5 };
    let fragments: Fragment[] = [];
    let next = 0;
    let copied = 0;
    const rows = 20_000;
    for (let row = 0; row < rows; row++) {
      fragments.push(fragment(next++, 1));
      if (fragments.length < 48) continue;
      for (const task of planCompaction(fragments, rules)) {
        copied += task.liveRows;
        const gone = new Set(task.fragments.map(({ id }) => id));
        fragments = fragments.filter(({ id }) => !gone.has(id));
        fragments.push(fragment(next++, task.liveRows));
      }
      expect(fragments.length).toBeLessThan(17);
    }
    expect(copied / rows).toBeLessThan(12);
  });
});
