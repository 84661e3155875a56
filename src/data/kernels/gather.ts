/**
 * Picks rows of a column by index, in the order of the indices, into fresh buffers.
 *
 * Values move as machine words whatever their type, and neighbouring rows move together. Indices are trusted: the
 * caller keeps them below the column's length.
 */
import type { Data } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { countBits, gatherBits } from "./bits.js";
import { type ColumnContent, makeLike, type Offsets, offsetsOf, type Values, validityOf, valuesOf } from "./column.js";
import { hasWideOffsets, layoutOf } from "./layout.js";

/** From this many elements on, a row is copied as a block and not element by element. */
const BLOCK_ELEMENTS = 48;

/** The rows `indices` of the column, in that order; an index may repeat. */
export function gather(data: Data, indices: Uint32Array): Data {
  const { type } = data;
  const rows = indices.length;
  const valid = { length: rows, ...gatherValidity(data, indices) };
  switch (layoutOf(type).kind) {
    case "null":
      return makeLike(data, { length: rows });
    case "bool":
      return makeLike(data, {
        ...valid,
        values: gatherBits(valuesOf(data) as Uint8Array, data.offset, indices),
      });
    case "fixed":
      return makeLike(data, { ...valid, values: gatherValues(valuesOf(data), data.stride, indices) });
    case "dictionary":
      return makeLike(data, {
        ...valid,
        values: gatherValues(valuesOf(data), 1, indices),
        ...(data.dictionary === undefined ? {} : { dictionary: data.dictionary }),
      });
    case "bytes":
      return makeLike(data, { ...valid, ...gatherBytes(data, indices) });
    case "list":
      return makeLike(data, { ...valid, ...gatherLists(data, indices) });
    case "struct":
      return makeLike(data, { ...valid, children: data.children.map((child) => gather(child, indices)) });
    case "fixed-list":
      return makeLike(data, { ...valid, children: [gatherBlocks(data.children[0]!, data.stride, indices)] });
  }
}

function gatherValidity(data: Data, indices: Uint32Array): ColumnContent {
  const bitmap = validityOf(data);
  if (bitmap === undefined) return {};
  const validity = gatherBits(bitmap, data.offset, indices);
  const nullCount = indices.length - countBits(validity, 0, indices.length);
  return nullCount === 0 ? {} : { validity, nullCount };
}

/** Rows of a list's child when every list has `width` elements. */
function gatherBlocks(child: Data, width: number, indices: Uint32Array): Data {
  const plain = layoutOf(child.type).kind === "fixed" && validityOf(child) === undefined;
  if (!plain) return gather(child, blockIndices(indices, width));
  const values = gatherValues(valuesOf(child), width * child.stride, indices);
  return makeLike(child, { length: indices.length * width, values });
}

function blockIndices(indices: Uint32Array, width: number): Uint32Array {
  const out = new Uint32Array(indices.length * width);
  for (let i = 0, at = 0; i < indices.length; i++) {
    const start = indices[i]! * width;
    for (let j = 0; j < width; j++) out[at++] = start + j;
  }
  return out;
}

function gatherValues(values: Values, stride: number, indices: Uint32Array): Values {
  const out = new (values.constructor as new (length: number) => Values)(indices.length * stride);
  if (indices.length === 0 || stride === 0) return out;
  const unit = Math.min(values.BYTES_PER_ELEMENT, 4);
  const width = (stride * values.BYTES_PER_ELEMENT) / unit;
  if (unit === 4) gatherWords(wordsOf(values), wordsOf(out), width, indices);
  else if (unit === 2) gatherHalves(halvesOf(values), halvesOf(out), width, indices);
  else gatherOctets(octetsOf(values), octetsOf(out), width, indices);
  return out;
}

export function wordsOf(values: Values): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.byteLength >>> 2);
}

function halvesOf(values: Values): Uint16Array {
  return new Uint16Array(values.buffer, values.byteOffset, values.byteLength >>> 1);
}

function octetsOf(values: Values): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

// One function for each element width: typed array accesses stay monomorphic and fast.

function gatherWords(from: Uint32Array, to: Uint32Array, width: number, indices: Uint32Array): void {
  const rows = indices.length;
  if (width === 1) {
    for (let i = 0; i < rows; i++) to[i] = from[indices[i]!]!;
  } else if (width === 2) {
    for (let i = 0; i < rows; i++) {
      const at = indices[i]! * 2;
      to[2 * i] = from[at]!;
      to[2 * i + 1] = from[at + 1]!;
    }
  } else if (width < BLOCK_ELEMENTS) {
    for (let i = 0, out = 0; i < rows; i++) {
      const at = indices[i]! * width;
      for (let j = 0; j < width; j++) to[out++] = from[at + j]!;
    }
  } else {
    gatherRuns(from, to, width, indices);
  }
}

function gatherHalves(from: Uint16Array, to: Uint16Array, width: number, indices: Uint32Array): void {
  if (width >= BLOCK_ELEMENTS) {
    gatherRuns(from, to, width, indices);
    return;
  }
  for (let i = 0, out = 0; i < indices.length; i++) {
    const at = indices[i]! * width;
    for (let j = 0; j < width; j++) to[out++] = from[at + j]!;
  }
}

function gatherOctets(from: Uint8Array, to: Uint8Array, width: number, indices: Uint32Array): void {
  if (width >= BLOCK_ELEMENTS) {
    gatherRuns(from, to, width, indices);
    return;
  }
  for (let i = 0, out = 0; i < indices.length; i++) {
    const at = indices[i]! * width;
    for (let j = 0; j < width; j++) to[out++] = from[at + j]!;
  }
}

/** Copies whole runs of neighbouring rows. */
function gatherRuns<T extends Uint8Array | Uint16Array | Uint32Array>(
  from: T,
  to: T,
  width: number,
  indices: Uint32Array,
): void {
  for (let i = 0; i < indices.length; ) {
    const next = runEnd(indices, i);
    const start = indices[i]! * width;
    to.set(from.subarray(start, start + (next - i) * width), i * width);
    i = next;
  }
}

/** The first position after `i` whose index does not follow the one before it. */
function runEnd(indices: Uint32Array, i: number): number {
  let next = i + 1;
  while (next < indices.length && indices[next] === indices[next - 1]! + 1) next++;
  return next;
}

/** Largest total of a variable-width column with 32-bit offsets. */
const OFFSET_MAX = 2 ** 31 - 1;

/** New offsets, the totals of the old ones, as 32-bit numbers where the type has such. */
function gatherOffsets(data: Data, offsets: Offsets, indices: Uint32Array): { offsets: Offsets; starts: Offsets } {
  const rows = indices.length;
  let total = 0;
  if (offsets instanceof Int32Array) {
    const out = new Int32Array(rows + 1);
    for (let i = 0; i < rows; i++) {
      const at = indices[i]!;
      total += offsets[at + 1]! - offsets[at]!;
      out[i + 1] = total;
    }
    checkOffset(data, total);
    return { offsets: out, starts: offsets };
  }
  const out = new BigInt64Array(rows + 1);
  for (let i = 0; i < rows; i++) {
    const at = indices[i]!;
    total += Number(offsets[at + 1]! - offsets[at]!);
    out[i + 1] = BigInt(total);
  }
  return { offsets: out, starts: offsets };
}

export function checkOffset(data: Data, total: number): void {
  if (total <= OFFSET_MAX || hasWideOffsets(data.type)) return;
  throw new TableError(
    "NOT_SUPPORTED",
    `A batch would hold ${total} bytes or elements in one ${data.type} column, more than its 32-bit offsets can say; ` +
      "read fewer rows at once, or store the column with the large variant of its type.",
    { details: { type: String(data.type), total } },
  );
}

function gatherBytes(data: Data, indices: Uint32Array): ColumnContent {
  const source = offsetsOf(data);
  const { offsets } = gatherOffsets(data, source, indices);
  const from = (data.values as Uint8Array | undefined) ?? new Uint8Array(0);
  const to = new Uint8Array(Number(offsets[indices.length]!));
  if (source instanceof Int32Array) copyStrings(from, source, to, indices);
  else copyWideStrings(from, source, to, indices);
  return { offsets, values: to };
}

/** Below this many bytes a loop beats a call of `set`. */
const SHORT_BYTES = 32;

function copyStrings(from: Uint8Array, offsets: Int32Array, to: Uint8Array, indices: Uint32Array): void {
  let out = 0;
  for (let i = 0; i < indices.length; ) {
    const next = runEnd(indices, i);
    const start = offsets[indices[i]!]!;
    const end = offsets[indices[next - 1]! + 1]!;
    if (end - start < SHORT_BYTES) {
      for (let at = start; at < end; at++) to[out++] = from[at]!;
    } else {
      to.set(from.subarray(start, end), out);
      out += end - start;
    }
    i = next;
  }
}

function copyWideStrings(from: Uint8Array, offsets: BigInt64Array, to: Uint8Array, indices: Uint32Array): void {
  let out = 0;
  for (let i = 0; i < indices.length; ) {
    const next = runEnd(indices, i);
    const start = Number(offsets[indices[i]!]!);
    const end = Number(offsets[indices[next - 1]! + 1]!);
    to.set(from.subarray(start, end), out);
    out += end - start;
    i = next;
  }
}

function gatherLists(data: Data, indices: Uint32Array): ColumnContent {
  const source = offsetsOf(data);
  const { offsets } = gatherOffsets(data, source, indices);
  const elements = new Uint32Array(Number(offsets[indices.length]!));
  for (let i = 0, out = 0; i < indices.length; i++) {
    const at = indices[i]!;
    const end = Number(source[at + 1]!);
    for (let element = Number(source[at]!); element < end; element++) elements[out++] = element;
  }
  return { offsets, children: [gather(data.children[0]!, elements)] };
}
