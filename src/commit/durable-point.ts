/**
 * The newest version of a table that this process knows to survive a power cut, and the way to move it up.
 *
 * Versions that nobody synced become durable step by step: only what is new since the known one is synced. After a
 * failed sync in the background nothing is acknowledged any more: the kernel may call lost pages clean, so a later
 * success would prove nothing.
 */
import { manifestPath } from "../format/layout.js";
import type { Transaction } from "../format/transaction.js";
import type { ObjectStore } from "../store/contract.js";
import { isTableError, TableError } from "../support/errors.js";
import type { Runtime } from "../support/runtime.js";
import { Histogram } from "../support/telemetry.js";
import { isDurable, newPaths } from "./durability.js";
import { listVersionNames } from "./head.js";
import type { Snapshot } from "./snapshot.js";

/** What the durable point has to know of its table. */
export interface DurableTable {
  readonly name: string;
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  refresh(): Promise<Snapshot>;
  transaction(snapshot: Snapshot): Promise<Transaction | undefined>;
}

/** Heads that vanish under a vacuum before they are synced, in a row. */
const HEADS_MAX = 16;

export class DurablePoint {
  /** From the acknowledgement of a commit until it is durable; recorded by background syncs. */
  readonly lag = new Histogram();
  readonly #table: DurableTable;
  #known: Snapshot | undefined;
  #running: Promise<void> | undefined;
  #wanted: Snapshot | undefined;
  #wantedMs = 0;
  #failure: TableError | undefined;

  constructor(table: DurableTable) {
    this.#table = table;
  }

  /** Notes a version that is durable with everything it stands on. */
  reached(snapshot: Snapshot): void {
    if (this.#known === undefined || this.#known.version < snapshot.version) this.#known = snapshot;
  }

  /** Forgets everything, because the table is another one now. */
  forget(): void {
    this.#known = undefined;
    this.#wanted = undefined;
  }

  /**
   * Makes `head` durable: what it has and the known version had not, and the manifests in between.
   * @throws UNAVAILABLE when a sync fails, NOT_FOUND when a vacuum removed files of `head`
   */
  async cover(head: Snapshot): Promise<void> {
    if (this.#known === head) return;
    if (!isDurable(await this.#table.transaction(head))) {
      await this.#table.store.sync(newPaths(this.#known, head));
      await this.#syncManifestsBelow(head);
    }
    this.#known = head;
  }

  /** Begins to make `head` durable after its acknowledgement. What fails is thrown by the next `check` and `sync`. */
  coverBehind(head: Snapshot): void {
    if (this.#wanted === undefined) this.#wantedMs = this.#table.runtime.monotonicMs();
    this.#wanted = head;
    this.#running ??= this.#run();
  }

  /** @throws UNAVAILABLE when a background sync has failed */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when everything that was acknowledged before the call survives a power cut. @throws UNAVAILABLE */
  async sync(): Promise<void> {
    await this.quiet();
    this.check();
    try {
      await this.#coverHead(await this.#table.refresh());
    } catch (error) {
      throw isTableError(error, "NOT_FOUND") ? error : this.#fail(error);
    }
  }

  /** Resolves when no background sync is under way. */
  async quiet(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#wanted !== undefined) {
        const head = this.#wanted;
        const sinceMs = this.#wantedMs;
        this.#wanted = undefined;
        await this.#coverHead(head);
        this.lag.record(this.#table.runtime.monotonicMs() - sinceMs);
      }
    } catch (error) {
      // A table that was dropped has nothing left to make durable.
      if (!isTableError(error, "NOT_FOUND")) this.#fail(error);
    } finally {
      this.#running = undefined;
    }
  }

  /** Makes `head` durable, or a newer head where a vacuum has removed files of this one. */
  async #coverHead(from: Snapshot): Promise<void> {
    let head = from;
    for (let heads = 1; ; heads++) {
      try {
        return await this.cover(head);
      } catch (error) {
        if (!isTableError(error, "NOT_FOUND") || heads === HEADS_MAX) throw error;
        const newer = await this.#table.refresh();
        if (newer === head) throw error;
        head = newer;
      }
    }
  }

  /** The names of all versions become durable with the newest one, so that their content has to as well. */
  async #syncManifestsBelow(head: Snapshot): Promise<void> {
    const { store } = this.#table;
    const known = this.#known;
    const versions =
      known !== undefined && known.version < head.version
        ? Array.from({ length: head.version - known.version - 1 }, (_, i) => known.version + 1 + i)
        : (await listVersionNames(store)).map((name) => name.version).filter((version) => version < head.version);
    await Promise.all(
      versions.map((version) =>
        store.sync([manifestPath(version, head.head.scheme)]).catch((error: unknown) => {
          if (!isTableError(error, "NOT_FOUND")) throw error;
        }),
      ),
    );
  }

  #fail(cause: unknown): TableError {
    this.#failure ??= new TableError(
      "UNAVAILABLE",
      `Acknowledged commits of table '${this.#table.name}' may not survive a power cut: a sync failed after version ${this.#known?.version ?? 0}, and a later one would prove nothing. Nothing more is written here; check the disk, close the database, open it again and compare.`,
      { details: { durableVersion: this.#known?.version ?? 0 }, cause },
    );
    return this.#failure;
  }
}
