/**
 * From the levels and values of leaf columns to Arrow columns: validity, list offsets, nested data.
 *
 * Scopes: a node inside the j-th list (counted from the innermost) has one slot for each entry that starts an element
 * of that list; a node outside of all lists has one per row. Specification: lance-format.md 8.1.
 */
import type { Data, DataType } from "apache-arrow";
import { childrenOf, layoutOf, makeColumn } from "../../columns/layout.js";
import { bitmapBytes } from "../../kernels/bits.js";
import type { ColumnNode, LeafColumn } from "./column.js";
import { damaged } from "./damage.js";
import { encodeDictionary } from "./dictionary.js";
import { canonicalLevels, type LayerKind } from "./levels.js";
import type { LeafSink } from "./page.js";
import type { ValueSink } from "./sinks.js";

/** Validity of a column's slots, absent when all are valid. */
export interface Slots {
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Uint8Array | undefined;
}

/** The Arrow column of a tree whose leaves are decoded. @throws CORRUPT when levels and values contradict each other */
export function assemble(tree: ColumnNode, sinks: readonly LeafSink[], rows: number): Data {
  const data = assembleNode(tree, sinks, 0);
  if (data.length !== rows) damaged(`${data.length} rows are in the place of ${rows}`);
  return data;
}

function assembleNode(tree: ColumnNode, sinks: readonly LeafSink[], depth: number): Data {
  const leaf = firstLeaf(tree);
  const sink = sinks[leaf.position]!;
  const layer = layerAt(leaf.layers, depth);
  const slots = slotsOf(layer, sink);
  const { type } = tree.node.field;
  if (tree.kind === "leaf") {
    if (sink.values.length !== slots.length) damaged("levels and values differ in number");
    return leafColumn(type, tree.full.field.type, sink.values, slots);
  }
  const children = tree.children.map((child) => assembleNode(child, sinks, depth + 1));
  if (tree.kind === "struct") {
    if (children.some((child) => child.length !== slots.length)) damaged("the children of a struct differ in length");
    return makeColumn(type, { ...slots, children });
  }
  const offsets = offsetsOf(layer, sink, slots.length);
  if (offsets[slots.length] !== children[0]!.length) damaged("a list's items differ in number from its offsets");
  return makeColumn(type, { ...slots, offsets: toOffsets(type, offsets), children });
}

function firstLeaf(tree: ColumnNode): LeafColumn {
  let inner = tree;
  while (inner.kind !== "leaf") inner = inner.children[0]!;
  return inner.leaf;
}

/** A nesting level of a leaf column: where its slots are and when they are null. */
interface Layer {
  readonly kind: LayerKind;
  /** Canonical definition level that means null here; for a list, the next one means empty. */
  readonly nullLevel: number;
  /** Number of lists inside of, and including, this level. */
  readonly lists: number;
  /** Entries start a slot here from this repetition level on, */
  readonly slotRep: number;
  /** and below this definition level. */
  readonly slotDef: number;
  /** Elements of this list exist below this definition level. */
  readonly elementDef: number;
}

/** @param depth 0 for the outermost level */
function layerAt(layers: readonly LayerKind[], depth: number): Layer {
  const at = layers.length - 1 - depth;
  const firstLevel = (end: number): number =>
    1 + layers.slice(0, end).reduce((sum, kind) => sum + canonicalLevels(kind), 0);
  const lists = layers.slice(0, at + 1).filter((kind) => kind === "list").length;
  const outer = layers.indexOf("list", at + 1);
  return {
    kind: layers[at]!,
    nullLevel: firstLevel(at),
    lists,
    slotRep: lists,
    slotDef: outer < 0 ? Number.POSITIVE_INFINITY : firstLevel(outer),
    elementDef: firstLevel(at),
  };
}

function slotsOf(layer: Layer, sink: LeafSink): Slots {
  const { rep, def, length } = sink.levels;
  if (rep === undefined) {
    if (def === undefined) return { length, nullCount: 0, validity: undefined };
    return rowSlots(def, length, layer.nullLevel);
  }
  const { slotRep, slotDef, nullLevel, kind } = layer;
  const emptyLevel = kind === "list" ? nullLevel + 1 : -1;
  const validity = new Uint8Array(bitmapBytes(length));
  let slots = 0;
  let nulls = 0;
  for (let i = 0; i < length; i++) {
    const level = def === undefined ? 0 : def[i]!;
    if (rep[i]! < slotRep || level >= slotDef) continue;
    if (level < nullLevel || level === emptyLevel) validity[slots >>> 3] = validity[slots >>> 3]! | (1 << (slots & 7));
    else nulls++;
    slots++;
  }
  return {
    length: slots,
    nullCount: nulls,
    validity: nulls === 0 ? undefined : validity.subarray(0, bitmapBytes(slots)),
  };
}

/** Without lists every entry is a slot. */
export function rowSlots(def: Uint16Array, length: number, nullLevel: number): Slots {
  const validity = new Uint8Array(bitmapBytes(length));
  let valid = 0;
  const whole = length & ~7;
  for (let i = 0; i < whole; i += 8) {
    let byte = 0;
    for (let j = 0; j < 8; j++) {
      const bit = def[i + j]! < nullLevel ? 1 : 0;
      byte |= bit << j;
      valid += bit;
    }
    validity[i >>> 3] = byte;
  }
  for (let i = whole; i < length; i++) {
    if (def[i]! >= nullLevel) continue;
    validity[i >>> 3] = validity[i >>> 3]! | (1 << (i & 7));
    valid++;
  }
  const nullCount = length - valid;
  return { length, nullCount, validity: nullCount === 0 ? undefined : validity };
}

function offsetsOf(layer: Layer, sink: LeafSink, slots: number): Int32Array {
  const { rep, def, length } = sink.levels;
  if (rep === undefined) damaged("a list has no repetition levels");
  const { slotRep, slotDef, elementDef } = layer;
  const offsets = new Int32Array(slots + 1);
  let slot = 0;
  let elements = 0;
  for (let i = 0; i < length; i++) {
    const level = def === undefined ? 0 : def[i]!;
    const r = rep[i]!;
    if (r >= slotRep && level < slotDef) offsets[slot++] = elements;
    if (r >= slotRep - 1 && level < elementDef) elements++;
  }
  offsets[slots] = elements;
  return offsets;
}

/** Offsets in the width that the type has. */
export function toOffsets(type: DataType, offsets: Int32Array): Int32Array | BigInt64Array {
  const layout = layoutOf(type);
  if ((layout.kind !== "list" && layout.kind !== "bytes") || !layout.large) return offsets;
  const wide = new Int32Array(offsets.length * 2);
  for (let i = 0; i < offsets.length; i++) wide[2 * i] = offsets[i]!;
  return new BigInt64Array(wide.buffer);
}

/**
 * The Arrow column of decoded values.
 * @param full the type as the file holds it: a packed struct with all its children
 */
export function leafColumn(type: DataType, full: DataType, values: ValueSink, slots: Slots): Data {
  if (layoutOf(type).kind === "dictionary") return encodeDictionary(type, values, slots);
  switch (values.kind) {
    case "null":
      return makeColumn(type, { length: slots.length, nullCount: slots.length });
    case "fixed":
    case "bits":
      return makeColumn(type, { ...slots, values: values.finish() });
    case "bytes": {
      const offsets = toOffsets(type, values.offsets.subarray(0, slots.length + 1));
      return makeColumn(type, { ...slots, offsets, values: values.finish() });
    }
    case "fixed-list": {
      const child = childrenOf(type)[0]!;
      const items = itemSlots(values.validity?.finish(), slots.length * values.size);
      return makeColumn(type, { ...slots, children: [leafColumn(child.type, child.type, values.child, items)] });
    }
    case "struct": {
      const stored = childrenOf(full);
      const all: Slots = { length: slots.length, nullCount: 0, validity: undefined };
      const children = childrenOf(type).map((child) => {
        const at = stored.findIndex((field) => field.name === child.name);
        const sink = values.children[at];
        if (sink === undefined) damaged(`a packed struct has no child "${child.name}"`);
        return leafColumn(child.type, stored[at]!.type, sink, all);
      });
      return makeColumn(type, { ...slots, children });
    }
  }
}

function itemSlots(validity: Uint8Array | undefined, length: number): Slots {
  if (validity === undefined) return { length, nullCount: 0, validity };
  let valid = 0;
  for (let i = 0; i < length; i++) valid += (validity[i >>> 3]! >>> (i & 7)) & 1;
  return { length, nullCount: length - valid, validity: valid === length ? undefined : validity };
}
