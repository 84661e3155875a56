/**
 * A buffered writer for streams: rows gather in one buffer while the other is being committed.
 *
 * One flush is under way at a time. When both buffers are full, calls wait: memory stays bounded and nothing
 * overflows. Nothing is lost in silence: what a flush could not write is told to its callers, and to whoever calls
 * `flush` or `close` next. A process that ends without `close` loses what is in the buffers.
 */
import { isBatchLike, isTableLike } from "../data/columns/adopt.js";
import type { Row } from "../data/columns/rows.js";
import { isTableError, TableError } from "../support/errors.js";
import type { Timer } from "../support/runtime.js";
import { appendWrite } from "./append.js";
import { atLeast, type OptionKeys, optionsOf, shown } from "./arguments.js";
import type { InputData } from "./input.js";
import type { OpenTable } from "./open-table.js";

import type { AddResult } from "./results.js";

/** What one call of `write` takes: rows, or Arrow data. */
export type WriterData = Exclude<InputData, Iterable<unknown> | AsyncIterable<unknown>> | readonly Row[] | Row;

export interface WriterOptions {
  /** Rows that make a buffer full. Default 10,000. */
  readonly rows?: number;
  /** Bytes that make a buffer full, as estimated from the first row of each call. Default 64 MiB. */
  readonly bytes?: number;
  /** Rows are never held back for longer than this, milliseconds. Default 100. */
  readonly ms?: number;
  /**
   * When `write` resolves. "admission" (default): when the rows are in a buffer; "commit": when they are committed, as
   * durable as the connection says, with the result of the commit.
   */
  readonly acknowledge?: "admission" | "commit";
}

const WRITER: OptionKeys<WriterOptions> = { rows: true, bytes: true, ms: true, acknowledge: true };
const ROWS_DEFAULT = 10_000;
const BYTES_DEFAULT = 64 * 1024 * 1024;
const MS_DEFAULT = 100;
/** Calls that are submitted one by one at a time, to find those that a flush was refused for. */
const SINGLE_CALLS = 256;

interface Call {
  readonly data: InputData;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly resolve: ((result: AddResult) => void) | undefined;
  readonly reject: ((error: unknown) => void) | undefined;
}

interface Blocked extends Call {
  /** Called when the call is in a buffer. */
  readonly admitted: (() => void) | undefined;
}

/** @typeParam A what `write` resolves with: nothing, or the result of the commit */
export class BufferedWriter<A extends AddResult | undefined = undefined> {
  readonly #open: OpenTable;
  readonly #rowsMax: number;
  readonly #bytesMax: number;
  readonly #holdMs: number;
  readonly #onCommit: boolean;
  #filling: Call[] = [];
  #rows = 0;
  #sizeBytes = 0;
  #blocked: Blocked[] = [];
  #flushing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #failure: TableError | undefined;
  #closed = false;

  /** Writers are made by `table.writer()`. */
  constructor(open: OpenTable, options: WriterOptions, isConnected: () => boolean) {
    const asked = optionsOf(options, "The options of writer()", WRITER);
    this.#open = open;
    this.#rowsMax = atLeast(1, asked.rows ?? ROWS_DEFAULT, "rows");
    this.#bytesMax = atLeast(1, asked.bytes ?? BYTES_DEFAULT, "bytes");
    this.#holdMs = atLeast(0, asked.ms ?? MS_DEFAULT, "ms");
    const acknowledge = asked.acknowledge ?? "admission";
    if (acknowledge !== "admission" && acknowledge !== "commit") {
      throw new TableError(
        "INVALID_ARGUMENT",
        `acknowledge is ${shown(acknowledge)}; it may be "admission" or "commit".`,
      );
    }
    this.#onCommit = acknowledge === "commit";
    open.writers.set(this, isConnected);
  }

  /** Rows in the buffer that takes writes. */
  get bufferedRows(): number {
    return this.#rows;
  }

  /**
   * Takes rows, which must not be changed until they are committed. Rows of several calls keep the order of the calls.
   * @throws CLOSED; SCHEMA_MISMATCH and whatever a commit throws, from the call itself when acknowledged on commit,
   * otherwise from every call after the failure until `flush` or `close` has reported it
   */
  write(data: WriterData): Promise<A> {
    if (this.#closed) return Promise.reject(this.#isClosed());
    if (this.#failure !== undefined && !this.#onCommit) return Promise.reject(this.#failure);
    const input = toInput(data);
    if (input === undefined) return Promise.reject(notRows());
    const size = { data: input, rows: rowsOf(input), sizeBytes: estimateBytes(input) };
    return new Promise<AddResult | undefined>((resolve, reject) => {
      const call = this.#onCommit
        ? { ...size, resolve, reject, admitted: undefined }
        : { ...size, resolve: undefined, reject: undefined, admitted: () => resolve(undefined) };
      this.#blocked.push(call);
      this.#admit();
    }) as Promise<A>;
  }

  /** Commits what was written before the call. @throws what earlier flushes and this one could not write */
  async flush(): Promise<void> {
    for (let last = this.#newest(); last !== undefined && this.#holds(last); ) {
      this.#startFlush();
      await this.#flushing;
    }
    await this.#flushing;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  /** Takes no more rows, and resolves when all that were taken are committed. @throws as `flush` */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.flush();
    } finally {
      this.#open.writers.delete(this);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #newest(): Call | undefined {
    return this.#blocked.at(-1) ?? this.#filling.at(-1);
  }

  #holds(call: Call): boolean {
    return this.#filling.includes(call) || this.#blocked.includes(call as Blocked);
  }

  /** Moves waiting calls into the buffer, in order, for as long as it is not full. */
  #admit(): void {
    let taken = 0;
    for (; taken < this.#blocked.length; taken++) {
      if (this.#isFull() && !this.#startFlush()) break;
      const call = this.#blocked[taken] as Blocked;
      this.#filling.push(call);
      this.#rows += call.rows;
      this.#sizeBytes += call.sizeBytes;
      call.admitted?.();
    }
    if (taken === this.#blocked.length) this.#blocked.length = 0;
    else this.#blocked.splice(0, taken);
    if (this.#isFull()) this.#startFlush();
    else if (this.#filling.length > 0) this.#startTimer();
  }

  #isFull(): boolean {
    return this.#rows >= this.#rowsMax || this.#sizeBytes >= this.#bytesMax;
  }

  #startTimer(): void {
    this.#timer ??= this.#open.settings.runtime.timer(this.#holdMs, () => {
      this.#timer = undefined;
      this.#startFlush();
    });
  }

  /** Swaps the buffers and begins to commit the full one; false when a flush is under way already. */
  #startFlush(): boolean {
    if (this.#flushing !== undefined) return false;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#filling.length === 0) return true;
    const calls = this.#filling;
    this.#filling = [];
    this.#rows = 0;
    this.#sizeBytes = 0;
    this.#flushing = this.#commit(calls).then(() => {
      this.#flushing = undefined;
      this.#admit();
    });
    return true;
  }

  /** Commits the calls of a buffer as one write; when that is refused for its rows, each call by itself. */
  async #commit(calls: readonly Call[]): Promise<void> {
    for (const run of runsOf(calls)) {
      try {
        this.#succeed(run.calls, await this.#append(run.data));
      } catch (error) {
        if (run.calls.length > 1 && isTableError(error, "SCHEMA_MISMATCH")) await this.#commitEach(run.calls);
        else this.#fail(run.calls, error);
      }
    }
  }

  async #commitEach(calls: readonly Call[]): Promise<void> {
    for (let start = 0; start < calls.length; start += SINGLE_CALLS) {
      const some = calls.slice(start, start + SINGLE_CALLS);
      const settled = await Promise.allSettled(some.map((call) => this.#append(call.data)));
      for (const [i, one] of settled.entries()) {
        const call = some[i] as Call;
        if (one.status === "fulfilled") this.#succeed([call], one.value);
        else this.#fail([call], one.reason);
      }
    }
  }

  async #append(data: InputData): Promise<Omit<AddResult, "rowsAdded">> {
    const write = appendWrite(this.#open, data, () => {});
    return this.#open.write(write instanceof Promise ? await write : write);
  }

  #succeed(calls: readonly Call[], { version, attempts, rebases }: Omit<AddResult, "rowsAdded">): void {
    for (const { rows, resolve } of calls) resolve?.({ version, attempts, rebases, rowsAdded: rows });
  }

  #fail(calls: readonly Call[], error: unknown): void {
    for (const { reject } of calls) reject?.(error);
    const rows = calls.reduce((sum, call) => sum + call.rows, 0) + Number(this.#failure?.details.rowsNotWritten ?? 0);
    const first = this.#failure?.cause ?? error;
    const known = isTableError(first);
    const unknown = known && first.code === "UNKNOWN_OUTCOME";
    this.#failure = new TableError(
      known ? first.code : "INTERNAL",
      `${rows} rows that the writer had taken ${unknown ? "may not have been" : "were not"} written. ${known ? first.message : String(first)}`,
      { details: { ...(known ? first.details : {}), rowsNotWritten: rows }, cause: first },
    );
  }

  #isClosed(): TableError {
    return new TableError("CLOSED", "The writer is closed. Make another one with table.writer().");
  }
}

interface Run {
  readonly data: InputData;
  readonly calls: Call[];
}

/** Neighbouring calls that bring plain rows, as one array of rows; Arrow data as it is. */
function runsOf(calls: readonly Call[]): readonly Run[] {
  const runs: Run[] = [];
  let rows: Row[] | undefined;
  for (const call of calls) {
    if (!Array.isArray(call.data)) {
      runs.push({ data: call.data, calls: [call] });
      rows = undefined;
      continue;
    }
    if (rows === undefined) {
      rows = [];
      runs.push({ data: rows, calls: [] });
    }
    for (const row of call.data as readonly Row[]) rows.push(row);
    runs.at(-1)?.calls.push(call);
  }
  return runs;
}

function notRows(): TableError {
  return new TableError("INVALID_ARGUMENT", "A writer takes rows, arrays of rows, and Arrow tables or batches.");
}

function toInput(data: WriterData): InputData | undefined {
  if (typeof data !== "object" || data === null || Symbol.asyncIterator in data) return undefined;
  return Array.isArray(data) || isTableLike(data) || isBatchLike(data) ? (data as InputData) : [data as Row];
}

function rowsOf(data: InputData): number {
  if (Array.isArray(data)) return data.length;
  return (data as { readonly numRows?: number }).numRows ?? 0;
}

/** Bytes of the data, of rows as many times those of the first one. */
function estimateBytes(data: InputData): number {
  if (!Array.isArray(data)) {
    const parts = isTableLike(data) ? data.batches : isBatchLike(data) ? [data] : [];
    return parts.reduce((sum, batch) => sum + ((batch.data as { byteLength?: number }).byteLength ?? 0), 0);
  }
  const [first] = data;
  if (typeof first !== "object" || first === null) return 0;
  let bytes = 0;
  for (const value of Object.values(first)) bytes += sizeOf(value);
  return bytes * data.length;
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  return Array.isArray(value) ? 8 * value.length : 8;
}
