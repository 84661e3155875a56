/**
 * The one Arrow IPC file that tables contain: record batches with a single column of u32, plain or zstd.
 *
 * Reads nothing else; apache-arrow of the supported range does not decode compressed batches everywhere.
 * Format: Arrow columnar format, "IPC File Format"; File.fbs, Message.fbs, Schema.fbs.
 */
import { TableError } from "../support/errors.js";
import { zstdDecompress } from "../support/zstd.js";
import { FlatTable } from "./flatbuffer.js";
import { concat, corrupt } from "./wire.js";

const MAGIC = new TextEncoder().encode("ARROW1");
const TRAILER_BYTES = MAGIC.length + 4;
const CONTINUATION = 0xffff_ffff;
const BLOCK_BYTES = 24;
const HEADER_RECORD_BATCH = 3;
const TYPE_INT = 2;
const CODEC_ZSTD = 1;
const NOT_COMPRESSED = -1n;

/**
 * The values of the column, in the order of the file.
 * @param rowsMax the most that may come
 * @throws CORRUPT, NOT_SUPPORTED for another compression
 */
export async function readRowIdColumn(bytes: Uint8Array, path: string, rowsMax: number): Promise<Uint32Array> {
  const footer = footerOf(bytes, path);
  checkSchema(footer.table(1), path);
  const parts: Uint8Array[] = [];
  let rows = 0;
  for (const block of footer.structs(3, BLOCK_BYTES)) {
    const offset = Number(block.getBigUint64(0, true));
    const batch = await readBatch(bytes, path, offset, block.getUint32(8, true), rowsMax - rows);
    rows += batch.length / 4;
    parts.push(batch);
  }
  const values = concat(parts);
  return new Uint32Array(values.buffer, 0, rows);
}

function footerOf(bytes: Uint8Array, path: string): FlatTable {
  const end = bytes.length - TRAILER_BYTES;
  if (end < MAGIC.length || MAGIC.some((byte, i) => bytes[end + 4 + i] !== byte || bytes[i] !== byte)) {
    throw corrupt(path, Math.max(0, end), "it is no Arrow file");
  }
  const length = viewOf(bytes).getUint32(end, true);
  if (length > end) throw corrupt(path, end, "the footer begins outside the file");
  return FlatTable.root(bytes.subarray(end - length, end), path);
}

function checkSchema(schema: FlatTable | undefined, path: string): void {
  const fields = schema?.tables(1) ?? [];
  const type = fields[0]?.table(3);
  const isU32 = fields[0]?.uint(2, 1) === TYPE_INT && type?.uint(0, 4) === 32 && type.uint(1, 1) === 0;
  if (fields.length !== 1 || !isU32) throw corrupt(path, 0, "it does not have one column of u32");
}

/** The bytes of one batch's values. */
async function readBatch(
  bytes: Uint8Array,
  path: string,
  offset: number,
  metadataBytes: number,
  rowsMax: number,
): Promise<Uint8Array> {
  if (metadataBytes < 8 || offset + metadataBytes > bytes.length) throw corrupt(path, offset, "a batch is cut off");
  const view = viewOf(bytes);
  if (view.getUint32(offset, true) !== CONTINUATION) throw corrupt(path, offset, "a batch has no message");
  const message = FlatTable.root(bytes.subarray(offset + 8, offset + metadataBytes), path);
  const header = message.table(2);
  if (message.uint(1, 1) !== HEADER_RECORD_BATCH || header === undefined) throw corrupt(path, offset, "it is no batch");
  const rows = header.long(0);
  if (rows > rowsMax) throw corrupt(path, offset, `it lists ${rows} rows, at most ${rowsMax} can be`);
  const nulls = header.structs(1, 16)[0]?.getBigUint64(8, true);
  const buffer = header.structs(2, 16)[1];
  if (nulls !== 0n || buffer === undefined) throw corrupt(path, offset, "the column has nulls or no values");
  const start = Number(buffer.getBigUint64(0, true));
  const length = Number(buffer.getBigUint64(8, true));
  const bodyAt = offset + metadataBytes;
  if (length > bytes.length - bodyAt || start > bytes.length - bodyAt - length) {
    throw corrupt(path, bodyAt, "the values are outside the file");
  }
  const stored = bytes.subarray(bodyAt + start, bodyAt + start + length);
  const compression = header.table(3);
  const values = compression === undefined ? stored : await decompress(stored, compression, path, rows);
  if (values.length < rows * 4) throw corrupt(path, bodyAt + start, "there are fewer values than rows");
  return values.subarray(0, rows * 4);
}

/** A compressed buffer: i64 length of the content (-1: what follows is plain), then the frame. */
async function decompress(stored: Uint8Array, compression: FlatTable, path: string, rows: number): Promise<Uint8Array> {
  if (compression.uint(0, 1) !== CODEC_ZSTD) {
    throw new TableError("NOT_SUPPORTED", `${path} is compressed with LZ4, which is not supported; only zstd is.`, {
      details: { path },
    });
  }
  if (rows === 0) return new Uint8Array();
  if (stored.length < 8) throw corrupt(path, 0, "a compressed buffer has no length");
  const content = stored.subarray(8);
  const length = viewOf(stored).getBigInt64(0, true);
  if (length === NOT_COMPRESSED) return content;
  // Buffers may be padded to 64 bytes, not more.
  if (length < 0n || length > BigInt(rows * 4 + 64)) throw corrupt(path, 0, "a compressed buffer has a wrong length");
  try {
    return await zstdDecompress(content, Number(length));
  } catch (cause) {
    throw corrupt(path, 0, "a compressed buffer cannot be read", cause);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
