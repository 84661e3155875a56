/**
 * Deletion files: `.bin`, a Roaring bitmap, which is what we write, and `.arrow`, which native writes for few rows.
 *
 * Behind our bitmaps stands a checksum, which other readers do not see, because a bitmap knows its own end.
 * Format: lance-format table specification, "Deletion files"; docs/format.md for the checksum.
 */
import { crc32 } from "node:zlib";
import { TableError } from "../support/errors.js";
import { readRowIdColumn } from "./deletion-arrow.js";
import { DeletionVector } from "./deletion-vector.js";
import { decodeRoaring, encodeRoaring } from "./roaring.js";
import { concat, corrupt } from "./wire.js";

/** A fragment with more rows is not read; it bounds the memory that a vector may take (256 MB). */
export const FRAGMENT_ROWS_MAX = 2 ** 26;

const CHECKSUM_MAGIC = new TextEncoder().encode("joustcrc");
const CHECKSUM_BYTES = CHECKSUM_MAGIC.length + 4;

/** A `.bin` file. */
export function encodeDeletionVector(vector: DeletionVector): Uint8Array<ArrayBuffer> {
  const bitmap = encodeRoaring(vector.toArray());
  const trailer = new Uint8Array(CHECKSUM_BYTES);
  trailer.set(CHECKSUM_MAGIC);
  new DataView(trailer.buffer).setUint32(CHECKSUM_MAGIC.length, crc32(bitmap), true);
  return concat([bitmap, trailer]);
}

/**
 * @param kind arrow: a `.arrow` file, bitmap: a `.bin` file
 * @param physicalRows of the fragment; every offset must be below
 * @throws CORRUPT, NOT_SUPPORTED
 */
export async function decodeDeletionVector(
  bytes: Uint8Array,
  kind: "arrow" | "bitmap",
  path: string,
  physicalRows: number,
): Promise<DeletionVector> {
  if (physicalRows > FRAGMENT_ROWS_MAX) {
    throw new TableError("NOT_SUPPORTED", `${path} belongs to a fragment of ${physicalRows} rows, which is too many.`, {
      details: { path, physicalRows, rowsMax: FRAGMENT_ROWS_MAX },
    });
  }
  if (kind === "bitmap") return DeletionVector.of(decodeRoaring(withoutChecksum(bytes, path), path, physicalRows));
  const offsets = await readRowIdColumn(bytes, path, physicalRows);
  for (const offset of offsets) {
    if (offset >= physicalRows)
      throw corrupt(path, 0, `row ${offset} is deleted, the fragment has ${physicalRows} rows`);
  }
  const vector = DeletionVector.of(offsets);
  if (vector.size !== offsets.length) throw corrupt(path, 0, "a row is deleted twice");
  return vector;
}

function withoutChecksum(bytes: Uint8Array, path: string): Uint8Array {
  const at = bytes.length - CHECKSUM_BYTES;
  if (at < 0 || CHECKSUM_MAGIC.some((byte, i) => bytes[at + i] !== byte)) return bytes;
  const bitmap = bytes.subarray(0, at);
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + CHECKSUM_MAGIC.length, true);
  if (stored !== crc32(bitmap)) throw corrupt(path, at, "the checksum of the file does not match its content");
  return bitmap;
}
