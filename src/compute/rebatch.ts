/** Batches of handy size from batches of any size: small neighbours joined, large ones cut, order kept. */
import type { RecordBatch } from "apache-arrow";
import { concatBatches, sliceRows } from "../data/kernels/batches.js";

/** Batches below this many rows are joined with their neighbours. */
const SMALL_ROWS = 1024;
/** Most rows of one batch unless the caller says otherwise. */
export const BATCH_ROWS_DEFAULT = 1 << 15;

/** @param rowsMax no batch of the result has more rows */
export async function* rebatch(
  batches: AsyncIterable<RecordBatch>,
  rowsMax: number = BATCH_ROWS_DEFAULT,
): AsyncGenerator<RecordBatch, void, undefined> {
  let small: RecordBatch[] = [];
  let rows = 0;
  for await (const batch of batches) {
    if (batch.numRows === 0) continue;
    if (rows > 0 && (rows >= SMALL_ROWS || batch.numRows >= SMALL_ROWS || rows + batch.numRows > rowsMax)) {
      yield* cut(concatBatches(small), rowsMax);
      small = [];
      rows = 0;
    }
    if (batch.numRows >= SMALL_ROWS) {
      yield* cut(batch, rowsMax);
    } else {
      small.push(batch);
      rows += batch.numRows;
    }
  }
  if (rows > 0) yield* cut(concatBatches(small), rowsMax);
}

function* cut(batch: RecordBatch, rowsMax: number): Generator<RecordBatch> {
  for (let start = 0; start < batch.numRows; start += rowsMax) {
    yield sliceRows(batch, start, Math.min(rowsMax, batch.numRows - start));
  }
}
