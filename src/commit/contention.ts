/**
 * How writers of one table make way for each other: a fair share for the slowest, not the most commits for the fastest.
 *
 * Processes of one machine that meet write through one of them (leadership.ts). Elsewhere, a writer that has lost often
 * tries again at once, one that has just begun to lose waits, and one that had to fight for its commit lets others go
 * first before its next: backing off longer after every loss would let the winner win again. All waits follow what was
 * measured. Who is alone waits for nothing.
 */
import type { Runtime } from "../support/runtime.js";
import type { Follower } from "./follower.js";
import type { Leadership } from "./leadership.js";

/** Weight of the newest commit in the moving averages. */
const WEIGHT_MS = 0.2;
const WEIGHT_LOSSES = 0.1;
/** Longest waits, in commit times. */
const BEFORE_RETRY_MAX = 6;
const AFTER_FIGHT_MAX = 4;
/** Commits in a row that meet nobody; after them a writer counts as alone. */
const ALONE_COMMITS = 8;
/** A turn to publish. */
export interface Turn {
  /** True: others wait until it ends. False: they may publish at the same time. */
  readonly isExclusive: boolean;
  /** Lets the next writer go; calling it twice is the same as once. */
  end(): void;
}

const OUT_OF_TURN: Turn = { isExclusive: false, end: () => {} };

export class Contention {
  readonly #runtime: Runtime;
  /** Absent where writers do not reach each other. */
  #leadership: Leadership | undefined;
  #commitMs = 2;
  #losses = 1;
  #makeWayUntilMs = 0;
  #alone = ALONE_COMMITS;
  /** Turns that this process has. */
  #turns = 0;
  #lastVersion: number | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** From now on processes that meet write through one of them. */
  meet(leadership: Leadership): void {
    this.#leadership = leadership;
  }

  /** The process to write through, while others write too; undefined when this one commits by itself. */
  async leader(): Promise<Follower | undefined> {
    if (this.#leadership === undefined || (this.#alone >= ALONE_COMMITS && !this.#leadership.isFollowed))
      return undefined;
    return this.#leadership.follow();
  }

  /** Waits a moment for writes of other processes that are about to come, so that one commit serves all. */
  async company(): Promise<void> {
    if (this.#leadership?.isFollowed) await this.#leadership.company();
  }

  /**
   * Waits for its turn while other processes write too. The head may be another one afterwards. While this process has
   * a turn, its other commits need none: they would wait for each other.
   */
  async turn(): Promise<Turn> {
    if (this.#turns > 0) return OUT_OF_TURN;
    const leave = await (await this.leader())?.turn();
    if (leave === undefined) return OUT_OF_TURN;
    this.#turns++;
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.#turns--;
      leave();
    };
    return { isExclusive: true, end };
  }

  /** What a commit takes, milliseconds; measured. */
  get commitMs(): number {
    return this.#commitMs;
  }

  get #canMeet(): boolean {
    return this.#leadership !== undefined && !this.#leadership.isApart;
  }

  /** Waits before the next attempt of a commit that has lost so many races in a row. */
  async beforeRetry(losses: number): Promise<void> {
    this.#alone = 0;
    await this.#leadership?.doubt();
    if (this.#canMeet) return;
    const patience = Math.min(BEFORE_RETRY_MAX, 1.5 * (this.#losses - 1)) - losses;
    if (patience > 0) await this.#runtime.sleep(this.#runtime.random() * patience * this.#commitMs);
  }

  /** Waits before a new commit, when the last one had to be fought for. */
  async beforeCommit(): Promise<void> {
    const leftMs = this.#makeWayUntilMs - this.#runtime.monotonicMs();
    if (leftMs > 0) await this.#runtime.sleep(leftMs);
  }

  /** Leads nobody and follows nobody, until others are met again. */
  async rest(): Promise<void> {
    await this.#leadership?.rest();
  }

  /** Notes a commit: its version, how many races it lost, and what the attempt that won took. */
  won(version: number, losses: number, attemptMs: number): void {
    this.#commitMs += (attemptMs - this.#commitMs) * WEIGHT_MS;
    this.#losses += (losses - this.#losses) * WEIGHT_LOSSES;
    if (this.#lastVersion !== undefined) {
      const isAlone = version === this.#lastVersion + 1 && this.#leadership?.isFollowed !== true;
      this.#alone = isAlone ? this.#alone + 1 : 0;
    }
    this.#lastVersion = version;
    if (this.#alone === ALONE_COMMITS) void this.rest();
    if (this.#canMeet) return;
    const waitMs = this.#runtime.random() * Math.min(AFTER_FIGHT_MAX, losses) * this.#commitMs;
    this.#makeWayUntilMs = this.#runtime.monotonicMs() + waitMs;
  }
}
