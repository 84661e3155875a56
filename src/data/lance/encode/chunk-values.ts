/**
 * How the values of a mini-block page are cut into chunks and written: one strategy per kind of column.
 *
 * A chunk holds at most 4096 values, a power of two in every chunk but the last; its values aim at 16 KiB so that a
 * point look-up stays small.
 */
import { TableError } from "../../../support/errors.js";
import { copyBits } from "../../kernels/bits.js";
import type { Bits } from "./bits.js";
import type { BitColumn, FixedColumn, LeafColumn, VariableColumn, VectorColumn } from "./column.js";
import { fixedSizeList, flat, type Message, variable } from "./describe.js";

const CHUNK_VALUES_MAX = 4096;
const CHUNK_BYTES_AIM = 16 * 1024;

/** Values of a page, ready to be cut into chunks. */
export interface ChunkValues {
  readonly description: Message;
  /** Value buffers per chunk. */
  readonly buffers: number;
  /** Number of values of each chunk. */
  readonly counts: readonly number[];
  sizeOf(buffer: number, start: number, end: number): number;
  /** Writes one buffer of values [start, end) into zeroed bytes at an 8-aligned place. */
  write(buffer: number, start: number, end: number, out: Uint8Array, at: number): void;
}

/** @throws INTERNAL for a kind of column that has no mini-block form. */
export function chunkValues(column: LeafColumn): ChunkValues {
  switch (column.kind) {
    case "fixed":
      return fixedValues(column);
    case "bit":
      return bitValues(column);
    case "variable":
      return variableValues(column);
    case "vector":
      return vectorValues(column);
    default:
      throw new TableError("INTERNAL", `A ${column.kind} column is not cut into chunks. Please report it.`);
  }
}

/** Equal chunks of `bitsPerValue` bits a value. */
function evenCounts(total: number, bitsPerValue: number): number[] {
  const fitting = Math.floor((CHUNK_BYTES_AIM * 8) / Math.max(1, bitsPerValue));
  const count = Math.min(CHUNK_VALUES_MAX, 2 ** Math.max(1, 31 - Math.clz32(Math.max(2, fitting))));
  const counts: number[] = [];
  for (let at = 0; at < total; at += count) counts.push(Math.min(count, total - at));
  return counts;
}

function fixedValues(column: FixedColumn): ChunkValues {
  const { width, bytes } = column;
  return {
    description: flat(width * 8),
    buffers: 1,
    counts: evenCounts(column.length, width * 8),
    sizeOf: (_, start, end) => (end - start) * width,
    write: (_, start, end, out, at) => out.set(bytes.subarray(start * width, end * width), at),
  };
}

function bitValues(column: BitColumn): ChunkValues {
  const { bits } = column;
  return {
    description: flat(1),
    buffers: 1,
    counts: evenCounts(column.length, 1),
    sizeOf: (_, start, end) => (end - start + 7) >> 3,
    write: (_, start, end, out, at) => copyBits(bits.bytes, bits.offset + start, out, at * 8, end - start),
  };
}

function variableValues(column: VariableColumn): ChunkValues {
  const { offsets, bytes, offsetWidth } = column;
  const padded = (size: number) => Math.ceil(size / offsetWidth) * offsetWidth;
  const sizeOf = (start: number, end: number) => (end - start + 1) * offsetWidth + offsets[end]! - offsets[start]!;
  return {
    description: variable(offsetWidth * 8),
    buffers: 1,
    counts: variableCounts(column.length, sizeOf),
    sizeOf: (_, start, end) => padded(sizeOf(start, end)),
    write(_, start, end, out, at) {
      const size = sizeOf(start, end);
      const first = (end - start + 1) * offsetWidth;
      const delta = first - offsets[start]!;
      const words = new Int32Array(out.buffer, out.byteOffset + at, (first / 4) | 0);
      if (offsetWidth === 4) for (let i = start; i <= end; i++) words[i - start] = offsets[i]! + delta;
      else for (let i = start; i <= end; i++) words[(i - start) * 2] = offsets[i]! + delta;
      out.set(bytes.subarray(offsets[start]!, offsets[end]!), at + first);
      out.fill(0x48, at + size, at + padded(size));
    },
  };
}

function variableCounts(total: number, sizeOf: (start: number, end: number) => number): number[] {
  const counts: number[] = [];
  let at = 0;
  while (at < total) {
    let count = CHUNK_VALUES_MAX;
    while (count > 2 && sizeOf(at, Math.min(total, at + count)) > CHUNK_BYTES_AIM) count /= 2;
    count = Math.min(count, total - at);
    counts.push(count);
    at += count;
  }
  return counts;
}

interface VectorPart {
  readonly perValue: number;
  readonly source: Bits | FixedColumn;
}

/** Item bitmaps from outside to inside where items are null somewhere, then the items. */
function vectorValues(column: VectorColumn): ChunkValues {
  const parts: VectorPart[] = [];
  const description = describeVector(column, 1, parts);
  const bitsPerValue = parts.reduce((sum, part) => sum + partBits(part), 0);
  return {
    description,
    buffers: parts.length,
    counts: evenCounts(column.length, bitsPerValue),
    sizeOf: (buffer, start, end) => Math.ceil(((end - start) * partBits(parts[buffer]!)) / 8),
    write(buffer, start, end, out, at) {
      const { source, perValue } = parts[buffer]!;
      if ("width" in source) {
        out.set(source.bytes.subarray(start * perValue * source.width, end * perValue * source.width), at);
      } else copyBits(source.bytes, source.offset + start * perValue, out, at * 8, (end - start) * perValue);
    },
  };
}

function partBits(part: VectorPart): number {
  return "width" in part.source ? part.perValue * part.source.width * 8 : part.perValue;
}

function describeVector(column: VectorColumn, outer: number, parts: VectorPart[]): Message {
  const { items, dimension } = column;
  const perValue = outer * dimension;
  if (items.validity) parts.push({ perValue, source: items.validity });
  const hasValidity = items.validity !== undefined;
  if (items.kind === "vector") return fixedSizeList(dimension, describeVector(items, perValue, parts), hasValidity);
  parts.push({ perValue, source: items.kind === "bit" ? items.bits : items });
  return fixedSizeList(dimension, flat(items.kind === "bit" ? 1 : items.width * 8), hasValidity);
}
