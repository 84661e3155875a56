/**
 * Decoders for buffers that stand alone: the items of a dictionary, and repetition and definition levels.
 *
 * Specification: lance-format.md 10.3 to 10.5, block forms.
 */
import type { CompressiveEncoding } from "../../../format/protos/encodings21_pb.js";
import { BLOCK_VALUES, blockBytes, unpackBlock } from "./bit-packing.js";
import {
  aligned,
  appendSlices,
  expandRuns,
  flatBits,
  offsetBytes,
  readOffsets,
  refuseBufferCompression,
  unpackInline,
} from "./chunk-values.js";
import { damaged, unknownEncoding } from "./damage.js";
import { FixedSink } from "./flat-sinks.js";
import { decompress, schemeOf } from "./general.js";
import { appendFixed } from "./packed-rows.js";
import type { ValueSink } from "./sinks.js";

const LEVEL_BYTES = 2;

/** Appends the `count` values of a block to the sink. @throws CORRUPT, NOT_SUPPORTED naming the encoding */
export async function decodeBlock(
  encoding: CompressiveEncoding | undefined,
  bytes: Uint8Array,
  count: number,
  sink: ValueSink,
): Promise<void> {
  const compression = encoding?.compression;
  if (compression?.case === "general") {
    const inner = await decompress(schemeOf(compression.value.compression), bytes);
    return decodeBlock(compression.value.values, inner, count, sink);
  }
  if (compression?.case === "variable") {
    refuseBufferCompression(compression.value.values);
    offsetBytes(compression.value.offsets);
    if (sink.kind !== "bytes") damaged(`text stands for a value of kind ${sink.kind}`);
    return decodeText(bytes, count, sink);
  }
  if (compression?.case === "flat") {
    refuseBufferCompression(compression.value.data);
    return appendFixed(sink, bytes, count);
  }
  if (sink.kind !== "fixed")
    return unknownEncoding(`${compression?.case ?? "no encoding"} for items of kind ${sink.kind}`);
  decodePacked(encoding, bytes, count, sink);
}

function decodeText(bytes: Uint8Array, count: number, sink: ValueSink): void {
  if (sink.kind !== "bytes" || bytes.byteLength < 8) damaged("a block of text is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = view.getUint32(0, true);
  if (bits !== 32 && bits !== 64) unknownEncoding(`a block of text with offsets of ${bits} bits`);
  const width = bits === 32 ? 4 : 8;
  if (bytes.byteLength < 2 * width) damaged("a block of text is cut short");
  const start = view.getUint32(width, true);
  if (start < 2 * width + (count + 1) * width || start > bytes.byteLength) damaged("a block of text begins elsewhere");
  const ends = readOffsets(bytes, 2 * width, width, count, start, bytes.byteLength);
  appendSlices(sink, bytes, ends, count);
}

/** Integer blocks: packed with or without the width in front of each 1024 values, or as runs. */
function decodePacked(
  encoding: CompressiveEncoding | undefined,
  bytes: Uint8Array,
  count: number,
  sink: FixedSink,
): void {
  const compression = encoding?.compression;
  const requireWidth = (bits: number): void => {
    if (bits !== sink.width * 8) damaged(`${bits} bits stand for ${sink.width} bytes`);
  };
  switch (compression?.case) {
    case "flat":
      requireWidth(Number(compression.value.bitsPerValue));
      sink.append(bytes, count);
      return;
    case "inlineBitpacking":
      requireWidth(Number(compression.value.uncompressedBitsPerValue));
      unpackInline(aligned(bytes, 8), count, sink.width, sink);
      return;
    case "outOfLineBitpacking":
      requireWidth(Number(compression.value.uncompressedBitsPerValue));
      unpackBlocks(aligned(bytes, 8), flatBits(compression.value.values, "packed values"), count, sink);
      return;
    case "rle":
      requireWidth(flatBits(compression.value.values, "runs"));
      flatBits(compression.value.runLengths, "run lengths");
      decodeRuns(bytes, count, sink);
      return;
    default:
      unknownEncoding(`the block encoding ${compression?.case ?? "without a name"}`);
  }
}

/** Blocks with one number of kept bits for all; the tail is padded to a block, or raw when that is no longer. */
function unpackBlocks(bytes: Uint8Array, kept: number, count: number, sink: FixedSink): void {
  const { width } = sink;
  if (!(kept > 0 && kept <= width * 8)) damaged(`${kept} bits are kept of ${width * 8}`);
  const whole = Math.floor(count / BLOCK_VALUES);
  const tail = count % BLOCK_VALUES;
  const size = blockBytes(kept);
  const at = sink.extend(count);
  for (let i = 0; i < whole; i++) unpackBlock(bytes, i * size, kept, width, sink.bytes, at + i * BLOCK_VALUES * width);
  if (tail === 0) return;
  const rest = bytes.subarray(whole * size);
  const to = at + whole * BLOCK_VALUES * width;
  if (rest.byteLength === tail * width) {
    sink.bytes.set(rest, to);
    return;
  }
  const block = new Uint8Array(BLOCK_VALUES * width);
  unpackBlock(bytes, whole * size, kept, width, block, 0);
  sink.bytes.set(block.subarray(0, tail * width), to);
}

/** Runs in one buffer: length of the values in bytes as u64, the values, the run lengths. */
function decodeRuns(bytes: Uint8Array, count: number, sink: FixedSink): void {
  if (count === 0) return;
  if (bytes.byteLength < 8) damaged("a block of runs is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (size > bytes.byteLength - 8) damaged("a block of runs is cut short");
  expandRuns(bytes.subarray(8, 8 + size), bytes.subarray(8 + size), count, sink.width, sink);
}

/**
 * `count` repetition or definition levels. Without an encoding they are raw.
 * @throws CORRUPT, NOT_SUPPORTED naming the encoding
 */
export function decodeLevels(encoding: CompressiveEncoding | undefined, bytes: Uint8Array, count: number): Uint16Array {
  const sink = new FixedSink(LEVEL_BYTES, count);
  if (encoding === undefined) sink.append(bytes, count);
  else decodePacked(encoding, bytes, count, sink);
  return new Uint16Array(sink.bytes.buffer, sink.bytes.byteOffset, count);
}

/** Throws NOT_SUPPORTED when levels under this encoding cannot be decoded. */
export function checkLevelEncoding(encoding: CompressiveEncoding | undefined): void {
  const name = encoding?.compression.case;
  if (encoding === undefined || name === "flat" || name === "inlineBitpacking") return;
  if (name !== "outOfLineBitpacking" && name !== "rle")
    unknownEncoding(`the level encoding ${name ?? "without a name"}`);
}
