/**
 * General compression of whole buffers: LZ4 blocks and zstd frames behind their length.
 *
 * Lengths that a buffer claims are held against a cap before memory is taken. Specification: lance-format.md 10.7.
 */
import type { BufferCompression } from "../../../format/protos/encodings21_pb.js";
import { TableError } from "../../../support/errors.js";
import { zstdDecompress } from "../../../support/zstd.js";
import { DECODED_MAX_BYTES, damaged, unknownEncoding } from "./damage.js";
import { decodeLz4 } from "./lz4.js";

export type Scheme = "lz4" | "zstd";

const ZSTD_MAGIC = 0xfd2fb528;
/** Bit of the frame header descriptor that a frame never sets. */
const ZSTD_RESERVED_BIT = 0b1000;
const LENGTH_BYTES = 8;

/** The scheme of a compression message. @throws NOT_SUPPORTED naming another one */
export function schemeOf(compression: BufferCompression | undefined): Scheme {
  switch (compression?.scheme) {
    case 1:
      return "lz4";
    case 2:
      return "zstd";
    default:
      return unknownEncoding(`general compression ${compression?.scheme ?? "without a scheme"}`);
  }
}

/** @throws CORRUPT when the buffer does not hold what it claims */
export async function decompress(scheme: Scheme, bytes: Uint8Array): Promise<Uint8Array> {
  return scheme === "lz4" ? decodeLz4(bytes) : decodeZstd(bytes);
}

async function decodeZstd(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.byteLength === 0) return bytes;
  if (isFrame(bytes)) return inflate(bytes, DECODED_MAX_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || size > DECODED_MAX_BYTES) damaged(`a zstd buffer claims ${size} bytes or more`);
  const decoded = await inflate(bytes.subarray(LENGTH_BYTES), size);
  if (decoded.byteLength !== size) damaged(`a zstd buffer claims ${size} bytes and holds ${decoded.byteLength}`);
  return decoded;
}

/** True for a frame without the length before it, which old writers left out. */
function isFrame(bytes: Uint8Array): boolean {
  if (bytes.byteLength < LENGTH_BYTES) return true;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) === ZSTD_MAGIC && (bytes[4]! & ZSTD_RESERVED_BIT) === 0;
}

async function inflate(frame: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  try {
    return await zstdDecompress(frame, maxBytes);
  } catch (cause) {
    throw new TableError("CORRUPT", "a zstd frame cannot be decompressed", { cause });
  }
}
