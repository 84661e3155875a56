/**
 * Rows out of several column chunks into one fresh chunk: take (one chunk), concatenation (all rows) and both at once.
 *
 * The chunks have one type. Positions are trusted; buffers must have been checked when they were read.
 */
import { type Data, type DataType, Vector } from "apache-arrow";
import { alignBits, bitAt, bytesOf, childrenOf, layoutOf, makeColumn, type Offsets, validityOf } from "./layout.js";

/** Rows of one chunk, in this order; all of them when `rows` is absent. */
export interface Piece {
  readonly data: Data;
  readonly rows?: Uint32Array | undefined;
}

/** The rows of all pieces, one after another, as a chunk with buffers of its own. */
export function gather(type: DataType, pieces: readonly Piece[]): Data {
  const layout = layoutOf(type);
  const length = countRows(pieces);
  if (layout.kind === "null") return makeColumn(type, { length, nullCount: length });
  const nulls = gatherValidity(pieces, length);
  const base = { length, nullCount: nulls.count, validity: nulls.validity };
  switch (layout.kind) {
    case "bool":
      return makeColumn(type, { ...base, values: gatherBits(pieces, length, (data) => data.values as Uint8Array) });
    case "fixed":
      return makeColumn(type, { ...base, values: gatherFixed(pieces, length, layout.width) });
    case "bytes":
      return makeColumn(type, { ...base, ...gatherBytes(pieces, length, layout.large) });
    case "list":
      return makeColumn(type, { ...base, ...gatherLists(type, pieces, length, layout.large) });
    case "fixed-list":
      return makeColumn(type, { ...base, children: [gatherVectors(type, pieces, layout.size)] });
    case "struct":
      return makeColumn(type, { ...base, children: gatherChildren(type, pieces) });
    case "dictionary":
      return makeColumn(type, {
        ...base,
        values: gatherFixed(pieces, length, layout.width),
        dictionary: pieces[0]?.data.dictionary ?? new Vector([]),
      });
  }
}

export function countRows(pieces: readonly Piece[]): number {
  let length = 0;
  for (const { data, rows } of pieces) length += rows === undefined ? data.length : rows.length;
  return length;
}

function gatherValidity(pieces: readonly Piece[], length: number) {
  if (pieces.every(({ data }) => validityOf(data) === undefined)) return { count: 0, validity: undefined };
  const validity = gatherBits(pieces, length, validityOf);
  let present = 0;
  for (let i = 0; i < length; i++) present += (validity[i >> 3]! >> (i & 7)) & 1;
  return { count: length - present, validity };
}

/** Bits of all pieces; a piece without bits counts as all ones. */
function gatherBits(
  pieces: readonly Piece[],
  length: number,
  bitsOf: (data: Data) => Uint8Array | undefined,
): Uint8Array {
  const out = new Uint8Array((length + 7) >> 3);
  let at = 0;
  for (const { data, rows } of pieces) {
    const bits = bitsOf(data);
    const count = rows === undefined ? data.length : rows.length;
    if (bits !== undefined && rows === undefined && (at & 7) === 0) {
      out.set(alignBits(bits, data.offset, count), at >> 3);
      if ((count & 7) !== 0) out[(at + count) >> 3]! &= (1 << (count & 7)) - 1;
      at += count;
      continue;
    }
    for (let i = 0; i < count; i++, at++) {
      const row = rows === undefined ? i : rows[i]!;
      if (bits === undefined || bitAt(bits, data.offset + row)) out[at >> 3]! |= 1 << (at & 7);
    }
  }
  return out;
}

function gatherFixed(pieces: readonly Piece[], length: number, width: number): Uint8Array {
  const out = new Uint8Array(length * width);
  let at = 0;
  for (const { data, rows } of pieces) {
    const bytes = bytesOf(data.values as Uint8Array);
    if (rows === undefined) out.set(bytes.subarray(0, data.length * width), at * width);
    else if (!takeWords(bytes, rows, out, at, width)) {
      for (let i = 0; i < rows.length; i++) {
        const from = rows[i]! * width;
        out.set(bytes.subarray(from, from + width), (at + i) * width);
      }
    }
    at += rows === undefined ? data.length : rows.length;
  }
  return out;
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/** The common widths as whole words; false when the source is not aligned to them. */
function takeWords(bytes: Uint8Array, rows: Uint32Array, out: Uint8Array, at: number, width: number): boolean {
  const from = wordsOf(bytes, width);
  const to = wordsOf(out, width);
  if (from === undefined || to === undefined) return false;
  if (from instanceof BigUint64Array) {
    for (let i = 0; i < rows.length; i++) (to as BigUint64Array)[at + i] = from[rows[i]!]!;
  } else {
    for (let i = 0; i < rows.length; i++) (to as Uint32Array)[at + i] = from[rows[i]!]!;
  }
  return true;
}

function wordsOf(bytes: Uint8Array, width: number): Words | undefined {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset % width !== 0) return undefined;
  switch (width) {
    case 1:
      return bytes;
    case 2:
      return new Uint16Array(buffer, byteOffset, byteLength >> 1);
    case 4:
      return new Uint32Array(buffer, byteOffset, byteLength >> 2);
    case 8:
      return new BigUint64Array(buffer, byteOffset, byteLength >> 3);
    default:
      return undefined;
  }
}

/** Where every gathered row begins and ends in its piece, and the offsets of the result. */
function measure(pieces: readonly Piece[], length: number) {
  const starts = new Float64Array(length);
  const ends = new Float64Array(length + 1);
  let at = 0;
  for (const { data, rows } of pieces) {
    const offsets = data.valueOffsets as unknown as Offsets;
    const count = rows === undefined ? data.length : rows.length;
    for (let i = 0; i < count; i++, at++) {
      const row = rows === undefined ? i : rows[i]!;
      const start = Number(offsets[row]);
      starts[at] = start;
      ends[at + 1] = ends[at]! + Number(offsets[row + 1]) - start;
    }
  }
  return { starts, ends };
}

function toOffsets(ends: Float64Array, large: boolean): Offsets {
  return large ? BigInt64Array.from(ends, BigInt) : Int32Array.from(ends);
}

function gatherBytes(pieces: readonly Piece[], length: number, large: boolean) {
  const { starts, ends } = measure(pieces, length);
  const out = new Uint8Array(ends[length]!);
  let at = 0;
  for (const { data, rows } of pieces) {
    const bytes = bytesOf(data.values as Uint8Array);
    const count = rows === undefined ? data.length : rows.length;
    if (rows === undefined && count > 0) {
      const size = ends[at + count]! - ends[at]!;
      out.set(bytes.subarray(starts[at]!, starts[at]! + size), ends[at]!);
    } else {
      for (let i = at; i < at + count; i++) {
        const size = ends[i + 1]! - ends[i]!;
        if (size > 0) out.set(bytes.subarray(starts[i]!, starts[i]! + size), ends[i]!);
      }
    }
    at += count;
  }
  return { offsets: toOffsets(ends, large), values: out };
}

function gatherLists(type: DataType, pieces: readonly Piece[], length: number, large: boolean) {
  const { starts, ends } = measure(pieces, length);
  const childPieces: Piece[] = [];
  let at = 0;
  for (const { data, rows } of pieces) {
    const count = rows === undefined ? data.length : rows.length;
    const items = new Uint32Array(ends[at + count]! - ends[at]!);
    let next = 0;
    for (let i = at; i < at + count; i++) {
      const size = ends[i + 1]! - ends[i]!;
      for (let k = 0; k < size; k++) items[next++] = starts[i]! + k;
    }
    childPieces.push({ data: data.children[0]!, rows: items });
    at += count;
  }
  return { offsets: toOffsets(ends, large), children: [gather(childrenOf(type)[0]!.type as DataType, childPieces)] };
}

/** Vectors are runs of their items: as wide values where the items are plain, row by row otherwise. */
function gatherVectors(type: DataType, pieces: readonly Piece[], size: number): Data {
  const element = childrenOf(type)[0]!.type as DataType;
  const layout = layoutOf(element);
  const plain = pieces.every(({ data }) => validityOf(data.children[0]!) === undefined);
  if (layout.kind === "fixed" && plain) {
    const length = countRows(pieces);
    const runs = pieces.map(({ data, rows }) => ({ data: asRuns(data), rows }));
    const values = gatherFixed(runs, length, layout.width * size);
    return makeColumn(element, { length: length * size, nullCount: 0, values });
  }
  const childPieces = pieces.map(({ data, rows }) => {
    const child = data.children[0]!;
    if (rows === undefined)
      return { data: child.length === data.length * size ? child : child.slice(0, data.length * size) };
    const items = new Uint32Array(rows.length * size);
    for (let i = 0; i < rows.length; i++) for (let k = 0; k < size; k++) items[i * size + k] = rows[i]! * size + k;
    return { data: child, rows: items };
  });
  return gather(element, childPieces);
}

/** A stand-in whose rows are whole vectors: only `length` and `values` are looked at. */
function asRuns(data: Data): Data {
  const values = data.children[0]!.values as unknown;
  return { length: data.length, values } as unknown as Data;
}

function gatherChildren(type: DataType, pieces: readonly Piece[]): Data[] {
  return childrenOf(type).map((field, index) =>
    gather(
      field.type as DataType,
      pieces.map(({ data, rows }) => {
        const child = data.children[index]!;
        if (rows !== undefined || child.length === data.length) return { data: child, rows };
        return { data: child.slice(0, data.length) };
      }),
    ),
  );
}
