/**
 * Copies the live rows of some fragments, in order, into new data files that nobody sees yet.
 *
 * Memory holds a few windows of rows, the columns of one new file and its encoded bytes, however much is copied.
 */
import type { RecordBatch } from "apache-arrow";
import { windowRows } from "../compute/plan.js";
import { readAhead } from "../compute/read-ahead.js";
import { rebatch } from "../compute/rebatch.js";
import { missingMeansExpired } from "../data/byte-source.js";
import type { EncodeOptions, FragmentCodec, RowGatherer } from "../data/codec.js";
import type { FileCache } from "../data/file-cache.js";
import { openFragment } from "../data/fragment.js";
import { sliceRows, takeRows } from "../data/kernels/batches.js";
import type { DeletionVector } from "../format/deletion-vector.js";
import type { Fragment } from "../format/fragment.js";
import { dataPath } from "../format/layout.js";
import type { TableSchema } from "../format/schema.js";
import type { ObjectStore } from "../store/contract.js";

/** Bytes of a data file that are read in one step. */
const READ_BYTES = 8 * 1024 * 1024;
const READ_ROWS_MIN = 64;
const STEP_ROWS = 1 << 15;
/** Fragments below this size cost more to open than to read: more of them are opened at once. */
const TINY_BYTES = 64 * 1024;
const TINY_AHEAD = 4;
/** Small files that are read at the same time. */
const GATHER_AHEAD = 8;
const AHEAD = 1;

export interface CopyContext {
  readonly store: ObjectStore;
  readonly nameFile: (extension: string) => string;
  /** Told when a file that nobody refers to could not be removed. */
  readonly leftover: () => void;
  readonly cache: FileCache;
  readonly codec: FragmentCodec;
  readonly encode: EncodeOptions;
  readonly schema: TableSchema;
  readonly durable: boolean;
  readonly deletions: (fragment: Fragment) => Promise<DeletionVector | undefined>;
  readonly fileRows: number;
  /** Bytes of Arrow data that make a file. */
  readonly fileBytes: number;
  /** Asked after each file, with all files and their rows so far: false gives the copy up. */
  readonly goesOn: (files: number, rows: number) => boolean;
  /** Lets others have their turn, when it is time; called between short pieces of work. */
  readonly pause: () => Promise<void>;
}

export interface Copy {
  /** Without ids; in the order of their rows. */
  readonly fragments: readonly Fragment[];
  readonly paths: readonly string[];
  /** The rows of each original that were already gone. */
  readonly goneRows: ReadonlyMap<number, DeletionVector>;
}

/**
 * Copies; undefined when `goesOn` gave it up. Every file is written (and synced, if durable) when it resolves; after a
 * failure and after giving up nothing is left.
 * @throws SNAPSHOT_EXPIRED, CORRUPT, UNAVAILABLE
 */
export async function copyLiveRows(originals: readonly Fragment[], context: CopyContext): Promise<Copy | undefined> {
  const goneRows = new Map<number, DeletionVector>();
  const files = new FileSequence(context);
  try {
    for await (const batch of rebatch(liveBatches(originals, goneRows, context))) {
      await files.push(batch);
      if (!files.goesOn) break;
    }
    await files.finish();
  } catch (error) {
    await files.remove();
    throw error;
  }
  if (files.goesOn) return { fragments: files.fragments, paths: files.paths, goneRows };
  await files.remove();
  return undefined;
}

/** The short way for runs of small fragments without deletions, the general one for all others. */
async function* liveBatches(
  originals: readonly Fragment[],
  goneRows: Map<number, DeletionVector>,
  context: CopyContext,
): AsyncGenerator<RecordBatch, void, undefined> {
  const gatherer = context.codec.gatherer?.(context.schema);
  for (let start = 0; start < originals.length; ) {
    const isSmall = gatherer !== undefined && isTiny(originals[start]!);
    let end = start + 1;
    while (end < originals.length && (gatherer !== undefined && isTiny(originals[end]!)) === isSmall) end++;
    const part = originals.slice(start, end);
    if (isSmall) yield* gatherRows(part, goneRows, gatherer, context);
    else yield* readRows(part, goneRows, context);
    start = end;
  }
}

/** Whole, in one file, and so small that opening it costs more than reading it. */
function isTiny({ files, deletionFile }: Fragment): boolean {
  const [file, ...others] = files;
  return (
    deletionFile === undefined &&
    file !== undefined &&
    others.length === 0 &&
    file.baseId === undefined &&
    file.sizeBytes > 0 &&
    file.sizeBytes < TINY_BYTES
  );
}

async function* gatherRows(
  originals: readonly Fragment[],
  goneRows: Map<number, DeletionVector>,
  gatherer: RowGatherer,
  context: CopyContext,
): AsyncGenerator<RecordBatch, void, undefined> {
  for (let start = 0; start < originals.length; start += GATHER_AHEAD) {
    const part = originals.slice(start, start + GATHER_AHEAD);
    const contents = await Promise.all(part.map((fragment) => readWhole(fragment, context)));
    for (const [i, fragment] of part.entries()) {
      if (gatherer.append(contents[i]!, fragment.files[0]!, fragment.physicalRows)) continue;
      if (gatherer.rows > 0) yield gatherer.take();
      yield* readRows([fragment], goneRows, context);
    }
    if (gatherer.rows >= STEP_ROWS || gatherer.sizeBytes >= READ_BYTES) yield gatherer.take();
    await context.pause();
  }
  if (gatherer.rows > 0) yield gatherer.take();
}

async function readWhole(fragment: Fragment, { store }: CopyContext): Promise<Uint8Array> {
  const path = dataPath(fragment.files[0]!);
  try {
    return await store.get(path);
  } catch (error) {
    throw missingMeansExpired(error, path);
  }
}

async function* readRows(
  originals: readonly Fragment[],
  goneRows: Map<number, DeletionVector>,
  context: CopyContext,
): AsyncGenerator<RecordBatch, void, undefined> {
  const sizeBytes = originals.reduce((sum, fragment) => sum + bytesOf(fragment), 0);
  const ahead = sizeBytes / originals.length < TINY_BYTES ? TINY_AHEAD : AHEAD;
  const read = async ({ fragment, start, end }: Window): Promise<readonly RecordBatch[]> => {
    const gone = await context.deletions(fragment);
    if (gone !== undefined) goneRows.set(fragment.id, gone);
    return liveWindow(fragment, start, end, gone, context);
  };
  for await (const batches of readAhead(windowsOf(originals, context.schema), ahead, read)) {
    yield* batches;
    await context.pause();
  }
}

interface Window {
  readonly fragment: Fragment;
  readonly start: number;
  readonly end: number;
}

/** Windows of about READ_BYTES on disk, or as many rows as scans read at once. */
function* windowsOf(originals: readonly Fragment[], schema: TableSchema): Generator<Window> {
  const rowsMax = windowRows(schema);
  for (const fragment of originals) {
    const rowBytes = Math.max(1, bytesOf(fragment) / Math.max(1, fragment.physicalRows));
    const rows = Math.min(rowsMax, Math.max(READ_ROWS_MIN, Math.floor(READ_BYTES / rowBytes)));
    for (let start = 0; start < fragment.physicalRows; start += rows) {
      yield { fragment, start, end: Math.min(start + rows, fragment.physicalRows) };
    }
  }
}

function bytesOf(fragment: Fragment): number {
  return fragment.files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

async function liveWindow(
  fragment: Fragment,
  start: number,
  end: number,
  gone: DeletionVector | undefined,
  context: CopyContext,
): Promise<readonly RecordBatch[]> {
  if (gone !== undefined && gone.countIn(start, end) === end - start) return [];
  const reader = openFragment(context.cache, fragment, context.schema);
  const batches: RecordBatch[] = [];
  let at = start;
  for await (const batch of reader.read({ schema: context.schema, rows: { start, end }, batchRows: STEP_ROWS })) {
    batches.push(liveRows(batch, at, gone));
    at += batch.numRows;
  }
  return batches;
}

/** The rows of a batch, the first of which is row `at` of its fragment, that are not gone. */
function liveRows(batch: RecordBatch, at: number, gone: DeletionVector | undefined): RecordBatch {
  if (gone === undefined || gone.countIn(at, at + batch.numRows) === 0) return batch;
  const live = gone.liveOffsets(at, at + batch.numRows);
  for (let i = 0; i < live.length; i++) live[i] = live[i]! - at;
  return takeRows(batch, live);
}

/** New data files, one after the other; while one is being written the rows of the next are collected. */
class FileSequence {
  readonly fragments: Fragment[] = [];
  readonly paths: string[] = [];
  goesOn = true;
  readonly #context: CopyContext;
  #held: RecordBatch[] = [];
  #rows = 0;
  #bytes = 0;
  #rowsFiled = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(context: CopyContext) {
    this.#context = context;
  }

  async push(batch: RecordBatch): Promise<void> {
    const { fileRows, fileBytes } = this.#context;
    for (let start = 0; start < batch.numRows; ) {
      const count = Math.min(batch.numRows - start, fileRows - this.#rows);
      const part = count === batch.numRows ? batch : sliceRows(batch, start, count);
      this.#held.push(part);
      this.#rows += count;
      this.#bytes += (batch.data.byteLength * count) / batch.numRows;
      start += count;
      if (this.#rows >= fileRows || this.#bytes >= fileBytes) await this.#flush();
    }
  }

  async finish(): Promise<void> {
    if (this.#rows > 0 && this.goesOn) await this.#flush();
    await this.#writing;
  }

  /** Removes every file. */
  async remove(): Promise<void> {
    await this.#writing.catch(() => {});
    const { store, leftover } = this.#context;
    await Promise.all(this.paths.map((path) => store.delete(path).catch(leftover)));
  }

  async #flush(): Promise<void> {
    const { codec, schema, encode, nameFile, store, durable, goesOn } = this.#context;
    const fileName = nameFile(codec.extension);
    const encoded = await codec.encode(this.#held, schema, { ...encode, fileName });
    const rows = this.#rows;
    this.#held = [];
    this.#rows = 0;
    this.#bytes = 0;
    const file = {
      path: fileName,
      fields: encoded.fields,
      columnIndices: encoded.columnIndices,
      majorVersion: encoded.majorVersion,
      minorVersion: encoded.minorVersion,
      sizeBytes: encoded.sizeBytes,
    };
    await this.#writing;
    const path = dataPath(file);
    this.paths.push(path);
    this.fragments.push({ id: 0, files: [file], physicalRows: rows });
    this.#writing = store.write(path, encoded.chunks, { durable });
    this.#writing.catch(() => {});
    this.#rowsFiled += rows;
    this.goesOn = goesOn(this.fragments.length, this.#rowsFiled);
  }
}
