/**
 * Open data files and deletion vectors of one table, kept by path: files never change, so what is known of them holds
 * in every version.
 *
 * Bounded in bytes, the least used goes first. A failure is never kept.
 */
import type { DataFile } from "../format/fragment.js";
import { dataPath } from "../format/layout.js";
import type { TableSchema } from "../format/schema.js";
import type { ObjectStore } from "../store/contract.js";
import { TableError } from "../support/errors.js";
import { LruCache } from "../support/lru-cache.js";
import { FileBytes, type ReadCounters, WHOLE_FILE_BYTES_MAX } from "./byte-source.js";
import type { DataFileReader, FragmentCodec } from "./codec.js";

/** Enough for footers of thousands of files. */
export const CACHE_BYTES_DEFAULT = 64 << 20;
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
}

export class FileCache {
  readonly store: ObjectStore;
  /** Requests for data files and their bytes since the cache was made. */
  readonly counters: ReadCounters = { requests: 0, bytes: 0 };
  readonly #codecs: readonly FragmentCodec[];
  readonly #open: LruCache<string, { readonly weight: number; readonly value: Promise<unknown> }>;

  constructor(options: FileCacheOptions) {
    this.store = options.store;
    this.#codecs = options.codecs;
    this.#open = new LruCache(options.cacheBytesMax ?? CACHE_BYTES_DEFAULT, (entry) => entry.weight);
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

  clear(): void {
    this.#open.clear();
  }

  async #openFile(file: DataFile, schema: TableSchema): Promise<OpenFile> {
    const path = dataPath(file);
    if (file.baseId !== undefined) {
      throw new TableError(
        "NOT_SUPPORTED",
        `The data file ${path} lies in another table's directory (a shallow clone); read it with native LanceDB.`,
        { details: { path, baseId: file.baseId } },
      );
    }
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
