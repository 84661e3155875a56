/**
 * From the levels and values of leaf columns to Arrow columns: validity, list offsets, nested data.
 *
 * Scopes: a node inside the j-th list (counted from the innermost) has one slot for each entry that starts an element
 * of that list; a node outside of all lists has one per row. Specification: lance-format.md 8.1.
 */
import type { Data } from "apache-arrow";
import { bitmapBytes } from "../../kernels/bits.js";
import { makeColumn } from "../../kernels/column.js";
import type { ColumnNode, LeafNode } from "./column-tree.js";
import { damaged } from "./damage.js";
import { leafColumn, rowSlots, type Slots, toOffsets } from "./leaf-data.js";
import { canonicalLevels, type LayerKind } from "./levels.js";
import type { LeafSink } from "./page.js";

/** The Arrow column of a tree whose leaves are decoded. @throws CORRUPT when levels and values contradict each other */
export function assemble(tree: ColumnNode, sinks: readonly LeafSink[], rows: number): Data {
  const data = assembleNode(tree, sinks, 0);
  if (data.length !== rows) damaged(`${data.length} rows are in the place of ${rows}`);
  return data;
}

function assembleNode(tree: ColumnNode, sinks: readonly LeafSink[], depth: number): Data {
  const { leaf, position } = firstLeaf(tree);
  const sink = sinks[position]!;
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

function firstLeaf(tree: ColumnNode): LeafNode {
  let inner = tree;
  while (inner.kind !== "leaf") inner = inner.children[0]!;
  return inner;
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
