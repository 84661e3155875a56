/**
 * The container of a Lance data file: page buffers, global buffers, column metadata, tables and footer.
 *
 * Follows the public format of Lance 2.x files (file2.proto and its footer of 40 bytes). Big buffers go out as they
 * came; small ones are gathered, so that a file is few chunks.
 */
import { WireWriter } from "../../../format/wire.js";
import type { EncodedColumn, EncodedPage } from "./page.js";

const ALIGNMENT = 64;
const GAP = 0x48;
/** Pieces below this are copied together. */
const GATHER_BYTES_MAX = 32 * 1024;
export const FOOTER_BYTES = 40;

const encoder = new TextEncoder();
const COLUMN_ENCODING = encodeAny("/lance.encodings.ColumnEncoding", Uint8Array.of(0x0a, 0));

/** A protobuf Any inside an Encoding message with its bytes at hand. */
function encodeAny(typeUrl: string, value: Uint8Array): Uint8Array {
  const writer = new WireWriter(value.length + 80);
  const direct = writer.begin(2);
  const encoding = writer.begin(1);
  writer.data(1, encoder.encode(typeUrl));
  writer.data(2, value);
  writer.commit(encoding);
  writer.commit(direct);
  return writer.finish();
}

/** What looks at all bytes before the sealing buffer, in order: it computes their checksums. */
export interface ByteWatcher {
  /** A page buffer of `sizeBytes` begins here. */
  boundary(sizeBytes: number): void;
  bytes(piece: Uint8Array): void;
}

/** Appends pieces, knows the position, keeps the number of chunks low. */
class Output {
  readonly chunks: Uint8Array[] = [];
  position = 0;
  #small: Uint8Array[] = [];
  #smallBytes = 0;
  #watcher: ByteWatcher | undefined;

  constructor(watcher?: ByteWatcher) {
    this.#watcher = watcher;
  }

  append(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.position += piece.length;
    this.#watcher?.bytes(piece);
    if (piece.length >= GATHER_BYTES_MAX) {
      this.#flush();
      this.chunks.push(piece);
      return;
    }
    this.#small.push(piece);
    this.#smallBytes += piece.length;
    if (this.#smallBytes >= GATHER_BYTES_MAX) this.#flush();
  }

  align(): void {
    const gap = (ALIGNMENT - (this.position % ALIGNMENT)) % ALIGNMENT;
    this.append(GAPS.subarray(0, gap));
  }

  finish(): readonly Uint8Array[] {
    this.#flush();
    return this.chunks;
  }

  #flush(): void {
    if (this.#small.length === 0) return;
    const joined = new Uint8Array(this.#smallBytes);
    let at = 0;
    for (const piece of this.#small) {
      joined.set(piece, at);
      at += piece.length;
    }
    this.chunks.push(joined);
    this.#small = [];
    this.#smallBytes = 0;
  }
}

const GAPS = new Uint8Array(ALIGNMENT).fill(GAP);

export interface ContainerVersion {
  readonly major: number;
  readonly minor: number;
  /** Type of the page descriptions. */
  readonly pageTypeUrl: "/lance.encodings.ArrayEncoding" | "/lance.encodings21.PageLayout";
}

/** The file as chunks. `descriptor` is the FileDescriptor message, global buffer 0. */
export function encodeContainer(
  columns: readonly EncodedColumn[],
  descriptor: Uint8Array,
  version: ContainerVersion,
): { chunks: readonly Uint8Array[]; sizeBytes: number } {
  const output = new Output();
  const metadata = columns.map((column) => encodeColumnMetadata(column, version, output));
  output.align();
  const globals: [number, number][] = [[output.position, descriptor.length]];
  output.append(descriptor);
  appendTail(output, metadata, globals, version);
  return { chunks: output.finish(), sizeBytes: output.position };
}

function appendTail(
  output: Output,
  metadata: readonly Uint8Array[],
  globals: readonly [number, number][],
  version: ContainerVersion,
): void {
  const metadataStart = output.position;
  const table = new BigUint64Array(metadata.length * 2 + globals.length * 2);
  let entry = 0;
  for (const message of metadata) {
    table[entry++] = BigInt(output.position);
    table[entry++] = BigInt(message.length);
    output.append(message);
  }
  const tableStart = output.position;
  for (const [position, size] of globals) {
    table[entry++] = BigInt(position);
    table[entry++] = BigInt(size);
  }
  output.append(new Uint8Array(table.buffer));
  const footer = new DataView(new ArrayBuffer(FOOTER_BYTES));
  footer.setBigUint64(0, BigInt(metadataStart), true);
  footer.setBigUint64(8, BigInt(tableStart), true);
  footer.setBigUint64(16, BigInt(tableStart + metadata.length * 16), true);
  footer.setUint32(24, globals.length, true);
  footer.setUint32(28, metadata.length, true);
  footer.setUint16(32, version.major, true);
  footer.setUint16(34, version.minor, true);
  footer.setUint32(36, 0x434e414c, true);
  output.append(new Uint8Array(footer.buffer));
}

/** Appends the pages' buffers and answers the ColumnMetadata message. */
function encodeColumnMetadata(column: EncodedColumn, version: ContainerVersion, output: Output): Uint8Array {
  const writer = new WireWriter(256);
  writer.data(1, COLUMN_ENCODING);
  for (const page of column.pages) writer.data(2, encodePage(page, version, output));
  return writer.finish();
}

function encodePage(page: EncodedPage, version: ContainerVersion, output: Output): Uint8Array {
  const positions: number[] = [];
  const sizes: number[] = [];
  for (const buffer of page.buffers) {
    output.align();
    positions.push(output.position);
    for (const piece of buffer) output.append(piece);
    sizes.push(output.position - positions.at(-1)!);
  }
  const writer = new WireWriter(160);
  writer.packed(1, positions);
  writer.packed(2, sizes);
  writer.uintIfSet(3, page.rows);
  writer.data(4, encodeAny(version.pageTypeUrl, page.layout));
  writer.uintIfSet(5, page.firstRow);
  return writer.finish();
}
