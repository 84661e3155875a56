/** What one process observes of one table: reads, commits, lost races, conflicts by pair of operations. */
import { type Durations, Histogram } from "../support/telemetry.js";
import type { Verdict } from "./conflicts.js";

/** How often one operation met another that was committed first, by what became of it. */
export interface ConflictCount {
  /** The operation of this process. */
  readonly operation: string;
  /** What another writer had committed. */
  readonly winner: string;
  readonly compatible: number;
  readonly rebased: number;
  readonly retried: number;
  readonly failed: number;
}

export interface TableMetrics {
  readonly reads: { readonly active: number; readonly total: number; readonly durations: Durations };
  readonly writes: {
    /** From the call of a write until it started. */
    readonly waits: Durations;
    /** Groups that were acknowledged, from their start to the answer: planning, staging, syncs, lost races. */
    readonly commits: Durations;
    /** From the acknowledgement of an `async` commit until it survives a power cut. */
    readonly durabilityLag: Durations;
  };
  readonly snapshots: { readonly swaps: number };
  readonly conflicts: {
    readonly lostRaces: number;
    /** From the moment at which the newest winner's manifest was known until the next one was encoded. */
    readonly resolution: Durations;
    /** What it took in addition to find and read that manifest. */
    readonly resolutionDisk: Durations;
    readonly byPair: readonly ConflictCount[];
  };
}

type Tally = { -readonly [K in keyof ConflictCount]: ConflictCount[K] };

const TALLIED = { compatible: "compatible", rebase: "rebased", retry: "retried", fail: "failed" } as const;

export class TableMeters {
  readonly reads = new Histogram();
  readonly commits = new Histogram();
  readonly resolutions = new Histogram();
  readonly resolutionDisk = new Histogram();
  readsActive = 0;
  readsTotal = 0;
  snapshotSwaps = 0;
  lostRaces = 0;
  readonly #pairs = new Map<string, Tally>();

  /** Counts what became of an operation that met another one. */
  met(operation: string, winner: string, verdict: Verdict): void {
    const key = `${operation} ${winner}`;
    let tally = this.#pairs.get(key);
    if (tally === undefined) {
      tally = { operation, winner, compatible: 0, rebased: 0, retried: 0, failed: 0 };
      this.#pairs.set(key, tally);
    }
    tally[TALLIED[verdict]]++;
  }

  conflicts(): readonly ConflictCount[] {
    return [...this.#pairs.values()].map((tally) => ({ ...tally }));
  }

  summary(waits: Histogram, lag: Histogram): TableMetrics {
    return {
      reads: { active: this.readsActive, total: this.readsTotal, durations: this.reads.summary() },
      writes: { waits: waits.summary(), commits: this.commits.summary(), durabilityLag: lag.summary() },
      snapshots: { swaps: this.snapshotSwaps },
      conflicts: {
        lostRaces: this.lostRaces,
        resolution: this.resolutions.summary(),
        resolutionDisk: this.resolutionDisk.summary(),
        byPair: this.conflicts(),
      },
    };
  }
}
