/**
 * A buffer of a 2.0 page, read in part where it is stored plainly and as a whole where it is compressed.
 */
import type { Extent } from "../../container.js";
import type { ByteReader } from "../byte-reader.js";
import { damaged, unknownEncoding } from "../damage.js";
import { decompress } from "../general.js";

export interface StoredBuffer {
  /** Bytes of the plain buffer; unknown before a compressed one is read. */
  readonly sizeBytes: number | undefined;
  /** The bytes of each range (start, end, start, end, ...), ranges in ascending order. */
  read(ranges: readonly number[], reader: ByteReader): Promise<Uint8Array[]>;
}

/** @throws NOT_SUPPORTED naming another compression than zstd and lz4 */
export function openBuffer(extent: Extent, scheme: string | undefined): StoredBuffer {
  if (scheme === undefined || scheme === "" || scheme === "none") {
    const sizeBytes = extent.end - extent.start;
    return { sizeBytes, read: (ranges, reader) => readPlain(extent, ranges, reader) };
  }
  if (scheme !== "zstd" && scheme !== "lz4") return unknownEncoding(`compression ${scheme}`);
  let whole: Promise<Uint8Array> | undefined;
  return {
    sizeBytes: undefined,
    async read(ranges, reader) {
      whole ??= reader.read([extent]).then((parts) => decompress(scheme, parts[0]!));
      whole.catch(() => {
        whole = undefined;
      });
      const bytes = await whole;
      if (ranges.length > 0 && ranges.at(-1)! > bytes.byteLength) damaged("a compressed buffer is cut short");
      return toParts(ranges).map(({ start, end }) => bytes.subarray(start, end));
    },
  };
}

function readPlain(extent: Extent, ranges: readonly number[], reader: ByteReader): Promise<Uint8Array[]> {
  const parts = toParts(ranges).map(({ start, end }) => ({ start: extent.start + start, end: extent.start + end }));
  if (parts.some((part) => part.end > extent.end)) damaged("a buffer is cut short");
  return reader.read(parts);
}

function toParts(ranges: readonly number[]): Extent[] {
  const parts: Extent[] = [];
  for (let i = 0; i < ranges.length; i += 2) parts.push({ start: ranges[i]!, end: ranges[i + 1]! });
  return parts;
}
