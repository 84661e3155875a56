/**
 * The container of a Lance data file 2.x: a footer that leads to column metadata and global buffers.
 *
 * Knows nothing of encodings beyond where their descriptions lie. Every position is checked against the file's size
 * before anything is read or allocated. Specification: docs/format.md, Lance data files; lance-format.md section 6.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import {
  type ColumnMetadata,
  ColumnMetadataSchema,
  type Encoding,
  FileDescriptorSchema,
} from "../../format/protos/file_pb.js";
import type { Bytes } from "../../store/contract.js";
import { TableError } from "../../support/errors.js";
import type { ByteSource } from "../codec.js";
import type { Scratch } from "../scratch.js";

/** Length of the footer: three positions, two counts, two version numbers, "LANC". */
export const FOOTER_BYTES = 40;
/** "LANC", little-endian. */
export const FOOTER_MAGIC = 0x434e414c;
/** Page buffers and global buffers start at multiples of this. */
export const BUFFER_ALIGNMENT = 64;

/** What one read at the end of a file fetches: footer, tables and, of most files, all metadata. */
const TAIL_BYTES = 16 * 1024;
const COLUMNS_MAX = 200_000;
const GLOBAL_BUFFERS_MAX = 10_000;
/** One metadata message; native writes 64 pages of 8 MB in far less. */
const METADATA_MAX_BYTES = 64 * 1024 * 1024;
/** Row addresses have 32 bits for the row within its fragment. */
const ROWS_MAX = 2 ** 32 - 1;

/** Bytes [start, end) of the file. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** An encoding's description: the name of its message and the message's bytes. */
export interface Description {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface PageInfo {
  readonly buffers: readonly Extent[];
  readonly rows: number;
  /** Sum of the lengths of the column's earlier pages. */
  readonly firstRow: number;
  readonly encoding: Description;
}

export interface ColumnInfo {
  readonly index: number;
  readonly rows: number;
  readonly pages: readonly PageInfo[];
  readonly buffers: readonly Extent[];
  readonly encoding: Description | undefined;
}

export interface Container {
  readonly major: number;
  readonly minor: number;
  /** Rows as global buffer 0 has it. */
  readonly rows: number;
  readonly columns: number;
  readonly globalBuffers: readonly Extent[];
  /** Metadata of one column, read once and kept. */
  column(index: number): Promise<ColumnInfo>;
  /** Bytes of the file, from memory where the first read covered them. With `scratch` as a `ByteSource` gives them. */
  read(start: number, end: number, scratch?: Scratch): Promise<Uint8Array>;
}

function corrupt(path: string, offset: number, what: string): TableError {
  return new TableError("CORRUPT", `Data file ${path} is damaged at byte ${offset}: ${what}. Restore it from a copy.`, {
    details: { path, offset },
  });
}

/** A u64 of the file as a number. Values that no file can hold come out as such and fail the caller's check. */
function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

interface Footer {
  readonly columnTable: number;
  readonly globalTable: number;
  readonly globalBuffers: number;
  readonly columns: number;
  readonly major: number;
  readonly minor: number;
}

function decodeFooter(tail: Uint8Array, path: string, sizeBytes: number): Footer {
  const at = sizeBytes - FOOTER_BYTES;
  const view = new DataView(tail.buffer, tail.byteOffset + tail.byteLength - FOOTER_BYTES, FOOTER_BYTES);
  if (view.getUint32(36, true) !== FOOTER_MAGIC) throw corrupt(path, at + 36, "the file does not end in LANC");
  const footer = {
    columnTable: u64(view, 8),
    globalTable: u64(view, 16),
    globalBuffers: view.getUint32(24, true),
    columns: view.getUint32(28, true),
    major: view.getUint16(32, true),
    minor: view.getUint16(34, true),
  };
  if (footer.columns > COLUMNS_MAX) throw corrupt(path, at + 28, `${footer.columns} columns are beyond the limit`);
  if (footer.globalBuffers > GLOBAL_BUFFERS_MAX) {
    throw corrupt(path, at + 24, `${footer.globalBuffers} global buffers are beyond the limit`);
  }
  if (footer.columnTable + footer.columns * 16 > at) throw corrupt(path, at + 8, "the column table lies outside");
  if (footer.globalTable + footer.globalBuffers * 16 > at)
    throw corrupt(path, at + 16, "the buffer table lies outside");
  return footer;
}

function decodeTable(bytes: Uint8Array, at: number, path: string, limit: number): Extent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const extents: Extent[] = [];
  for (let i = 0; i < bytes.byteLength; i += 16) {
    const start = u64(view, i);
    const end = start + u64(view, i + 8);
    if (!(end <= limit)) throw corrupt(path, at + i, "an entry of a position table points outside the file");
    extents.push({ start, end });
  }
  return extents;
}

function describe(encoding: Encoding | undefined, path: string, at: number): Description | undefined {
  const location = encoding?.location;
  if (location === undefined || location.case === undefined || location.case === "none") return undefined;
  if (location.case === "indirect") {
    throw new TableError(
      "NOT_SUPPORTED",
      `Data file ${path} keeps encodings apart from its metadata (indirect encoding).`,
      {
        details: { path, offset: at },
      },
    );
  }
  const any = fromBinary(AnySchema, location.value.encoding);
  return { typeUrl: any.typeUrl, value: any.value };
}

function toExtents(offsets: readonly bigint[], sizes: readonly bigint[], limit: number): Extent[] | undefined {
  if (offsets.length !== sizes.length) return undefined;
  const extents: Extent[] = [];
  for (let i = 0; i < offsets.length; i++) {
    const start = Number(offsets[i]);
    const end = start + Number(sizes[i]);
    if (!(end <= limit)) return undefined;
    extents.push({ start, end });
  }
  return extents;
}

function toColumn(metadata: ColumnMetadata, index: number, path: string, at: Extent, limit: number): ColumnInfo {
  const pages: PageInfo[] = [];
  let firstRow = 0;
  for (const page of metadata.pages) {
    const buffers = toExtents(page.bufferOffsets, page.bufferSizes, limit);
    if (buffers === undefined) throw corrupt(path, at.start, `a page of column ${index} points outside the file`);
    const encoding = describe(page.encoding, path, at.start);
    if (encoding === undefined) throw corrupt(path, at.start, `a page of column ${index} has no encoding`);
    const rows = Number(page.length);
    if (rows > ROWS_MAX) throw corrupt(path, at.start, `a page of column ${index} claims ${page.length} rows`);
    pages.push({ buffers, rows, firstRow, encoding });
    firstRow += rows;
  }
  const buffers = toExtents(metadata.bufferOffsets, metadata.bufferSizes, limit);
  if (buffers === undefined) throw corrupt(path, at.start, `a buffer of column ${index} points outside the file`);
  return { index, rows: firstRow, pages, buffers, encoding: describe(metadata.encoding, path, at.start) };
}

/** Runs a decoder of messages; whatever it throws on bytes that are no message becomes CORRUPT. */
function decodeMessage<T>(path: string, at: number, what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof TableError) throw cause;
    const message = `Data file ${path} is damaged at byte ${at}: ${what} is no valid message. Restore it from a copy.`;
    throw new TableError("CORRUPT", message, { details: { path, offset: at }, cause });
  }
}

/**
 * Reads footer, tables and row count.
 * @throws CORRUPT (details: path, offset) when they make no sense
 */
export async function openContainer(source: ByteSource): Promise<Container> {
  const { path, sizeBytes } = source;
  if (sizeBytes < FOOTER_BYTES) throw corrupt(path, 0, `${sizeBytes} bytes are too few for a footer`);
  const tailStart = Math.max(0, sizeBytes - TAIL_BYTES);
  const tail: Bytes = await source.read(tailStart, sizeBytes);
  if (tail.byteLength !== sizeBytes - tailStart)
    throw corrupt(path, tailStart, "fewer bytes than the file's size says");
  const footer = decodeFooter(tail, path, sizeBytes);

  const read = async (start: number, end: number, scratch?: Scratch): Promise<Uint8Array> => {
    // What is kept is not handed out: a caller may write into the columns that it gets.
    if (start >= tailStart) return tail.slice(start - tailStart, end - tailStart);
    const bytes = await source.read(start, end, scratch);
    if (bytes.byteLength !== end - start) throw corrupt(path, start, "fewer bytes than the file's size says");
    return bytes;
  };
  const readTable = async (start: number, entries: number): Promise<Extent[]> =>
    decodeTable(await read(start, start + entries * 16), start, path, sizeBytes);
  const globalBuffers = await readTable(footer.globalTable, footer.globalBuffers);
  const columnTable = await readTable(footer.columnTable, footer.columns);

  const descriptorAt = globalBuffers[0];
  if (descriptorAt === undefined) throw corrupt(path, sizeBytes - FOOTER_BYTES, "the file has no descriptor");
  const readMessage = async (at: Extent): Promise<Uint8Array> => {
    if (at.end - at.start > METADATA_MAX_BYTES) throw corrupt(path, at.start, "a metadata message is beyond the limit");
    return read(at.start, at.end);
  };
  const descriptorBytes = await readMessage(descriptorAt);
  const descriptor = decodeMessage(path, descriptorAt.start, "the file descriptor", () =>
    fromBinary(FileDescriptorSchema, descriptorBytes),
  );
  if (descriptor.length > BigInt(ROWS_MAX)) throw corrupt(path, descriptorAt.start, `${descriptor.length} rows`);

  const columns = new Map<number, Promise<ColumnInfo>>();
  const readColumn = async (index: number): Promise<ColumnInfo> => {
    const at = columnTable[index];
    if (at === undefined) {
      throw corrupt(path, sizeBytes - FOOTER_BYTES, `column ${index} is asked for, the file has ${footer.columns}`);
    }
    const bytes = await readMessage(at);
    return decodeMessage(path, at.start, `the metadata of column ${index}`, () =>
      toColumn(fromBinary(ColumnMetadataSchema, bytes), index, path, at, sizeBytes),
    );
  };
  return {
    major: footer.major,
    minor: footer.minor,
    rows: Number(descriptor.length),
    columns: footer.columns,
    globalBuffers,
    read,
    column(index) {
      let column = columns.get(index);
      if (column === undefined) {
        column = readColumn(index);
        columns.set(index, column);
        column.catch(() => columns.delete(index));
      }
      return column;
    },
  };
}
