/** The three forms in which LanceDB takes an update, as assignments of expressions to columns. */
import type { Expression } from "../compute/expression/ast.js";
import { TableError } from "../support/errors.js";
import { checkKeys } from "./arguments.js";
import { literal, parseSql, SqlFragment, type SqlInput } from "./filter.js";

export type Values = Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>;
export type Expressions = Readonly<Record<string, SqlInput>> | ReadonlyMap<string, SqlInput>;

export type UpdateRequest = { readonly where?: SqlInput } & (
  | { readonly values: Values }
  | { readonly valuesSql: Expressions }
);

export interface ReadUpdate {
  readonly where: Expression | undefined;
  readonly assignments: ReadonlyMap<string, Expression>;
}

/** @throws INVALID_ARGUMENT when there is nothing to set, or an expression does not parse */
export function readUpdate(request: UpdateRequest | Expressions, where: SqlInput | undefined): ReadUpdate {
  if (typeof request !== "object" || request === null) {
    throw new TableError("INVALID_ARGUMENT", `An update is an object or a Map of columns, not ${String(request)}.`);
  }
  const assignments = new Map<string, Expression>();
  let filter = where;
  if (isMapLike(request, "values")) {
    checkKeys(request, "The first argument of update()", { values: true, where: true });
    for (const [column, value] of entriesOf(request.values)) assignments.set(column, literal(value));
    filter = request.where ?? where;
  } else if (isMapLike(request, "valuesSql")) {
    checkKeys(request, "The first argument of update()", { valuesSql: true, where: true });
    for (const [column, text] of entriesOf(request.valuesSql)) assignments.set(column, expression(column, text));
    filter = request.where ?? where;
  } else {
    for (const [column, text] of entriesOf(request as Expressions)) assignments.set(column, expression(column, text));
  }
  if (assignments.size === 0) {
    throw new TableError("INVALID_ARGUMENT", "An update needs at least one column to set: pass values or valuesSql.");
  }
  return { where: filter === undefined ? undefined : parseSql(filter, "The filter of update"), assignments };
}

function expression(column: string, text: unknown): Expression {
  return parseSql(text as SqlInput, `The expression for column '${column}'`);
}

/** A table may have a column named "values"; its expression is text or a template, LanceDB's option is a map. */
function isMapLike<K extends "values" | "valuesSql">(
  request: UpdateRequest | Expressions,
  key: K,
): request is { readonly where?: SqlInput } & Record<K, Expressions & Values> {
  if (request instanceof Map || typeof request !== "object" || request === null || !(key in request)) return false;
  const value = (request as Record<string, unknown>)[key];
  return typeof value === "object" && value !== null && !(value instanceof SqlFragment);
}

function entriesOf<V>(map: Readonly<Record<string, V>> | ReadonlyMap<string, V>): Iterable<readonly [string, V]> {
  return map instanceof Map ? map.entries() : Object.entries(map);
}
