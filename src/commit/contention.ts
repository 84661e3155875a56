/**
 * How writers of one table make way for each other: a fair share for the slowest, not the most commits for the fastest.
 *
 * Where writers are processes of one machine, they stand in line as long as they meet each other. Elsewhere, a writer
 * that has lost often tries again at once, one that has just begun to lose waits, and one that had to fight for its
 * commit lets others go first before its next: backing off longer after every loss would let the winner win again.
 * All waits follow what was measured. Who is alone waits for nothing.
 */
import type { Runtime } from "../support/runtime.js";
import type { WriterLine } from "./writer-line.js";

/** Weight of the newest commit in the moving averages. */
const WEIGHT_MS = 0.2;
const WEIGHT_LOSSES = 0.1;
/** Longest waits, in commit times. */
const BEFORE_RETRY_MAX = 6;
const AFTER_FIGHT_MAX = 4;
/** Commits in a row that meet nobody; after them a writer counts as alone. */
const ALONE_COMMITS = 8;
/** How long a ticket may be the first, in measured turns and at least. */
const PATIENCE_TURNS = 8;
const PATIENCE_MS_MIN = 20;

/** A turn to publish. */
export interface Turn {
  /** True: others wait until it ends. False: they may publish at the same time. */
  readonly isExclusive: boolean;
  /** Lets the next writer go; calling it twice is the same as once. */
  end(): Promise<void>;
}

const OUT_OF_TURN: Turn = { isExclusive: false, end: async () => {} };

export class Contention {
  readonly #runtime: Runtime;
  readonly #line: WriterLine | undefined;
  #commitMs = 2;
  #turnMs = 2;
  #losses = 1;
  #makeWayUntilMs = 0;
  #alone = ALONE_COMMITS;
  #lastVersion: number | undefined;

  /** @param line absent where writers cannot wait for each other */
  constructor(runtime: Runtime, line?: WriterLine) {
    this.#runtime = runtime;
    this.#line = line;
  }

  /** Waits in line while other processes write too. The head may be another one afterwards. */
  async turn(timeoutMs: number): Promise<Turn> {
    if (this.#line === undefined || this.#alone >= ALONE_COMMITS) return OUT_OF_TURN;
    const patienceMs = Math.max(PATIENCE_MS_MIN, PATIENCE_TURNS * this.#turnMs);
    const leave = await this.#line.enter({ patienceMs, timeoutMs });
    if (leave === undefined) return OUT_OF_TURN;
    const startedMs = this.#runtime.monotonicMs();
    let isOver = false;
    const end = () => {
      if (!isOver) this.#turnMs += (this.#runtime.monotonicMs() - startedMs - this.#turnMs) * WEIGHT_MS;
      isOver = true;
      return leave();
    };
    return { isExclusive: true, end };
  }

  /** Waits before the next attempt of a commit that has lost so many races in a row. */
  async beforeRetry(losses: number): Promise<void> {
    this.#alone = 0;
    if (this.#line !== undefined) return;
    const patience = Math.min(BEFORE_RETRY_MAX, 1.5 * (this.#losses - 1)) - losses;
    if (patience > 0) await this.#runtime.sleep(this.#runtime.random() * patience * this.#commitMs);
  }

  /** Waits before a new commit, when the last one had to be fought for. */
  async beforeCommit(): Promise<void> {
    const leftMs = this.#makeWayUntilMs - this.#runtime.monotonicMs();
    if (leftMs > 0) await this.#runtime.sleep(leftMs);
  }

  /** Leaves nothing behind in the line. */
  async rest(): Promise<void> {
    await this.#line?.rest();
  }

  /** Notes a commit: its version, how many races it lost, and what the attempt that won took. */
  won(version: number, losses: number, attemptMs: number): void {
    this.#commitMs += (attemptMs - this.#commitMs) * WEIGHT_MS;
    this.#losses += (losses - this.#losses) * WEIGHT_LOSSES;
    if (this.#lastVersion !== undefined) this.#alone = version === this.#lastVersion + 1 ? this.#alone + 1 : 0;
    this.#lastVersion = version;
    if (this.#alone === ALONE_COMMITS) void this.rest();
    if (this.#line !== undefined) return;
    const waitMs = this.#runtime.random() * Math.min(AFTER_FIGHT_MAX, losses) * this.#commitMs;
    this.#makeWayUntilMs = this.#runtime.monotonicMs() + waitMs;
  }
}
