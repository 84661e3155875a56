/**
 * Locks between the callers of one process: first come, first served, with bounded waits that name the holder.
 *
 * Locks are taken in one order only: database, table, maintenance, index. Where that is asserted, a wrong order is an
 * error at once instead of a deadlock some day.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { assert, TableError } from "./errors.js";
import type { Runtime } from "./runtime.js";
import { type Durations, Histogram } from "./telemetry.js";

export const LOCK_LEVELS = ["database", "table", "maintenance", "index"] as const;
export type LockLevel = (typeof LOCK_LEVELS)[number];

export interface LockMetrics {
  readonly level: LockLevel;
  readonly name: string;
  /** The operation that holds the lock; undefined when it is free. */
  readonly holder: string | undefined;
  readonly heldMs: number;
  readonly waiting: number;
  readonly acquisitions: number;
  readonly timeouts: number;
  readonly waits: Durations;
}

interface Waiter {
  readonly operation: string;
  readonly start: () => void;
}

/** The locks that the current chain of calls holds; undefined where the order is not asserted. */
let chain: AsyncLocalStorage<readonly Lock[]> | undefined;

/** From now on, taking locks in a wrong order throws INTERNAL. For tests: it slows every promise down. */
export function assertLockOrder(): void {
  chain ??= new AsyncLocalStorage();
}

export class Lock {
  readonly level: LockLevel;
  readonly name: string;
  readonly #runtime: Runtime;
  readonly #waits = new Histogram();
  #waiting: Waiter[] = [];
  #holder: string | undefined;
  #sinceMs = 0;
  #acquisitions = 0;
  #timeouts = 0;

  constructor(level: LockLevel, name: string, runtime: Runtime) {
    this.level = level;
    this.name = name;
    this.#runtime = runtime;
  }

  /**
   * Runs `action` while nobody else holds the lock. `operation` is what others are told who wait too long.
   * @throws BUSY when the lock is not free within `timeoutMs`, naming its holder; `action` is not run then
   */
  async runExclusive<T>(operation: string, action: () => Promise<T>, timeoutMs = Number.POSITIVE_INFINITY): Promise<T> {
    const held = chain?.getStore() ?? [];
    for (const outer of held) this.#checkOrder(outer, operation);
    if (this.#holder === undefined) this.#take(operation);
    else await this.#wait(operation, timeoutMs);
    try {
      return await (chain === undefined ? action() : chain.run([...held, this], action));
    } finally {
      this.#release();
    }
  }

  metrics(): LockMetrics {
    return {
      level: this.level,
      name: this.name,
      holder: this.#holder,
      heldMs: this.#holder === undefined ? 0 : this.#runtime.monotonicMs() - this.#sinceMs,
      waiting: this.#waiting.length,
      acquisitions: this.#acquisitions,
      timeouts: this.#timeouts,
      waits: this.#waits.summary(),
    };
  }

  #checkOrder(outer: Lock, operation: string): void {
    const order = LOCK_LEVELS.indexOf(outer.level) - LOCK_LEVELS.indexOf(this.level);
    const rises = order < 0 || (order === 0 && outer.name < this.name);
    assert(rises, `${operation} takes the ${this.level} lock '${this.name}' outside the ${outer.level} lock it holds`);
  }

  #take(operation: string): void {
    this.#holder = operation;
    this.#sinceMs = this.#runtime.monotonicMs();
    this.#acquisitions++;
  }

  #wait(operation: string, timeoutMs: number): Promise<void> {
    const startedMs = this.#runtime.monotonicMs();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        operation,
        start: () => {
          timer?.cancel();
          this.#waits.record(this.#runtime.monotonicMs() - startedMs);
          resolve();
        },
      };
      this.#waiting.push(waiter);
      const giveUp = () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiter);
        this.#timeouts++;
        reject(this.#busy(operation, timeoutMs));
      };
      const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : this.#runtime.timer(timeoutMs, giveUp);
    });
  }

  #release(): void {
    this.#holder = undefined;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#take(next.operation);
    next.start();
  }

  #busy(operation: string, timeoutMs: number): TableError {
    const heldMs = Math.round(this.#runtime.monotonicMs() - this.#sinceMs);
    return new TableError(
      "BUSY",
      `The ${this.level} '${this.name}' is busy: ${this.#holder} has held its lock for ${heldMs} ms, and ${operation} waited ${timeoutMs} ms for it. Nothing was written; try again.`,
      { details: { lock: this.level, name: this.name, holder: this.#holder, heldMs, timeoutMs } },
    );
  }
}
