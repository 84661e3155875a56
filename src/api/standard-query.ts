/** What plain queries and vector searches share: filter, limit, offset, order. */
import type { Expression } from "../compute/expression/ast.js";
import { printExpression } from "../compute/expression/print.js";
import type { ColumnOrder } from "../compute/scan.js";
import { checkKeys, type OptionKeys, objectOf, textOf } from "./arguments.js";
import { parseSql, type SqlInput } from "./filter.js";
import { QueryBase } from "./query-base.js";
import { notSupported } from "./unbuilt.js";

const ORDERING: OptionKeys<ColumnOrder> = { columnName: true, ascending: true, nullsFirst: true };

export abstract class StandardQuery extends QueryBase {
  protected readonly filters: Expression[] = [];
  protected limitRows: number | undefined;
  protected offsetRows: number | undefined;
  protected order: readonly ColumnOrder[] = [];

  /** Only rows for which the predicate is true; several calls must all hold. */
  where(predicate: SqlInput): this {
    this.filters.push(parseSql(predicate, "The filter"));
    return this;
  }

  /** @deprecated Use `where`. */
  filter(predicate: SqlInput): this {
    return this.where(predicate);
  }

  /** At most this many rows. */
  limit(rows: number): this {
    this.limitRows = rows;
    return this;
  }

  /** Leaves out the first rows of the result. */
  offset(rows: number): this {
    this.offsetRows = rows;
    return this;
  }

  /** Sorts the result; nulls come last unless `nullsFirst`. */
  orderBy(ordering: ColumnOrder | readonly ColumnOrder[]): this {
    const order: readonly ColumnOrder[] = Array.isArray(ordering) ? ordering : [ordering as ColumnOrder];
    for (const one of order) {
      textOf(checkKeys(objectOf(one, "An ordering"), "An ordering", ORDERING).columnName, "columnName");
    }
    this.order = order;
    return this;
  }

  /** Accepted; every search is exact. */
  fastSearch(): this {
    return this;
  }

  /** Accepted; there is no log-structured write path. */
  useLsm(_enable: boolean): this {
    return this;
  }

  /** @throws NOT_SUPPORTED */
  fullTextSearch(..._args: unknown[]): Promise<never> {
    return notSupported("fullTextSearch", "full-text search is not built yet; filter with LIKE or contains() instead.");
  }

  /** All filters as one; undefined without any. */
  protected combinedFilter(): Expression | undefined {
    return this.filters.length > 1 ? { kind: "and", terms: this.filters } : this.filters[0];
  }

  /** The filter as text, for plans. */
  protected filterText(): string | undefined {
    const filter = this.combinedFilter();
    return filter === undefined ? undefined : printExpression(filter);
  }
}
