/**
 * Decoders for the value buffers of one mini-block chunk, made once per page from the page's tree of compressions.
 *
 * Every decoder appends exactly the number of values it is asked for, or throws CORRUPT. Combinations that no writer
 * makes are refused by name when the decoder is made. Specification: lance-format.md 10.
 */
import type { CompressiveEncoding } from "../../../format/protos/encodings21_pb.js";
import { BLOCK_VALUES, blockBytes, unpackBlock } from "./bit-packing.js";
import { damaged, unknownEncoding } from "./damage.js";
import type { BytesSink, FixedSink } from "./flat-sinks.js";
import { decodeFsst, decodeSymbolTable } from "./fsst.js";
import { packedWidth, unpackRows } from "./packed-rows.js";
import type { Shape } from "./shape.js";
import type { ValueSink } from "./sinks.js";

export interface ChunkDecoder {
  /** Value buffers per chunk. */
  readonly buffers: number;
  decode(buffers: readonly Uint8Array[], count: number, sink: ValueSink): void;
}

/** @throws NOT_SUPPORTED naming an encoding that is not known, CORRUPT when it does not suit the column's type */
export function chunkDecoder(encoding: CompressiveEncoding | undefined, shape: Shape): ChunkDecoder {
  const compression = encoding?.compression;
  switch (compression?.case) {
    case "flat":
      refuseBufferCompression(compression.value.data);
      return flatDecoder(Number(compression.value.bitsPerValue), shape);
    case "inlineBitpacking":
      refuseBufferCompression(compression.value.values);
      return inlineBitpackingDecoder(Number(compression.value.uncompressedBitsPerValue), shape);
    case "variable":
      refuseBufferCompression(compression.value.values);
      return variableDecoder(offsetBytes(compression.value.offsets), shape);
    case "fsst": {
      const inner = compression.value.values?.compression;
      if (inner?.case !== "variable") return unknownEncoding(`FSST over ${inner?.case ?? "nothing"}`);
      refuseBufferCompression(inner.value.values);
      return fsstDecoder(compression.value.symbolTable, offsetBytes(inner.value.offsets), shape);
    }
    case "rle":
      requireFlat(compression.value.runLengths, 8, "run lengths");
      return rleDecoder(flatBits(compression.value.values, "runs"), shape);
    case "byteStreamSplit":
      return byteStreamDecoder(flatBits(compression.value.values, "byte streams"), shape);
    case "fixedSizeList":
      return listDecoder(compression.value, shape);
    case "packedStruct":
      return packedDecoder(compression.value.bitsPerValue.map(Number), compression.value.values, shape);
    default:
      return unknownEncoding(`the value encoding ${compression?.case ?? "without a name"}`);
  }
}

export function refuseBufferCompression(compression: unknown): void {
  if (compression !== undefined) unknownEncoding("general compression of a single buffer");
}

/** The bits of a flat encoding; runs, lists and the like have nothing else inside. */
export function flatBits(encoding: CompressiveEncoding | undefined, what: string): number {
  const inner = encoding?.compression;
  if (inner?.case !== "flat") return unknownEncoding(`${inner?.case ?? "no encoding"} for ${what}`);
  refuseBufferCompression(inner.value.data);
  return Number(inner.value.bitsPerValue);
}

function requireFlat(encoding: CompressiveEncoding | undefined, bits: number, what: string): void {
  if (flatBits(encoding, what) !== bits) unknownEncoding(`${what} other than flat ${bits}`);
}

/** Width of the offsets of a variable encoding: 4 or 8. */
export function offsetBytes(offsets: CompressiveEncoding | undefined): 4 | 8 {
  const bits = flatBits(offsets, "offsets");
  if (bits !== 32 && bits !== 64) return unknownEncoding(`offsets of ${bits} bits`);
  return bits === 32 ? 4 : 8;
}

function requireWidth(bits: number, shape: Shape): number {
  if (shape.kind !== "fixed" || shape.width * 8 !== bits)
    damaged(`${bits} bits stand for a value of kind ${shape.kind}`);
  return shape.width;
}

/** A view that starts at a multiple of `width` in its buffer; a copy where it does not yet. */
export function aligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : bytes.slice();
}

function flatDecoder(bits: number, shape: Shape): ChunkDecoder {
  if (shape.kind === "bits") {
    if (bits !== 1) damaged(`a boolean takes ${bits} bits`);
    return {
      buffers: 1,
      decode(buffers, count, sink) {
        if (sink.kind === "bits") sink.append(buffers[0]!, 0, count);
      },
    };
  }
  requireWidth(bits, shape);
  return {
    buffers: 1,
    decode(buffers, count, sink) {
      if (sink.kind === "fixed") sink.append(buffers[0]!, count);
    },
  };
}

function inlineBitpackingDecoder(bits: number, shape: Shape): ChunkDecoder {
  const width = requireWidth(bits, shape);
  return {
    buffers: 1,
    decode(buffers, count, sink) {
      if (sink.kind === "fixed") unpackInline(aligned(buffers[0]!, 8), count, width, sink);
    },
  };
}

/** Blocks of 1024 values, each behind a word that says how many bits are kept. */
export function unpackInline(source: Uint8Array, count: number, width: number, sink: FixedSink): void {
  let from = 0;
  for (let done = 0; done < count; done += BLOCK_VALUES) {
    if (from + width > source.byteLength) damaged("a packed chunk is cut short");
    // The word has the values' own width, but no more than 64 fits in it.
    const kept = source[from]!;
    const block = Math.min(BLOCK_VALUES, count - done);
    unpackInto(sink, source, from + width, kept, block);
    from += width + blockBytes(kept);
  }
}

const scratch = new Uint8Array(BLOCK_VALUES * 8);

/** Appends the first `count` values of a packed block. */
export function unpackInto(sink: FixedSink, source: Uint8Array, from: number, kept: number, count: number): void {
  const { width } = sink;
  if (count === BLOCK_VALUES && from % width === 0) {
    const at = sink.extend(BLOCK_VALUES);
    unpackBlock(source, from, kept, width, sink.bytes, at);
    return;
  }
  unpackBlock(source, from, kept, width, scratch, 0);
  const at = sink.extend(count);
  sink.bytes.set(scratch.subarray(0, count * width), at);
}

function variableDecoder(offsetWidth: 4 | 8, shape: Shape): ChunkDecoder {
  if (shape.kind !== "bytes") damaged(`text stands for a value of kind ${shape.kind}`);
  return {
    buffers: 1,
    decode(buffers, count, sink) {
      if (sink.kind !== "bytes") return;
      const source = buffers[0]!;
      if (offsetWidth === 4) {
        appendText(sink, source, count);
        return;
      }
      const ends = readOffsets(source, 0, offsetWidth, count, 0, source.byteLength);
      appendSlices(sink, source, ends, count);
    },
  };
}

/** Appends values behind `count + 1` offsets of 32 bits: the common case, in one pass. */
function appendText(sink: BytesSink, source: Uint8Array, count: number): void {
  if ((count + 1) * 4 > source.byteLength) damaged(`${count + 1} offsets do not fit in the buffer`);
  const bytes = aligned(source, 4);
  const ends = new Uint32Array(bytes.buffer, bytes.byteOffset, count + 1);
  const first = ends[0]!;
  const last = ends[count]!;
  if (first > last || last > source.byteLength) damaged("offsets of values are out of order");
  sink.reserveValues(count);
  sink.reserveBytes(last - first);
  const { offsets, used, length } = sink;
  let previous = first;
  for (let i = 1; i <= count; i++) {
    const end = ends[i]!;
    if (end < previous) damaged("offsets of values are out of order");
    offsets[length + i] = end - first + used;
    previous = end;
  }
  sink.bytes.set(source.subarray(first, last), used);
  sink.length += count;
}

/**
 * `count + 1` ascending offsets from byte `at` on, moved by `base`, none of them beyond `limit`.
 * @throws CORRUPT
 */
export function readOffsets(
  source: Uint8Array,
  at: number,
  width: 4 | 8,
  count: number,
  base: number,
  limit: number,
): Uint32Array {
  if (at + (count + 1) * width > source.byteLength) damaged(`${count + 1} offsets do not fit in the buffer`);
  const out = new Uint32Array(count + 1);
  const bytes = aligned(source.subarray(at, at + (count + 1) * width), 4);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, ((count + 1) * width) >>> 2);
  const step = width >>> 2;
  let previous = 0;
  for (let i = 0, from = 0; i <= count; i++, from += step) {
    const end = words[from]! + base + (step === 2 ? words[from + 1]! * 2 ** 32 : 0);
    if (end < previous || end > limit) damaged("offsets of values are out of order");
    out[i] = end;
    previous = end;
  }
  return out;
}

/** Appends values that lie side by side: value i is bytes [ends[i], ends[i + 1]). */
export function appendSlices(sink: BytesSink, source: Uint8Array, ends: Uint32Array, count: number): void {
  const first = ends[0]!;
  const last = ends[count]!;
  sink.reserveValues(count);
  sink.reserveBytes(last - first);
  sink.bytes.set(source.subarray(first, last), sink.used);
  const { offsets } = sink;
  const shift = sink.used - first;
  let at = sink.length;
  for (let i = 1; i <= count; i++) offsets[++at] = ends[i]! + shift;
  sink.length = at;
}

function fsstDecoder(symbolTable: Uint8Array, offsetWidth: 4 | 8, shape: Shape): ChunkDecoder {
  if (shape.kind !== "bytes") damaged(`text stands for a value of kind ${shape.kind}`);
  const table = decodeSymbolTable(symbolTable);
  return {
    buffers: 1,
    decode(buffers, count, sink) {
      if (sink.kind !== "bytes") return;
      const source = buffers[0]!;
      const ends = readOffsets(source, 0, offsetWidth, count, 0, source.byteLength);
      if (table.active) decodeFsst(table, source, ends, count, sink);
      else appendSlices(sink, source, ends, count);
    },
  };
}

function rleDecoder(bits: number, shape: Shape): ChunkDecoder {
  const width = requireWidth(bits, shape);
  return {
    buffers: 2,
    decode(buffers, count, sink) {
      if (sink.kind === "fixed") expandRuns(buffers[0]!, buffers[1]!, count, width, sink);
    },
  };
}

/** Appends `count` values from runs: value i is repeated `lengths[i]` times. Writers may leave the last run too long. */
export function expandRuns(
  values: Uint8Array,
  lengths: Uint8Array,
  count: number,
  width: number,
  sink: FixedSink,
): void {
  const runs = Math.min(lengths.byteLength, Math.floor(values.byteLength / width));
  let to = sink.extend(count);
  const end = to + count * width;
  const { bytes } = sink;
  for (let run = 0; run < runs && to < end; run++) {
    const from = run * width;
    const stop = Math.min(end, to + lengths[run]! * width);
    if (stop === to) continue;
    for (let j = 0; j < width; j++) bytes[to + j] = values[from + j]!;
    // Doubling: what is written so far is the pattern for the rest.
    for (let size = width; to + size < stop; size *= 2) {
      bytes.copyWithin(to + size, to, Math.min(to + size, stop - size));
    }
    to = stop;
  }
  if (to !== end) damaged("runs end before the chunk does");
}

function byteStreamDecoder(bits: number, shape: Shape): ChunkDecoder {
  const width = requireWidth(bits, shape);
  return {
    buffers: 1,
    decode(buffers, count, sink) {
      if (sink.kind !== "fixed") return;
      const source = buffers[0]!;
      if (source.byteLength < count * width) damaged("byte streams are cut short");
      const at = sink.extend(count);
      const { bytes } = sink;
      for (let j = 0; j < width; j++) {
        for (let i = 0, to = at + j, from = j * count; i < count; i++, to += width) bytes[to] = source[from++]!;
      }
    },
  };
}

interface ListEncoding {
  readonly itemsPerValue: bigint;
  readonly hasValidity: boolean;
  readonly values?: CompressiveEncoding | undefined;
}

function listDecoder(encoding: ListEncoding, shape: Shape): ChunkDecoder {
  if (shape.kind !== "fixed-list" || BigInt(shape.size) !== encoding.itemsPerValue) {
    return damaged(`lists of ${encoding.itemsPerValue} values stand for a value of kind ${shape.kind}`);
  }
  const child = chunkDecoder(encoding.values, shape.child);
  const own = encoding.hasValidity ? 1 : 0;
  return {
    buffers: child.buffers + own,
    decode(buffers, count, sink) {
      if (sink.kind !== "fixed-list") return;
      const bits = own === 1 ? buffers[0]! : undefined;
      if (bits !== undefined && bits.byteLength * 8 < count * sink.size) damaged("validity of list items is cut short");
      sink.appendValidity(bits, 0, count);
      child.decode(own === 1 ? buffers.slice(1) : buffers, count * sink.size, sink.child);
      sink.length += count;
    },
  };
}

function packedDecoder(bits: readonly number[], values: CompressiveEncoding | undefined, shape: Shape): ChunkDecoder {
  const rowBits = flatBits(values, "a packed struct");
  if (shape.kind !== "struct" || shape.children.length !== bits.length) damaged("a packed struct has other children");
  const widths = shape.children.map((child, i) => packedWidth(child, bits[i]!));
  const stride = widths.reduce((sum, width) => sum + width, 0);
  if (stride * 8 !== rowBits) damaged(`a packed struct of ${stride} bytes takes ${rowBits} bits`);
  return {
    buffers: 1,
    decode(buffers, count, sink) {
      if (sink.kind === "struct") unpackRows(buffers[0]!, count, stride, widths, sink.children);
      if (sink.kind === "struct") sink.length += count;
    },
  };
}
