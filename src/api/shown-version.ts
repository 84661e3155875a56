/**
 * Which version a handle shows: the newest one of its line of history, or one that was checked out, held until it is
 * let go. A tag may name a version of another branch; the handle then shows that branch, for reading.
 */
import type { Hold, Snapshot } from "../commit/snapshot.js";
import { pace } from "../support/pace.js";
import type { OpenTable } from "./open-table.js";
import type { QuerySource } from "./query-base.js";
import { locateVersion } from "./versions.js";

export class ShownVersion {
  readonly #own: OpenTable;
  readonly #checkOpen: () => void;
  readonly #isConnected: () => boolean;
  #line: OpenTable;
  #held: Hold | undefined;
  #seenMs = Number.NEGATIVE_INFINITY;

  /** @param isConnected false after the connection was closed: then nothing is held any more */
  constructor(own: OpenTable, checkOpen: () => void, isConnected: () => boolean) {
    this.#own = own;
    this.#isConnected = isConnected;
    this.#line = own;
    this.#checkOpen = checkOpen;
  }

  /** The version that was checked out; undefined while the newest one is shown. */
  get pinned(): Snapshot | undefined {
    return this.#held?.snapshot;
  }

  /** The line of history that the shown version belongs to. */
  get line(): OpenTable {
    return this.#line;
  }

  /** The version that is shown, looked up anew unless it may be as old as the consistency interval. */
  async snapshot(): Promise<Snapshot> {
    this.#checkOpen();
    const held = this.#held;
    if (held === undefined) return await this.#newest();
    await pace(this.#own.settings.runtime);
    return held.snapshot;
  }

  /** Holds the version that is shown for one read more: of `line` as it is at the call, wherever the handle is moved. */
  async hold(): Promise<Hold> {
    this.#checkOpen();
    const held = this.#held;
    if (held === undefined) return await this.#own.shared.lease.hold(() => this.#newest());
    const again = this.#line.shared.lease.again(held.snapshot);
    await pace(this.#own.settings.runtime);
    return again;
  }

  /** The version that is shown, for one query. */
  async source(): Promise<QuerySource> {
    const line = this.#line;
    const { snapshot, release } = await this.hold();
    return line.reading(snapshot, release);
  }

  /** @throws NOT_FOUND, INVALID_ARGUMENT */
  async checkout(version: number | string | Date): Promise<void> {
    this.#checkOpen();
    const found = await locateVersion(this.#own, version);
    const { shared } = found.line;
    const held = await shared.lease.hold(() => shared.open(found.version));
    try {
      this.#checkOpen();
    } catch (error) {
      held.release();
      throw error;
    }
    this.letGo();
    this.#held = this.#own.keep(held, this.#isConnected);
    this.#line = found.line;
  }

  /** Shows the newest version of the handle's own line again. */
  async checkoutLatest(): Promise<void> {
    this.#checkOpen();
    this.letGo();
    this.#seenMs = Number.NEGATIVE_INFINITY;
    await this.snapshot();
  }

  letGo(): void {
    this.#held?.release();
    this.#held = undefined;
    this.#line = this.#own;
  }

  async #newest(): Promise<Snapshot> {
    const { settings, shared } = this.#own;
    await pace(settings.runtime);
    const nowMs = settings.runtime.monotonicMs();
    const isFresh = nowMs - this.#seenMs < settings.readConsistencyMs && shared.knowsOwnWrites;
    if (shared.head !== undefined && isFresh) return shared.head;
    const snapshot = await shared.refresh();
    this.#seenMs = nowMs;
    return snapshot;
  }
}
