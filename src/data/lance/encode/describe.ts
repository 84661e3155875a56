/**
 * The descriptions of pages: which layout a page has and how its values are compressed (encodings21.proto).
 *
 * Only what this writer emits has a function here.
 */
import { concat, WireWriter } from "../../../format/wire.js";

/** What one nesting level adds to the levels of a page (lance.encodings21, RepDefLayer). */
export const LAYER = {
  item: 1,
  list: 2,
  nullableItem: 3,
  nullableList: 4,
  emptyableList: 5,
  nullableAndEmptyableList: 6,
} as const;

export type Layer = (typeof LAYER)[keyof typeof LAYER];

/** Layers that say the same about pages without nulls. */
export function withoutNulls(layers: readonly Layer[]): readonly Layer[] {
  return layers.map((layer) => (layer === LAYER.nullableItem ? LAYER.item : layer));
}

/** An encoded protobuf message. */
export type Message = Uint8Array;

/** A message of unsigned numbers and nested messages, in the order of `fields`; 0 and undefined are left out. */
function message(fields: Readonly<Record<number, number | Message | undefined>>): Message {
  const writer = new WireWriter(48);
  for (const [field, value] of Object.entries(fields)) {
    if (typeof value === "number") writer.uintIfSet(Number(field), value);
    else if (value) writer.data(Number(field), value);
  }
  return writer.finish();
}

function packed(field: number, layers: readonly Layer[]): Message {
  const writer = new WireWriter(16);
  writer.packed(field, layers);
  return writer.finish();
}

export function flat(bits: number): Message {
  return message({ 1: message({ 1: bits }) });
}

export function variable(offsetBits: number): Message {
  return message({ 2: message({ 1: flat(offsetBits) }) });
}

export function outOfLineBitpacking(bits: number, keptBits: number): Message {
  return message({ 4: message({ 1: bits, 3: flat(keptBits) }) });
}

export function fixedSizeList(dimension: number, items: Message, hasValidity: boolean): Message {
  return message({ 11: message({ 1: dimension, 2: items, 3: hasValidity ? 1 : 0 }) });
}

export interface MiniBlockFacts {
  readonly rep?: Message | undefined;
  readonly def?: Message | undefined;
  readonly values: Message;
  readonly dictionary?: { readonly items: Message; readonly count: number } | undefined;
  readonly layers: readonly Layer[];
  readonly buffers: number;
  readonly items: number;
  readonly largeChunks: boolean;
}

export function miniBlockLayout(facts: MiniBlockFacts): Message {
  const before = message({ 1: facts.rep, 2: facts.def, 3: facts.values, 4: facts.dictionary?.items });
  const count = message({ 5: facts.dictionary?.count });
  const after = message({ 7: facts.buffers, 8: facts.rep ? 1 : 0, 9: facts.items, 10: facts.largeChunks ? 1 : 0 });
  return message({ 1: concat([before, count, packed(6, facts.layers), after]) });
}

export interface ConstantFacts {
  readonly layers: readonly Layer[];
  /** The value of all visible items; all null when absent. */
  readonly inlineValue?: Uint8Array | undefined;
  readonly repValues?: number;
  readonly defValues?: number;
}

export function constantLayout(facts: ConstantFacts): Message {
  const after = message({ 6: facts.inlineValue, 9: facts.repValues, 10: facts.defValues });
  return message({ 2: concat([packed(5, facts.layers), after]) });
}

export interface FullZipFacts {
  readonly repBits: number;
  readonly defBits: number;
  readonly width: { readonly valueBits: number } | { readonly offsetBits: number };
  readonly items: number;
  readonly visibleItems: number;
  readonly values: Message;
  readonly layers: readonly Layer[];
}

export function fullZipLayout(facts: FullZipFacts): Message {
  const { repBits, defBits, width, items, visibleItems, values } = facts;
  const bits = "valueBits" in width ? { 3: width.valueBits } : { 4: width.offsetBits };
  const before = message({ 1: repBits, 2: defBits, ...bits, 5: items, 6: visibleItems, 7: values });
  return message({ 3: concat([before, packed(8, facts.layers)]) });
}
