/** Counts rows: from the manifest when nothing filters, else by reading the filter's columns only. */
import type { BoundExpression } from "./expression/evaluate.js";
import { pieceRows } from "./piece.js";
import { type ScanMetrics, scanPieces } from "./pieces.js";
import { needsOf, rootsOf, type ScanSource } from "./plan.js";

/**
 * Rows that are not deleted and that match.
 * @throws SNAPSHOT_EXPIRED, CORRUPT, CANCELED
 */
export async function countRows(
  source: ScanSource,
  filter?: BoundExpression,
  signal?: AbortSignal,
  metrics?: ScanMetrics,
): Promise<number> {
  if (filter === undefined) return source.fragments.rowCount();
  const pieces = scanPieces(source, {
    filter,
    filterNeeds: needsOf(source.schema, rootsOf(filter)),
    schema: needsOf(source.schema, []).schema,
    ...(signal === undefined ? {} : { signal }),
    ...(metrics === undefined ? {} : { metrics }),
  });
  let rows = 0;
  for await (const piece of pieces) rows += pieceRows(piece);
  return rows;
}
