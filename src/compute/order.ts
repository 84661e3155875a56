/**
 * Scans in an order: with a limit only the best rows are kept while the scan runs, and the columns that only the
 * result needs are read for those rows alone.
 */
import { Data, type Field, type RecordBatch } from "apache-arrow";
import { concatBatches, takeRows } from "../data/kernels/batches.js";
import { bitmapBytes, copyBits } from "../data/kernels/bits.js";
import { validityOf } from "../data/kernels/column.js";
import { gather } from "../data/kernels/gather.js";
import type { Piece } from "./piece.js";
import { type ScanMetrics, scanPieces } from "./pieces.js";
import { type Place, readPlaces } from "./places.js";
import { type ColumnNeeds, type ResolvedPlan, type ScanPlan, type ScanSource, unionOf, without } from "./plan.js";
import { neededRows, projectOutput } from "./project.js";
import { BATCH_ROWS_DEFAULT } from "./rebatch.js";
import { ROW_ADDRESS } from "./row-numbers.js";
import { rowsWithin, type SortBound, type SortKey, sortRows } from "./sort-rows.js";

/** Up to this many rows the result is kept by its best rows; beyond, everything is read and sorted once. */
const BEST_ROWS_MAX = 1 << 17;
/** Up to this many rows, columns that only the result needs are read at the end, row by row. */
const LATE_ROWS_MAX = 1 << 13;
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
  const { outputNeeds, orderNeeds } = resolved;
  const missing = without(outputNeeds.schema, orderNeeds.schema);
  const late = end <= LATE_ROWS_MAX && missing.nodes.length > 0;
  const needs: ColumnNeeds = late
    ? { schema: orderNeeds.schema, numbers: new Set([ROW_ADDRESS]) }
    : { ...outputNeeds, schema: unionOf(source.schema, outputNeeds.schema, orderNeeds.schema) };
  const rows = await collectRows(source, plan, resolved, needs, metrics);
  if (rows === undefined) return;
  const order = sortRows(sortKeysOf(rows, resolved), rows.numRows).subarray(offset, end);
  for (let start = 0; start < order.length; start += BATCH_ROWS_DEFAULT) {
    const picked = takeRows(rows, order.subarray(start, start + BATCH_ROWS_DEFAULT));
    const batch = late ? await readPlaces(source, placesOf(picked), outputNeeds, plan.signal) : picked;
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
  const pieces = scanPieces(source, {
    filter: resolved.filter,
    filterNeeds: resolved.filterNeeds,
    schema: needs.schema,
    ...(plan.signal === undefined ? {} : { signal: plan.signal }),
    ...(metrics === undefined ? {} : { metrics }),
  });
  const collected: RecordBatch[] = [];
  let rows = 0;
  let bound: SortBound | undefined;
  for await (const piece of pieces) {
    const batch = await neededRows(source, bound === undefined ? piece : hopefulRows(piece, resolved, bound), needs);
    collected.push(batch);
    rows += batch.numRows;
    if (rows > Math.max(COLLECT_ROWS, 2 * keep)) {
      const best = bestRows(concatBatches(collected.splice(0)), resolved, keep);
      collected.push(best);
      rows = best.numRows;
      bound = { key: sortKeysOf(best, resolved)[0]!, row: rows - 1 };
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

/** The rows of the piece that are not behind the worst row that is kept so far. */
function hopefulRows(piece: Piece, resolved: ResolvedPlan, bound: SortBound): Piece {
  const selected = rowsWithin(sortKeysOf(piece.batch, resolved)[0]!, piece.selected, bound);
  return { ...piece, selected };
}

/** The first `count` rows in the plan's order; earlier rows of the batch win ties. */
function bestRows(batch: RecordBatch, resolved: ResolvedPlan, count: number): RecordBatch {
  if (batch.numRows <= count) return batch;
  return takeRows(batch, sortRows(sortKeysOf(batch, resolved), batch.numRows).subarray(0, count));
}

/** The columns of the order in a batch that has them. */
export function sortKeysOf(batch: RecordBatch, resolved: ResolvedPlan): SortKey[] {
  return resolved.order.map(({ columnName, ascending, nullsFirst }) => {
    return { data: columnAt(batch, columnName), ascending, nullsFirst };
  });
}

/** A column of the batch, or a field inside a struct column, which is NULL where the struct is. */
function columnAt(batch: RecordBatch, path: string): Data {
  const { fields } = batch.schema;
  const whole = fields.findIndex((field) => field.name === path);
  if (whole >= 0) return batch.data.children[whole]!;
  const [root, ...names] = path.split(".");
  let data = batch.data.children[fields.findIndex((field) => field.name === root)]!;
  for (const name of names) {
    const children: readonly Field[] = data.type.children;
    data = childOf(
      data,
      children.findIndex((child) => child.name === name),
    );
  }
  return data;
}

function childOf(struct: Data, index: number): Data {
  const child = struct.children[index]!;
  const outer = validityOf(struct);
  if (outer === undefined) return child;
  const rows = struct.length;
  const validity = new Uint8Array(bitmapBytes(rows));
  copyBits(outer, struct.offset, validity, 0, rows);
  const inner = validityOf(child);
  if (inner !== undefined) {
    const own = new Uint8Array(bitmapBytes(rows));
    copyBits(inner, child.offset, own, 0, rows);
    for (let i = 0; i < own.length; i++) validity[i] = validity[i]! & own[i]!;
  }
  // Booleans and validity share the column's bit offset, so rows are picked into a column that starts at bit 0.
  const fresh =
    child.offset === 0
      ? child
      : gather(
          child,
          Uint32Array.from({ length: rows }, (_, row) => row),
        );
  const buffers = [fresh.valueOffsets, fresh.values, validity] as unknown as Data["buffers"];
  return new Data(fresh.type, 0, rows, -1, buffers, fresh.children, fresh.dictionary);
}
