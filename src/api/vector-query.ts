/** Exact nearest-neighbour search, with LanceDB's knobs; those that tune an index are accepted and change nothing. */
import type { RecordBatch, Schema } from "apache-arrow";
import { explainNearest } from "../compute/explain.js";
import type { Expression } from "../compute/expression/ast.js";
import { bindFilter } from "../compute/expression/bind.js";
import {
  type DistanceType,
  type NearestPlan,
  nearest,
  nearestQueryableSchema,
  nearestSchema,
} from "../compute/nearest.js";
import { queryableSchema, type ScanSource } from "../compute/scan.js";
import type { ScanMetrics } from "../compute/window-reader.js";
import { TableError } from "../support/errors.js";
import { numberOf, textOf } from "./arguments.js";
import type { Execution, QuerySource } from "./query-base.js";
import { StandardQuery } from "./standard-query.js";
import { notSupported } from "./unbuilt.js";
import { type IntoVector, resolveVector } from "./vector.js";

/** What a plain query hands over when it becomes a search. */
export interface SearchStart {
  readonly filters: readonly Expression[];
  readonly limit: number | undefined;
  readonly offset: number | undefined;
}

/** What a query would search for in a version; for those who execute several at once. @throws INVALID_ARGUMENT */
/** Columns that a search adds to its result; the second one when it is for several vectors. */
const RESULT_COLUMNS = ["_distance", "query_index"];

/** A column of the table would stand in the place of the result's. @throws INVALID_ARGUMENT */
function refuseColumn(source: ScanSource, name: string): void {
  if (!source.schema.nodes.some(({ field }) => field.name === name)) return;
  throw new TableError(
    "INVALID_ARGUMENT",
    `The table has a column '${name}', where a search puts its result. Rename it with alterColumns().`,
    { details: { column: name } },
  );
}

export let planOf: (query: VectorQuery, source: ScanSource) => Promise<NearestPlan>;

export class VectorQuery extends StandardQuery {
  static {
    planOf = (query, source) => query.#plan(source);
  }

  readonly #vectors: IntoVector[];
  #column: string | undefined;
  #distanceType: DistanceType | undefined;
  #lowerBound: number | undefined;
  #upperBound: number | undefined;
  #postfilter = false;

  constructor(source: () => Promise<QuerySource>, vectors: readonly IntoVector[], start: SearchStart) {
    super(source);
    this.#vectors = [...vectors];
    this.filters.push(...start.filters);
    this.limitRows = start.limit;
    this.offsetRows = start.offset;
  }

  /** The vector column; needed when several have the dimension of the query. */
  column(name: string): this {
    this.#column = textOf(name, "The vector column");
    return this;
  }

  /** "l2" (squared), "cosine" or "dot". */
  distanceType(type: DistanceType): this {
    this.#distanceType = type;
    return this;
  }

  /** Only rows with lowerBound <= _distance < upperBound. */
  distanceRange(lowerBound?: number, upperBound?: number): this {
    for (const bound of [lowerBound, upperBound])
      if (bound !== undefined) numberOf(bound, "A bound of distanceRange()");
    this.#lowerBound = lowerBound;
    this.#upperBound = upperBound;
    return this;
  }

  /** Filters the nearest rows, instead of searching among the rows that pass the filter. */
  postfilter(): this {
    this.#postfilter = true;
    return this;
  }

  /** Searches for one more vector; the result gets a column `query_index`. */
  addQueryVector(vector: IntoVector): this {
    this.#vectors.push(vector);
    return this;
  }

  /** Accepted; every search is exact. */
  bypassVectorIndex(): this {
    return this;
  }
  /** Accepted; every search is exact. */
  nprobes(_nprobes: number): this {
    return this;
  }
  /** Accepted; every search is exact. */
  minimumNprobes(_nprobes: number): this {
    return this;
  }
  /** Accepted; every search is exact. */
  maximumNprobes(_nprobes: number): this {
    return this;
  }
  /** Accepted; every search is exact. */
  ef(_ef: number): this {
    return this;
  }
  /** Accepted; every search is exact. */
  refineFactor(_factor: number): this {
    return this;
  }

  /** @throws NOT_SUPPORTED */
  rerank(..._args: unknown[]): Promise<never> {
    return notSupported("rerank", "full-text search and rerankers are not built yet.");
  }

  protected override async *run(
    source: ScanSource,
    execution: Execution,
    metrics?: ScanMetrics,
  ): AsyncGenerator<RecordBatch> {
    yield* nearest(source, { ...(await this.#plan(source)), ...execution }, metrics);
  }

  protected override async schemaOf(source: ScanSource): Promise<Schema> {
    return nearestSchema(source, await this.#plan(source));
  }

  protected override async explain(source: ScanSource): Promise<string> {
    return explainNearest(source, await this.#plan(source), this.filterText());
  }

  async #plan(source: ScanSource): Promise<NearestPlan> {
    const vectors = await Promise.all(this.#vectors.map(resolveVector));
    for (const name of vectors.length > 1 ? RESULT_COLUMNS : RESULT_COLUMNS.slice(0, 1)) refuseColumn(source, name);
    const schema = this.#postfilter ? nearestQueryableSchema(source.schema) : queryableSchema(source.schema);
    const columns = this.outputColumns(source, nearestQueryableSchema(source.schema));
    const filter = this.combinedFilter();
    return {
      vectors,
      ...(columns === undefined ? {} : { columns }),
      ...(filter === undefined ? {} : { filter: bindFilter(filter, schema) }),
      ...(this.#column === undefined ? {} : { column: this.#column }),
      ...(this.#distanceType === undefined ? {} : { distanceType: this.#distanceType }),
      ...(this.#lowerBound === undefined ? {} : { lowerBound: this.#lowerBound }),
      ...(this.#upperBound === undefined ? {} : { upperBound: this.#upperBound }),
      ...(this.limitRows === undefined ? {} : { limit: this.limitRows }),
      ...(this.offsetRows === undefined ? {} : { offset: this.offsetRows }),
      orderBy: this.order,
      postfilter: this.#postfilter,
      withRowId: this.wantsRowId,
    };
  }
}
