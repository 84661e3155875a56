/** Which rows of which record batches a read needs, and how scattered rows become few ranges. */
import type { Data, RecordBatch } from "apache-arrow";
import type { ReadRequest, RowSelection } from "../codec.js";
import { makeBatch, sliceColumn } from "../kernels/batches.js";
import { gather } from "../kernels/gather.js";
import { splice } from "../kernels/splice.js";

/** Wanted rows of one record batch: a range, or ascending offsets within the batch. */
export interface RowPiece {
  readonly batch: number;
  readonly start: number;
  readonly end: number;
  readonly offsets: Uint32Array | undefined;
  /** How many rows are wanted. */
  readonly rows: number;
}

/** Bytes between two wanted rows that are read along rather than asked around. */
const GAP_BYTES = 65_536;

/** The selection, batch by batch. Rows beyond the file are not there. */
export function selectPieces(batchRows: readonly number[], selection: RowSelection | undefined): RowPiece[] {
  const pieces: RowPiece[] = [];
  let first = 0;
  let next = 0;
  for (const [batch, count] of batchRows.entries()) {
    if (selection !== undefined && "offsets" in selection) {
      const { offsets } = selection;
      const from = next;
      while (next < offsets.length && offsets[next]! < first + count) next++;
      if (next > from) {
        const local = offsets.subarray(from, next).map((offset) => offset - first);
        const end = local[local.length - 1]! + 1;
        pieces.push({ batch, start: local[0]!, end, offsets: local, rows: local.length });
      }
    } else {
      const start = Math.max(0, (selection?.start ?? 0) - first);
      const end = Math.min(count, (selection?.end ?? Number.POSITIVE_INFINITY) - first);
      if (end > start) pieces.push({ batch, start, end, offsets: undefined, rows: end - start });
    }
    first += count;
  }
  return pieces;
}

/** The wanted rows of a piece as columns; `load` gives a range of rows of all columns. */
export async function takePieces(
  piece: RowPiece,
  columns: number,
  rowBytes: number,
  load: (start: number, end: number) => Promise<Data[]>,
): Promise<Data[]> {
  const { offsets, start, end } = piece;
  if (offsets === undefined || offsets.length === end - start) return await load(start, end);
  const runs = splitRuns(offsets, Math.max(1, Math.floor(GAP_BYTES / Math.max(rowBytes, 1))));
  const parts = await Promise.all(
    runs.map(async (run) => {
      const base = run[0]!;
      const loaded = await load(base, run[run.length - 1]! + 1);
      if (run.length === run[run.length - 1]! + 1 - base) return loaded;
      const local = run.map((offset) => offset - base);
      return loaded.map((column) => gather(column, local));
    }),
  );
  return Array.from({ length: columns }, (_, i) => splice(parts.map((part) => part[i]!)));
}

/** Ascending offsets in runs whose neighbours are at most `gap` apart. */
function splitRuns(offsets: Uint32Array, gap: number): Uint32Array[] {
  const runs: Uint32Array[] = [];
  let from = 0;
  for (let i = 1; i <= offsets.length; i++) {
    if (i < offsets.length && offsets[i]! - offsets[i - 1]! <= gap) continue;
    runs.push(offsets.subarray(from, i));
    from = i;
  }
  return runs;
}

/** Columns of one piece as batches of the wanted size. */
export function* toBatches(request: ReadRequest, columns: readonly Data[], rows: number): Generator<RecordBatch> {
  const { arrow } = request.schema;
  const step = request.batchRows ?? rows;
  if (rows <= step) {
    yield makeBatch(arrow, columns, rows);
    return;
  }
  for (let start = 0; start < rows; start += step) {
    const count = Math.min(step, rows - start);
    yield makeBatch(
      arrow,
      columns.map((column) => sliceColumn(column, start, count)),
      count,
    );
  }
}
