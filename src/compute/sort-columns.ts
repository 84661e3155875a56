/** The columns that a scan is ordered by, taken from batches, and the best rows of a batch by them. */
import { Data, type Field, type RecordBatch } from "apache-arrow";
import { takeRows } from "../data/kernels/batches.js";
import { bitmapBytes, copyBits } from "../data/kernels/bits.js";
import { buffersOf, validityOf } from "../data/kernels/column.js";
import { gather } from "../data/kernels/gather.js";
import type { Piece } from "./piece.js";
import { type ColumnNeeds, type ResolvedPlan, type RowSource, type ScanPlan, unionOf, without } from "./plan.js";
import { ROW_ADDRESS } from "./row-numbers.js";
import { rowsWithin, type SortBound, type SortKey, sortRows } from "./sort-rows.js";

/** Up to this many rows, columns that only the result needs are read at the end, row by row. */
const LATE_ROWS_MAX = 1 << 13;

/** What the rows need while they are collected: the columns of the order, and those of the result or the address. */
export function orderedNeeds(source: Pick<RowSource, "schema">, plan: ScanPlan, resolved: ResolvedPlan): ColumnNeeds {
  const { outputNeeds, orderNeeds } = resolved;
  return readsLate(plan, resolved)
    ? { schema: orderNeeds.schema, numbers: new Set([ROW_ADDRESS]) }
    : { ...outputNeeds, schema: unionOf(source.schema, outputNeeds.schema, orderNeeds.schema) };
}

/** True when columns that only the result needs are read after the rows are known. */
export function readsLate(plan: ScanPlan, { outputNeeds, orderNeeds }: ResolvedPlan): boolean {
  const end = (plan.offset ?? 0) + (plan.limit ?? Number.POSITIVE_INFINITY);
  return end <= LATE_ROWS_MAX && without(outputNeeds.schema, orderNeeds.schema).nodes.length > 0;
}

/** The rows of the piece that are not behind the worst row that is kept so far. */
export function hopefulRows(piece: Piece, resolved: ResolvedPlan, bound: SortBound): Piece {
  const selected = rowsWithin(sortKeysOf(piece.batch, resolved)[0]!, piece.selected, bound);
  return { ...piece, selected };
}

/** The last row of a batch in order as a bound, in memory of its own: the batch may move to another thread. */
export function boundOf(sorted: RecordBatch, resolved: ResolvedPlan): SortBound {
  const [key] = sortKeysOf(sorted, resolved);
  const last = Uint32Array.of(sorted.numRows - 1);
  return { key: { ...key!, data: gather(key!.data, last) }, row: 0 };
}

/** The first `count` rows in the plan's order; earlier rows of the batch win ties. */
export function bestRows(batch: RecordBatch, resolved: ResolvedPlan, count: number): RecordBatch {
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
export function columnAt(batch: RecordBatch, path: string): Data {
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
  const buffers = buffersOf(fresh.valueOffsets, fresh.values, validity);
  return new Data(fresh.type, 0, rows, -1, buffers, fresh.children, fresh.dictionary);
}
