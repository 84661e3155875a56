/**
 * What all queries share: the columns of the result, and the ways to get it.
 *
 * A query reads the version that its table shows when it is executed, and that one to the end.
 */
import { Table as ArrowTable, type RecordBatch, type Schema } from "apache-arrow";
import { analyze } from "../compute/explain.js";
import { bindExpression } from "../compute/expression/bind.js";
import { type OutputColumn, queryableSchema, type ScanSource } from "../compute/scan.js";
import type { ScanMetrics } from "../compute/window-reader.js";
import { TableError } from "../support/errors.js";
import { pace } from "../support/pace.js";
import type { Runtime } from "../support/runtime.js";
import { atLeast, checkLimits, type OptionKeys, objectOf, optionsOf } from "./arguments.js";
import { parseSql, type SqlInput } from "./filter.js";

/** The version that a query reads, held until `release`. */
export interface QuerySource {
  readonly source: ScanSource;
  readonly runtime: Runtime;
  readonly release: () => void;
  /** What an error of a read means; one that says that a file is gone may mean that it was lost. */
  readonly explain: (error: unknown) => Promise<unknown>;
}

/** Reads a version that is held, and lets it go. */
export async function readHeld<T>(held: QuerySource, read: (source: ScanSource) => Promise<T>): Promise<T> {
  try {
    return await read(held.source);
  } catch (error) {
    throw await held.explain(error);
  } finally {
    held.release();
  }
}

export interface QueryExecutionOptions {
  /** Rows of one batch, at most. */
  readonly maxBatchLength?: number;
  /** The query ends with TIMEOUT after this long, milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export const EXECUTION: OptionKeys<QueryExecutionOptions> = { maxBatchLength: true, timeoutMs: true, signal: true };

/** What an execution is bounded by. */
export interface Execution {
  readonly batchRows?: number;
  readonly signal?: AbortSignal;
}

export type Selection = string | readonly string[] | ReadonlyMap<string, SqlInput> | Readonly<Record<string, SqlInput>>;

export abstract class QueryBase implements AsyncIterable<RecordBatch> {
  readonly #open: () => Promise<QuerySource>;
  #columns: readonly (readonly [string, SqlInput | undefined])[] | undefined;
  protected wantsRowId = false;

  constructor(open: () => Promise<QuerySource>) {
    this.#open = open;
  }

  /** Columns by name, or a map from new names to expressions. All columns without it. */
  select(columns: Selection): this {
    if (typeof columns === "string") this.#columns = [[columns, undefined]];
    else if (Array.isArray(columns)) this.#columns = columns.map((name: string) => [name, undefined]);
    else if (columns instanceof Map) this.#columns = [...columns.entries()];
    else this.#columns = Object.entries(objectOf(columns, "The selection"));
    return this;
  }

  /** Adds `_rowid`. */
  withRowId(): this {
    this.wantsRowId = true;
    return this;
  }

  [Symbol.asyncIterator](): AsyncIterator<RecordBatch> {
    return this.execute()[Symbol.asyncIterator]();
  }

  /** The result batch by batch. @throws INVALID_ARGUMENT, TIMEOUT, CANCELED, SNAPSHOT_EXPIRED, CORRUPT */
  async *execute(options: QueryExecutionOptions = {}): AsyncGenerator<RecordBatch, void, undefined> {
    const asked = optionsOf(options, "The options of a query", EXECUTION);
    checkLimits(asked);
    if (asked.maxBatchLength !== undefined) atLeast(1, asked.maxBatchLength, "maxBatchLength");
    const held = await this.#open();
    let limit: TimeLimit | undefined;
    try {
      limit = timeLimit(asked, held.runtime);
      const execution: Execution = {
        ...(asked.maxBatchLength === undefined ? {} : { batchRows: asked.maxBatchLength }),
        ...(limit.signal === undefined ? {} : { signal: limit.signal }),
      };
      for await (const batch of this.run(held.source, execution)) {
        await pace(held.runtime);
        if (limit.signal?.aborted) throw limit.signal.reason;
        yield batch;
      }
    } catch (error) {
      throw await held.explain(error);
    } finally {
      limit?.end();
      held.release();
    }
  }

  async toArrow(options: QueryExecutionOptions = {}): Promise<ArrowTable> {
    const batches: RecordBatch[] = [];
    for await (const batch of this.execute(options)) batches.push(batch);
    return batches.length > 0 ? new ArrowTable(batches) : new ArrowTable(await this.outputSchema());
  }

  /** The rows as objects (Arrow's row proxies, as LanceDB returns them). */
  async toArray(options: QueryExecutionOptions = {}): Promise<Row[]> {
    return (await this.toArrow(options)).toArray() as Row[];
  }

  /** The schema of the result. */
  async outputSchema(): Promise<Schema> {
    const held = await this.#open();
    try {
      return await this.schemaOf(held.source);
    } finally {
      held.release();
    }
  }

  /** How the query would be executed, for people. */
  async explainPlan(verbose = false): Promise<string> {
    const held = await this.#open();
    try {
      return await this.explain(held.source, verbose);
    } finally {
      held.release();
    }
  }

  /** Runs the query to its end and says what it cost. */
  async analyzePlan(): Promise<string> {
    const held = await this.#open();
    return readHeld(held, async (source) => {
      const text = await this.explain(source, true);
      return await analyze(source, text, held.runtime, (metrics) => this.run(source, {}, metrics));
    });
  }

  protected abstract run(source: ScanSource, execution: Execution, metrics?: ScanMetrics): AsyncIterable<RecordBatch>;
  protected abstract schemaOf(source: ScanSource): Schema | Promise<Schema>;
  protected abstract explain(source: ScanSource, verbose: boolean): Promise<string> | string;

  /** The columns asked for, bound to the version; undefined for all. */
  protected outputColumns(
    source: ScanSource,
    extra: Schema = queryableSchema(source.schema),
  ): OutputColumn[] | undefined {
    return this.#columns?.map(([name, expression]) =>
      expression === undefined
        ? { name }
        : { name, expression: bindExpression(parseSql(expression, `The expression for '${name}'`), extra) },
    );
  }
}

/** One row of a result. */
export type Row = Record<string, unknown>;

/** The signal of an execution that may be bounded in time; `end` lets go of its clock. */
export interface TimeLimit {
  readonly signal: AbortSignal | undefined;
  readonly end: () => void;
}

/** @throws TIMEOUT at once when no time is given, INVALID_ARGUMENT */
export function timeLimit(options: QueryExecutionOptions, runtime: Runtime): TimeLimit {
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return { signal: options.signal, end: () => {} };
  atLeast(0, timeoutMs, "timeoutMs");
  const late = new TableError(
    "TIMEOUT",
    `Query timeout: it did not end within ${timeoutMs} ms. Narrow it, or allow more time.`,
    { details: { timeoutMs, phase: "executing" } },
  );
  if (timeoutMs === 0) throw late;
  const controller = new AbortController();
  const timer = runtime.timer(timeoutMs, () => controller.abort(late));
  const signals = options.signal === undefined ? [controller.signal] : [controller.signal, options.signal];
  return { signal: AbortSignal.any(signals), end: () => timer.cancel() };
}
