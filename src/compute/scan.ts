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
import { type ScanMetrics, scanPieces } from "./pieces.js";
import { type ResolvedPlan, resolvePlan, type ScanPlan, type ScanSource } from "./plan.js";
import { neededRows, projectOutput } from "./project.js";
import { rebatch } from "./rebatch.js";

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
  for await (const piece of limitedPieces(source, plan, resolved, metrics)) {
    yield projectOutput(await neededRows(source, piece, resolved.outputNeeds), resolved.output, resolved.outputSchema);
  }
}

/** The pieces of the scan from `offset` on, up to `limit` rows. */
async function* limitedPieces(
  source: ScanSource,
  plan: ScanPlan,
  resolved: ResolvedPlan,
  metrics: ScanMetrics | undefined,
): AsyncGenerator<Piece, void, undefined> {
  let skip = plan.offset ?? 0;
  let left = plan.limit ?? Number.POSITIVE_INFINITY;
  const pieces = scanPieces(source, {
    filter: resolved.filter,
    filterNeeds: resolved.filterNeeds,
    schema: resolved.outputNeeds.schema,
    ...(plan.limit === undefined ? {} : { rowsWanted: skip + left }),
    ...(plan.signal === undefined ? {} : { signal: plan.signal }),
    ...(metrics === undefined ? {} : { metrics }),
  });
  for await (const piece of pieces) {
    const rows = pieceRows(piece);
    if (skip >= rows) {
      skip -= rows;
      continue;
    }
    const count = Math.min(rows - skip, left);
    yield slicePiece(piece, skip, count);
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
