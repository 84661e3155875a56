/**
 * The columns that only the result needs, read after the filter: row by row, or whole when that costs less.
 *
 * A file may end its batches of these columns at other rows than its batches of the filter's columns.
 */
import type { Data, RecordBatch } from "apache-arrow";
import type { FragmentReader } from "../data/fragment.js";
import { concatBatches, makeBatch, sliceColumn, sliceRows } from "../data/kernels/batches.js";
import { gather } from "../data/kernels/gather.js";
import type { ScratchPool } from "../data/scratch.js";
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
  const copies = pieces.map((piece) => (piece.selected === undefined ? piece : copyPiece(piece)).batch);
  const early = concatBatches(copies).data.children;
  const batch = joinColumns(schema, filtered, early, rest, concatBatches(read).data.children, rows);
  return { fragment: reader.fragment, batch, selected: undefined, offsets };
}

/**
 * Copies of the matching rows with all columns: the rest is read from the first of them to the last, which costs less
 * than to ask for rows one by one when many match.
 */
export async function copyWindow(
  reader: FragmentReader,
  pieces: readonly Piece[],
  schema: TableSchema,
  rest: TableSchema,
  filtered: TableSchema,
  scratch: ScratchPool,
): Promise<Piece[]> {
  const { fragment } = reader;
  const offsets = pieces.map(pieceOffsets);
  const out: Piece[] = [];
  let next = 0;
  let used = 0;
  const rows = { start: offsets[0]![0]!, end: offsets.at(-1)!.at(-1)! + 1 };
  let { start } = rows;
  for await (const late of reader.read({ schema: rest, rows, batchRows: STEP_ROWS, scratch })) {
    const end = start + late.numRows;
    // Files may end their batches of these columns at other rows than those of the filter's columns.
    for (; next < pieces.length; next++, used = 0) {
      const stop = lowerBound(offsets[next]!, end);
      if (stop > used) {
        const own = offsets[next]!.subarray(used, stop);
        const picked = own.map((offset) => offset - start);
        const behind = late.data.children.map((column) => gather(column, picked));
        const before = pieces[next]!.batch.data.children.map((column) => sliceColumn(column, used, stop - used));
        const batch = joinColumns(schema, filtered, before, rest, behind, own.length);
        out.push({ fragment, batch, selected: undefined, offsets: own });
      }
      used = stop;
      if (stop < offsets[next]!.length) break;
    }
    start = end;
  }
  return out;
}

/**
 * The pieces with all columns, none of them copied: for who only looks at them.
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
