/**
 * A table that this process has open: state, write queue and caches, shared by every handle and every connection to
 * the same place.
 */
import type { WriterContext } from "../change/group.js";
import { runGroup, serveHandOver } from "../change/hand-over.js";
import type { TableWrite, WriteResult } from "../change/write.js";
import type { CompactionContext } from "../chores/compact.js";
import { Maintenance, type MaintenanceMetrics } from "../chores/maintain.js";
import type { Service } from "../commit/leader.js";
import { Leadership } from "../commit/leadership.js";
import type { TableMetrics } from "../commit/meters.js";
import { explainMissing, explainMissingAtHead } from "../commit/missing-file.js";
import { canceled, type QueueMetrics, queueClosed, type SubmitOptions, WriteQueue } from "../commit/queue.js";
import { SharedTable } from "../commit/shared-table.js";
import type { Hold, Snapshot } from "../commit/snapshot.js";
import type { ReaderPool, TableReaders } from "../compute/readers/pool.js";
import type { ScanSource } from "../compute/scan.js";
import type { DataFormat, FragmentCodec } from "../data/codec.js";
import { CODECS, codecFor } from "../data/codecs.js";
import { FileCache } from "../data/file-cache.js";
import { BaseDirectories } from "../format/bases.js";
import { DATA_FORMAT_KEY, FLAG_STABLE_ROW_IDS } from "../format/flags.js";
import { branchDirectory, SHARED_BY_LINES, tableDirectory } from "../format/layout.js";
import type { Manifest } from "../format/manifest.js";
import type { ObjectStore } from "../store/contract.js";
import { countingSyncs } from "../store/counting.js";
import { lineView } from "../store/line-view.js";
import { within } from "../store/within.js";
import { assert, TableError } from "../support/errors.js";
import { readChannel } from "../support/telemetry.js";
import { checkLimits } from "./arguments.js";
import { type CommitMetadata, checkMetadata } from "./commit-metadata.js";
import type { Settings } from "./options.js";
import type { QuerySource } from "./query-base.js";

/** How often a group is planned again because other writers changed the same rows first. */
const PLANS_MAX = 100;

/** The lines of history of one table, each opened once. */
export interface TableLines {
  /** A branch, or the main line, whether it exists or not. */
  of(branch: string | undefined): OpenTable;
  /** Runs `action` while nothing else makes or removes tables or branches in this process. @throws BUSY */
  exclusively<T>(operation: string, action: () => Promise<T>): Promise<T>;
}

/** Which line of its table this is; without it, the main one of a table that has no other. */
export interface OpenLine {
  readonly branch: string | undefined;
  readonly lines: TableLines;
}

/** What a process has observed of a table, and what it did to keep it in order. */
export interface ObservedMetrics extends TableMetrics {
  readonly queue: QueueMetrics;
  readonly maintenance: MaintenanceMetrics;
}

export class OpenTable {
  /** Of the table, whatever branch this is. */
  readonly name: string;
  readonly branch: string | undefined;
  readonly shared: SharedTable;
  readonly files: FileCache;
  readonly settings: Settings;
  readonly queue: WriteQueue<TableWrite, WriteResult>;
  readonly maintenance: Maintenance;
  /** Buffered writers that may still hold rows, and whether their connections are open. */
  readonly writers = new Map<{ close(): Promise<void> }, () => boolean>();
  /** Versions that handles and snapshots hold, and whether their connections are open. */
  readonly #kept = new Map<Hold, () => boolean>();
  /** Writes that have no answer yet. */
  readonly #taken = new Set<Promise<unknown>>();
  readonly #readers: TableReaders | undefined;
  readonly #lines: TableLines | undefined;
  #closed = false;

  constructor(name: string, root: ObjectStore, settings: Settings, pool?: ReaderPool, line?: OpenLine) {
    this.name = name;
    this.branch = line?.branch;
    this.#lines = line?.lines;
    const { branch } = this;
    // Threads open files by their paths; they do not know what a branch inherits.
    this.#readers = pool === undefined || branch !== undefined ? undefined : { pool, directory: tableDirectory(name) };
    const table = within(root, tableDirectory(name));
    const bases = new BaseDirectories(branch === undefined ? undefined : table.display);
    const directory = branch === undefined ? "" : branchDirectory(branch);
    const view = lineView(table, { directory, shared: SHARED_BY_LINES, directoryOf: bases.directoryOf });
    const store = countingSyncs(view, (syncs) => {
      this.queue.metrics.physicalSyncs += syncs;
    });
    this.settings = settings;
    const lease = {
      published: settings.coordinationMode !== "single_process_unsafe" && root.scheme !== "memory",
      ttlMs: settings.leaseTtlMs,
    };
    const title = branch === undefined ? name : `${name}@${branch}`;
    this.shared = new SharedTable(title, store, settings.runtime, lease, { branch, bases });
    this.files = new FileCache({ store, codecs: CODECS });
    this.queue = new WriteQueue(
      settings.runtime,
      settings.queue,
      (writes) => runGroup(writes, this.writer()),
      () => this.shared.contention.company(),
    );
    if (lease.published) this.#meet(store);
    this.maintenance = new Maintenance(this.compaction(), settings.maintenance, () => this.queue.metrics.depth);
  }

  /** Commits for other processes of this machine when they meet, or lets one of them commit for this one. */
  #meet(store: ObjectStore): void {
    if (!Leadership.isPossible(store)) return;
    const service: Service = {
      head: () => this.shared.head?.version ?? 0,
      commitMs: () => this.shared.contention.commitMs,
      commit: (writes) => serveHandOver(writes, (write) => this.#serve(write), this.settings.durability),
      turn: async (run) => void (await this.#serve({ kind: "turn", run, rows: 0, sizeBytes: 0, alone: true })),
    };
    this.shared.contention.meet(new Leadership(store, this.settings.runtime, service));
  }

  /** Executes a write of another process among those of this one. */
  async #serve(write: TableWrite): Promise<WriteResult> {
    const result = await (this.settings.queue.enabled ? this.queue.submit(write) : this.#runAlone(write, undefined));
    this.maintenance.committed();
    return result;
  }

  /** Another line of the same table. */
  lineOf(branch: string | undefined): OpenTable {
    if (branch === this.branch) return this;
    assert(this.#lines !== undefined, "a table of a database knows its other lines");
    return this.#lines.of(branch);
  }

  /** Runs `action` while nothing else makes or removes tables or branches in this process. @throws BUSY */
  exclusively<T>(operation: string, action: () => Promise<T>): Promise<T> {
    return this.#lines === undefined ? action() : this.#lines.exclusively(operation, action);
  }

  /**
   * Runs a write through the queue, or at once when the caller is alone. Writes of one caller are executed in the order
   * of its calls.
   * @throws UNAVAILABLE when earlier commits could not be made durable in the background; what the queue throws
   */
  async write(
    write: TableWrite,
    options: SubmitOptions & {
      readonly direct?: boolean | undefined;
      readonly metadata?: CommitMetadata | undefined;
    } = {},
  ): Promise<WriteResult> {
    this.shared.durable.check();
    checkLimits(options);
    const properties = checkMetadata(options.metadata);
    const mine: TableWrite = properties === undefined ? write : { ...write, alone: true, properties };
    const isQueued = this.settings.queue.enabled && !options.direct;
    const taken = isQueued ? this.queue.submit(mine, options) : this.#runAlone(mine, options.signal);
    this.#taken.add(taken);
    try {
      const result = await taken;
      this.maintenance.committed();
      return result;
    } catch (error) {
      throw await explainMissingAtHead(this.shared, error);
    } finally {
      this.#taken.delete(taken);
    }
  }

  /** Executes a write that passes the queue by. */
  async #runAlone(write: TableWrite, signal: AbortSignal | undefined): Promise<WriteResult> {
    if (this.#closed) throw queueClosed();
    if (signal?.aborted) throw canceled(signal.reason);
    const [outcome] = await runGroup([write], this.writer());
    if (outcome !== undefined && "value" in outcome) return outcome.value;
    throw outcome?.error;
  }

  /** Holds a version until it is released, or until the connection that it is held for is closed. */
  keep(held: Hold, isConnected: () => boolean): Hold {
    const release = () => {
      this.#kept.delete(kept);
      held.release();
    };
    const kept: Hold = { snapshot: held.snapshot, release };
    this.#kept.set(kept, isConnected);
    if (!isConnected()) release();
    return kept;
  }

  #letGo(): void {
    for (const [kept, isConnected] of [...this.#kept]) if (!isConnected()) kept.release();
  }

  /** Ends what connections that are closed have begun, while others go on: resolves when it has its answers. */
  async settle(): Promise<void> {
    this.#letGo();
    const left = [...this.writers].filter(([, isConnected]) => !isConnected());
    const written = await Promise.allSettled(left.map(([writer]) => writer.close()));
    await Promise.allSettled(this.#taken);
    for (const one of written) if (one.status === "rejected") throw one.reason;
  }

  /** Refuses new writes, and resolves when all that were taken have their answers and background work has ended. */
  async close(): Promise<void> {
    this.#letGo();
    const written = await Promise.allSettled([...this.writers.keys()].map((writer) => writer.close()));
    this.#closed = true;
    await this.queue.close();
    await this.idle();
    for (const one of written) if (one.status === "rejected") throw one.reason;
    this.shared.durable.check();
  }

  /** Resolves when no write and no background work is under way; maintenance rests until the next commit. */
  async idle(): Promise<void> {
    await this.queue.idle();
    await Promise.allSettled(this.#taken);
    await this.maintenance.stop();
    await this.shared.quiet();
    await this.shared.contention.rest();
    await this.shared.lease.end();
  }

  writer(): WriterContext {
    return {
      table: this.shared,
      sourceOf: (snapshot) => this.source(snapshot),
      codecOf: (snapshot) => this.codecOf(snapshot.manifest),
      durability: this.settings.durability,
      timeoutMs: this.settings.timeoutMs,
      plansMax: PLANS_MAX,
    };
  }

  compaction(): CompactionContext {
    const { durability, timeoutMs } = this.settings;
    return { table: this.shared, codecOf: (snapshot) => this.codecOf(snapshot.manifest), durability, timeoutMs };
  }

  metrics(): ObservedMetrics {
    const { maintenance, queue, shared } = this;
    return {
      ...shared.meters.summary(queue.waits, shared.durable.lag),
      queue: { ...queue.metrics },
      maintenance: maintenance.metrics,
    };
  }

  /** A version for one read, which is counted and timed until it is released. */
  reading(snapshot: Snapshot, release: () => void): QuerySource {
    const { meters, name } = this.shared;
    const { runtime } = this.settings;
    const startedMs = runtime.monotonicMs();
    const message = readChannel.hasSubscribers ? { table: name, version: snapshot.version } : undefined;
    if (message !== undefined) readChannel.start.publish(message);
    meters.readsActive++;
    meters.readsTotal++;
    let active = true;
    const end = () => {
      if (!active) return;
      active = false;
      meters.readsActive--;
      meters.reads.record(runtime.monotonicMs() - startedMs);
      if (message !== undefined) readChannel.asyncEnd.publish(message);
      release();
    };
    const explain = (error: unknown) => explainMissing(this.shared, snapshot, error);
    return { source: this.source(snapshot), release: end, explain, runtime };
  }

  source(snapshot: Snapshot): ScanSource {
    const { manifest, schema, version } = snapshot;
    const stableRowIds = (manifest.readerFlags & FLAG_STABLE_ROW_IDS) !== 0n;
    const source = { fragments: manifest.fragments, schema, cache: this.files, version, stableRowIds };
    return this.#readers === undefined ? source : { ...source, readers: this.#readers };
  }

  codecOf(manifest: Manifest): FragmentCodec {
    return codecFor(dataFormatOf(manifest));
  }
}

/** The format of a version's data files. @throws NOT_SUPPORTED */
export function dataFormatOf(manifest: Manifest): DataFormat {
  const named = manifest.config.get(DATA_FORMAT_KEY);
  if (named === undefined || named === "lance") return "lance";
  if (named === "arrow" || named === "parquet") return named;
  throw new TableError(
    "NOT_SUPPORTED",
    `The table keeps its data as '${named}', which this version of joust does not know. Upgrade joust to read it.`,
    { details: { dataFormat: named } },
  );
}
