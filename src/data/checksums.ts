/**
 * Checksums of a data file, whatever its format: one CRC-32 per 16 KiB block of everything before the format's footer,
 * and one of the footer, in a section that lies between the two, where readers of the plain format never look.
 *
 * Section: block CRCs (u32 each), CRC of the footer to the end of the file (u32), number of blocks (u32), zero padding
 * to a multiple of 8, CRC of the file's own name and all that (u32), length of the section (u32), "JOUSTSUM".
 * Little-endian. docs/format.md. The name tells files apart that were exchanged for each other.
 */
import { crc32 } from "node:zlib";
import type { DataFile } from "../format/fragment.js";
import { TableError } from "../support/errors.js";
import type { ByteSource } from "./codec.js";
import type { Scratch } from "./scratch.js";

const BLOCK_BYTES = 16_384;
const MAGIC = new TextEncoder().encode("JOUSTSUM");
const FIXED_BYTES = 8 + 16;
/** Files up to this size are read at once. */
const WHOLE_BYTES = 262_144;
const TAIL_BYTES = 65_536;

/** Length of the section for so many bytes before it. */
export function checksumsLength(dataBytes: number): number {
  return (Math.ceil(dataBytes / BLOCK_BYTES) * 4 + FIXED_BYTES + 7) & ~7;
}

/**
 * The section for `chunks` (all bytes before it) and `footer` (all bytes after it).
 * @param fileName the name, without directories, under which alone the file will be valid; any name when absent
 */
export function encodeChecksums(chunks: readonly Uint8Array[], footer: Uint8Array, fileName = ""): Uint8Array {
  const crcs: number[] = [];
  let crc = 0;
  let filled = 0;
  for (const chunk of chunks) {
    let at = 0;
    while (at < chunk.byteLength) {
      const end = Math.min(chunk.byteLength, at + BLOCK_BYTES - filled);
      crc = crc32(at === 0 && end === chunk.byteLength ? chunk : chunk.subarray(at, end), crc);
      filled += end - at;
      at = end;
      if (filled < BLOCK_BYTES) continue;
      crcs.push(crc);
      crc = 0;
      filled = 0;
    }
  }
  if (filled > 0) crcs.push(crc);
  const length = checksumsLength(crcs.length * BLOCK_BYTES);
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  for (let i = 0; i < crcs.length; i++) view.setUint32(i * 4, crcs[i]!, true);
  view.setUint32(crcs.length * 4, crc32(footer), true);
  view.setUint32(crcs.length * 4 + 4, crcs.length, true);
  view.setUint32(length - 16, crc32(out.subarray(0, length - 16), crc32(fileName)), true);
  view.setUint32(length - 12, length, true);
  out.set(MAGIC, length - 8);
  return out;
}

/** CORRUPT with the file and the place. */
export function corrupt(path: string, offset: number, problem: string, cause?: unknown): TableError {
  return new TableError("CORRUPT", `${path} is damaged at byte ${offset}: ${problem}. Restore it from a copy.`, {
    details: { path, offset },
    cause,
  });
}

/**
 * Opens a data file of a format with checksums, after its manifest entry was found to fit.
 * @param footerBytes tells from the last bytes how long the format's footer is, itself included; NaN when it is none
 * @throws CORRUPT
 */
export async function openChecked(
  source: ByteSource,
  file: DataFile,
  majorVersion: number,
  footerBytes: (tail: Uint8Array) => number,
): Promise<CheckedFile> {
  const { path, sizeBytes } = source;
  if (file.majorVersion !== majorVersion) {
    throw corrupt(path, 0, `the manifest gives it version ${file.majorVersion} where ${majorVersion} is known`);
  }
  if (file.sizeBytes !== 0 && file.sizeBytes !== sizeBytes) {
    throw corrupt(path, sizeBytes, `the file has ${sizeBytes} bytes where the manifest says ${file.sizeBytes}`);
  }
  return await CheckedFile.open(source, footerBytes);
}

/** Whether the checksums' own checksum fits: that of a file of this name, or of one that was not given a name. */
function isOwn(section: Uint8Array, crc: number, path: string): boolean {
  return crc32(section, crc32(path.slice(path.lastIndexOf("/") + 1))) === crc || crc32(section) === crc;
}

/**
 * Whether a whole small file in memory is as its checksums say; false also when it has none.
 * @param footerStart where the format's footer begins
 * @param path where the file lies; only the name matters
 */
export function isIntact(file: Uint8Array, footerStart: number, path: string): boolean {
  if (!(footerStart >= FIXED_BYTES && footerStart < file.byteLength)) return false;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = view.getUint32(footerStart - 12, true);
  const dataBytes = footerStart - length;
  if (length < FIXED_BYTES || dataBytes < 0 || checksumsLength(dataBytes) !== length) return false;
  for (let i = 0; i < MAGIC.length; i++) if (file[footerStart - 8 + i] !== MAGIC[i]) return false;
  const blocks = Math.ceil(dataBytes / BLOCK_BYTES);
  for (let block = 0; block < blocks; block++) {
    const end = Math.min(dataBytes, (block + 1) * BLOCK_BYTES);
    if (crc32(file.subarray(block * BLOCK_BYTES, end)) !== view.getUint32(dataBytes + block * 4, true)) return false;
  }
  return (
    isOwn(file.subarray(dataBytes, footerStart - 16), view.getUint32(footerStart - 16, true), path) &&
    view.getUint32(dataBytes + blocks * 4 + 4, true) === blocks &&
    crc32(file.subarray(footerStart)) === view.getUint32(dataBytes + blocks * 4, true)
  );
}

interface Request {
  readonly start: number;
  readonly end: number;
  readonly scratch: Scratch | undefined;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** What is read of blocks that are known to be good begins at a multiple of this, as columns do in the file. */
const ALIGNMENT = 64;

/**
 * A data file whose every block is checked when it is read first. Reads of one moment are merged where they touch.
 *
 * A block that was good is not checked again as long as this object lives and the file under the path is the same one:
 * files never change, and damage that comes later is for `verify` and the doctor, which open files anew.
 */
export class CheckedFile {
  readonly path: string;
  /** Bytes covered by block checksums: where the section begins. */
  readonly dataBytes: number;
  /** The format's footer, checked. */
  readonly footer: Uint8Array;
  readonly #source: ByteSource;
  readonly #crcs: Uint32Array;
  /** 1 for each block that was read whole and was good. */
  readonly #good: Uint8Array;
  /** The file in which they were. */
  #identity: string | undefined;
  #pending: Request[] = [];
  #whole: Uint8Array | undefined;

  private constructor(source: ByteSource, footer: Uint8Array, crcs: Uint32Array, dataBytes: number) {
    this.path = source.path;
    this.#source = source;
    this.footer = footer;
    this.#crcs = crcs;
    this.#good = new Uint8Array(crcs.length);
    this.#identity = source.identity;
    this.dataBytes = dataBytes;
  }

  /**
   * Opens a file. `footerBytes` tells from the last bytes how long the format's footer is, itself included.
   * @throws CORRUPT
   */
  static async open(source: ByteSource, footerBytes: (tail: Uint8Array) => number): Promise<CheckedFile> {
    const { path, sizeBytes } = source;
    let tailStart = sizeBytes <= WHOLE_BYTES ? 0 : sizeBytes - TAIL_BYTES;
    let tail: Uint8Array = await source.read(tailStart, sizeBytes);
    const footerStart = sizeBytes - footerBytes(tail);
    if (!(footerStart >= FIXED_BYTES && footerStart < sizeBytes))
      throw corrupt(path, sizeBytes, "the footer is not there");
    if (tailStart > footerStart - FIXED_BYTES) {
      tailStart = footerStart - FIXED_BYTES;
      tail = await source.read(tailStart, sizeBytes);
    }
    const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
    const end = footerStart - tailStart;
    const length = view.getUint32(end - 12, true);
    if (MAGIC.some((byte, i) => tail[end - 8 + i] !== byte) || length < FIXED_BYTES || length > footerStart) {
      throw corrupt(path, footerStart - FIXED_BYTES, "the checksums are not there");
    }
    if (tailStart > footerStart - length) {
      tailStart = footerStart - length;
      tail = await source.read(tailStart, sizeBytes);
    }
    const { footer, crcs } = checkTail(path, tail, footerStart - tailStart, length);
    const file = new CheckedFile(source, footer, crcs, footerStart - length);
    if (crcs.length !== Math.ceil(file.dataBytes / BLOCK_BYTES))
      throw corrupt(path, file.dataBytes, "wrong number of checksums");
    if (tailStart === 0) {
      file.#verify(tail.subarray(0, file.dataBytes), 0, file.#identity);
      file.#whole = tail;
    }
    return file;
  }

  /**
   * Bytes [start, end) of the data, good ones; with `scratch` as a `ByteSource` gives them. Ranges beyond the data are
   * CORRUPT: somebody's pointer is wrong.
   */
  read(start: number, end: number, scratch?: Scratch): Promise<Uint8Array> {
    if (!(start >= 0 && end >= start && end <= this.dataBytes)) {
      return Promise.reject(
        corrupt(this.path, start, `a reference to bytes ${start} to ${end}, outside the file's data`),
      );
    }
    // What is kept is not handed out: a caller may write into the columns that it gets.
    if (this.#whole !== undefined) {
      return Promise.resolve(scratch === undefined ? this.#whole.slice(start, end) : this.#whole.subarray(start, end));
    }
    if (start === end) return Promise.resolve(new Uint8Array(0));
    return new Promise((resolve, reject) => {
      this.#pending.push({ start, end, scratch, resolve, reject });
      if (this.#pending.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const requests = this.#pending.sort((a, b) => a.start - b.start);
    this.#pending = [];
    let group: Request[] = [];
    let groupEnd = -1;
    for (const request of requests) {
      if (group.length > 0 && (request.start > groupEnd || request.scratch !== group[0]!.scratch)) {
        void this.#serve(group);
        group = [];
      }
      group.push(request);
      groupEnd = Math.max(group.length === 1 ? 0 : groupEnd, blockEnd(request.end, this.dataBytes));
    }
    if (group.length > 0) void this.#serve(group);
  }

  async #serve(group: readonly Request[]): Promise<void> {
    try {
      const { start, bytes } = await this.#readChecked(group);
      for (const request of group) request.resolve(bytes.subarray(request.start - start, request.end - start));
    } catch (error) {
      for (const request of group) request.reject(error);
    }
  }

  /** What the group asks for, with all of each block that is not known to be good yet. */
  async #readChecked(group: readonly Request[]): Promise<{ readonly start: number; readonly bytes: Uint8Array }> {
    const { identity } = this.#source;
    const first = group[0]!.start;
    const last = group.reduce((most, { end }) => Math.max(most, end), 0);
    const knowsFirst = this.#isGood(first, identity);
    const knowsLast = this.#isGood(last - 1, identity);
    const start = first - (first % (knowsFirst ? ALIGNMENT : BLOCK_BYTES));
    const end = knowsLast ? last : blockEnd(last, this.dataBytes);
    const bytes = await this.#source.read(start, end, group[0]!.scratch);
    if (bytes.byteLength !== end - start) throw corrupt(this.path, start, "the file is shorter than its footer says");
    // Another file has come under this name: what is known of the old one says nothing about these bytes.
    if ((knowsFirst || knowsLast) && this.#source.identity !== identity) return await this.#readChecked(group);
    this.#verify(bytes, start, identity);
    return { start, bytes };
  }

  #isGood(offset: number, identity: string | undefined): boolean {
    return this.#identity === identity && this.#good[Math.floor(offset / BLOCK_BYTES)] === 1;
  }

  /**
   * Checks the blocks of [start, start + length) that are not known to be good; those are there as a whole.
   * @param identity the file that was there before the bytes were read
   */
  #verify(bytes: Uint8Array, start: number, identity: string | undefined): void {
    if (this.#source.identity !== this.#identity) {
      this.#identity = this.#source.identity;
      this.#good.fill(0);
    }
    const isSame = identity === this.#identity;
    const end = start + bytes.byteLength;
    for (let block = Math.floor(start / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      if (isSame && this.#good[block] === 1) continue;
      const from = block * BLOCK_BYTES;
      if (crc32(bytes.subarray(from - start, from - start + BLOCK_BYTES)) !== this.#crcs[block]) {
        throw corrupt(this.path, from, "the bytes differ from their checksum");
      }
      if (isSame) this.#good[block] = 1;
    }
  }
}

function blockEnd(offset: number, dataBytes: number): number {
  return Math.min(Math.ceil(offset / BLOCK_BYTES) * BLOCK_BYTES, dataBytes);
}

function checkTail(path: string, tail: Uint8Array, end: number, length: number) {
  const section = tail.slice(end - length, end);
  const view = new DataView(section.buffer);
  const footer = tail.subarray(end);
  if (!isOwn(section.subarray(0, length - 16), view.getUint32(length - 16, true), path)) {
    throw corrupt(
      path,
      end,
      "the checksums do not match their own checksum, or they are those of a file with another name",
    );
  }
  const padded = (length - FIXED_BYTES) >> 2;
  let blocks = padded;
  if (blocks > 0 && view.getUint32(blocks * 4 + 4, true) !== blocks) blocks--;
  if (view.getUint32(blocks * 4 + 4, true) !== blocks) throw corrupt(path, end, "the number of checksums is wrong");
  if (crc32(footer) !== view.getUint32(blocks * 4, true))
    throw corrupt(path, end, "the footer differs from its checksum");
  return { footer, crcs: new Uint32Array(section.buffer, 0, blocks) };
}
