/**
 * Pages of one leaf: where they are cut, and which layout each of them has.
 *
 * Rows without nulls of whole bytes go out as they are (full-zip without levels); nulls, bits, short text and nested
 * items go into mini-blocks; long text and wide nullable values are zipped; pages of one value or none take no bytes.
 */
import { chunkValues } from "./chunk-values.js";
import type { FixedColumn, LeafColumn, VariableColumn, VectorColumn } from "./column.js";
import { constantLayout, type Message, withoutNulls } from "./describe.js";
import { cleanIndices, encodeDictionary } from "./dictionary.js";
import { encodeFixedFullZip, encodeVariableFullZip, valueBytes } from "./full-zip.js";
import type { Leaf } from "./leaf.js";
import { allDefined, type Levels } from "./levels.js";
import { encodeMiniBlock, type PageLevels } from "./mini-block.js";
import type { EncodedPage, PageBuffer } from "./page.js";
import { type Cut, cutFlat, cutNested } from "./page-cuts.js";
import { sliceColumn } from "./slices.js";

/** Above this many bytes a value is zipped rather than put into a chunk. */
const WIDE_VALUE_BYTES = 256;
/** Values up to this size stay in chunks when the page's average is as low as the next line says. */
const OUTLIER_BYTES_MAX = 4096;
const OUTLIER_AVERAGE_BYTES_MAX = 64;
const INLINE_VALUE_BYTES_MAX = 32;
/** Levels without a value slot in one page of mini-blocks. */
const HIDDEN_LEVELS_MAX = { small: 8 * 1024, large: 32 * 1024 } as const;
export interface PageOptions {
  /** 2.2 and later: chunks may exceed 32 KiB and constant pages may hold a value. */
  readonly largeChunks: boolean;
}

/** Pages of a leaf whose first row is row `firstRow` of the file. */
export function encodeLeaf(leaf: Leaf, firstRow: number, options: PageOptions): EncodedPage[] {
  const pages: EncodedPage[] = [];
  for (const cut of leaf.levels.rep ? cutNested(leaf, options.largeChunks) : cutFlat(leaf)) {
    const values = sliceColumn(leaf.values, cut.values[0], cut.values[1]);
    const levels = pageLevels(leaf.levels, cut);
    const rows = cut.rows[1] - cut.rows[0];
    pages.push({ rows, firstRow: firstRow + cut.rows[0], ...encodePage(values, levels, rows, options) });
  }
  return pages;
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
  if (values.kind === "variable" && (isLongText(values) || isSparse(values, levels, options)))
    return encodeVariableFullZip(values, levels, rows);
  if (isZipped(values, levels, options)) return encodeFixedFullZip(values, levels, rows);
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
function isZipped(values: LeafColumn, levels: PageLevels, options: PageOptions): values is FixedColumn | VectorColumn {
  if (values.kind !== "fixed" && values.kind !== "vector") return false;
  if (hasBits(values)) return false;
  if (!levels.rep && !levels.def && !hasItemValidity(values)) return true;
  return valueBytes(values) >= WIDE_VALUE_BYTES || isSparse(values, levels, options);
}

/** True for a row with so many null or empty lists that no chunk could describe those between two of its values. */
function isSparse(values: LeafColumn, levels: PageLevels, options: PageOptions): boolean {
  const limit = options.largeChunks ? HIDDEN_LEVELS_MAX.large : HIDDEN_LEVELS_MAX.small;
  return levels.rep !== undefined && levels.rep.length - values.length > limit;
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

/** Text whose values are wide, but not because of a few among many short ones: those scan faster in chunks. */
function isLongText(values: VariableColumn): boolean {
  const { offsets, length } = values;
  let widest = 0;
  for (let i = 0; i < length; i++) widest = Math.max(widest, offsets[i + 1]! - offsets[i]!);
  const average = (offsets[length]! - offsets[0]!) / length;
  return widest >= WIDE_VALUE_BYTES && (widest > OUTLIER_BYTES_MAX || average > OUTLIER_AVERAGE_BYTES_MAX);
}
