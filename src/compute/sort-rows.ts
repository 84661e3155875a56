/**
 * Puts rows in order by one or more columns, stably.
 *
 * Columns of fixed width go through a radix sort, text by its first bytes and then by comparison, nested columns by
 * comparison. The last key is sorted first; stability does the rest.
 */
import type { Data } from "apache-arrow";
import { offsetsOf, validityOf, valuesOf } from "../data/kernels/column.js";
import { TableError } from "../support/errors.js";
import { byteRowsOf, compareBytes, prefixWords, type SortWords, sortWordsOf } from "./sort-keys.js";

export interface SortKey {
  readonly data: Data;
  readonly ascending: boolean;
  readonly nullsFirst: boolean;
}

type Compare = (a: number, b: number) => number;

/**
 * The numbers of the rows in order. All columns have `rows` rows.
 * @throws NOT_SUPPORTED for a column whose type has no order
 */
export function sortRows(keys: readonly SortKey[], rows: number): Uint32Array {
  let order = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) order[i] = i;
  for (const key of keys.toReversed()) order = sortByKey(order, key);
  return order;
}

function sortByKey(order: Uint32Array<ArrayBuffer>, key: SortKey): Uint32Array<ArrayBuffer> {
  const { values, nulls } = splitNulls(order, key.data);
  const sorted = sortValues(values, key);
  const out = new Uint32Array(order.length);
  out.set(nulls, key.nullsFirst ? 0 : sorted.length);
  out.set(sorted, key.nullsFirst ? nulls.length : 0);
  return out;
}

function splitNulls(order: Uint32Array<ArrayBuffer>, data: Data) {
  if (data.typeId === 1) return { values: new Uint32Array(0), nulls: order };
  const validity = validityOf(data);
  if (validity === undefined) return { values: order, nulls: new Uint32Array(0) };
  const values = new Uint32Array(order.length);
  const nulls = new Uint32Array(order.length);
  let valid = 0;
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!;
    const at = data.offset + row;
    if (((validity[at >>> 3]! >>> (at & 7)) & 1) !== 0) values[valid++] = row;
    else nulls[i - valid] = row;
  }
  return { values: values.slice(0, valid), nulls: nulls.slice(0, order.length - valid) };
}

function sortValues(order: Uint32Array<ArrayBuffer>, key: SortKey): Uint32Array<ArrayBuffer> {
  const { data, ascending } = key;
  const words = data.typeId === -1 ? [dictionaryRanks(data, key)] : sortWordsOf(data);
  if (words !== undefined) return radixSort(order, words, ascending);
  const bytes = byteRowsOf(data);
  if (bytes === undefined) return order.sort(comparatorOf(key));
  const prefix = prefixWords(bytes, data.length);
  const sorted = radixSort(order, prefix, ascending);
  const sign = ascending ? 1 : -1;
  sortTies(sorted, prefix, (a, b) => sign * compareBytes(bytes, a, b));
  return sorted;
}

/** Puts rows whose words are equal in order by a full comparison. */
function sortTies(order: Uint32Array, words: SortWords, compare: Compare): void {
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && words.every((word) => word[order[end]!] === word[order[start]!])) end++;
    if (end - start > 1) order.subarray(start, end).sort(compare);
    start = end;
  }
}

/** A row of another batch that bounds what is wanted, by the same key. */
export interface SortBound {
  readonly key: SortKey;
  readonly row: number;
}

/**
 * The rows (of `rows`, all when absent) that are not surely behind the bound by this key. Ties are kept, and so is
 * everything where the key's type has no cheap comparison.
 */
export function rowsWithin(key: SortKey, rows: Uint32Array | undefined, bound: SortBound): Uint32Array | undefined {
  const words = cheapWords(key.data);
  const limit = cheapWords(bound.key.data);
  if (words === undefined || limit === undefined) return rows;
  const { data, ascending, nullsFirst } = key;
  const validity = validityOf(data);
  const boundIsNull = isNullAt(validityOf(bound.key.data), bound.key.data.offset, bound.row);
  const keepNulls = nullsFirst || boundIsNull;
  const count = rows?.length ?? data.length;
  const out = new Uint32Array(count);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const row = rows === undefined ? i : rows[i]!;
    if (isNullAt(validity, data.offset, row)) {
      if (keepNulls) out[kept++] = row;
    } else if (boundIsNull) {
      if (!nullsFirst) out[kept++] = row;
    } else {
      const order = compareTo(words, row, limit, bound.row);
      if (ascending ? order <= 0 : order >= 0) out[kept++] = row;
    }
  }
  return out.subarray(0, kept);
}

/** Words that order like the values, or like the beginnings of texts. */
function cheapWords(data: Data): SortWords | undefined {
  const words = sortWordsOf(data);
  if (words !== undefined) return words;
  const bytes = byteRowsOf(data);
  return bytes === undefined ? undefined : prefixWords(bytes, data.length);
}

function isNullAt(validity: Uint8Array | undefined, offset: number, row: number): boolean {
  return validity !== undefined && ((validity[(offset + row) >>> 3]! >>> ((offset + row) & 7)) & 1) === 0;
}

function compareTo(words: SortWords, row: number, limit: SortWords, bound: number): number {
  for (let i = words.length - 1; i >= 0; i--) {
    const difference = words[i]![row]! - limit[i]![bound]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Stable sort of `order` by the words of its rows. */
function radixSort(order: Uint32Array<ArrayBuffer>, words: SortWords, ascending: boolean): Uint32Array<ArrayBuffer> {
  let rows = order;
  let spareRows = new Uint32Array(order.length);
  for (const word of words) {
    let keys = new Uint32Array(rows.length);
    let spareKeys = new Uint32Array(rows.length);
    const flip = ascending ? 0 : 0xffff_ffff;
    for (let i = 0; i < keys.length; i++) keys[i] = word[rows[i]!]! ^ flip;
    for (let shift = 0; shift < 32; shift += 8) {
      const starts = bucketStarts(keys, shift);
      if (starts === undefined) continue;
      scatter(keys, rows, spareKeys, spareRows, starts, shift);
      [keys, spareKeys] = [spareKeys, keys];
      [rows, spareRows] = [spareRows, rows];
    }
  }
  return rows;
}

/** Where every bucket of a byte begins; undefined when all keys are in one bucket. */
function bucketStarts(keys: Uint32Array, shift: number): Uint32Array | undefined {
  const starts = new Uint32Array(256);
  for (let i = 0; i < keys.length; i++) {
    const bucket = (keys[i]! >>> shift) & 255;
    starts[bucket] = starts[bucket]! + 1;
  }
  let at = 0;
  for (let bucket = 0; bucket < 256; bucket++) {
    const count = starts[bucket]!;
    if (count === keys.length) return undefined;
    starts[bucket] = at;
    at += count;
  }
  return starts;
}

function scatter(
  keys: Uint32Array,
  rows: Uint32Array,
  toKeys: Uint32Array,
  toRows: Uint32Array,
  starts: Uint32Array,
  shift: number,
): void {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const bucket = (key >>> shift) & 255;
    const at = starts[bucket]!;
    starts[bucket] = at + 1;
    toKeys[at] = key;
    toRows[at] = rows[i]!;
  }
}

/** The place of every row's word among the words of its dictionary; equal words share a place. */
function dictionaryRanks(data: Data, key: SortKey): Uint32Array {
  const ranks: Uint32Array[] = [];
  const words = data.dictionary?.data ?? [];
  if (words.length > 1) throw unordered(data);
  for (const chunk of words) {
    const compare = comparatorOf({ ...key, ascending: true, data: chunk });
    const order = sortRows([{ data: chunk, ascending: true, nullsFirst: false }], chunk.length);
    const rank = new Uint32Array(chunk.length);
    for (let i = 1; i < order.length; i++) {
      rank[order[i]!] = rank[order[i - 1]!]! + (compare(order[i - 1]!, order[i]!) === 0 ? 0 : 1);
    }
    ranks.push(rank);
  }
  const rank = ranks[0] ?? new Uint32Array(0);
  const indices = valuesOf(data);
  return Uint32Array.from({ length: data.length }, (_, i) => rank[Number(indices[i])] ?? 0);
}

/** Compares two rows of a column of any type, in the direction of the key; inner NULLs go where outer ones go. */
function comparatorOf(key: SortKey): Compare {
  const compare = valueComparator(key);
  const { data, nullsFirst } = key;
  const validity = validityOf(data);
  if (validity === undefined) return compare;
  return (a, b) => {
    const nullA = isNullAt(validity, data.offset, a);
    const nullB = isNullAt(validity, data.offset, b);
    if (nullA || nullB) return nullA === nullB ? 0 : nullA === nullsFirst ? -1 : 1;
    return compare(a, b);
  };
}

function valueComparator(key: SortKey): Compare {
  const { data, ascending } = key;
  const sign = ascending ? 1 : -1;
  if (data.typeId === 1) return () => 0;
  const words = data.typeId === -1 ? [dictionaryRanks(data, key)] : sortWordsOf(data);
  if (words !== undefined) return (a, b) => sign * compareWords(words, a, b);
  const bytes = byteRowsOf(data);
  if (bytes !== undefined) return (a, b) => sign * compareBytes(bytes, a, b);
  const children = data.children.map((child) => comparatorOf({ ...key, data: child }));
  const child = children[0];
  if (data.typeId === 13) {
    return (a, b) => {
      for (const compare of children) {
        const order = compare(a, b);
        if (order !== 0) return order;
      }
      return 0;
    };
  }
  if (child === undefined) throw unordered(data);
  if (data.typeId === 16)
    return (a, b) => compareSpans(child, a * data.stride, data.stride, b * data.stride, data.stride);
  if (data.typeId !== 12 && data.typeId !== 21) throw unordered(data);
  const offsets = offsetsOf(data);
  return (a, b) => {
    const startA = Number(offsets[a]!);
    const startB = Number(offsets[b]!);
    const [lengthA, lengthB] = [Number(offsets[a + 1]!) - startA, Number(offsets[b + 1]!) - startB];
    return compareSpans(child, startA, lengthA, startB, lengthB) || sign * (lengthA - lengthB);
  };
}

function compareWords(words: SortWords, a: number, b: number): number {
  for (let i = words.length - 1; i >= 0; i--) {
    const difference = words[i]![a]! - words[i]![b]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareSpans(compare: Compare, a: number, lengthA: number, b: number, lengthB: number): number {
  const shared = Math.min(lengthA, lengthB);
  for (let i = 0; i < shared; i++) {
    const order = compare(a + i, b + i);
    if (order !== 0) return order;
  }
  return 0;
}

function unordered(data: Data): TableError {
  return new TableError("NOT_SUPPORTED", `Rows cannot be ordered by a column of type ${data.type}.`, {
    details: { type: String(data.type) },
  });
}
