/** Text and binary columns out of plain values: one buffer of bytes and its offsets. */
import type { DataType } from "apache-arrow";
import { bytesOf, type Offsets } from "../kernels/column.js";
import { TYPE_ID } from "../kernels/layout.js";
import { CellError, refuse } from "./cell-error.js";

interface BytesColumn {
  readonly offsets: Offsets;
  readonly values: Uint8Array;
}

const OFFSET_MAX = 0x7fffffff;
const encoder = new TextEncoder();
/** Strings joined at a time, so that the joined string stays far below the engine's limit. */
const JOIN_CHARS = 1 << 22;

/** Values and offsets of a string or binary column; nulls take no bytes. @throws CellError */
export function buildBytes(type: DataType, values: ArrayLike<unknown>, length: number, large: boolean): BytesColumn {
  const id = type.typeId as number;
  const ends = new Float64Array(length + 1);
  const parts =
    id === TYPE_ID.utf8 || id === TYPE_ID.largeUtf8
      ? encodeTexts(type, values, length, ends)
      : collectBinaries(type, values, length, ends);
  const total = ends[length]!;
  if (!large && total > OFFSET_MAX) {
    throw new CellError(0, [], `the batch holds ${total} bytes in this column; write smaller batches (below 2 GiB)`);
  }
  const offsets: Offsets = large ? BigInt64Array.from(ends, BigInt) : Int32Array.from(ends);
  return { offsets, values: parts.length === 1 ? parts[0]! : joined(parts, total) };
}

function joined(parts: readonly Uint8Array[], total: number): Uint8Array {
  const out = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}

/** Joins many strings and encodes them at once: for ASCII, lengths in characters are the lengths in bytes. */
function encodeTexts(type: DataType, values: ArrayLike<unknown>, length: number, ends: Float64Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  while (start < length) {
    let text = "";
    let end = start;
    const base = ends[start]!;
    while (end < length && text.length < JOIN_CHARS) {
      const value = values[end];
      if (typeof value === "string") text += value;
      else if (value != null) refuse(end, value, type, "a string");
      end++;
      ends[end] = base + text.length;
    }
    const bytes = encoder.encode(text);
    if (bytes.byteLength !== text.length) measureTexts(type, values, start, end, ends);
    parts.push(bytes);
    start = end;
  }
  return parts;
}

/** A lone surrogate has no UTF-8; encoding it would change the value. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function measureTexts(
  type: DataType,
  values: ArrayLike<unknown>,
  start: number,
  end: number,
  ends: Float64Array,
): void {
  for (let i = start; i < end; i++) {
    const value = values[i];
    if (typeof value !== "string") {
      ends[i + 1] = ends[i]!;
      continue;
    }
    const size = Buffer.byteLength(value, "utf8");
    if (size !== value.length && LONE_SURROGATE.test(value)) refuse(i, value, type, "well-formed Unicode");
    ends[i + 1] = ends[i]! + size;
  }
}

function collectBinaries(type: DataType, values: ArrayLike<unknown>, length: number, ends: Float64Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < length; i++) {
    const value = values[i];
    ends[i + 1] = ends[i]!;
    if (value == null) continue;
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
    if (!ArrayBuffer.isView(bytes)) refuse(i, value, type, "a Buffer or Uint8Array");
    parts.push(bytesOf(bytes));
    ends[i + 1]! += bytes.byteLength;
  }
  return parts.length === 1 ? [parts[0]!.slice()] : parts;
}
