/** The builder of an upsert, with LanceDB's names. Every step returns a new builder. */
import type { RecordBatch, Schema } from "apache-arrow";
import { type MergeSource, mergeSource } from "../change/rows.js";
import type { MergeWrite, TableWrite, WriteResult } from "../change/write.js";
import { isBatchLike, isTableLike, normalizeBatches, type SchemaLike } from "../data/columns/adopt.js";
import { TableError } from "../support/errors.js";
import { type OptionKeys, optionsOf } from "./arguments.js";
import type { CommitMetadata } from "./commit-metadata.js";
import { parseSql, type SqlInput } from "./filter.js";
import { type InputData, isRows, readInput } from "./input.js";
import type { MergeResult } from "./results.js";

type Clauses = Pick<MergeWrite, "updateMatched" | "insertUnmatched" | "deleteUnmatchedTarget">;

/** What the builder needs of its table. */
export interface MergeTarget {
  readonly schema: () => Promise<Schema>;
  readonly commit: (write: TableWrite, options: MergeExecution) => Promise<WriteResult>;
}

export interface MergeExecution {
  /** How long the merge may wait for its turn, milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** Withdraws the merge for as long as it waits. */
  readonly signal?: AbortSignal | undefined;
  /** Kept with the version, as listVersions() shows it. */
  readonly metadata?: CommitMetadata | undefined;
}

const MERGE: OptionKeys<MergeExecution> = { timeoutMs: true, signal: true, metadata: true };
const CLAUSE = { where: true } as const;
const NO_CLAUSES: Clauses = { updateMatched: undefined, insertUnmatched: false, deleteUnmatchedTarget: undefined };

export class MergeInsertBuilder {
  readonly #on: readonly string[];
  readonly #target: MergeTarget;
  readonly #clauses: Clauses;

  constructor(on: readonly string[], target: MergeTarget, clauses: Clauses = NO_CLAUSES) {
    this.#on = on;
    this.#target = target;
    this.#clauses = clauses;
  }

  /** Rows with a partner in the source become that partner; with `where`, only if it holds (`target.a`, `source.a`). */
  whenMatchedUpdateAll(options: { readonly where?: SqlInput } = {}): MergeInsertBuilder {
    return this.#with({ updateMatched: { where: condition(options) } });
  }

  /** Source rows without a partner are added. */
  whenNotMatchedInsertAll(): MergeInsertBuilder {
    return this.#with({ insertUnmatched: true });
  }

  /** Rows without a partner in the source are deleted; with `where`, only those for which it holds. */
  whenNotMatchedBySourceDelete(options: { readonly where?: SqlInput } = {}): MergeInsertBuilder {
    return this.#with({ deleteUnmatchedTarget: { where: condition(options) } });
  }

  /** Accepted; there are no indices to use. */
  useIndex(_useIndex: boolean): MergeInsertBuilder {
    return this;
  }

  /** Accepted; there is no log-structured write path. */
  useLsm(_enable: boolean): MergeInsertBuilder {
    return this;
  }

  /** Accepted; there are no shards. */
  validateSingleShard(_validate: boolean): MergeInsertBuilder {
    return this;
  }

  /** Runs the merge as one commit. @throws INVALID_ARGUMENT when two source rows match one row, SCHEMA_MISMATCH */
  async execute(data: InputData, options: MergeExecution = {}): Promise<MergeResult> {
    const asked = optionsOf(options, "The options of execute()", MERGE);
    this.#check(asked);
    const source = wholeSource(data) ?? (await iterableSource(data, await this.#target.schema()));
    const write: MergeWrite = { kind: "merge", on: this.#on, ...source, ...this.#clauses, alone: false };
    const result = await this.#target.commit(write, {
      timeoutMs: asked.timeoutMs,
      signal: asked.signal,
      metadata: asked.metadata,
    });
    return {
      version: result.version,
      attempts: result.attempts,
      rebases: result.rebases,
      numInsertedRows: result.rowsAdded,
      numUpdatedRows: result.rowsUpdated,
      numDeletedRows: result.rowsDeleted,
      numAttempts: result.attempts,
      numRows: result.rowsAdded + result.rowsUpdated,
    };
  }

  #check(options: MergeExecution): void {
    const { updateMatched, insertUnmatched, deleteUnmatchedTarget } = this.#clauses;
    if (updateMatched === undefined && !insertUnmatched && deleteUnmatchedTarget === undefined) {
      throw new TableError(
        "INVALID_ARGUMENT",
        "The merge insert job is not configured to change the data in any way. Say what to do with rows that match, or do not.",
      );
    }
    if (options.timeoutMs !== 0) return;
    throw new TableError("TIMEOUT", "merge insert timed out: it was given 0 ms, and was not executed.", {
      details: { timeoutMs: 0, phase: "queued" },
    });
  }

  #with(clauses: Partial<Clauses>): MergeInsertBuilder {
    return new MergeInsertBuilder(this.#on, this.#target, { ...this.#clauses, ...clauses });
  }
}

/** Rows and Arrow data are fitted to the table when their group is planned; undefined for an iterable. */
function wholeSource(data: InputData): MergeSource | undefined {
  if (isRows(data)) {
    return mergeSource(data);
  }
  if (!isTableLike(data) && !isBatchLike(data)) return undefined;
  const columns: MergeSource["columns"] = () => namesOf(data.schema);
  return { columns, toBatches: (schema) => normalizeBatches(data, schema), rows: 0, sizeBytes: 0 };
}

/** An iterable may bring any column, so it counts as bringing all. */
async function iterableSource(data: InputData, target: Schema): Promise<MergeSource> {
  const { batches: incoming } = await readInput(data, target);
  const batches: RecordBatch[] = [];
  for await (const batch of incoming) batches.push(batch);
  return {
    columns: namesOf,
    toBatches: (schema) => (schema === target ? batches : batches.flatMap((batch) => normalizeBatches(batch, schema))),
    rows: batches.reduce((sum, batch) => sum + batch.numRows, 0),
    sizeBytes: batches.reduce((sum, batch) => sum + batch.data.byteLength, 0),
  };
}

function namesOf(schema: SchemaLike): ReadonlySet<string> {
  return new Set(schema.fields.map((field) => field.name));
}

/** A condition that is passed as it is, without its name, would change all rows instead of some. */
function condition(options: { readonly where?: SqlInput }) {
  const { where } = optionsOf(options, "The options of a mergeInsert() clause", CLAUSE);
  return where === undefined ? undefined : parseSql(where, "The condition of mergeInsert");
}
