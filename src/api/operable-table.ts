/** What there is around a table's reads and writes: tags and branches, the buffered writer, durability, metrics. */

import type { Table as ArrowTable } from "apache-arrow";
import type { Finding } from "../chores/findings.js";
import { type VerifyOptions, verifyTable } from "../chores/verify.js";
import type { QueueMetrics } from "../commit/queue.js";
import { repairCommand } from "../commit/unreadable-head.js";
import { CODECS } from "../data/codecs.js";
import { type OptionKeys, optionsOf } from "./arguments.js";
import { Branches } from "./branches.js";
import { Findings } from "./findings.js";
import type { ObservedMetrics, OpenTable } from "./open-table.js";
import type { QueryExecutionOptions } from "./query-base.js";
import type { AddResult } from "./results.js";
import { searchMany } from "./search-many.js";
import type { ShownVersion } from "./shown-version.js";
import type { Table } from "./table.js";
import { TableSnapshot } from "./table-snapshot.js";
import { Tags } from "./tags.js";
import { UnbuiltTable } from "./unbuilt.js";
import type { IntoVector } from "./vector.js";
import type { VectorQuery } from "./vector-query.js";
import { BufferedWriter, type WriterOptions } from "./writer.js";

const VERIFY: OptionKeys<VerifyOptions> = { deep: true, progress: true };

/** What the handle gives to its surroundings. */
export interface Surroundings {
  readonly shown: ShownVersion;
  checkOpen(): void;
  checkWritable(): void;
  /** False after the connection was closed. */
  isConnected(): boolean;
  /** A handle of another line of the same table. */
  handle(line: OpenTable): Table;
}

export abstract class OperableTable extends UnbuiltTable {
  readonly #open: OpenTable;
  readonly #of: Surroundings;

  constructor(open: OpenTable, of: Surroundings) {
    super();
    this.#open = open;
    this.#of = of;
  }

  /** Holds the version that this handle shows until the snapshot is closed: no cleanup removes what it needs. */
  async snapshot(): Promise<TableSnapshot> {
    const { line } = this.#of.shown;
    return new TableSnapshot(line, await this.#of.shown.hold(), () => this.#of.isConnected());
  }

  async tags(): Promise<Tags> {
    this.#of.checkOpen();
    return new Tags(this.#open, () => this.#of.checkOpen());
  }

  /** The branches of the table, whichever of them this handle shows. */
  async branches(): Promise<Branches> {
    this.#of.checkOpen();
    return new Branches(this.#open, this.#of);
  }

  /** The branch that this handle shows; null: the main line. */
  currentBranch(): string | null {
    return this.#of.shown.line.branch ?? null;
  }

  /**
   * Several vector searches at once: the results in the order of the searches, each what the search alone would give.
   * The version is read once for all of them. A search is a vector, or a query that says more (filter, columns, limit,
   * ...); searches among the same rows share most.
   * @throws INVALID_ARGUMENT, TIMEOUT, CANCELED, SNAPSHOT_EXPIRED, CORRUPT: what fails one search fails all
   */
  searchMany(
    searches: readonly (IntoVector | VectorQuery)[],
    options: QueryExecutionOptions = {},
  ): Promise<ArrowTable[]> {
    return searchMany(() => this.#of.shown.source(), searches, options);
  }

  /**
   * A writer that gathers rows and commits them by the thousands. Close it: that writes what it still holds.
   * @throws READ_ONLY, INVALID_ARGUMENT
   */
  writer(options?: WriterOptions & { readonly acknowledge?: "admission" }): BufferedWriter;
  writer(options: WriterOptions & { readonly acknowledge: "commit" }): BufferedWriter<AddResult>;
  writer(options: WriterOptions = {}): BufferedWriter<AddResult | undefined> {
    this.#of.checkWritable();
    return new BufferedWriter(this.#open, options, () => this.#of.isConnected());
  }

  /**
   * Resolves when every commit that was acknowledged before the call survives a power cut, whoever made it.
   * @throws UNAVAILABLE when one of them could not be made durable
   */
  async sync(): Promise<void> {
    this.#of.checkOpen();
    await this.#open.shared.durable.sync();
  }

  /**
   * Holds all versions of the table to what they promise, and with `deep` reads every page of them. Reads the disk,
   * changes nothing, and tells what it finds as it finds it; `for await`, or `toArray()`.
   * @throws UNAVAILABLE when it cannot look; never for what it finds
   */
  verify(options: VerifyOptions = {}): Findings<Finding> {
    this.#of.checkOpen();
    const { name, store, line } = this.#open.shared;
    const source = { table: name, store, codecs: CODECS, repair: repairCommand(store, name), line };
    const checked = optionsOf(options, "The options of verify()", VERIFY);
    return new Findings(() => verifyTable(source, checked));
  }

  /** The counters of this process's write queue for the table. */
  writeQueueMetrics(): QueueMetrics {
    return { ...this.#open.queue.metrics };
  }

  /** What this process has observed of the table since it opened it. */
  metrics(): ObservedMetrics {
    return this.#open.metrics();
  }
}
