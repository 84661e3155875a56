/**
 * Scans in an order: with a limit only the best rows are kept while the scan runs, and the columns that only the
 * result needs are read for those rows alone.
 */
import type { RecordBatch } from "apache-arrow";
import { concatBatches, takeRows } from "../data/kernels/batches.js";
import { scanPieces } from "./pieces.js";
import { type Place, readPlaces } from "./places.js";
import type { ColumnNeeds, ResolvedPlan, ScanPlan, ScanSource } from "./plan.js";
import { neededRows, projectOutput } from "./project.js";
import { inThreads, readersFor } from "./readers/dispatch.js";
import { BATCH_ROWS_DEFAULT } from "./rebatch.js";
import { ROW_ADDRESS } from "./row-numbers.js";
import { bestRows, boundOf, columnAt, hopefulRows, orderedNeeds, readsLate, sortKeysOf } from "./sort-columns.js";
import { type SortBound, sortRows } from "./sort-rows.js";
import type { ScanMetrics } from "./window-reader.js";

/** Up to this many rows the result is kept by its best rows; beyond, everything is read and sorted once. */
const BEST_ROWS_MAX = 1 << 17;
const LOW_WORD = 0xffff_ffffn;
/** Rows that are collected before the best of them are picked. */
const COLLECT_ROWS = 1 << 14;

/** The rows of the plan in its order, after offset and limit. */
export async function* orderedScan(
  source: ScanSource,
  plan: ScanPlan,
  resolved: ResolvedPlan,
  metrics: ScanMetrics | undefined,
): AsyncGenerator<RecordBatch, void, undefined> {
  if (plan.limit === 0) return;
  const offset = plan.offset ?? 0;
  const end = offset + (plan.limit ?? Number.POSITIVE_INFINITY);
  const late = readsLate(plan, resolved);
  const rows = await collectRows(source, plan, resolved, orderedNeeds(source, plan, resolved), metrics);
  if (rows === undefined) return;
  const order = sortRows(sortKeysOf(rows, resolved), rows.numRows).subarray(offset, end);
  for (let start = 0; start < order.length; start += BATCH_ROWS_DEFAULT) {
    const picked = takeRows(rows, order.subarray(start, start + BATCH_ROWS_DEFAULT));
    const batch = late ? await readPlaces(source, placesOf(picked), resolved.outputNeeds, plan.signal) : picked;
    yield projectOutput(batch, resolved.output, resolved.outputSchema);
  }
}

/** Every row that may be in the result; with a limit the best of them only. Undefined when there are none. */
async function collectRows(
  source: ScanSource,
  plan: ScanPlan,
  resolved: ResolvedPlan,
  needs: ColumnNeeds,
  metrics: ScanMetrics | undefined,
): Promise<RecordBatch | undefined> {
  const end = (plan.offset ?? 0) + (plan.limit ?? Number.POSITIVE_INFINITY);
  const keep = end <= BEST_ROWS_MAX ? end : Number.POSITIVE_INFINITY;
  const collected: RecordBatch[] = [];
  let rows = 0;
  let bound: SortBound | undefined;
  const take = (batch: RecordBatch) => {
    collected.push(batch);
    rows += batch.numRows;
    if (rows <= Math.max(COLLECT_ROWS, 2 * keep)) return;
    const best = bestRows(concatBatches(collected.splice(0)), resolved, keep);
    collected.push(best);
    rows = best.numRows;
    bound = boundOf(best, resolved);
  };
  const options = {
    ...(plan.signal === undefined ? {} : { signal: plan.signal }),
    ...(metrics === undefined ? {} : { metrics }),
  };
  const job = { kind: "ordered", plan, keep } as const;
  const readers = readersFor(source, job);
  if (readers !== undefined) {
    for await (const { batches } of inThreads(source, readers, job, options)) batches.forEach(take);
  } else {
    const { filter, filterNeeds } = resolved;
    for await (const piece of scanPieces(source, { filter, filterNeeds, schema: needs.schema, ...options })) {
      take(await neededRows(source, bound === undefined ? piece : hopefulRows(piece, resolved, bound), needs));
    }
  }
  return rows === 0 ? undefined : concatBatches(collected);
}

/** Where the rows of a batch with a `_rowaddr` column lie. */
function placesOf(batch: RecordBatch): Place[] {
  const addresses = columnAt(batch, ROW_ADDRESS).values as BigUint64Array;
  return Array.from(addresses, (address) => ({
    fragmentId: Number(address >> 32n),
    offset: Number(address & LOW_WORD),
  }));
}
