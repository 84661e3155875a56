/**
 * Repetition and definition levels: what a page's layers mean, and the levels of one column across pages.
 *
 * Layers differ from page to page (a page without NULLs lacks their level), so levels are renumbered to one canonical
 * form per column while they are appended: counting from the inside, an item takes one level (null) and a list takes
 * two (null, empty). Specification: lance-format.md 8.1.
 */
import { BATCH_MAX_BYTES, BatchTooLarge, damaged } from "./damage.js";
import type { Ranges } from "./flat-sinks.js";

/** One nesting level of a leaf column, as its schema has it. */
export type LayerKind = "item" | "list";

/** Definition levels that a layer takes in canonical form. */
export function canonicalLevels(kind: LayerKind): number {
  return kind === "item" ? 1 : 2;
}

const ALL_VALID_ITEM = 1;
const ALL_VALID_LIST = 2;
const NULLABLE_ITEM = 3;
const NULLABLE_LIST = 4;
const EMPTYABLE_LIST = 5;
const NULL_AND_EMPTY_LIST = 6;

/** How to read the levels of one page. */
export interface PageLevels {
  /** Number of list layers; the repetition level of a new row. */
  readonly maxRep: number;
  /** Greatest definition level of the page. */
  readonly maxDef: number;
  /** An entry has a value slot when its definition level is at most this. */
  readonly maxVisibleDef: number;
  /** Canonical level for each level of the page. */
  readonly canonical: Uint16Array;
  /** The page's levels are canonical already. */
  readonly identity: boolean;
}

/** @throws CORRUPT when the page's layers are not those of the column */
export function pageLevels(layers: readonly number[], kinds: readonly LayerKind[]): PageLevels {
  if (layers.length !== kinds.length) damaged(`${layers.length} layers describe ${kinds.length} nesting levels`);
  const canonical = [0];
  let next = 1;
  let maxRep = 0;
  let maxVisibleDef = -1;
  layers.forEach((layer, i) => {
    const isItem = layer === ALL_VALID_ITEM || layer === NULLABLE_ITEM;
    if (isItem !== (kinds[i] === "item") || layer < ALL_VALID_ITEM || layer > NULL_AND_EMPTY_LIST) {
      damaged(`layer ${layer} stands for a nesting level of kind ${kinds[i]}`);
    }
    if (layer === ALL_VALID_LIST || layer >= NULLABLE_LIST) {
      if (maxRep === 0) maxVisibleDef = canonical.length - 1;
      maxRep++;
    }
    if (layer === NULLABLE_ITEM || layer === NULLABLE_LIST || layer === NULL_AND_EMPTY_LIST) canonical.push(next);
    if (layer === EMPTYABLE_LIST || layer === NULL_AND_EMPTY_LIST) canonical.push(next + 1);
    next += canonicalLevels(kinds[i]!);
  });
  const maxDef = canonical.length - 1;
  return {
    maxRep,
    maxDef,
    maxVisibleDef: maxRep === 0 ? maxDef : maxVisibleDef,
    canonical: Uint16Array.from(canonical),
    identity: canonical.every((level, i) => level === i),
  };
}

/** Number of entries with a value slot. */
export function countVisible(def: Uint16Array, maxVisibleDef: number): number {
  let visible = 0;
  for (let i = 0; i < def.length; i++) if (def[i]! <= maxVisibleDef) visible++;
  return visible;
}

/** The levels of one batch of one column, canonical. Absent levels are all 0. */
export class LevelSink {
  length = 0;
  rep: Uint16Array | undefined;
  def: Uint16Array | undefined;
  readonly #capacity: number;

  constructor(capacity: number, hasLists: boolean) {
    this.#capacity = capacity;
    if (hasLists) this.rep = new Uint16Array(capacity);
  }

  /** Appends `count` entries. A column with lists has `rep` in every page that has entries with it. */
  append(rep: Uint16Array | undefined, def: Uint16Array | undefined, count: number, levels: PageLevels): void {
    const needed = this.length + count;
    if (this.rep !== undefined) {
      this.rep = roomFor(this.rep, this.length, needed);
      if (rep === undefined) this.rep.fill(levels.maxRep, this.length, needed);
      else appendChecked(this.rep, this.length, rep, count, levels.maxRep);
    }
    if (def !== undefined || this.def !== undefined) {
      this.def ??= new Uint16Array(Math.max(this.#capacity, needed));
      this.def = roomFor(this.def, this.length, needed);
      if (def === undefined) this.def.fill(0, this.length, needed);
      else appendCanonical(this.def, this.length, def, count, levels);
    }
    this.length = needed;
  }

  keep(from: number, ranges: Ranges): void {
    let length = from;
    for (let i = 0; i < ranges.length; i += 2) {
      const start = from + ranges[i]!;
      const end = from + ranges[i + 1]!;
      this.rep?.copyWithin(length, start, end);
      this.def?.copyWithin(length, start, end);
      length += end - start;
    }
    this.length = length;
  }
}

function roomFor(levels: Uint16Array, used: number, needed: number): Uint16Array {
  if (needed <= levels.length) return levels;
  if (needed * 2 > BATCH_MAX_BYTES) throw new BatchTooLarge();
  const larger = new Uint16Array(Math.max(needed, levels.length * 2));
  larger.set(levels.subarray(0, used));
  return larger;
}

function appendChecked(target: Uint16Array, at: number, source: Uint16Array, count: number, max: number): void {
  for (let i = 0; i < count; i++) {
    const level = source[i]!;
    if (level > max) damaged(`repetition level ${level} is beyond ${max}`);
    target[at + i] = level;
  }
}

function appendCanonical(
  target: Uint16Array,
  at: number,
  source: Uint16Array,
  count: number,
  levels: PageLevels,
): void {
  const { canonical, maxDef } = levels;
  for (let i = 0; i < count; i++) {
    const level = source[i]!;
    if (level > maxDef) damaged(`definition level ${level} is beyond ${maxDef}`);
    target[at + i] = canonical[level]!;
  }
}

/** Repetition level of a new row, and the greatest canonical definition level of an entry with a value slot. */
export interface CanonicalForm {
  readonly maxRep: number;
  readonly maxVisibleDef: number;
}

export function canonicalForm(kinds: readonly LayerKind[]): CanonicalForm {
  const innermost = kinds.indexOf("list");
  const inside = innermost < 0 ? kinds : kinds.slice(0, innermost);
  return {
    maxRep: kinds.filter((kind) => kind === "list").length,
    maxVisibleDef: inside.reduce((sum, kind) => sum + canonicalLevels(kind), 0),
  };
}

/** Where a run of entries begins in a sink, and the row to which its first entry belongs. */
export interface RunStart {
  readonly entries: number;
  readonly items: number;
  readonly row: number;
}

/** Drops from the tail of a column with lists what does not belong to the rows wanted. */
export function keepRows(
  sink: {
    readonly levels: LevelSink;
    readonly values: { readonly length: number; keep(from: number, ranges: Ranges): void };
  },
  start: RunStart,
  wanted: Ranges,
  form: CanonicalForm,
): void {
  const { rep, def, length } = sink.levels;
  if (rep === undefined) damaged("a column with lists has no repetition levels");
  const entries: number[] = [];
  const items: number[] = [];
  let row = rep[start.entries] === form.maxRep ? start.row - 1 : start.row;
  let item = 0;
  let range = 0;
  let inside = false;
  for (let i = start.entries; i < length; i++) {
    if (rep[i] === form.maxRep) {
      row++;
      while (range < wanted.length && row >= wanted[range + 1]!) range += 2;
      const now = range < wanted.length && row >= wanted[range]!;
      if (now !== inside) {
        entries.push(i - start.entries);
        items.push(item);
        inside = now;
      }
    }
    if (def === undefined || def[i]! <= form.maxVisibleDef) item++;
  }
  if (inside) {
    entries.push(length - start.entries);
    items.push(item);
  }
  if (item !== sink.values.length - start.items) damaged("levels and values of a page differ in number");
  sink.levels.keep(start.entries, entries);
  sink.values.keep(start.items, items);
}
