/**
 * The write queue of a table: bounded, first in first out, strict group commit.
 *
 * A caller owns its slot from admission to answer. While one group is being executed, the writes that arrive form the
 * next one. A write that has started gets the definite answer; until then it may time out or be canceled.
 */
import { TableError } from "../support/errors.js";
import type { Runtime, Timer } from "../support/runtime.js";

export interface QueueOptions {
  /** Waiting writes, at most. */
  readonly capacity: number;
  /** Writes of one group, at most. */
  readonly maxBatch: number;
  readonly maxGroupRows: number;
  readonly maxGroupBytes: number;
  /** How long a group waits for company before it starts, milliseconds. */
  readonly maxGroupDelayMs: number;
  /** False: every write commits alone. */
  readonly strictGroupCommit: boolean;
  readonly whenFull: "wait" | "reject";
  /** Longest time from the call to the start of execution, milliseconds; undefined: no limit. */
  readonly defaultTimeoutMs: number | undefined;
}

export const QUEUE_DEFAULTS: QueueOptions = {
  capacity: 1024,
  maxBatch: 1024,
  maxGroupRows: 1_000_000,
  maxGroupBytes: 256 * 1024 * 1024,
  maxGroupDelayMs: 0,
  strictGroupCommit: true,
  whenFull: "wait",
  defaultTimeoutMs: undefined,
};

/** How the queue sees a write: how much it is, and whether it may share a commit. */
export interface QueuedWrite {
  readonly rows: number;
  readonly sizeBytes: number;
  /** Commits without company (overwrite, restore, schema and config changes). */
  readonly alone: boolean;
}

export interface SubmitOptions {
  /** undefined: the default; 0: start at once or fail. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One answer for each write of a group, in order. */
export type GroupOutcome<R> = readonly ({ readonly value: R } | { readonly error: unknown })[];

/** The eleven counters of the queue. */
export interface QueueMetrics {
  depth: number;
  admissions: number;
  rejections: number;
  timeouts: number;
  cancellations: number;
  executions: number;
  commits: number;
  failures: number;
  groupedBatches: number;
  physicalSyncs: number;
  estimatedSyncsSaved: number;
}

interface Slot<W, R> {
  readonly write: W;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
  /** Ends the timer and the abort listener; the slot can no longer be withdrawn. */
  settle: () => void;
}

export class WriteQueue<W extends QueuedWrite, R> {
  readonly metrics: QueueMetrics = {
    depth: 0,
    admissions: 0,
    rejections: 0,
    timeouts: 0,
    cancellations: 0,
    executions: 0,
    commits: 0,
    failures: 0,
    groupedBatches: 0,
    physicalSyncs: 0,
    estimatedSyncsSaved: 0,
  };
  readonly #options: QueueOptions;
  readonly #runtime: Runtime;
  readonly #execute: (group: readonly W[]) => Promise<GroupOutcome<R>>;
  readonly #waiting: Slot<W, R>[] = [];
  /** Writes that found the queue full and wait for a slot, in order of arrival. */
  readonly #outside: Slot<W, R>[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(runtime: Runtime, options: QueueOptions, execute: (group: readonly W[]) => Promise<GroupOutcome<R>>) {
    this.#runtime = runtime;
    this.#options = options;
    this.#execute = execute;
  }

  /**
   * Admits a write and resolves with its own answer.
   * @throws QUEUE_CLOSED, QUEUE_FULL, TIMEOUT (phase "queued"), CANCELED: the write was not and will not be executed;
   * otherwise whatever its execution throws
   */
  submit(write: W, options: SubmitOptions = {}): Promise<R> {
    if (this.#closed) return Promise.reject(this.#queueClosed());
    if (options.signal?.aborted) return Promise.reject(this.#canceled(options.signal.reason));
    const timeoutMs = options.timeoutMs ?? this.#options.defaultTimeoutMs;
    const full = this.#waiting.length >= this.#options.capacity;
    if (full && (this.#options.whenFull === "reject" || timeoutMs === 0)) {
      this.metrics.rejections++;
      return Promise.reject(this.#queueFull());
    }
    if (timeoutMs === 0 && (this.#draining !== undefined || this.#waiting.length > 0)) {
      this.metrics.timeouts++;
      return Promise.reject(this.#timedOut(0));
    }
    return new Promise<R>((resolve, reject) => {
      const slot: Slot<W, R> = { write, resolve, reject, settle: () => {} };
      slot.settle = this.#watch(slot, timeoutMs, options.signal);
      if (full) this.#outside.push(slot);
      else this.#admit(slot);
    });
  }

  /** Refuses new writes, and resolves when every admitted one has its answer. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
  }

  /** Resolves when nothing is waiting or being executed. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  #admit(slot: Slot<W, R>): void {
    this.metrics.admissions++;
    this.#waiting.push(slot);
    this.metrics.depth = this.#waiting.length;
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#options.maxGroupDelayMs > 0) await this.#runtime.sleep(this.#options.maxGroupDelayMs);
      else await this.#runtime.yield();
      const group = this.#takeGroup();
      if (group.length > 0) await this.#run(group);
    }
  }

  /** The longest run of writes from the front that may share a commit. */
  #takeGroup(): readonly Slot<W, R>[] {
    const { maxBatch, maxGroupRows, maxGroupBytes, strictGroupCommit } = this.#options;
    let count = 0;
    let rows = 0;
    let bytes = 0;
    for (const { write } of this.#waiting) {
      rows += write.rows;
      bytes += write.sizeBytes;
      if (count > 0 && (write.alone || rows > maxGroupRows || bytes > maxGroupBytes)) break;
      count++;
      if (write.alone || !strictGroupCommit || count >= maxBatch) break;
    }
    const group = this.#waiting.splice(0, count);
    for (const slot of group) slot.settle();
    while (this.#outside.length > 0 && this.#waiting.length < this.#options.capacity) {
      const slot = this.#outside.shift();
      if (slot === undefined) break;
      this.metrics.admissions++;
      this.#waiting.push(slot);
    }
    this.metrics.depth = this.#waiting.length;
    return group;
  }

  async #run(group: readonly Slot<W, R>[]): Promise<void> {
    this.metrics.executions += group.length;
    if (group.length > 1) this.metrics.groupedBatches++;
    let outcomes: GroupOutcome<R>;
    try {
      outcomes = await this.#execute(group.map((slot) => slot.write));
    } catch (error) {
      outcomes = group.map(() => ({ error }));
    }
    group.forEach((slot, i) => {
      const outcome = outcomes[i];
      if (outcome !== undefined && "value" in outcome) {
        this.metrics.commits++;
        slot.resolve(outcome.value);
        return;
      }
      this.metrics.failures++;
      slot.reject(outcome?.error);
    });
  }

  /** Lets a timer and a signal withdraw the slot for as long as it waits. */
  #watch(slot: Slot<W, R>, timeoutMs: number | undefined, signal: AbortSignal | undefined): () => void {
    const withdraw = (error: TableError): boolean => {
      const list = this.#waiting.includes(slot) ? this.#waiting : this.#outside;
      const at = list.indexOf(slot);
      if (at < 0) return false;
      list.splice(at, 1);
      this.metrics.depth = this.#waiting.length;
      slot.settle();
      slot.reject(error);
      return true;
    };
    let timer: Timer | undefined;
    if (timeoutMs !== undefined && timeoutMs > 0) {
      timer = this.#runtime.timer(timeoutMs, () => {
        if (withdraw(this.#timedOut(timeoutMs))) this.metrics.timeouts++;
      });
    }
    const onAbort = () => {
      if (withdraw(this.#canceled(signal?.reason))) this.metrics.cancellations++;
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    return () => {
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
  }

  #queueClosed(): TableError {
    return new TableError("QUEUE_CLOSED", "The table is closed and takes no more writes. Open it again to write.");
  }

  #queueFull(): TableError {
    const { capacity } = this.#options;
    const depth = this.#waiting.length;
    return new TableError(
      "QUEUE_FULL",
      `The write queue is full (${depth} of ${capacity} writes are waiting). Wait for earlier writes, write more rows at once, or set queue.whenFull to "wait".`,
      { details: { depth, capacity } },
    );
  }

  #timedOut(timeoutMs: number): TableError {
    return new TableError(
      "TIMEOUT",
      `The write was not started within ${timeoutMs} ms and was not executed. Try again, or allow more time.`,
      { details: { phase: "queued", timeoutMs } },
    );
  }

  #canceled(cause: unknown): TableError {
    return new TableError("CANCELED", "The write was canceled before it started and was not executed.", { cause });
  }
}
