/**
 * Automatic maintenance: compacts a table in the background, after commits of this process, when it has grown out of
 * shape, and removes versions that are older than they have to be.
 *
 * It never fails a write and never keeps the process alive: it runs one small task at a time, lets waiting writes go
 * first between tasks, and what goes wrong is counted, not thrown.
 */
import { manifestPath } from "../format/layout.js";
import type { Timer } from "../support/runtime.js";
import { type CompactionContext, type CompactionStats, compact } from "./compact.js";
import { MaintenanceLease } from "./maintain-lease.js";
import { type CompactionRules, isHollow, planCompaction, TARGET_ROWS } from "./plan-compaction.js";
import { vacuum } from "./vacuum.js";

export interface MaintenanceOptions {
  /** False: nothing happens by itself. */
  readonly auto: boolean;
  /** A compaction starts when so many small fragments have gathered. */
  readonly minFragments: number;
  /** Or when a fragment has a larger share of deleted rows. */
  readonly maxDeletedShare: number;
  /** Shortest pause between two looks at the table, milliseconds. */
  readonly intervalMs: number;
  /** Bytes that one task reads and may hold in memory. */
  readonly maxBytes: number;
  /** Versions older than this, in milliseconds, are cleaned up; Infinity keeps all. */
  readonly retentionMs: number;
}

export const MAINTENANCE_DEFAULTS: MaintenanceOptions = {
  auto: true,
  minFragments: 32,
  maxDeletedShare: 0.2,
  intervalMs: 500,
  maxBytes: 64 * 1024 * 1024,
  retentionMs: 7 * 86_400_000,
};

/** A process that stopped loses the lease after this time. */
const LEASE_TERM_MS = 10_000;
/** A fragment that outweighs its neighbours waits until they have grown, so that each row is copied log n times. */
const LARGEST_SHARE = 0.5;
/** Between two tasks, writes that wait go first, for this many short pauses. */
const PAUSES_MAX = 4;
const PAUSE_MS = 2;

/** A process looks for old versions at most this often. */
const CLEANUP_INTERVAL_MS = 600_000;

/** What maintenance did in this process since the table was opened. */
export interface MaintenanceMetrics extends CompactionStats {
  /** Compactions that were started. */
  readonly runs: number;
  /** Times that another process had the lease. */
  readonly leaseMisses: number;
  readonly oldVersionsRemoved: number;
  readonly bytesRemoved: number;
  readonly errors: number;
  readonly lastError: unknown;
}

export class Maintenance {
  readonly #context: CompactionContext;
  readonly #options: MaintenanceOptions;
  readonly #rules: CompactionRules;
  readonly #waitingWrites: () => number;
  readonly #lease: MaintenanceLease;
  #metrics = { ...NOTHING_DONE };
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Fragments that were left after the last look, the version that it was a look at, and when it was. */
  #settled = 0;
  #lookedVersion = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #cleanedMs = Number.NEGATIVE_INFINITY;

  /** @param waitingWrites how many writes wait in this process for their turn */
  constructor(context: CompactionContext, options: MaintenanceOptions, waitingWrites: () => number) {
    this.#context = context;
    this.#options = options;
    this.#waitingWrites = waitingWrites;
    this.#rules = {
      targetRows: TARGET_ROWS,
      maxDeletedShare: options.maxDeletedShare,
      maxBytes: options.maxBytes,
      largestShare: LARGEST_SHARE,
    };
    this.#lease = new MaintenanceLease(context.table.store, context.table.runtime, LEASE_TERM_MS);
  }

  get metrics(): MaintenanceMetrics {
    return { ...this.#metrics };
  }

  /** Called after every commit of this process; costs nothing unless there may be something to do. */
  committed(): void {
    if (!this.#options.auto || this.#stopped) return;
    if (this.#timer !== undefined || this.#running !== undefined || !this.#isDue()) return;
    const { runtime } = this.#context.table;
    const waitMs = Math.max(0, this.#lookedMs + this.#options.intervalMs - runtime.monotonicMs());
    this.#timer = runtime.timer(waitMs, () => {
      this.#timer = undefined;
      this.#running = this.#look().finally(() => {
        this.#running = undefined;
      });
    });
  }

  /** Ends after the task under way and resolves then. Rests until the next commit. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
    this.#stopped = false;
  }

  #isDue(): boolean {
    const { minFragments } = this.#options;
    const { head } = this.#context.table;
    if (head === undefined) return false;
    const commits = Math.abs(head.version - this.#lookedVersion);
    return commits >= minFragments || head.manifest.fragments.length - this.#settled >= minFragments;
  }

  /** One look at the table and, if it needs it, a compaction under the lease. Never rejects. */
  async #look(): Promise<void> {
    const { table } = this.#context;
    this.#lookedVersion = table.head?.version ?? 0;
    try {
      if (this.#needsCompaction()) await this.#compact();
    } catch (error) {
      this.#metrics = { ...this.#metrics, errors: this.#metrics.errors + 1, lastError: error };
    }
    this.#settled = table.head?.manifest.fragments.length ?? 0;
    this.#lookedMs = table.runtime.monotonicMs();
  }

  #needsCompaction(): boolean {
    const head = this.#context.table.head;
    if (head === undefined) return false;
    const tasks = planCompaction(head.manifest.fragments, this.#rules);
    const fragments = tasks.flatMap((task) => task.fragments);
    return (
      fragments.length >= this.#options.minFragments || fragments.some((fragment) => isHollow(fragment, this.#rules))
    );
  }

  async #compact(): Promise<void> {
    if (!(await this.#lease.hold())) {
      this.#metrics = { ...this.#metrics, leaseMisses: this.#metrics.leaseMisses + 1 };
      return;
    }
    try {
      this.#metrics = { ...this.#metrics, runs: this.#metrics.runs + 1 };
      const done = await compact(this.#context, { rules: this.#rules, goesOn: () => this.#goesOn() });
      this.#metrics = {
        ...this.#metrics,
        fragmentsRemoved: this.#metrics.fragmentsRemoved + done.fragmentsRemoved,
        fragmentsAdded: this.#metrics.fragmentsAdded + done.fragmentsAdded,
        filesRemoved: this.#metrics.filesRemoved + done.filesRemoved,
        filesAdded: this.#metrics.filesAdded + done.filesAdded,
      };
      if (!this.#stopped) await this.#cleanUp();
    } finally {
      await this.#lease.release();
    }
  }

  /** Removes old versions, if the oldest one is older than it has to be. */
  async #cleanUp(): Promise<void> {
    const { table } = this.#context;
    const { retentionMs } = this.#options;
    const nowMs = table.runtime.monotonicMs();
    if (nowMs - this.#cleanedMs < Math.min(CLEANUP_INTERVAL_MS, retentionMs)) return;
    this.#cleanedMs = nowMs;
    const olderThanMs = table.runtime.now() - retentionMs;
    const [oldest] = await table.versions();
    if (oldest === undefined || oldest.version === table.head?.version) return;
    const info = await table.store.head(manifestPath(oldest.version, oldest.scheme));
    if (info === undefined || info.modifiedMs >= olderThanMs) return;
    const { oldVersionsRemoved, bytesRemoved } = await vacuum(table, {
      olderThanMs,
      deleteUnverified: false,
      dryRun: false,
      timeoutMs: 0,
    });
    this.#metrics = {
      ...this.#metrics,
      oldVersionsRemoved: this.#metrics.oldVersionsRemoved + oldVersionsRemoved,
      bytesRemoved: this.#metrics.bytesRemoved + bytesRemoved,
    };
  }

  /** Between two tasks: waiting writes go first, and a process that has nothing else to do may end. */
  async #goesOn(): Promise<boolean> {
    const { runtime } = this.#context.table;
    for (let pause = 0; pause < PAUSES_MAX && this.#waitingWrites() > 0 && !this.#stopped; pause++) {
      await new Promise<void>((resolve) => void runtime.timer(PAUSE_MS, resolve));
    }
    return !this.#stopped && (await this.#lease.hold());
  }
}

const NOTHING_DONE: MaintenanceMetrics = {
  fragmentsRemoved: 0,
  fragmentsAdded: 0,
  filesRemoved: 0,
  filesAdded: 0,
  runs: 0,
  leaseMisses: 0,
  oldVersionsRemoved: 0,
  bytesRemoved: 0,
  errors: 0,
  lastError: undefined,
};
