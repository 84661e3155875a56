/**
 * The file around a manifest: length-prefixed sections, checksum, footer.
 *
 * Order: transaction, index section, checksum, manifest message, footer (u64 position of the message's length, u16
 * major, u16 minor, "LANC"). The checksum is ours: 8 bytes of magic and the CRC-32 of all other bytes of the file, right
 * before the message's length, where nothing else refers to; files without it are taken as they are.
 * Format: lance-format table specification, "Manifest"; docs/format.md for the checksum.
 */
import { crc32 } from "node:zlib";
import { TableError } from "../support/errors.js";
import { corrupt } from "./wire.js";

/** Nobody reads a larger file into memory; compaction keeps manifests far below. */
export const MANIFEST_BYTES_MAX = 256 * 1024 * 1024;

const MAGIC = 0x434e414c; // "LANC"
const FOOTER_BYTES = 16;
const MAJOR_VERSION = 0;
const MINOR_VERSION = 2;
const CHECKSUM_MAGIC = new TextEncoder().encode("joustcrc");
const CHECKSUM_BYTES = CHECKSUM_MAGIC.length + 4;
const LENGTH_BYTES = 4;

/** Where the manifest message stands in its file. */
export interface MessageSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Checks footer, lengths and, where there is one, the checksum.
 * @throws CORRUPT, NOT_SUPPORTED
 */
export function openManifestFile(bytes: Uint8Array, path: string): MessageSpan {
  const position = messagePosition(bytes, path);
  checkChecksum(bytes, position, path);
  const end = bytes.length - FOOTER_BYTES;
  const message = sectionAt(bytes, position, end, path);
  if (message.byteOffset + message.length !== bytes.byteOffset + end) {
    throw corrupt(path, position, `the manifest has ${message.length} bytes, the file has room for more`);
  }
  return { start: position + LENGTH_BYTES, end };
}

/** True when the file, which can be read, carries our checksum. */
export function hasManifestChecksum(bytes: Uint8Array): boolean {
  const at = Number(viewOf(bytes).getBigUint64(bytes.length - FOOTER_BYTES, true)) - CHECKSUM_BYTES;
  return at >= 0 && CHECKSUM_MAGIC.every((byte, i) => bytes[at + i] === byte);
}

/** The length-prefixed message at `position`, a view, which ends at `end` at the latest. @throws CORRUPT */
export function sectionAt(bytes: Uint8Array, position: number, end: number, path: string): Uint8Array {
  if (position > end - LENGTH_BYTES)
    throw corrupt(path, end, `a section is said to begin at ${position}, outside the file`);
  const length = viewOf(bytes).getUint32(position, true);
  const start = position + LENGTH_BYTES;
  if (length > end - start) throw corrupt(path, position, `a section of ${length} bytes does not fit into the file`);
  return bytes.subarray(start, start + length);
}

/** Collects the parts of a manifest file in order. */
export class ManifestFileWriter {
  private readonly before: Uint8Array[] = [];
  private position = 0;

  /** Adds a section; answers where it stands, undefined when there is none. */
  add(message: Uint8Array | undefined): number | undefined {
    if (message === undefined) return undefined;
    const at = this.position;
    this.before.push(lengthPrefix(message.length), message);
    this.position += LENGTH_BYTES + message.length;
    return at;
  }

  /** Adds the manifest message, given in pieces, and answers the whole file in pieces. */
  finish(message: readonly Uint8Array[]): Uint8Array[] {
    const length = message.reduce((sum, chunk) => sum + chunk.length, 0);
    const after = [lengthPrefix(length), ...message, footer(this.position + CHECKSUM_BYTES)];
    return [...this.before, checksumBlock([...this.before, ...after]), ...after];
  }
}

function messagePosition(bytes: Uint8Array, path: string): number {
  if (bytes.length > MANIFEST_BYTES_MAX) {
    throw new TableError("NOT_SUPPORTED", `${path} has ${bytes.length} bytes, more than a manifest may have.`, {
      details: { path, sizeBytes: bytes.length, sizeBytesMax: MANIFEST_BYTES_MAX },
    });
  }
  if (bytes.length < FOOTER_BYTES + LENGTH_BYTES) {
    throw corrupt(
      path,
      bytes.length,
      bytes.length === 0 ? "the file is empty" : "the file is too short for a manifest",
    );
  }
  const view = viewOf(bytes);
  const at = bytes.length - FOOTER_BYTES;
  if (view.getUint32(at + 12, true) !== MAGIC) throw corrupt(path, at + 12, "the file does not end with LANC");
  const major = view.getUint16(at + 8, true);
  const minor = view.getUint16(at + 10, true);
  if (major !== MAJOR_VERSION || minor > MINOR_VERSION) {
    throw new TableError("NOT_SUPPORTED", `${path} has manifest format ${major}.${minor}, which is not known.`, {
      details: { path, offset: at + 8, major, minor },
    });
  }
  const position = view.getBigUint64(at, true);
  if (position > BigInt(at - LENGTH_BYTES)) throw corrupt(path, at, "the footer points outside the file");
  return Number(position);
}

function checkChecksum(bytes: Uint8Array, position: number, path: string): void {
  const at = position - CHECKSUM_BYTES;
  if (at < 0 || CHECKSUM_MAGIC.some((byte, i) => bytes[at + i] !== byte)) return;
  const stored = viewOf(bytes).getUint32(at + CHECKSUM_MAGIC.length, true);
  const actual = crc32(bytes.subarray(position), crc32(bytes.subarray(0, at)));
  if (stored !== actual) throw corrupt(path, at, "the checksum of the file does not match its content");
}

function checksumBlock(others: readonly Uint8Array[]): Uint8Array {
  const block = new Uint8Array(CHECKSUM_BYTES);
  block.set(CHECKSUM_MAGIC);
  const sum = others.reduce((previous, chunk) => crc32(chunk, previous), 0);
  viewOf(block).setUint32(CHECKSUM_MAGIC.length, sum, true);
  return block;
}

function lengthPrefix(length: number): Uint8Array {
  const prefix = new Uint8Array(LENGTH_BYTES);
  viewOf(prefix).setUint32(0, length, true);
  return prefix;
}

function footer(position: number): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  const view = viewOf(bytes);
  view.setBigUint64(0, BigInt(position), true);
  view.setUint16(8, MAJOR_VERSION, true);
  view.setUint16(10, MINOR_VERSION, true);
  view.setUint32(12, MAGIC, true);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
