/** Filter, project, order and limit the rows of a table. */
import type { RecordBatch, Schema } from "apache-arrow";
import { explainScan } from "../compute/explain.js";
import { bindFilter } from "../compute/expression/bind.js";
import { outputSchema, queryableSchema, type ScanPlan, type ScanSource, scan } from "../compute/scan.js";
import type { ScanMetrics } from "../compute/window-reader.js";
import type { Execution, QuerySource } from "./query-base.js";
import { StandardQuery } from "./standard-query.js";
import { notSupported } from "./unbuilt.js";
import { type IntoVector, isMultiVector, type MultiVector } from "./vector.js";
import { VectorQuery } from "./vector-query.js";

export type { QuerySource } from "./query-base.js";

export class Query extends StandardQuery {
  readonly #source: () => Promise<QuerySource>;

  constructor(source: () => Promise<QuerySource>) {
    super(source);
    this.#source = source;
  }

  /** Turns the query into an exact search for the vectors nearest to this one. */
  nearestTo(vector: IntoVector | MultiVector): VectorQuery {
    const vectors = isMultiVector(vector) ? vector : [vector];
    return new VectorQuery(this.#source, vectors, {
      filters: this.filters,
      limit: this.limitRows,
      offset: this.offsetRows,
    });
  }

  /** @throws NOT_SUPPORTED */
  nearestToText(..._args: unknown[]): Promise<never> {
    return notSupported("nearestToText", "full-text search is not built yet; filter with LIKE or contains() instead.");
  }

  protected override run(source: ScanSource, execution: Execution, metrics?: ScanMetrics): AsyncIterable<RecordBatch> {
    return scan(source, this.#plan(source, execution), metrics);
  }

  protected override schemaOf(source: ScanSource): Schema {
    return outputSchema(source, this.#plan(source, {}));
  }

  protected override explain(source: ScanSource): Promise<string> {
    return explainScan(source, this.#plan(source, {}), this.filterText());
  }

  #plan(source: ScanSource, execution: Execution): ScanPlan {
    const columns = this.outputColumns(source);
    const filter = this.combinedFilter();
    return {
      ...execution,
      ...(columns === undefined ? {} : { columns }),
      ...(filter === undefined ? {} : { filter: bindFilter(filter, queryableSchema(source.schema)) }),
      ...(this.limitRows === undefined ? {} : { limit: this.limitRows }),
      ...(this.offsetRows === undefined ? {} : { offset: this.offsetRows }),
      orderBy: this.order,
      withRowId: this.wantsRowId,
    };
  }
}
