/**
 * Repetition and definition levels: the nesting of a leaf, flattened to two small numbers per item.
 *
 * Levels are numbered from inside to outside (lance-format: encodings21, RepDefLayer): definition 0 is a value, the
 * larger the level the further out the cause of its absence; repetition 0 is the next item of the innermost list and
 * the maximum is a new row.
 */
import { assert } from "../../../support/errors.js";
import { bitAt } from "./bits.js";
import type { Validity } from "./column.js";
import { LAYER, type Layer } from "./describe.js";

/** One nesting level above or at a leaf, outermost first in a path. */
export type Step =
  | { readonly kind: "item"; readonly validity: Validity }
  | { readonly kind: "list"; readonly validity: Validity; readonly offsets: Int32Array };

export interface Levels {
  /** One per list level of the path; undefined without lists. */
  readonly rep: Uint16Array | undefined;
  /** Undefined when nothing is null or empty. */
  readonly def: Uint16Array | undefined;
  readonly maxRep: number;
  readonly maxDef: number;
  /** The highest definition level whose items still own a value slot. */
  readonly maxVisibleDef: number;
  /** Inner to outer. */
  readonly layers: readonly Layer[];
  /** Position of each visible item in the leaf; undefined: item i is at position i. */
  readonly positions: Int32Array | undefined;
}

interface NumberedStep {
  readonly step: Step;
  /** 0: this step adds no such level. */
  readonly nullLevel: number;
  readonly emptyLevel: number;
  /** Number of list steps from the innermost up to and with this one. */
  readonly listDepth: number;
}

/** Levels of `rows` rows along a path of steps, outermost first. */
export function buildLevels(steps: readonly Step[], rows: number): Levels {
  const layers: Layer[] = [];
  const numbered: NumberedStep[] = [];
  let maxDef = 0;
  let maxRep = 0;
  let maxVisibleDef: number | undefined;
  for (const step of steps.toReversed()) {
    if (step.kind === "item") {
      const nullLevel = step.validity ? ++maxDef : 0;
      layers.push(step.validity ? LAYER.nullableItem : LAYER.item);
      numbered.unshift({ step, nullLevel, emptyLevel: 0, listDepth: maxRep });
      continue;
    }
    maxVisibleDef ??= maxDef;
    const hasEmpty = hasEmptyList(step.offsets, step.validity);
    const nullLevel = step.validity ? ++maxDef : 0;
    const emptyLevel = hasEmpty ? ++maxDef : 0;
    layers.push(listLayer(nullLevel > 0, hasEmpty));
    numbered.unshift({ step, nullLevel, emptyLevel, listDepth: ++maxRep });
  }
  const common = { maxRep, maxDef, maxVisibleDef: maxVisibleDef ?? maxDef, layers };
  if (maxRep > 0) return { ...common, ...expand(numbered, rows, maxRep, maxDef > 0) };
  return { ...common, rep: undefined, def: flatDefinitions(numbered, rows, maxDef), positions: undefined };
}

function listLayer(nullable: boolean, emptyable: boolean): Layer {
  if (nullable) return emptyable ? LAYER.nullableAndEmptyableList : LAYER.nullableList;
  return emptyable ? LAYER.emptyableList : LAYER.list;
}

function hasEmptyList(offsets: Int32Array, validity: Validity): boolean {
  for (let i = 0; i + 1 < offsets.length; i++) {
    if (offsets[i] === offsets[i + 1] && (!validity || bitAt(validity, i))) return true;
  }
  return false;
}

function flatDefinitions(steps: readonly NumberedStep[], rows: number, maxDef: number): Uint16Array | undefined {
  if (maxDef === 0) return undefined;
  const def = new Uint16Array(rows);
  for (const { step, nullLevel } of steps.toReversed()) {
    if (!step.validity) continue;
    const { bytes, offset } = step.validity;
    for (let i = 0; i < rows; i++) {
      const at = offset + i;
      if (((bytes[at >> 3]! >> (at & 7)) & 1) === 0) def[i] = nullLevel;
    }
  }
  return def;
}

interface Entries {
  readonly rep: Uint16Array;
  readonly def: Uint16Array;
  /** Position in the column of the current step; -1 for an entry that no longer has one. */
  readonly positions: Int32Array;
}

function expand(
  steps: readonly NumberedStep[],
  rows: number,
  maxRep: number,
  hasDefinitions: boolean,
): Pick<Levels, "rep" | "def" | "positions"> {
  const first = new Int32Array(rows);
  for (let i = 0; i < rows; i++) first[i] = i;
  let entries: Entries = { rep: new Uint16Array(rows).fill(maxRep), def: new Uint16Array(rows), positions: first };
  for (const numbered of steps) {
    const { step } = numbered;
    if (step.kind === "item") markNullItems(entries, step.validity, numbered.nullLevel);
    else entries = expandList(entries, step.offsets, step.validity, numbered);
  }
  const positions = withoutMissing(entries.positions);
  return { rep: entries.rep, def: hasDefinitions ? entries.def : undefined, positions };
}

function withoutMissing(positions: Int32Array): Int32Array {
  let kept = 0;
  for (let i = 0; i < positions.length; i++) {
    if (positions[i]! >= 0) positions[kept++] = positions[i]!;
  }
  return positions.subarray(0, kept);
}

function markNullItems(entries: Entries, validity: Validity, level: number): void {
  if (!validity) return;
  const { def, positions } = entries;
  for (let i = 0; i < def.length; i++) {
    if (def[i] === 0 && !bitAt(validity, positions[i]!)) def[i] = level;
  }
}

function expandList(entries: Entries, offsets: Int32Array, validity: Validity, numbered: NumberedStep): Entries {
  const { rep, def, positions } = entries;
  let total = 0;
  for (let i = 0; i < def.length; i++) {
    if (def[i] === 0 && validity && !bitAt(validity, positions[i]!)) def[i] = numbered.nullLevel;
    total += def[i] === 0 ? Math.max(1, offsets[positions[i]! + 1]! - offsets[positions[i]!]!) : 1;
  }
  const next = { rep: new Uint16Array(total), def: new Uint16Array(total), positions: new Int32Array(total) };
  const continued = numbered.listDepth - 1;
  let at = 0;
  for (let i = 0; i < def.length; i++) {
    next.rep[at] = rep[i]!;
    const first = def[i] === 0 ? offsets[positions[i]!]! : 0;
    const end = def[i] === 0 ? offsets[positions[i]! + 1]! : 0;
    if (first === end) {
      next.def[at] = def[i] === 0 ? numbered.emptyLevel : def[i]!;
      next.positions[at++] = -1;
      continue;
    }
    next.positions[at++] = first;
    for (let position = first + 1; position < end; position++) {
      next.rep[at] = continued;
      next.positions[at++] = position;
    }
  }
  assert(at === total, "a list expands to as many entries as were counted");
  return next;
}

/** True when every definition level of the range is 0. */
export function allDefined(def: Uint16Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (def[i] !== 0) return false;
  return true;
}
