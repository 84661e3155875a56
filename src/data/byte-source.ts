/**
 * Bytes of one data file for its codec: small files come in one request and stay in memory, larger ones by ranges.
 *
 * Ranges asked for in one turn of the event loop that lie close together become one request. A file that is gone is
 * SNAPSHOT_EXPIRED: a cleanup removed what this version needs. A file of another size than its manifest says is CORRUPT.
 */
import type { Bytes, ObjectStore, ReadHandle } from "../store/contract.js";
import { isTableError, TableError } from "../support/errors.js";
import type { ByteSource } from "./codec.js";
import type { Scratch } from "./scratch.js";

/** Files up to this size are read whole. */
export const WHOLE_FILE_BYTES_MAX = 1 << 20;
/** Ranges up to this size are worth a copy to save a request. */
const MERGE_RANGE_BYTES_MAX = 256 << 10;
/** The most bytes that nobody asked for between two ranges of one request. */
const MERGE_GAP_BYTES_MAX = 64 << 10;
/** The most bytes of one merged request. */
const MERGED_BYTES_MAX = 4 << 20;

/** What reading cost, for measurements; the counts only grow. */
export interface ReadCounters {
  requests: number;
  bytes: number;
}

interface PendingRead {
  readonly start: number;
  readonly end: number;
  readonly resolve: (bytes: Bytes) => void;
  readonly reject: (error: unknown) => void;
}

export class FileBytes implements ByteSource {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #store: ObjectStore;
  readonly #counters: ReadCounters;
  #whole: Promise<Bytes> | undefined;
  #handle: Promise<ReadHandle> | undefined;
  #identity: string | undefined;
  #users = 0;
  #pending: PendingRead[] = [];

  private constructor(store: ObjectStore, path: string, sizeBytes: number, counters: ReadCounters) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#store = store;
    this.#counters = counters;
  }

  /**
   * @param sizeBytes what the manifest says, 0 when it does not
   * @throws SNAPSHOT_EXPIRED when the file is gone
   */
  static async open(store: ObjectStore, path: string, sizeBytes: number, counters: ReadCounters): Promise<FileBytes> {
    if (sizeBytes > 0) return new FileBytes(store, path, sizeBytes, counters);
    const info = await store.head(path);
    if (info === undefined) throw expired(path, undefined);
    return new FileBytes(store, path, info.sizeBytes, counters);
  }

  get identity(): string | undefined {
    return this.#identity;
  }

  /** Between `acquire` and `release` the file stays open, so that it stays readable when somebody unlinks it. */
  acquire(): void {
    this.#users++;
  }

  async release(): Promise<void> {
    this.#users--;
    if (this.#users > 0 || this.#handle === undefined) return;
    const handle = this.#handle;
    this.#handle = undefined;
    await handle.then(
      (open) => open.close(),
      () => undefined,
    );
  }

  read(start: number, end: number, scratch?: Scratch): Promise<Bytes> {
    if (this.sizeBytes <= WHOLE_FILE_BYTES_MAX) return this.#readWhole(start, end, scratch);
    if (scratch !== undefined) return this.#request(start, end, scratch.take(end - start));
    if (end - start > MERGE_RANGE_BYTES_MAX) return this.#request(start, end);
    return new Promise((resolve, reject) => {
      this.#pending.push({ start, end, resolve, reject });
      if (this.#pending.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  async #readWhole(start: number, end: number, scratch: Scratch | undefined): Promise<Bytes> {
    this.#whole ??= this.#fetchWhole();
    const bytes = await this.#whole;
    if (end > bytes.length || start > end) throw outside(this.path, start, end, bytes.length);
    if (start === 0 && end === bytes.length) return bytes;
    return scratch === undefined ? bytes.slice(start, end) : bytes.subarray(start, end);
  }

  async #fetchWhole(): Promise<Bytes> {
    this.#counters.requests++;
    this.#counters.bytes += this.sizeBytes;
    const bytes = await this.#store.get(this.path).catch((error) => {
      this.#whole = undefined;
      throw missingMeansExpired(error, this.path);
    });
    if (bytes.length !== this.sizeBytes) throw wrongSize(this.path, this.sizeBytes, bytes.length);
    return bytes;
  }

  #flush(): void {
    const pending = this.#pending.sort((a, b) => a.start - b.start);
    this.#pending = [];
    for (let i = 0; i < pending.length; ) {
      const group = [pending[i]!];
      let end = pending[i]!.end;
      for (i++; i < pending.length && joins(group[0]!.start, end, pending[i]!); i++) {
        group.push(pending[i]!);
        end = Math.max(end, pending[i]!.end);
      }
      void this.#serve(group, group[0]!.start, end);
    }
  }

  async #serve(group: readonly PendingRead[], start: number, end: number): Promise<void> {
    try {
      const bytes = await this.#request(start, end);
      for (const one of group) {
        const alone = one.start === start && one.end === end && group.length === 1;
        one.resolve(alone ? bytes : bytes.slice(one.start - start, one.end - start));
      }
    } catch (error) {
      for (const one of group) one.reject(error);
    }
  }

  async #request(start: number, end: number, into?: Bytes): Promise<Bytes> {
    this.acquire();
    try {
      this.#handle ??= this.#openHandle();
      const handle = await this.#handle;
      this.#counters.requests++;
      this.#counters.bytes += end - start;
      return await handle.read(start, end, into);
    } catch (error) {
      throw missingMeansExpired(error, this.path);
    } finally {
      await this.release();
    }
  }

  async #openHandle(): Promise<ReadHandle> {
    const handle = await this.#store.open(this.path).catch((error) => {
      this.#handle = undefined;
      throw error;
    });
    if (handle.sizeBytes === this.sizeBytes) {
      this.#identity = handle.identity;
      return handle;
    }
    this.#handle = undefined;
    await handle.close();
    throw wrongSize(this.path, this.sizeBytes, handle.sizeBytes);
  }
}

function joins(start: number, end: number, next: PendingRead): boolean {
  return next.start - end <= MERGE_GAP_BYTES_MAX && next.end - start <= MERGED_BYTES_MAX;
}

/** NOT_FOUND of the store, said in terms of the version that is being read; other errors as they are. */
export function missingMeansExpired(error: unknown, path: string): unknown {
  return isTableError(error, "NOT_FOUND") ? expired(path, error) : error;
}

function expired(path: string, cause: unknown): TableError {
  return new TableError(
    "SNAPSHOT_EXPIRED",
    `The file ${path} of this version does not exist any more: a cleanup removed it. Read a newer version, and keep ` +
      "the old one with a tag or a pin if it is needed.",
    { details: { path }, cause },
  );
}

function wrongSize(path: string, expected: number, actual: number): TableError {
  return new TableError(
    "CORRUPT",
    `The file ${path} has ${actual} bytes where the manifest says ${expected}: it is truncated or was replaced. ` +
      "Restore it from a copy.",
    { details: { path, offset: Math.min(expected, actual), expected, actual } },
  );
}

function outside(path: string, start: number, end: number, sizeBytes: number): TableError {
  return new TableError("CORRUPT", `The bytes ${start} to ${end} of ${path} are outside its ${sizeBytes} bytes.`, {
    details: { path, offset: start, end, sizeBytes },
  });
}
