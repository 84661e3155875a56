/** Where the pages of a leaf are cut: near 8 MiB each, between rows, with a limit on the levels of nested ones. */
import { assert } from "../../../support/errors.js";
import type { LeafColumn } from "./column.js";
import type { Leaf } from "./leaf.js";

const PAGE_BYTES_AIM = 8 * 1024 * 1024;
/** Levels of a nested page; keeps plain and packed levels of any chunk within its header. */
const PAGE_LEVELS_MAX = { small: 8 * 1024, large: 32 * 1024 - 1 } as const;

export type Range = readonly [start: number, end: number];

/** One page of a leaf. */
export interface Cut {
  readonly rows: Range;
  readonly levels: Range;
  readonly values: Range;
}

/** Pages of a leaf whose rows are its values. */
export function cutFlat(leaf: Leaf): Cut[] {
  return cutLeaf(leaf.values).map((range) => ({ rows: range, levels: range, values: range }));
}

/** Ranges of values that are near the size of a page each. */
export function cutLeaf(values: LeafColumn): Range[] {
  const ranges: Range[] = [];
  for (let start = 0; start < values.length; ) {
    const end = Math.min(values.length, flatPageEnd(values, start));
    ranges.push([start, end]);
    start = end;
  }
  return ranges;
}

function flatPageEnd(values: LeafColumn, start: number): number {
  if (values.kind !== "variable") return start + rowsOfPage(bitsPerValue(values));
  const { offsets, length } = values;
  const limit = offsets[start]! + PAGE_BYTES_AIM;
  let low = start + 1;
  let high = Math.min(length, start + rowsOfPage(values.offsetWidth * 8));
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (offsets[middle]! <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

function rowsOfPage(bits: number): number {
  return Math.max(1, Math.floor((PAGE_BYTES_AIM * 8) / Math.max(bits, 1)));
}

function bitsPerValue(values: LeafColumn): number {
  switch (values.kind) {
    case "fixed":
      return values.width * 8;
    case "bit":
      return 1;
    case "dictionary":
      return values.indices.width * 8;
    case "vector":
      return values.dimension * bitsPerValue(values.items);
    case "variable":
      return values.offsetWidth * 8;
    case "null":
      return 1;
  }
}

/** Pages of a leaf below lists: whole rows each. */
export function cutNested(leaf: Leaf, largeChunks: boolean): Cut[] {
  const { rep, def, maxRep, maxVisibleDef } = leaf.levels;
  assert(rep !== undefined, "a nested leaf has repetition levels");
  const levelsMax = largeChunks ? PAGE_LEVELS_MAX.large : PAGE_LEVELS_MAX.small;
  const cuts: Cut[] = [];
  let page = { row: 0, level: 0, value: 0 };
  let last = page;
  let row = 0;
  let value = 0;
  const close = (end: typeof page) => {
    cuts.push({ rows: [page.row, end.row], levels: [page.level, end.level], values: [page.value, end.value] });
    page = end;
  };
  for (let level = 0; level <= rep.length; level++) {
    if (level === rep.length || rep[level] === maxRep) {
      const here = { row, level, value };
      const full = level - page.level > levelsMax || nestedBytes(leaf.values, page.value, value) > PAGE_BYTES_AIM;
      if (full && last.row > page.row) close(last);
      last = here;
      row++;
    }
    if (level < rep.length && (!def || def[level]! <= maxVisibleDef)) value++;
  }
  if (last.row > page.row) close(last);
  return cuts;
}

function nestedBytes(values: LeafColumn, start: number, end: number): number {
  if (values.kind === "variable") return values.offsets[end]! - values.offsets[start]!;
  return ((end - start) * bitsPerValue(values)) / 8;
}
