/**
 * The write queue of a table: bounded, first in first out, strict group commit.
 *
 * A caller owns its slot from admission to answer. While one group is being executed, the writes that arrive form the
 * next one. A write that has started gets the definite answer; until then it may time out or be canceled.
 */
import { TableError } from "../support/errors.js";
import type { Runtime, Timer } from "../support/runtime.js";
import { Histogram } from "../support/telemetry.js";

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

/** The eleven counters of the queue. All but `depth` only grow. */
export interface QueueMetrics {
  /** Writes that wait at the moment; those of the group being executed have left. */
  depth: number;
  /** Writes that got a place. */
  admissions: number;
  /** Writes refused because the queue was full or closed. */
  rejections: number;
  /** Writes whose time was over before they started. */
  timeouts: number;
  /** Writes that their signal withdrew before they started. */
  cancellations: number;
  /** Writes that started. */
  executions: number;
  /** Writes that were acknowledged. */
  commits: number;
  /** Writes that started and failed. */
  failures: number;
  /** Groups of more than one write. */
  groupedBatches: number;
  /** Syncs that commits of this table asked the disk for: of files, of directories, of names. */
  physicalSyncs: number;
  /** Syncs that the commits of groups would have cost in addition, had each acknowledged write committed alone. */
  estimatedSyncsSaved: number;
}

interface Slot<W, R> {
  readonly write: W;
  readonly arrivedMs: number;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
  /** Ends the timer and the abort listener; the slot can no longer be withdrawn. */
  settle: () => void;
}

const NOTHING = () => {};

export class WriteQueue<W extends QueuedWrite, R> {
  readonly metrics = noQueueMetrics();
  /** From the call until the write started. */
  readonly waits = new Histogram();
  readonly #options: QueueOptions;
  readonly #runtime: Runtime;
  readonly #company: () => Promise<void>;
  readonly #execute: (group: readonly W[]) => Promise<GroupOutcome<R>>;
  readonly #waiting: Slot<W, R>[] = [];
  /** Writes that found the queue full and wait for a slot, in order of arrival. */
  readonly #outside: Slot<W, R>[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  /** @param company resolves when the writes that are about to come are there, soon */
  constructor(
    runtime: Runtime,
    options: QueueOptions,
    execute: (group: readonly W[]) => Promise<GroupOutcome<R>>,
    company: () => Promise<void> = async () => {},
  ) {
    this.#company = company;
    this.#runtime = runtime;
    this.#options = options;
    this.#execute = execute;
  }

  /**
   * Admits a write and resolves with its own answer. Writes are executed in the order of the calls.
   * @throws QUEUE_CLOSED, QUEUE_FULL, TIMEOUT (phase "queued"), CANCELED: the write was not and will not be executed;
   * otherwise whatever its execution throws
   */
  submit(write: W, options: SubmitOptions = {}): Promise<R> {
    const timeoutMs = options.timeoutMs ?? this.#options.defaultTimeoutMs;
    const refusal = this.#refusal(timeoutMs, options.signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise<R>((resolve, reject) => {
      const slot: Slot<W, R> = { write, arrivedMs: this.#runtime.monotonicMs(), resolve, reject, settle: NOTHING };
      if (timeoutMs !== undefined || options.signal !== undefined) {
        slot.settle = this.#watch(slot, timeoutMs, options.signal);
      }
      this.#outside.push(slot);
      this.#letIn();
      this.#draining ??= this.#drain();
    });
  }

  /** Refuses new writes, and resolves when every write that was taken has its answer. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
  }

  /** Resolves when nothing is waiting or being executed. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  /** Why a write is not taken; counts it. */
  #refusal(timeoutMs: number | undefined, signal: AbortSignal | undefined): TableError | undefined {
    const { capacity, whenFull } = this.#options;
    if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
      return new TableError("INVALID_ARGUMENT", `timeoutMs is ${timeoutMs}; it has to be a number of at least 0.`);
    }
    if (this.#closed) {
      this.metrics.rejections++;
      return queueClosed();
    }
    if (signal?.aborted) {
      this.metrics.cancellations++;
      return canceled(signal.reason);
    }
    const busy = this.#draining !== undefined;
    if (this.#waiting.length >= capacity && (whenFull === "reject" || timeoutMs === 0)) {
      this.metrics.rejections++;
      return this.#queueFull();
    }
    if (timeoutMs === 0 && busy) {
      this.metrics.timeouts++;
      return this.#timedOut(0);
    }
    return undefined;
  }

  /** Writes that found the queue full enter it in order of arrival, as far as there is room. */
  #letIn(): void {
    const entering = Math.min(this.#options.capacity - this.#waiting.length, this.#outside.length);
    if (entering > 0) {
      this.metrics.admissions += entering;
      for (let i = 0; i < entering; i++) this.#waiting.push(this.#outside[i]!);
      if (entering === this.#outside.length) this.#outside.length = 0;
      else this.#outside.splice(0, entering);
    }
    this.metrics.depth = this.#waiting.length;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#options.maxGroupDelayMs > 0) await this.#runtime.sleep(this.#options.maxGroupDelayMs);
      else await this.#runtime.yield();
      await this.#company();
      const group = this.#takeGroup();
      if (group.length > 0) await this.#run(group);
    }
    // In the same turn as the look at `#waiting`: a write that comes later has to start the next drain.
    this.#draining = undefined;
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
    this.#letIn();
    const nowMs = this.#runtime.monotonicMs();
    for (const slot of group) {
      slot.settle();
      this.waits.record(nowMs - slot.arrivedMs);
    }
    return group;
  }

  async #run(group: readonly Slot<W, R>[]): Promise<void> {
    this.metrics.executions += group.length;
    if (group.length > 1) this.metrics.groupedBatches++;
    const syncsBefore = this.metrics.physicalSyncs;
    let outcomes: GroupOutcome<R>;
    try {
      outcomes = await this.#execute(group.map((slot) => slot.write));
    } catch (error) {
      outcomes = group.map(() => ({ error }));
    }
    let acknowledged = 0;
    for (const [i, slot] of group.entries()) {
      const outcome = outcomes[i];
      if (outcome !== undefined && "value" in outcome) {
        acknowledged++;
        slot.resolve(outcome.value);
      } else {
        slot.reject(outcome?.error);
      }
    }
    this.metrics.commits += acknowledged;
    this.metrics.failures += group.length - acknowledged;
    const syncs = this.metrics.physicalSyncs - syncsBefore;
    this.metrics.estimatedSyncsSaved += Math.max(0, acknowledged - 1) * syncs;
  }

  /** Lets a timer and a signal withdraw the slot for as long as it waits. */
  #watch(slot: Slot<W, R>, timeoutMs: number | undefined, signal: AbortSignal | undefined): () => void {
    let timer: Timer | undefined;
    if (timeoutMs !== undefined && timeoutMs > 0 && timeoutMs !== Number.POSITIVE_INFINITY) {
      timer = this.#runtime.timer(timeoutMs, () => {
        this.metrics.timeouts++;
        this.#withdraw(slot, this.#timedOut(timeoutMs));
      });
    }
    const onAbort = () => {
      this.metrics.cancellations++;
      this.#withdraw(slot, canceled(signal?.reason));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    return () => {
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    };
  }

  /** Takes out a slot that has not started: from its start on, neither timer nor signal reaches it. */
  #withdraw(slot: Slot<W, R>, error: TableError): void {
    for (const list of [this.#waiting, this.#outside]) {
      const at = list.indexOf(slot);
      if (at >= 0) list.splice(at, 1);
    }
    slot.settle();
    slot.reject(error);
    this.#letIn();
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
}

/** All counters at 0. */
export function noQueueMetrics(): QueueMetrics {
  return {
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
}

export function queueClosed(): TableError {
  return new TableError("QUEUE_CLOSED", "The table is closed and takes no more writes. Open it again to write.");
}

export function canceled(cause: unknown): TableError {
  return new TableError("CANCELED", "The write was canceled before it started and was not executed.", {
    details: { phase: "queued" },
    cause,
  });
}
