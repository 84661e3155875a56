/**
 * Reads rows of one version as a stream of batches: filter, projection, order, limit, row ids.
 *
 * `scan(source, plan)` gives batches in scan order (fragments by id, rows by offset) or in the order asked for, all of
 * the schema `outputSchema(source, plan)`. Memory is bounded by a few windows of rows, except for an order without a
 * limit, which holds the result.
 */
import type { RecordBatch, Schema } from "apache-arrow";
import { sliceRows } from "../data/kernels/batches.js";
import { checkCount } from "./check-count.js";
import { orderedScan } from "./order.js";
import { type Piece, pieceRows } from "./piece.js";
import { scanPieces } from "./pieces.js";
import { type ResolvedPlan, resolvePlan, type ScanPlan, type ScanSource } from "./plan.js";
import { neededRows, projectOutput } from "./project.js";
import { inThreads, readersFor } from "./readers/dispatch.js";
import type { Answer } from "./readers/job.js";
import { rebatch } from "./rebatch.js";
import type { ScanMetrics } from "./window-reader.js";

export type { ColumnOrder, OutputColumn, ScanPlan, ScanSource } from "./plan.js";
export { queryableSchema } from "./plan.js";

/** The schema of every batch of the scan. @throws INVALID_ARGUMENT for a column that is not there */
export function outputSchema(source: ScanSource, plan: ScanPlan): Schema {
  return resolvePlan(source, plan).outputSchema;
}

/**
 * The rows that the plan asks for. The plan is checked at once, files are read as batches are consumed; a result
 * without rows has no batch.
 * @throws INVALID_ARGUMENT, SNAPSHOT_EXPIRED, CORRUPT, NOT_SUPPORTED, CANCELED or the error that the signal carries
 */
export function scan(
  source: ScanSource,
  plan: ScanPlan,
  metrics?: ScanMetrics,
): AsyncGenerator<RecordBatch, void, undefined> {
  const resolved = resolvePlan(source, plan);
  checkCount("limit", plan.limit);
  checkCount("offset", plan.offset);
  const rows =
    resolved.order.length > 0
      ? orderedScan(source, plan, resolved, metrics)
      : plainScan(source, plan, resolved, metrics);
  return rebatch(rows, plan.batchRows);
}

async function* plainScan(
  source: ScanSource,
  plan: ScanPlan,
  resolved: ResolvedPlan,
  metrics: ScanMetrics | undefined,
): AsyncGenerator<RecordBatch, void, undefined> {
  if (plan.limit === 0) return;
  const options = {
    ...(plan.limit === undefined ? {} : { rowsWanted: (plan.offset ?? 0) + plan.limit }),
    ...(plan.signal === undefined ? {} : { signal: plan.signal }),
    ...(metrics === undefined ? {} : { metrics }),
  };
  const job = { kind: "rows", plan } as const;
  const readers = readersFor(source, job, options.rowsWanted);
  if (readers !== undefined) {
    const batches = batchesOf(inThreads(source, readers, job, options));
    yield* limited(batches, plan, (batch) => batch.numRows, sliceRows);
    return;
  }
  const { filter, filterNeeds, outputNeeds } = resolved;
  const pieces = scanPieces(source, { filter, filterNeeds, schema: outputNeeds.schema, ...options });
  for await (const piece of limited(pieces, plan, pieceRows, slicePiece)) {
    yield projectOutput(await neededRows(source, piece, outputNeeds), resolved.output, resolved.outputSchema);
  }
}

async function* batchesOf(answers: AsyncIterable<Answer>): AsyncGenerator<RecordBatch, void, undefined> {
  for await (const { batches } of answers) yield* batches;
}

/** The rows of the parts from `offset` on, up to `limit` rows. */
async function* limited<T>(
  parts: AsyncIterable<T>,
  plan: ScanPlan,
  rowsOf: (part: T) => number,
  slice: (part: T, start: number, count: number) => T,
): AsyncGenerator<T, void, undefined> {
  let skip = plan.offset ?? 0;
  let left = plan.limit ?? Number.POSITIVE_INFINITY;
  for await (const part of parts) {
    const rows = rowsOf(part);
    if (skip >= rows) {
      skip -= rows;
      continue;
    }
    const count = Math.min(rows - skip, left);
    yield slice(part, skip, count);
    skip = 0;
    left -= count;
    if (left === 0) return;
  }
}

/** `count` of the rows of a piece that count, from the `start`th on. */
function slicePiece(piece: Piece, start: number, count: number): Piece {
  if (start === 0 && count === pieceRows(piece)) return piece;
  if (piece.selected !== undefined) return { ...piece, selected: piece.selected.subarray(start, start + count) };
  const { offsets } = piece;
  return {
    ...piece,
    batch: sliceRows(piece.batch, start, count),
    offsets: typeof offsets === "number" ? offsets + start : offsets.subarray(start, start + count),
  };
}
