/**
 * Dictionary columns: indices of the Arrow type's width in mini-blocks, and the dictionary as a page buffer.
 *
 * A row whose dictionary item is null is a null row; native keeps no other form.
 */
import { bitAt } from "./bits.js";
import type { DictionaryColumn, FixedColumn, Validity, VariableColumn } from "./column.js";
import { flat, variable } from "./describe.js";
import type { PageDictionary } from "./mini-block.js";

/** The dictionary of a page: its items behind one another, text with offsets before it. */
export function encodeDictionary(items: FixedColumn | VariableColumn): PageDictionary {
  if (items.kind === "fixed") return { description: flat(items.width * 8), count: items.length, bytes: items.bytes };
  const { offsets, offsetWidth, length } = items;
  const first = offsets[0]!;
  const total = offsets[length]! - first;
  const header = 2 * offsetWidth;
  const start = header + (length + 1) * offsetWidth;
  const bytes = new Uint8Array(start + total);
  const words = new Int32Array(bytes.buffer, 0, start / 4);
  const step = offsetWidth / 4;
  words[0] = offsetWidth * 8;
  words[step] = start;
  for (let i = 0; i <= length; i++) words[(i + 2) * step] = offsets[i]! - first;
  bytes.set(items.bytes.subarray(first, first + total), start);
  return { description: variable(offsetWidth * 8), count: length, bytes };
}

/** Indices whose null slots point at item 0, so that no reader meets one that is out of range. */
export function cleanIndices(column: DictionaryColumn): FixedColumn {
  const { indices, validity } = column;
  if (!validity) return indices;
  const bytes = indices.bytes.slice();
  for (let i = 0; i < column.length; i++) {
    if (!bitAt(validity, i)) bytes.fill(0, i * indices.width, (i + 1) * indices.width);
  }
  return { ...indices, bytes };
}

/** Validity of the rows: that of the indices and of the items they point to. */
export function rowValidity(indices: FixedColumn, validity: Validity, items: FixedColumn | VariableColumn): Validity {
  if (!items.validity) return validity;
  const { bytes, width, length } = indices;
  const rows = new Uint8Array((length + 7) >> 3);
  for (let i = 0; i < length; i++) {
    if (validity && !bitAt(validity, i)) continue;
    let index = 0;
    for (let b = Math.min(width, 6) - 1; b >= 0; b--) index = index * 256 + bytes[i * width + b]!;
    if (bitAt(items.validity, index)) rows[i >> 3]! |= 1 << (i & 7);
  }
  return { bytes: rows, offset: 0 };
}
