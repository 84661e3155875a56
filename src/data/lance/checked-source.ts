/**
 * Opens a Lance data file for reading: files of this package with their checksums and statistics, files of native
 * LanceDB as they are.
 *
 * A file is ours when either of its two marks is there, the one before the column metadata or the one that begins
 * global buffer 1; then both must be, so that damage to one cannot pass for a file without checksums.
 */
import type { Bytes } from "../../store/contract.js";
import { CheckedFile, corrupt } from "../checksums.js";
import type { ByteSource, ColumnStatistics } from "../codec.js";
import { FOOTER_BYTES } from "./container.js";
import { decodeStatistics, isStatistics } from "./statistics-buffer.js";

/** One read fetches this much of the end: footer, tables, metadata, checksums and statistics of most files. */
const TAIL_BYTES = 64 * 1024;
const CHECKSUMS_MARK = new TextEncoder().encode("JOUSTSUM");
const MARK_BYTES = CHECKSUMS_MARK.length;

export interface CheckedSource {
  /** Verified where the file has checksums. */
  readonly source: ByteSource;
  readonly statistics: ReadonlyMap<number, ColumnStatistics>;
}

/** @throws CORRUPT (details: path, offset) when footer and checksums do not agree */
export async function openChecked(source: ByteSource): Promise<CheckedSource> {
  const { path, sizeBytes } = source;
  if (sizeBytes < FOOTER_BYTES) throw corrupt(path, 0, `${sizeBytes} bytes are too few for a footer`);
  const cached = await cacheTail(source);
  const footer = await cached.read(sizeBytes - FOOTER_BYTES, sizeBytes);
  const view = new DataView(footer.buffer, footer.byteOffset, footer.byteLength);
  const metadataStart = u64(view, 0);
  const isMarked = await hasMark(cached, metadataStart);
  const found = await findStatistics(cached, view);
  if (!isMarked && found === undefined) return { source, statistics: new Map() };
  const file = await CheckedFile.open(cached, () => sizeBytes - metadataStart);
  if (found === undefined) throw corrupt(path, metadataStart, "its statistics are not where the footer says");
  const statistics = decodeStatistics(await file.read(found.start, found.end), path);
  return { source: checkedSource(file, path, sizeBytes), statistics };
}

async function hasMark(source: ByteSource, metadataStart: number): Promise<boolean> {
  if (metadataStart < MARK_BYTES || metadataStart > source.sizeBytes - FOOTER_BYTES) return false;
  const mark = await source.read(metadataStart - MARK_BYTES, metadataStart);
  return CHECKSUMS_MARK.every((byte, i) => mark[i] === byte);
}

/** Global buffer 1, when it begins as statistics do. */
async function findStatistics(
  source: ByteSource,
  footer: DataView,
): Promise<{ start: number; end: number } | undefined> {
  const limit = source.sizeBytes - FOOTER_BYTES;
  const table = u64(footer, 16);
  if (footer.getUint32(24, true) < 2 || table + 32 > limit) return undefined;
  const entry = await source.read(table + 16, table + 32);
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const start = u64(view, 0);
  const end = start + u64(view, 8);
  if (end > limit || end < start + MARK_BYTES) return undefined;
  return isStatistics(await source.read(start, start + MARK_BYTES)) ? { start, end } : undefined;
}

/** Numbers beyond 2^53 come out inexact and fail the checks. */
function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

async function cacheTail(source: ByteSource): Promise<ByteSource> {
  const { path, sizeBytes } = source;
  const tailStart = Math.max(0, sizeBytes - TAIL_BYTES);
  const tail = await source.read(tailStart, sizeBytes);
  return {
    path,
    sizeBytes,
    get identity() {
      return source.identity;
    },
    async read(start, end, scratch) {
      if (start < tailStart) return await source.read(start, end, scratch);
      return tail.slice(start - tailStart, end - tailStart);
    },
  };
}

/**
 * The file as its checksums vouch for it; the checksums themselves read as zeros. Bytes of large files are views of
 * whole blocks, aligned as they are in the file, because a copy would cost as much as the check.
 */
function checkedSource(file: CheckedFile, path: string, sizeBytes: number): ByteSource {
  const { dataBytes, footer } = file;
  const footerStart = sizeBytes - footer.byteLength;
  return {
    path,
    sizeBytes,
    async read(start, end, scratch) {
      if (end <= dataBytes) return (await file.read(start, end, scratch)) as Bytes;
      const bytes = new Uint8Array(end - start);
      if (start < dataBytes) bytes.set(await file.read(start, dataBytes));
      const from = Math.max(start, footerStart);
      if (from < end) bytes.set(footer.subarray(from - footerStart, end - footerStart), from - start);
      return bytes;
    },
  };
}
