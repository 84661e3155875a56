/**
 * One version of a table, held until it is disposed of: no cleanup of any process removes what it needs.
 *
 * Only reads; what is asked of it is answered from this version, whatever writers do meanwhile.
 */
import type { Table as ArrowTable, Schema } from "apache-arrow";
import type { Hold } from "../commit/snapshot.js";
import { countRows } from "../compute/count.js";
import { bindFilter } from "../compute/expression/bind.js";
import { queryableSchema } from "../compute/scan.js";
import { TableError } from "../support/errors.js";
import { parseSql, type SqlInput } from "./filter.js";
import type { OpenTable } from "./open-table.js";
import { Query, type QuerySource } from "./query.js";
import { readHeld } from "./query-base.js";
import type { TableStatistics } from "./results.js";
import { tableStatistics } from "./statistics.js";
import { TakeQuery } from "./take-query.js";
import type { IntoVector, MultiVector } from "./vector.js";
import type { VectorQuery } from "./vector-query.js";

export class TableSnapshot {
  readonly #open: OpenTable;
  readonly #held: Hold;
  readonly #isConnected: () => boolean;
  #closed = false;

  /** Snapshots are made by a table. */
  constructor(open: OpenTable, held: Hold, isConnected: () => boolean) {
    this.#open = open;
    this.#held = open.keep(held, isConnected);
    this.#isConnected = isConnected;
  }

  get name(): string {
    return this.#open.shared.name;
  }

  isOpen(): boolean {
    return !this.#closed && this.#isConnected();
  }

  /** Lets the version go; queries that run go on to their end. */
  close(): void {
    this.#closed = true;
    this.#held.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async version(): Promise<number> {
    return this.#snapshot().version;
  }

  async schema(): Promise<Schema> {
    return this.#snapshot().schema.arrow;
  }

  async stats(): Promise<TableStatistics> {
    return tableStatistics(this.#snapshot().manifest);
  }

  /** Rows of the version, or those for which `filter` is true. @throws SNAPSHOT_EXPIRED */
  async countRows(filter?: SqlInput): Promise<number> {
    return readHeld(await this.#source(), async (source) => {
      if (filter === undefined) return countRows(source);
      return await countRows(source, bindFilter(parseSql(filter, "The filter"), queryableSchema(source.schema)));
    });
  }

  query(): Query {
    return new Query(() => this.#source());
  }

  vectorSearch(vector: IntoVector | MultiVector): VectorQuery {
    return this.query().nearestTo(vector);
  }

  /** Rows by their position in the version. */
  takeOffsets(offsets: readonly number[]): TakeQuery {
    return TakeQuery.byOffsets(() => this.#source(), offsets);
  }

  /** Rows by `_rowid`. @throws INVALID_ARGUMENT for an id that is no unsigned 64-bit integer */
  takeRowIds(rowIds: readonly (bigint | number)[]): TakeQuery {
    return TakeQuery.byRowIds(() => this.#source(), rowIds);
  }

  toArrow(): Promise<ArrowTable> {
    return this.query().toArrow();
  }

  /** A read holds the version by itself, so that it ends well when the snapshot is closed meanwhile. */
  async #source(): Promise<QuerySource> {
    const snapshot = this.#snapshot();
    const { release } = this.#open.shared.lease.again(snapshot);
    return this.#open.reading(snapshot, release);
  }

  #snapshot(): Hold["snapshot"] {
    if (this.isOpen()) return this.#held.snapshot;
    throw new TableError(
      "CLOSED",
      `The snapshot of version ${this.#held.snapshot.version} of table '${this.name}' is closed. Take another one with snapshot().`,
    );
  }
}
