/**
 * How long writers of one table make way for each other: low waits for the slowest, not the most commits for the
 * fastest.
 *
 * Backing off longer after every loss would let the winner win again. So it is the other way round: a writer that has
 * lost often tries again at once, one that has just begun to lose waits, and one that had to fight for its commit
 * lets others go first before its next. All waits are fractions of the measured commit time, and none is made while
 * races are lost rarely.
 */
import type { Runtime } from "../support/runtime.js";

/** Weight of the newest commit in the moving averages. */
const WEIGHT_MS = 0.2;
const WEIGHT_LOSSES = 0.1;
/** Longest waits, in commit times. */
const BEFORE_RETRY_MAX = 6;
const AFTER_FIGHT_MAX = 4;

export class Contention {
  readonly #runtime: Runtime;
  #commitMs = 2;
  #losses = 1;
  #makeWayUntilMs = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Waits before the next attempt of a commit that has lost so many races in a row. */
  async beforeRetry(losses: number): Promise<void> {
    const patience = Math.min(BEFORE_RETRY_MAX, 1.5 * (this.#losses - 1)) - losses;
    if (patience > 0) await this.#runtime.sleep(this.#runtime.random() * patience * this.#commitMs);
  }

  /** Waits before a new commit, when the last one had to be fought for. */
  async beforeCommit(): Promise<void> {
    const leftMs = this.#makeWayUntilMs - this.#runtime.monotonicMs();
    if (leftMs > 0) await this.#runtime.sleep(leftMs);
  }

  /** Notes a commit: how many races it lost, and what the attempt that won took. */
  won(losses: number, attemptMs: number): void {
    this.#commitMs += (attemptMs - this.#commitMs) * WEIGHT_MS;
    this.#losses += (losses - this.#losses) * WEIGHT_LOSSES;
    const waitMs = this.#runtime.random() * Math.min(AFTER_FIGHT_MAX, losses) * this.#commitMs;
    this.#makeWayUntilMs = this.#runtime.monotonicMs() + waitMs;
  }
}
