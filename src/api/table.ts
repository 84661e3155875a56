/**
 * A handle of a table: writes go through the queue, reads work on one snapshot each.
 *
 * A handle that is not checked out sees every commit of every process at once. Any number of callers may share one.
 */
import type { Table as ArrowTable, Field, Schema } from "apache-arrow";
import { planRestore } from "../change/overwrite.js";
import type { AloneWrite, TableWrite, WriteResult } from "../change/write.js";
import { countRows } from "../compute/count.js";
import { bindFilter } from "../compute/expression/bind.js";
import { queryableSchema } from "../compute/scan.js";
import { TableError } from "../support/errors.js";
import { appendWrite, overwriteWrite } from "./append.js";
import { listOf, optionsOf, shown, textOf } from "./arguments.js";
import { checkMetadata } from "./commit-metadata.js";
import { parseSql, type SqlInput, sqlText } from "./filter.js";
import type { InputData } from "./input.js";
import { MergeInsertBuilder } from "./merge.js";
import type { OpenTable } from "./open-table.js";
import { OperableTable } from "./operable-table.js";
import { type OptimizeOptions, type OptimizeStats, optimizeTable } from "./optimize.js";
import { reporter } from "./progress.js";
import { Query } from "./query.js";
import { readHeld } from "./query-base.js";
import type {
  AddColumnsResult,
  AddResult,
  AlterColumnsResult,
  CommitInfo,
  DeleteResult,
  DropColumnsResult,
  TableStatistics,
  UpdateResult,
  Version,
} from "./results.js";
import {
  type AddColumnsSql,
  addColumnsWrite,
  alterColumnsWrite,
  type ColumnAlteration,
  dropColumnsWrite,
  type FieldMetadataUpdate,
  fieldMetadataWrite,
} from "./schema-changes.js";
import { ShownVersion } from "./shown-version.js";
import { tableStatistics } from "./statistics.js";
import { checkVersion } from "./tags.js";
import { TakeQuery } from "./take-query.js";
import { type Expressions, readUpdate, type UpdateRequest } from "./update-request.js";
import type { IntoVector, MultiVector } from "./vector.js";
import type { VectorQuery } from "./vector-query.js";
import { listVersions } from "./versions.js";
import { ADD, type AddOptions, UPDATE, type UpdateOptions, WRITE, type WriteOptions } from "./write-options.js";

export class Table extends OperableTable {
  readonly #open: OpenTable;
  readonly #isConnected: () => boolean;
  readonly #shown: ShownVersion;
  #closed = false;

  /** Handles are made by a connection. */
  constructor(open: OpenTable, isConnected: () => boolean) {
    const shown = new ShownVersion(open, () => this.#checkOpen(), isConnected);
    super(open, {
      shown,
      checkOpen: () => this.#checkOpen(),
      checkWritable: () => this.#checkWritable(),
      isConnected,
      handle: (line) => new Table(line, isConnected),
    });
    this.#open = open;
    this.#shown = shown;
    this.#isConnected = isConnected;
  }

  get name(): string {
    return this.#open.name;
  }

  isOpen(): boolean {
    return !this.#closed && this.#isConnected();
  }

  /** Closes this handle; others of the same table stay open. */
  close(): void {
    this.#closed = true;
    this.#shown.letGo();
  }

  display(): string {
    return this.isOpen() ? `Table(${this.name})` : `ClosedTable(${this.name})`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.display();
  }

  async schema(): Promise<Schema> {
    return (await this.#shown.snapshot()).schema.arrow;
  }

  async version(): Promise<number> {
    return (await this.#shown.snapshot()).version;
  }

  /**
   * Adds rows, or with `mode: "overwrite"` replaces all. Rows must not be changed before the promise settles.
   * @throws SCHEMA_MISMATCH, READ_ONLY, CONFLICT, BUSY, TIMEOUT, CANCELED, QUEUE_FULL, UNAVAILABLE, UNKNOWN_OUTCOME
   */
  async add(data: InputData, options: AddOptions = {}): Promise<AddResult> {
    this.#checkWritable();
    const asked = optionsOf(options, "The options of add()", ADD);
    const report = reporter(asked.progress, this.#open.settings.runtime.monotonicMs);
    if (asked.mode !== undefined && asked.mode !== "append" && asked.mode !== "overwrite") {
      throw new TableError("INVALID_ARGUMENT", `mode is ${shown(asked.mode)}; it may be "append" or "overwrite".`);
    }
    checkMetadata(asked.metadata);
    const ended = this.#open.shared.lease.begin();
    try {
      const write =
        asked.mode === "overwrite" ? overwriteWrite(this.#open, data, report) : appendWrite(this.#open, data, report);
      // Only what has to wait does: the order of calls is the order in the queue.
      const result = await this.#open.write(write instanceof Promise ? await write : write, asked);
      const { version, attempts, rebases, rowsAdded } = result;
      report(rowsAdded, 0, true);
      return { version, attempts, rebases, rowsAdded };
    } finally {
      ended();
    }
  }

  /**
   * Gives rows new values: `{ values, where }`, `{ valuesSql, where }` with expressions over the old values, or
   * `update(expressions, { where })`.
   * @throws INVALID_ARGUMENT for unknown columns and expressions that do not parse
   */
  async update(request: UpdateRequest | Expressions, options: UpdateOptions = {}): Promise<UpdateResult> {
    this.#checkWritable();
    const { where, assignments } = readUpdate(request, optionsOf(options, "The options of update()", UPDATE).where);
    const write: TableWrite = { kind: "update", where, assignments, rows: 0, sizeBytes: 0, alone: false };
    const result = await this.#open.write(write, { ...options });
    return { ...info(result), rowsUpdated: result.rowsUpdated };
  }

  /** Deletes the rows for which the predicate is true. */
  async delete(predicate: SqlInput, options: WriteOptions = {}): Promise<DeleteResult> {
    this.#checkWritable();
    const parsed = parseSql(predicate, "The predicate of delete");
    optionsOf(options, "The options of delete()", WRITE);
    const text = sqlText(predicate);
    const write: TableWrite = { kind: "delete", predicate: parsed, text, rows: 0, sizeBytes: 0, alone: false };
    const result = await this.#open.write(write, options ?? {});
    return { ...info(result), numDeletedRows: result.rowsDeleted };
  }

  /** Begins an upsert by the key columns `on`. */
  mergeInsert(on: string | readonly string[]): MergeInsertBuilder {
    const keys = listOf(typeof on === "string" ? [on] : on, "The key columns of mergeInsert()");
    for (const key of keys) textOf(key, "A key column of mergeInsert()");
    return new MergeInsertBuilder(keys, {
      schema: async () => {
        this.#checkWritable();
        return (await this.#open.shared.refresh()).schema.arrow;
      },
      commit: async (write, options) => {
        this.#checkWritable();
        return this.#open.write(write, options);
      },
    });
  }

  /** Rows of the version, or those for which `filter` is true. */
  async countRows(filter?: SqlInput): Promise<number> {
    if (filter === undefined) return countRows(this.#shown.line.source(await this.#shown.snapshot()));
    return readHeld(await this.#shown.source(), (source) =>
      countRows(source, bindFilter(parseSql(filter, "The filter"), queryableSchema(source.schema))),
    );
  }

  query(): Query {
    return new Query(() => this.#shown.source());
  }

  /** Exact search for the nearest vectors. @throws NOT_SUPPORTED for text */
  search(query: string | IntoVector | MultiVector, _queryType = "auto", _columns?: string | string[]): VectorQuery {
    if (typeof query === "string") {
      throw new TableError(
        "NOT_SUPPORTED",
        "Full-text search is not built yet; filter with LIKE or contains() instead.",
      );
    }
    return this.vectorSearch(query);
  }

  vectorSearch(vector: IntoVector | MultiVector): VectorQuery {
    return this.query().nearestTo(vector);
  }

  /** Rows by their position in the table. */
  takeOffsets(offsets: readonly number[]): TakeQuery {
    return TakeQuery.byOffsets(() => this.#shown.source(), offsets);
  }

  /** Rows by `_rowid`. @throws INVALID_ARGUMENT for an id that is no unsigned 64-bit integer */
  takeRowIds(rowIds: readonly (bigint | number)[]): TakeQuery {
    return TakeQuery.byRowIds(() => this.#shown.source(), rowIds);
  }

  toArrow(): Promise<ArrowTable> {
    return this.query().toArrow();
  }

  /** New columns: expressions over the old ones, or fields whose values are null. @throws INVALID_ARGUMENT */
  async addColumns(
    columns: readonly AddColumnsSql[] | Field | readonly Field[] | Schema,
    options: WriteOptions = {},
  ): Promise<AddColumnsResult> {
    return this.#alone(addColumnsWrite(this.#open, columns), options);
  }

  /** Renames columns, makes them nullable or not, casts them to another type. @throws INVALID_ARGUMENT */
  async alterColumns(
    alterations: readonly ColumnAlteration[],
    options: WriteOptions = {},
  ): Promise<AlterColumnsResult> {
    return this.#alone(alterColumnsWrite(this.#open, alterations), options);
  }

  async dropColumns(names: readonly string[], options: WriteOptions = {}): Promise<DropColumnsResult> {
    return this.#alone(dropColumnsWrite(names), options);
  }

  async updateFieldMetadata(updates: readonly FieldMetadataUpdate[], options: WriteOptions = {}): Promise<CommitInfo> {
    return this.#alone(fieldMetadataWrite(updates), options);
  }

  /** All versions that exist, oldest first. */
  async listVersions(): Promise<Version[]> {
    this.#checkOpen();
    return listVersions(this.#open.shared);
  }

  /**
   * Shows a version and refuses writes, until checkoutLatest(): by number, by tag, or the newest one that was made at or
   * before a date, by the clocks of its writers.
   * @throws NOT_FOUND
   */
  async checkout(version: number | string | Date): Promise<void> {
    await this.#shown.checkout(version);
  }

  /** Shows the newest version again. */
  async checkoutLatest(): Promise<void> {
    await this.#shown.checkoutLatest();
  }

  /** Makes the checked-out version (or `version`) the newest one, as a new version. */
  async restore(version?: number, options: WriteOptions = {}): Promise<CommitInfo> {
    this.#checkOpen();
    const shown = this.#shown.line === this.#open ? this.#shown.pinned?.version : undefined;
    const wanted = version ?? shown;
    if (wanted === undefined) {
      throw new TableError(
        "INVALID_ARGUMENT",
        "restore() needs a version: you must run checkout before running restore, or name one.",
      );
    }
    checkVersion(wanted);
    const { shared } = this.#open;
    const { release } = await shared.lease.hold(() => shared.open(wanted));
    try {
      const result = await this.#open.write(
        alone(() => planRestore(shared, wanted)),
        optionsOf(options, "The options of restore()", WRITE),
      );
      this.#shown.letGo();
      return info(result);
    } finally {
      release();
    }
  }

  /**
   * Merges small fragments with their neighbours and rewrites heavily deleted ones. Writers go on meanwhile.
   * @throws INVALID_ARGUMENT, READ_ONLY, BUSY, UNAVAILABLE, CORRUPT
   */
  async optimize(options: OptimizeOptions = {}): Promise<OptimizeStats> {
    this.#checkWritable();
    return optimizeTable(this.#open, options);
  }

  async stats(): Promise<TableStatistics> {
    return tableStatistics((await this.#shown.snapshot()).manifest);
  }

  async usesV2ManifestPaths(): Promise<boolean> {
    return (await this.#shown.snapshot()).head.scheme === "v2";
  }

  async #alone(write: AloneWrite, options: WriteOptions): Promise<CommitInfo> {
    this.#checkWritable();
    return info(await this.#open.write(write, optionsOf(options, "The options", WRITE)));
  }

  #checkOpen(): void {
    if (this.isOpen()) return;
    throw new TableError("CLOSED", `Table ${this.name} is closed. Open it again with openTable().`);
  }

  #checkWritable(): void {
    this.#checkOpen();
    const { pinned } = this.#shown;
    if (pinned === undefined) return;
    throw new TableError(
      "READ_ONLY",
      `The table cannot be modified when a specific version is checked out: '${this.name}' is at version ${pinned.version}. Call checkoutLatest() first.`,
      { details: { version: pinned.version } },
    );
  }
}

function alone(plan: AloneWrite["plan"]): AloneWrite {
  return { kind: "alone", alone: true, rows: 0, sizeBytes: 0, plan };
}

function info(result: WriteResult): CommitInfo {
  return { version: result.version, attempts: result.attempts, rebases: result.rebases };
}
