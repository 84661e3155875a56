/**
 * The columns that only the result needs, read after the filter: row by row, or whole when that costs less.
 *
 * A file may end its batches of these columns at other rows than its batches of the filter's columns.
 */
import type { Data, RecordBatch } from "apache-arrow";
import type { FragmentReader } from "../data/fragment.js";
import { concatBatches, makeBatch, sliceRows } from "../data/kernels/batches.js";
import type { TableSchema } from "../format/schema.js";
import { copyPiece, type Piece, pieceOffsets, pieceRows } from "./piece.js";
import { STEP_ROWS, type Window } from "./plan.js";

/** One piece with all columns of the matching rows: those of the filter from memory, the rest from the files. */
export async function completeMatches(
  reader: FragmentReader,
  pieces: readonly Piece[],
  schema: TableSchema,
  rest: TableSchema,
  filtered: TableSchema,
): Promise<Piece> {
  const rows = pieces.reduce((sum, piece) => sum + pieceRows(piece), 0);
  const offsets = new Uint32Array(rows);
  let at = 0;
  for (const piece of pieces) {
    const part = pieceOffsets(piece);
    offsets.set(part, at);
    at += part.length;
  }
  const read: RecordBatch[] = [];
  for await (const batch of reader.read({ schema: rest, rows: { offsets } })) read.push(batch);
  const early = concatBatches(pieces.map((piece) => copyPiece(piece).batch)).data.children;
  const batch = joinColumns(schema, filtered, early, rest, concatBatches(read).data.children, rows);
  return { fragment: reader.fragment, batch, selected: undefined, offsets };
}

/**
 * The pieces with all columns: the rest is read for the whole window, which costs less than to ask for its rows one by
 * one when many of them match.
 * @param late the batches of `rest` in the window, when somebody has them already
 */
export async function completeWindow(
  reader: FragmentReader,
  window: Window,
  pieces: readonly Piece[],
  schema: TableSchema,
  rest: TableSchema,
  filtered: TableSchema,
  late: Iterable<RecordBatch> | AsyncIterable<RecordBatch> = reader.read({
    schema: rest,
    rows: window,
    batchRows: STEP_ROWS,
  }),
): Promise<Piece[]> {
  const out: Piece[] = [];
  let next = 0;
  let used = 0;
  let start = window.start;
  // Files may end their batches at other rows than the columns of the filter did.
  for await (const batch of late) {
    const end = start + batch.numRows;
    while (next < pieces.length) {
      const piece = pieces[next]!;
      const first = piece.offsets as number;
      const selected = piece.selected!;
      const stop = lowerBound(selected, end - first);
      if (stop > used) {
        const from = Math.max(first, start);
        const rows = Math.min(first + piece.batch.numRows, end) - from;
        const early = sliceRows(piece.batch, from - first, rows);
        const behind = sliceRows(batch, from - start, rows);
        const whole = joinColumns(schema, filtered, early.data.children, rest, behind.data.children, rows);
        const moved = from === first ? selected.subarray(used, stop) : selected.slice(used, stop);
        if (from !== first) for (let i = 0; i < moved.length; i++) moved[i] = moved[i]! - (from - first);
        out.push({ fragment: reader.fragment, batch: whole, selected: moved, offsets: from });
      }
      used = stop;
      if (stop < selected.length) break;
      next++;
      used = 0;
    }
    start = end;
  }
  return out;
}

/** The first index whose value is at least `value`. */
function lowerBound(ascending: Uint32Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A batch of `schema` from columns of which some are in one place and the rest in another. */
function joinColumns(
  schema: TableSchema,
  filtered: TableSchema,
  early: readonly Data[],
  rest: TableSchema,
  late: readonly Data[],
  rows: number,
): RecordBatch {
  const columns = schema.nodes.map((node) => {
    const index = filtered.nodes.findIndex((one) => one.id === node.id);
    if (index >= 0) return early[index]!;
    return late[rest.nodes.findIndex((one) => one.id === node.id)]!;
  });
  return makeBatch(schema.arrow, columns, rows);
}
