/** Counts rows: from the manifest when nothing filters, else by reading the filter's columns only. */
import type { BoundExpression } from "./expression/evaluate.js";
import { pieceRows } from "./piece.js";
import { scanPieces } from "./pieces.js";
import type { ScanSource } from "./plan.js";
import { inThreads, readersFor } from "./readers/dispatch.js";
import { requestsOf } from "./readers/job.js";
import type { ScanMetrics } from "./window-reader.js";

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
  const options = { ...(signal === undefined ? {} : { signal }), ...(metrics === undefined ? {} : { metrics }) };
  const job = { kind: "count", filter } as const;
  const readers = readersFor(source, job);
  let rows = 0;
  if (readers !== undefined) {
    for await (const answer of inThreads(source, readers, job, options)) rows += answer.rows;
  } else {
    const [request] = requestsOf(source, job);
    for await (const piece of scanPieces(source, { ...request!, ...options })) rows += pieceRows(piece);
  }
  return rows;
}
