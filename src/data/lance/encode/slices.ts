/** Parts of columns: a range without a copy, chosen positions and several columns as one with a copy. */
import { assert } from "../../../support/errors.js";
import { copyBits, setBits } from "../../kernels/bits.js";
import type { Bits } from "./bits.js";
import type { BitColumn, Column, FixedColumn, LeafColumn, ListColumn } from "./column.js";
import { nullColumn, type Validity, type VariableColumn, type VectorColumn } from "./column.js";

const movedBits = (bits: Bits, by: number): Bits => ({ bytes: bits.bytes, offset: bits.offset + by });
const movedValidity = (validity: Validity, by: number): Validity => validity && movedBits(validity, by);

/** Rows [start, end) of a column. */
export function sliceColumn<T extends Column>(column: T, start: number, end: number): T;
export function sliceColumn(column: Column, start: number, end: number): Column {
  if (start === 0 && end === column.length) return column;
  const common = { length: end - start, validity: movedValidity(column.validity, start) };
  switch (column.kind) {
    case "fixed":
    case "bit":
    case "vector":
      return sliceFixed(column, start, end);
    case "variable":
    case "list":
      return { ...column, ...common, offsets: column.offsets.subarray(start, end + 1) };
    case "struct":
      return { ...column, ...common, children: column.children.map((child) => sliceColumn(child, start, end)) };
    case "dictionary":
      return { ...column, ...common, indices: sliceFixed(column.indices, start, end) };
    case "null":
      return nullColumn(end - start);
  }
}

function sliceFixed<T extends FixedColumn | BitColumn | VectorColumn>(column: T, start: number, end: number): T;
function sliceFixed(
  column: FixedColumn | BitColumn | VectorColumn,
  start: number,
  end: number,
): FixedColumn | BitColumn | VectorColumn {
  const common = { length: end - start, validity: movedValidity(column.validity, start) };
  switch (column.kind) {
    case "fixed":
      return { ...column, ...common, bytes: column.bytes.subarray(start * column.width, end * column.width) };
    case "bit":
      return { ...column, ...common, bits: movedBits(column.bits, start) };
    case "vector": {
      const items = sliceFixed(column.items, start * column.dimension, end * column.dimension);
      return { ...column, ...common, items };
    }
  }
}

/** Values at ascending positions, copied unless they are one range. */
export function gatherLeaf(column: LeafColumn, positions: Int32Array): LeafColumn {
  if (positions.length === 0) return sliceColumn(column, 0, 0);
  const runs = runsOf(positions);
  return concatColumns(runs.map(([start, end]) => sliceColumn(column, start, end))) as LeafColumn;
}

function runsOf(positions: Int32Array): [number, number][] {
  const runs: [number, number][] = [];
  let start = 0;
  for (let i = 1; i <= positions.length; i++) {
    if (i < positions.length && positions[i] === positions[i - 1]! + 1) continue;
    runs.push([positions[start]!, positions[i - 1]! + 1]);
    start = i;
  }
  return runs;
}

/** Columns of one type, at least one, one after the other. Dictionaries must be the same. */
export function concatColumns(parts: readonly Column[]): Column {
  const first = parts[0];
  assert(first !== undefined, "there is something to concatenate");
  if (parts.length === 1) return first;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const common = { length, validity: concatValidity(parts, length) };
  switch (first.kind) {
    case "null":
      return nullColumn(length);
    case "fixed": {
      const bytes = new Uint8Array(length * first.width);
      let at = 0;
      for (const part of parts as readonly FixedColumn[]) {
        bytes.set(part.bytes, at);
        at += part.bytes.length;
      }
      return { ...first, ...common, bytes };
    }
    case "bit": {
      const bytes = new Uint8Array((length + 7) >> 3);
      let at = 0;
      for (const part of parts as readonly BitColumn[]) {
        copyBits(part.bits.bytes, part.bits.offset, bytes, at, part.length);
        at += part.length;
      }
      return { ...first, ...common, bits: { bytes, offset: 0 } };
    }
    case "variable":
      return { ...first, ...common, ...concatVariable(parts as readonly VariableColumn[], length) };
    case "vector": {
      const items = concatColumns((parts as readonly VectorColumn[]).map((part) => part.items));
      return { ...first, ...common, items: items as VectorColumn["items"] };
    }
    case "list":
      return { ...first, ...common, ...concatLists(parts as readonly ListColumn[], length) };
    case "struct": {
      const children = first.children.map((_, i) =>
        concatColumns((parts as readonly (typeof first)[]).map((part) => part.children[i]!)),
      );
      return { ...first, ...common, children };
    }
    case "dictionary": {
      const indices = concatColumns((parts as readonly (typeof first)[]).map((part) => part.indices));
      return { ...first, ...common, indices: indices as FixedColumn };
    }
  }
}

function concatValidity(parts: readonly Column[], length: number): Validity {
  if (parts.every((part) => part.validity === undefined)) return undefined;
  const bytes = new Uint8Array((length + 7) >> 3);
  let at = 0;
  for (const part of parts) {
    if (part.validity) copyBits(part.validity.bytes, part.validity.offset, bytes, at, part.length);
    else setBits(bytes, at, part.length);
    at += part.length;
  }
  return { bytes, offset: 0 };
}

function concatVariable(parts: readonly VariableColumn[], length: number): Pick<VariableColumn, "offsets" | "bytes"> {
  let total = 0;
  for (const part of parts) total += part.offsets[part.length]! - part.offsets[0]!;
  assert(total <= 0x7fffffff, "a run of text columns stays below 2 GiB");
  const offsets = new Int32Array(length + 1);
  const bytes = new Uint8Array(total);
  let row = 0;
  let at = 0;
  for (const part of parts) {
    const from = part.offsets[0]!;
    const to = part.offsets[part.length]!;
    for (let i = 1; i <= part.length; i++) offsets[row + i] = part.offsets[i]! - from + at;
    bytes.set(part.bytes.subarray(from, to), at);
    row += part.length;
    at += to - from;
  }
  return { offsets, bytes };
}

function concatLists(parts: readonly ListColumn[], length: number): Pick<ListColumn, "offsets" | "items"> {
  const offsets = new Int32Array(length + 1);
  let row = 0;
  let at = 0;
  for (const part of parts) {
    const from = part.offsets[0]!;
    for (let i = 1; i <= part.length; i++) offsets[row + i] = part.offsets[i]! - from + at;
    row += part.length;
    at = offsets[row]!;
  }
  const items = parts.map((part) => sliceColumn(part.items, part.offsets[0]!, part.offsets[part.length]!));
  return { offsets, items: concatColumns(items) };
}
