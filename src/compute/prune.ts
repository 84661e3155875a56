/**
 * Whether a data file can hold a row that a filter keeps, judged by column statistics alone.
 *
 * Says yes on every doubt: no statistics, computed operands, bounds that may have been cut, NaN.
 */
import type { ColumnStatistics } from "../data/codec.js";
import type { BoundExpression } from "./expression/bound.js";

/** False only when no row of the file can make `expression` TRUE. */
export function mightMatch(
  _expression: BoundExpression,
  _statistics: (path: readonly string[]) => ColumnStatistics | undefined,
  _rows: number,
): boolean {
  return true;
}
