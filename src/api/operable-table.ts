/** What there is around a table's reads and writes: the buffered writer, the durability barrier, metrics. */

import type { Finding } from "../chores/findings.js";
import { type VerifyOptions, verifyTable } from "../chores/verify.js";
import type { TableMetrics } from "../commit/meters.js";
import type { QueueMetrics } from "../commit/queue.js";
import type { Snapshot } from "../commit/snapshot.js";
import { repairCommand } from "../commit/unreadable-head.js";
import { CODECS } from "../data/codecs.js";
import { Findings } from "./findings.js";
import type { OpenTable } from "./open-table.js";
import type { AddResult } from "./results.js";
import { TableSnapshot } from "./table-snapshot.js";
import { UnbuiltTable } from "./unbuilt.js";
import { BufferedWriter, type WriterOptions } from "./writer.js";

export abstract class OperableTable extends UnbuiltTable {
  readonly #open: OpenTable;

  readonly #checkWritable: () => void;
  readonly #shown: () => Promise<Snapshot>;

  /** @param shown the version that the handle shows at the moment */
  constructor(open: OpenTable, checkWritable: () => void, shown: () => Promise<Snapshot>) {
    super();
    this.#shown = shown;
    this.#open = open;
    this.#checkWritable = checkWritable;
  }

  /** Holds the version that this handle shows until the snapshot is closed: no cleanup removes what it needs. */
  async snapshot(): Promise<TableSnapshot> {
    return new TableSnapshot(this.#open, await this.#open.shared.lease.hold(this.#shown));
  }

  /**
   * A writer that gathers rows and commits them by the thousands. Close it: that writes what it still holds.
   * @throws READ_ONLY, INVALID_ARGUMENT
   */
  writer(options?: WriterOptions & { readonly acknowledge?: "admission" }): BufferedWriter;
  writer(options: WriterOptions & { readonly acknowledge: "commit" }): BufferedWriter<AddResult>;
  writer(options: WriterOptions = {}): BufferedWriter<AddResult | undefined> {
    this.#checkWritable();
    return new BufferedWriter(this.#open, options);
  }

  /**
   * Resolves when every commit that was acknowledged before the call survives a power cut, whoever made it.
   * @throws UNAVAILABLE when one of them could not be made durable
   */
  async sync(): Promise<void> {
    await this.#open.shared.durable.sync();
  }

  /**
   * Holds all versions of the table to what they promise, and with `deep` reads every page of them. Reads the disk,
   * changes nothing, and tells what it finds as it finds it; `for await`, or `toArray()`.
   * @throws UNAVAILABLE when it cannot look; never for what it finds
   */
  verify(options: VerifyOptions = {}): Findings<Finding> {
    const { name, store } = this.#open.shared;
    const source = { table: name, store, codecs: CODECS, repair: repairCommand(store, name) };
    return new Findings(() => verifyTable(source, options));
  }

  /** The counters of this process's write queue for the table. */
  writeQueueMetrics(): QueueMetrics {
    return { ...this.#open.queue.metrics };
  }

  /** What this process has observed of the table since it opened it. */
  metrics(): TableMetrics & { readonly queue: QueueMetrics } {
    return this.#open.metrics();
  }
}
