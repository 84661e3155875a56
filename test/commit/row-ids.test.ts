import { expect, test } from "vitest";
import { assignRowIds, lineageOf, touchRows, withLineage } from "../../src/commit/row-ids.js";
import type { Fragment, SequenceLocation } from "../../src/format/fragment.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import {
  decodeRowIdSequence,
  decodeVersionSequence,
  encodeRowIdSequence,
  encodeVersionSequence,
  expandRowIds,
  expandVersions,
} from "../../src/format/row-ids.js";

function fragment(id: number, physicalRows: number, more: Partial<Fragment> = {}): Fragment {
  return { id, physicalRows, files: [], ...more };
}

const inline = (bytes: Uint8Array): SequenceLocation => ({ kind: "inline", bytes });

/** Ids, creation and last change of every row of a fragment. */
function rowsOf({ physicalRows, rowIds, createdVersions, lastUpdatedVersions }: Fragment): number[][] {
  const bytes = (location: SequenceLocation | undefined) => {
    if (location?.kind !== "inline") throw new Error("a sequence is missing");
    return location.bytes;
  };
  return [
    [...expandRowIds(decodeRowIdSequence(bytes(rowIds), "m"), "m", physicalRows)],
    [...expandVersions(decodeVersionSequence(bytes(createdVersions), "m"), "m", physicalRows)],
    [...expandVersions(decodeVersionSequence(bytes(lastUpdatedVersions), "m"), "m", physicalRows)],
  ];
}

test("new fragments get ids above all others, and the version that they come in", () => {
  const { fragments, nextRowId } = assignRowIds([fragment(3, 2), fragment(4, 1)], 10n, 7);
  expect(fragments.map(rowsOf)).toEqual([
    [
      [10, 11],
      [7, 7],
      [7, 7],
    ],
    [[12], [7], [7]],
  ]);
  expect(nextRowId).toBe(13n);
});

test("moved rows keep id and creation wherever they lay, new rows behind them get new ids, also in another fragment", () => {
  const before = FragmentList.from([
    fragment(0, 3, {
      rowIds: inline(encodeRowIdSequence([{ kind: "range", start: 0, end: 3 }])),
      createdVersions: inline(encodeVersionSequence([{ span: { kind: "range", start: 0, end: 3 }, version: 2 }])),
    }),
    fragment(5, 2, { rowIds: inline(encodeRowIdSequence([{ kind: "array", values: Float64Array.of(9, 4) }])) }),
  ]);
  const lineage = lineageOf(before, BigUint64Array.of((5n << 32n) + 1n, 2n, 5n << 32n));
  expect([...lineage.ids]).toEqual([4, 2, 9]);
  // Fragment 5 says no versions: its rows count as made in the first one.
  expect([...lineage.created]).toEqual([1, 2, 1]);
  const staged = withLineage([fragment(0, 2), fragment(0, 3)], lineage);
  const { fragments, nextRowId } = assignRowIds(staged, 20n, 8);
  expect(fragments.map(rowsOf)).toEqual([
    [
      [4, 2],
      [1, 2],
      [8, 8],
    ],
    [
      [9, 20, 21],
      [1, 8, 8],
      [8, 8, 8],
    ],
  ]);
  expect(nextRowId).toBe(22n);
});

test("the same staged rows get other ids and versions on another head, so that a lost race cannot give an id twice", () => {
  const staged = withLineage([fragment(0, 2)], { ids: Float64Array.of(1), created: Float64Array.of(1) });
  const first = assignRowIds(staged, 5n, 3);
  const second = assignRowIds(staged, 50n, 6);
  expect(rowsOf(first.fragments[0]!)[0]).toEqual([1, 5]);
  expect(rowsOf(second.fragments[0]!)).toEqual([
    [1, 50],
    [1, 6],
    [6, 6],
  ]);
});

test("rows of a fragment that got other values say so, and keep id and creation", () => {
  const [made] = assignRowIds([fragment(0, 2)], 0n, 1).fragments;
  expect(rowsOf(touchRows(made!, 9))).toEqual([
    [0, 1],
    [1, 1],
    [9, 9],
  ]);
});

test("a fragment without ids, or with ids in a file of their own, is refused before anything is written", () => {
  const bare = FragmentList.from([fragment(0, 1)]);
  expect(() => lineageOf(bare, BigUint64Array.of(0n))).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  const rowIds = { kind: "external", path: "ids", offset: 0, sizeBytes: 8 } as const;
  const outside = FragmentList.from([fragment(0, 1, { rowIds })]);
  expect(() => lineageOf(outside, BigUint64Array.of(0n))).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" }));
});
