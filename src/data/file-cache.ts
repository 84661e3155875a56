/**
 * Open data files, deletion vectors and often needed columns of one table, kept by path: files never change, so what is
 * known of them holds in every version.
 *
 * Bounded in bytes, the least used goes first. A failure is never kept.
 */
import type { Data, RecordBatch } from "apache-arrow";
import type { DataFile } from "../format/fragment.js";
import { dataPath } from "../format/layout.js";
import type { TableSchema } from "../format/schema.js";
import type { ObjectStore } from "../store/contract.js";
import { TableError } from "../support/errors.js";
import { LruCache } from "../support/lru-cache.js";
import { FileBytes, type ReadCounters, WHOLE_FILE_BYTES_MAX } from "./byte-source.js";
import type { DataFileReader, FragmentCodec } from "./codec.js";
import { ScratchPool } from "./scratch.js";

/** Enough for footers of thousands of files. */
export const CACHE_BYTES_DEFAULT = 64 << 20;
/** Columns of filters and vectors that are asked for again and again. */
export const KEPT_BYTES_DEFAULT = 64 << 20;
/** A guess at what an open file costs beside the bytes it keeps: its footer, decoded. */
const FOOTER_BYTES = 4096;
const COLUMN_BYTES = 512;

/** A data file whose footer has been read. */
export interface OpenFile {
  readonly bytes: FileBytes;
  readonly reader: DataFileReader;
}

export interface FileCacheOptions {
  readonly store: ObjectStore;
  /** The codecs that may meet in one table; a file's extension says which one reads it. */
  readonly codecs: readonly FragmentCodec[];
  readonly cacheBytesMax?: number;
  readonly keptBytesMax?: number;
  readonly scratch?: ScratchPool;
}

interface Kept {
  readonly weight: number;
  readonly value: Promise<readonly RecordBatch[]>;
}

export class FileCache {
  readonly store: ObjectStore;
  /** Requests for data files and their bytes since the cache was made. */
  readonly counters: ReadCounters = { requests: 0, bytes: 0 };
  readonly #codecs: readonly FragmentCodec[];
  readonly #open: LruCache<string, { readonly weight: number; readonly value: Promise<unknown> }>;

  /** Memory for batches that are looked at and forgotten. */
  readonly scratch: ScratchPool;
  /** The most bytes of batches that are kept. */
  readonly keptBytesMax: number;
  readonly #kept: LruCache<string, Kept>;

  constructor(options: FileCacheOptions) {
    this.store = options.store;
    this.scratch = options.scratch ?? new ScratchPool();
    this.#codecs = options.codecs;
    this.#open = new LruCache(options.cacheBytesMax ?? CACHE_BYTES_DEFAULT, (entry) => entry.weight);
    this.keptBytesMax = options.keptBytesMax ?? KEPT_BYTES_DEFAULT;
    this.#kept = new LruCache(this.keptBytesMax, (entry) => entry.weight);
  }

  /**
   * The reader of a data file.
   * @throws SNAPSHOT_EXPIRED when the file is gone, CORRUPT, NOT_SUPPORTED for a format or a place that is not known
   */
  file(file: DataFile, schema: TableSchema): Promise<OpenFile> {
    // An older version may know more columns of the same file than a newer one, so the columns are part of the key.
    const key = `${file.path}\n${file.fields.join()}`;
    const whole = file.sizeBytes <= WHOLE_FILE_BYTES_MAX ? file.sizeBytes : 0;
    const held = whole + FOOTER_BYTES + COLUMN_BYTES * file.fields.length;
    return this.keep(key, held, () => this.#openFile(file, schema));
  }

  /** The value under `key`, made by `make` if it is not kept; callers at the same time share one attempt. */
  keep<T>(key: string, weight: number, make: () => Promise<T>): Promise<T> {
    const known = this.#open.get(key);
    if (known !== undefined) return known.value as Promise<T>;
    const value = make();
    const entry = { weight, value };
    this.#open.set(key, entry);
    value.catch(() => {
      if (this.#open.get(key) === entry) this.#open.delete(key);
    });
    return value;
  }

  /**
   * The batches under `key`, read by `read` if they are not kept. They belong to the cache: whoever gets them neither
   * changes them nor hands them out.
   */
  batches(key: string, read: () => AsyncIterable<RecordBatch>): Promise<readonly RecordBatch[]> {
    const known = this.#kept.get(key);
    if (known !== undefined) return known.value;
    const value = collect(read());
    const entry = { weight: 0, value };
    this.#kept.set(key, entry);
    value.then(
      (batches) => {
        if (this.#kept.get(key) === entry) this.#kept.set(key, { weight: bytesHeld(batches), value });
      },
      () => {
        if (this.#kept.get(key) === entry) this.#kept.delete(key);
      },
    );
    return value;
  }

  clear(): void {
    this.#open.clear();
    this.#kept.clear();
  }

  async #openFile(file: DataFile, schema: TableSchema): Promise<OpenFile> {
    const path = dataPath(file);
    const codec = this.#codecs.find((one) => file.path.endsWith(`.${one.extension}`));
    if (codec === undefined) {
      throw new TableError("NOT_SUPPORTED", `The data file ${path} has a format that is not known.`, {
        details: { path },
      });
    }
    const bytes = await FileBytes.open(this.store, path, file.sizeBytes, this.counters);
    bytes.acquire();
    try {
      return { bytes, reader: await codec.open(bytes, file, schema) };
    } finally {
      await bytes.release();
    }
  }
}

async function collect(batches: AsyncIterable<RecordBatch>): Promise<readonly RecordBatch[]> {
  const all: RecordBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

/** Bytes of the buffers behind the batches, each counted once and whole. */
function bytesHeld(batches: readonly RecordBatch[]): number {
  const buffers = new Set<ArrayBufferLike>();
  for (const batch of batches) addBuffers(batch.data, buffers);
  let bytes = 1024;
  for (const buffer of buffers) bytes += buffer.byteLength;
  return bytes;
}

function addBuffers(data: Data, buffers: Set<ArrayBufferLike>): void {
  for (const view of [data.valueOffsets, data.values, data.nullBitmap] as (ArrayBufferView | null | undefined)[]) {
    if (view !== null && view !== undefined) buffers.add(view.buffer);
  }
  for (const child of data.children) addBuffers(child as Data, buffers);
  for (const chunk of data.dictionary?.data ?? []) addBuffers(chunk as Data, buffers);
}
