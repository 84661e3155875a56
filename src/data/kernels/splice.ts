/**
 * Joins columns of one type end to end into fresh buffers.
 *
 * Dictionaries that differ are merged by value; indices are rewritten. One column alone is returned as it is.
 */
import { type Data, type DataType, Vector } from "apache-arrow";
import { assert, TableError } from "../../support/errors.js";
import { bitmapBytes, copyBits, countBits, setBits } from "./bits.js";
import {
  type ColumnContent,
  makeLike,
  nullColumn,
  type Offsets,
  offsetsOf,
  type Values,
  validityOf,
  valuesOf,
} from "./column.js";
import { checkOffset, gather } from "./gather.js";
import { hasWideOffsets, layoutOf } from "./layout.js";

/** All rows of the columns, in order. The columns have one type. */
export function splice(columns: readonly Data[]): Data {
  const first = columns[0];
  assert(first !== undefined, "there is a column to join");
  if (columns.length === 1) return first;
  const { type } = first;
  const rows = columns.reduce((sum, column) => sum + column.length, 0);
  const valid = { length: rows, ...spliceValidity(columns, rows) };
  switch (layoutOf(type).kind) {
    case "null":
      return makeLike(first, { length: rows });
    case "bool":
      return makeLike(first, { ...valid, values: spliceBooleans(columns, rows) });
    case "fixed":
      return makeLike(first, { ...valid, values: spliceValues(columns, first.stride) });
    case "dictionary":
      return makeLike(first, { ...valid, ...spliceDictionaries(columns) });
    case "bytes":
      return makeLike(first, { ...valid, ...spliceBytes(columns, rows) });
    case "list":
      return makeLike(first, { ...valid, ...spliceLists(columns, rows) });
    case "struct":
      return makeLike(first, { ...valid, children: spliceChildren(columns, 1) });
    case "fixed-list":
      return makeLike(first, { ...valid, children: spliceChildren(columns, first.stride) });
  }
}

function spliceChildren(columns: readonly Data[], width: number): Data[] {
  return columns[0]!.children.map((_, i) =>
    splice(columns.map((column) => cut(column.children[i]!, column.length * width))),
  );
}

/** A child may be longer than its parent says. */
function cut(child: Data, rows: number): Data {
  return child.length === rows ? child : child.slice(0, rows);
}

function spliceValidity(columns: readonly Data[], rows: number): ColumnContent {
  if (columns.every((column) => validityOf(column) === undefined)) return {};
  const validity = new Uint8Array(bitmapBytes(rows));
  let at = 0;
  for (const column of columns) {
    const bitmap = validityOf(column);
    if (bitmap === undefined) setBits(validity, at, column.length);
    else copyBits(bitmap, column.offset, validity, at, column.length);
    at += column.length;
  }
  return { validity, nullCount: rows - countBits(validity, 0, rows) };
}

function spliceBooleans(columns: readonly Data[], rows: number): Uint8Array {
  const values = new Uint8Array(bitmapBytes(rows));
  let at = 0;
  for (const column of columns) {
    copyBits(valuesOf(column) as Uint8Array, column.offset, values, at, column.length);
    at += column.length;
  }
  return values;
}

function spliceValues(columns: readonly Data[], stride: number): Values {
  const parts = columns.map((column) => octets(valuesOf(column), column.length * stride));
  const sample = valuesOf(columns[0]!);
  const out = joined(parts);
  const make = sample.constructor as new (buffer: ArrayBuffer) => Values;
  return new make(out.buffer as ArrayBuffer);
}

function octets(values: Values, elements: number): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, elements * values.BYTES_PER_ELEMENT);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The part of the child or of the bytes that the rows of a variable-width column use. */
function extentOf(column: Data): { start: number; end: number } {
  const offsets = offsetsOf(column);
  return { start: Number(offsets[0]!), end: Number(offsets[column.length]!) };
}

function spliceOffsets(columns: readonly Data[], rows: number): Offsets {
  const total = columns.reduce((sum, column) => sum + extentOf(column).end - extentOf(column).start, 0);
  const sample = columns[0]!;
  checkOffset(sample, total);
  return hasWideOffsets(sample.type) ? spliceWide(columns, rows) : spliceNarrow(columns, rows);
}

function spliceNarrow(columns: readonly Data[], rows: number): Int32Array {
  const out = new Int32Array(rows + 1);
  let at = 0;
  for (const column of columns) {
    const offsets = offsetsOf(column) as Int32Array;
    const shift = out[at]! - offsets[0]!;
    for (let i = 1; i <= column.length; i++) out[at + i] = offsets[i]! + shift;
    at += column.length;
  }
  return out;
}

function spliceWide(columns: readonly Data[], rows: number): BigInt64Array {
  const out = new BigInt64Array(rows + 1);
  let at = 0;
  for (const column of columns) {
    const offsets = offsetsOf(column);
    const shift = out[at]! - BigInt(offsets[0]!);
    for (let i = 1; i <= column.length; i++) out[at + i] = BigInt(offsets[i]!) + shift;
    at += column.length;
  }
  return out;
}

function spliceBytes(columns: readonly Data[], rows: number): ColumnContent {
  const offsets = spliceOffsets(columns, rows);
  const parts = columns.map((column) => {
    const { start, end } = extentOf(column);
    return ((column.values as Uint8Array | undefined) ?? new Uint8Array(0)).subarray(start, end);
  });
  return { offsets, values: joined(parts) };
}

function spliceLists(columns: readonly Data[], rows: number): ColumnContent {
  const offsets = spliceOffsets(columns, rows);
  const parts = columns.map((column) => {
    const { start, end } = extentOf(column);
    return column.children[0]!.slice(start, end - start);
  });
  return { offsets, children: [splice(parts)] };
}

function spliceDictionaries(columns: readonly Data[]): ColumnContent {
  const shared = columns[0]!.dictionary;
  if (shared !== undefined && columns.every((column) => sameDictionary(column.dictionary, shared))) {
    return { values: spliceValues(columns, 1), dictionary: shared };
  }
  return mergeDictionaries(columns);
}

function sameDictionary(a: Vector | undefined, b: Vector): boolean {
  if (a === b) return true;
  return a !== undefined && a.data.length === b.data.length && a.data.every((chunk, i) => chunk === b.data[i]);
}

/** One dictionary with every value once, and the indices that go with it. */
function mergeDictionaries(columns: readonly Data[]): ColumnContent {
  const type = columns[0]!.type as DataType & { dictionary: DataType };
  const known = new Map<unknown, number>();
  const chunks: Data[] = [];
  const picked: number[] = [];
  let base = 0;
  const rows = columns.reduce((sum, column) => sum + column.length, 0);
  const values = new (valuesOf(columns[0]!).constructor as new (length: number) => Values)(rows);
  let at = 0;
  for (const column of columns) {
    const dictionary = column.dictionary;
    const renamed = new Int32Array(dictionary?.length ?? 0);
    for (let i = 0; i < renamed.length; i++) {
      const key = keyOf(dictionary!.get(i));
      let index = known.get(key);
      if (index === undefined) {
        index = picked.length;
        known.set(key, index);
        picked.push(base + i);
      }
      renamed[i] = index;
    }
    writeIndices(values, at, column, renamed);
    at += column.length;
    base += renamed.length;
    if (dictionary !== undefined) chunks.push(...dictionary.data);
  }
  checkIndexRange(values, picked.length, type);
  if (chunks.length === 0) return { values, dictionary: new Vector([nullColumn(type.dictionary, 0)]) };
  const make = vectorClass(columns.find((column) => column.dictionary !== undefined)?.dictionary);
  return { values, dictionary: new make([gather(splice(chunks), Uint32Array.from(picked))]) };
}

/** The plain Vector class behind a vector, which may be of a memoizing subclass with another constructor. */
function vectorClass(vector: Vector | undefined): typeof Vector {
  let made = vector === undefined ? Vector : vector.constructor;
  for (let parent = Object.getPrototypeOf(made); parent !== Function.prototype; parent = Object.getPrototypeOf(made)) {
    made = parent;
  }
  return made as typeof Vector;
}

function keyOf(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

function writeIndices(values: Values, at: number, column: Data, renamed: Int32Array): void {
  const source = valuesOf(column);
  const wide = values instanceof BigInt64Array || values instanceof BigUint64Array;
  for (let i = 0; i < column.length; i++) {
    const index = renamed[Number(source[i]!)] ?? 0;
    if (wide) values[at + i] = BigInt(index);
    else (values as Int32Array)[at + i] = index;
  }
}

function checkIndexRange(values: Values, entries: number, type: DataType): void {
  const bits = values.BYTES_PER_ELEMENT * 8 - (/^(Int|BigInt)/.test(values.constructor.name) ? 1 : 0);
  if (entries <= 2 ** bits) return;
  throw new TableError(
    "NOT_SUPPORTED",
    `A batch would hold ${entries} different values of the dictionary column type ${type}, more than its indices can ` +
      "say; read fewer rows at once or give the column a wider index type.",
    { details: { type: String(type), entries } },
  );
}
