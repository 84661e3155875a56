/**
 * Whether a data file can hold a row that a filter keeps, judged by column statistics alone.
 *
 * Says yes on every doubt: no statistics, computed operands, constants that statistics do not compare with. NaN is in
 * no bound and counts as greater than every number, so an upper bound says nothing about `>` on floats.
 */
import type { DataType } from "apache-arrow";
import type { ColumnStatistics, Scalar } from "../data/codec.js";
import type { CompareOperator } from "./expression/ast.js";
import type { BoundExpression, Node } from "./expression/bound.js";
import { isPattern } from "./expression/bound.js";
import { isFloat, kindOf } from "./expression/types.js";
import { isValid, textAt, type Vector } from "./expression/vector.js";

type Lookup = (path: readonly string[]) => ColumnStatistics | undefined;

/**
 * False only when no row of the file can make `expression` TRUE.
 * @param statistics bounds of a column of the file in its physical unit, undefined when unknown
 * @param rows all rows of the file, deleted ones included, as counted by the statistics
 */
export function mightMatch(expression: BoundExpression, statistics: Lookup, rows: number): boolean {
  return rows > 0 && nodeMightMatch(expression.root, statistics, rows);
}

function nodeMightMatch(node: Node, statistics: Lookup, rows: number): boolean {
  switch (node.kind) {
    case "literal":
      return node.vector.form === "truth" ? node.vector.values[0] === 1 && isValid(node.vector, 0) : false;
    case "and":
      return node.terms.every((term) => nodeMightMatch(term, statistics, rows));
    case "or":
      return node.terms.some((term) => nodeMightMatch(term, statistics, rows));
    case "column":
      return boundsAllow("=", statistics(node.path), true, false);
    case "isNull":
      return nullsMightMatch(node, statistics, rows);
    case "compare":
      return compareMightMatch(node, statistics, rows);
    case "in":
      return inMightMatch(node, statistics, rows);
    case "like":
      return likeMightMatch(node, statistics);
    default:
      return true;
  }
}

function nullsMightMatch(node: Extract<Node, { kind: "isNull" }>, statistics: Lookup, rows: number): boolean {
  // A child's count does not tell the NULLs of its parents.
  if (node.input.kind !== "column" || node.input.path.length !== 1) return true;
  const nulls = statistics(node.input.path)?.nullCount;
  if (nulls === undefined) return true;
  return node.negated ? nulls < rows : nulls > 0;
}

const MIRROR: Readonly<Record<CompareOperator, CompareOperator>> = {
  "=": "=",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

function compareMightMatch(node: Extract<Node, { kind: "compare" }>, statistics: Lookup, rows: number): boolean {
  const mirrored = node.left.kind === "literal";
  const [column, literal] = mirrored ? [node.right, node.left] : [node.left, node.right];
  if (literal.kind !== "literal") return true;
  if (!isValid(literal.vector, 0)) return false;
  if (column.kind !== "column") return true;
  const known = statistics(column.path);
  if (allNull(known, column.path, rows)) return false;
  const value = scalarOf(literal.vector);
  if (value === undefined) return true;
  const operator = mirrored ? MIRROR[node.operator] : node.operator;
  return boundsAllow(operator, known, value, isFloat(kindOf(column.type)));
}

function allNull(known: ColumnStatistics | undefined, path: readonly string[], rows: number): boolean {
  return path.length === 1 && known?.nullCount !== undefined && known.nullCount >= rows;
}

/** The one value of a constant in the unit of statistics; undefined for what they do not bound, and for NaN. */
function scalarOf(vector: Vector): Scalar | undefined {
  switch (vector.form) {
    case "truth":
      return vector.values[0] === 1;
    case "number":
      return Number.isNaN(vector.values[0]) ? undefined : vector.values[0];
    case "wide":
      // Codecs differ in how they keep a decimal's bounds.
      return kindOf(vector.type) === "decimal" ? undefined : vector.values[0];
    case "bytes":
      return isText(vector.type) ? textAt(vector, 0) : undefined;
    default:
      return undefined;
  }
}

function isText(type: DataType): boolean {
  return kindOf(type) === "utf8";
}

/** Whether a value between the bounds can satisfy the operator. Absent bounds allow everything. */
function boundsAllow(
  operator: CompareOperator,
  known: ColumnStatistics | undefined,
  value: Scalar,
  mayBeNaN: boolean,
): boolean {
  if (known === undefined) return true;
  const low = known.min === undefined ? undefined : order(known.min, value);
  const high = known.max === undefined ? undefined : order(known.max, value);
  switch (operator) {
    case "=":
      return !(low !== undefined && low > 0) && !(high !== undefined && high < 0);
    // Bounds may have been cut, so that equal bounds do not prove equal values.
    case "!=":
      return true;
    case "<":
      return low === undefined || low < 0;
    case "<=":
      return low === undefined || low <= 0;
    case ">":
      return mayBeNaN || high === undefined || high > 0;
    case ">=":
      return mayBeNaN || high === undefined || high >= 0;
  }
}

/** Negative, zero or positive; undefined when the two are of kinds that do not compare. */
function order(bound: Scalar, value: Scalar): number | undefined {
  if (typeof bound === "string" || typeof value === "string") {
    if (typeof bound !== "string" || typeof value !== "string") return undefined;
    return Buffer.compare(Buffer.from(bound), Buffer.from(value));
  }
  const [a, b] = [
    typeof bound === "boolean" ? Number(bound) : bound,
    typeof value === "boolean" ? Number(value) : value,
  ];
  if (Number.isNaN(a)) return undefined;
  return a < b ? -1 : a > b ? 1 : 0;
}

function inMightMatch(node: Extract<Node, { kind: "in" }>, statistics: Lookup, rows: number): boolean {
  if (node.input.kind !== "column") return true;
  const known = statistics(node.input.path);
  if (allNull(known, node.input.path, rows)) return false;
  if (node.negated) return !node.hasNull;
  const { set } = node;
  if (set.needles !== undefined) {
    if (!isText(node.input.type)) return true;
    return set.needles.some((needle) => boundsAllow("=", known, new TextDecoder().decode(needle), false));
  }
  if ((known?.min === undefined && known?.max === undefined) || kindOf(node.input.type) === "decimal") return true;
  for (const items of [set.numbers ?? [], set.wides ?? []]) {
    for (const item of items) {
      if (Number.isNaN(item) || boundsAllow("=", known, item, false)) return true;
    }
  }
  for (const text of set.texts ?? []) {
    if (!isText(node.input.type)) return true;
    if (boundsAllow("=", known, Buffer.from(text, "latin1").toString(), false)) return true;
  }
  return false;
}

/** A pattern with a fixed start bounds the text from both sides. */
function likeMightMatch(node: Extract<Node, { kind: "like" }>, statistics: Lookup): boolean {
  if (node.negated || node.caseless || node.input.kind !== "column" || !isPattern(node.pattern)) return true;
  const codes: number[] = [];
  for (const code of node.pattern.pieces[0] ?? []) {
    if (code === -1) break;
    codes.push(...code);
  }
  const known = statistics(node.input.path);
  if (codes.length === 0 || known === undefined) return true;
  const prefix = Buffer.from(codes);
  if (typeof known.max === "string" && Buffer.compare(Buffer.from(known.max), prefix) < 0) return false;
  if (typeof known.min !== "string") return true;
  const start = Buffer.from(known.min).subarray(0, prefix.length);
  return Buffer.compare(start, prefix) <= 0;
}
