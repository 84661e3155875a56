/**
 * Pages of one leaf: where they are cut, and which layout each of them has.
 *
 * Rows without nulls of whole bytes go out as they are (full-zip without levels); nulls, bits, short text and nested
 * items go into mini-blocks; long text and wide nullable values are zipped; pages of one value or none take no bytes.
 */
import { assert } from "../../../support/errors.js";
import { chunkValues } from "./chunk-values.js";
import type { FixedColumn, LeafColumn, VariableColumn, VectorColumn } from "./column.js";
import { constantLayout, type Message, withoutNulls } from "./describe.js";
import { cleanIndices, encodeDictionary } from "./dictionary.js";
import { encodeFixedFullZip, encodeVariableFullZip, valueBytes } from "./full-zip.js";
import type { Leaf } from "./leaf.js";
import { allDefined, type Levels } from "./levels.js";
import { encodeMiniBlock, type PageLevels } from "./mini-block.js";
import type { EncodedPage, PageBuffer } from "./page.js";
import { sliceColumn } from "./slices.js";

const PAGE_BYTES_AIM = 8 * 1024 * 1024;
/** Above this many bytes a value is zipped rather than put into a chunk. */
const WIDE_VALUE_BYTES = 256;
const INLINE_VALUE_BYTES_MAX = 32;
/** Levels of a nested page; keeps plain and packed levels of any chunk within its header. */
const PAGE_LEVELS_MAX = { small: 8 * 1024, large: 32 * 1024 - 1 } as const;

export interface PageOptions {
  /** 2.2 and later: chunks may exceed 32 KiB and constant pages may hold a value. */
  readonly largeChunks: boolean;
}

/** Pages of a leaf whose first row is row `firstRow` of the file. */
export function encodeLeaf(leaf: Leaf, firstRow: number, options: PageOptions): EncodedPage[] {
  const pages: EncodedPage[] = [];
  for (const cut of leaf.levels.rep ? cutNested(leaf, options) : cutFlat(leaf)) {
    const values = sliceColumn(leaf.values, cut.values[0], cut.values[1]);
    const levels = pageLevels(leaf.levels, cut);
    const rows = cut.rows[1] - cut.rows[0];
    pages.push({ rows, firstRow: firstRow + cut.rows[0], ...encodePage(values, levels, rows, options) });
  }
  return pages;
}

type Range = readonly [start: number, end: number];

interface Cut {
  readonly rows: Range;
  readonly levels: Range;
  readonly values: Range;
}

function cutFlat(leaf: Leaf): Cut[] {
  const cuts: Cut[] = [];
  for (let start = 0; start < leaf.rows; ) {
    const end = Math.min(leaf.rows, flatPageEnd(leaf.values, start));
    cuts.push({ rows: [start, end], levels: [start, end], values: [start, end] });
    start = end;
  }
  return cuts;
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

function cutNested(leaf: Leaf, options: PageOptions): Cut[] {
  const { rep, def, maxRep, maxVisibleDef } = leaf.levels;
  assert(rep !== undefined, "a nested leaf has repetition levels");
  const levelsMax = options.largeChunks ? PAGE_LEVELS_MAX.large : PAGE_LEVELS_MAX.small;
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

function pageLevels(levels: Levels, cut: Cut): PageLevels {
  const { maxRep, maxDef, maxVisibleDef, layers } = levels;
  const [start, end] = cut.levels;
  const common = { maxRep, maxDef, maxVisibleDef };
  const rep = levels.rep?.subarray(start, end);
  if (!levels.def || (!rep && allDefined(levels.def, start, end))) {
    return { ...common, rep, def: undefined, layers: rep ? layers : withoutNulls(layers) };
  }
  return { ...common, rep, def: levels.def.subarray(start, end), layers };
}

type Body = { readonly layout: Message; readonly buffers: readonly PageBuffer[] };

function encodePage(values: LeafColumn, levels: PageLevels, rows: number, options: PageOptions): Body {
  if (values.length === 0 || nothingVisible(levels)) return emptyPage(levels);
  const constant = options.largeChunks && !levels.rep && !levels.def ? constantValue(values) : undefined;
  if (constant) return { layout: constantLayout({ layers: levels.layers, inlineValue: constant }), buffers: [] };
  if (values.kind === "variable" && isLongText(values)) return encodeVariableFullZip(values, levels, rows);
  if (isZipped(values, levels)) return encodeFixedFullZip(values, levels, rows);
  const { largeChunks } = options;
  if (values.kind !== "dictionary")
    return encodeMiniBlock(chunkValues(values), levels, { items: values.length, largeChunks });
  const dictionary = encodeDictionary(values.items);
  return encodeMiniBlock(chunkValues(cleanIndices(values)), levels, { items: values.length, largeChunks, dictionary });
}

/** True when no item of the page has a value. */
function nothingVisible(levels: PageLevels): boolean {
  if (!levels.def) return false;
  for (const def of levels.def) if (def === 0) return false;
  return true;
}

/** No value at all: only the levels, and not even those when every row of a plain column is null. */
function emptyPage(levels: PageLevels): Body {
  const { rep, def, layers } = levels;
  if (!rep && layers.length === 1) return { layout: constantLayout({ layers }), buffers: [] };
  const layout = constantLayout({ layers, repValues: rep?.length ?? 0, defValues: def?.length ?? 0 });
  return { layout, buffers: [[levelBytes(rep)], [levelBytes(def)]] };
}

function levelBytes(levels: Uint16Array | undefined): Uint8Array {
  return levels ? new Uint8Array(levels.buffer, levels.byteOffset, levels.byteLength) : new Uint8Array(0);
}

/** The bytes that all values share, when they are few enough to stand in the description. */
function constantValue(values: LeafColumn): Uint8Array | undefined {
  if (values.kind !== "fixed" || values.width > INLINE_VALUE_BYTES_MAX) return undefined;
  const { bytes, width } = values;
  for (let at = width; at < bytes.length; at++) if (bytes[at] !== bytes[at - width]) return undefined;
  return bytes.slice(0, width);
}

/** Fixed-width values that are zipped: wide ones, and any that then need no levels and no copy. */
function isZipped(values: LeafColumn, levels: PageLevels): values is FixedColumn | VectorColumn {
  if (values.kind !== "fixed" && values.kind !== "vector") return false;
  if (hasBits(values)) return false;
  if (!levels.rep && !levels.def && !hasItemValidity(values)) return true;
  return valueBytes(values) >= WIDE_VALUE_BYTES;
}

function hasBits(values: FixedColumn | VectorColumn): boolean {
  if (values.kind === "fixed") return false;
  return values.items.kind === "bit" || hasBits(values.items);
}

function hasItemValidity(values: FixedColumn | VectorColumn): boolean {
  return (
    values.kind === "vector" &&
    (values.items.validity !== undefined || (values.items.kind === "vector" && hasItemValidity(values.items)))
  );
}

function isLongText(values: VariableColumn): boolean {
  const { offsets, length } = values;
  for (let i = 0; i < length; i++) if (offsets[i + 1]! - offsets[i]! >= WIDE_VALUE_BYTES) return true;
  return false;
}
