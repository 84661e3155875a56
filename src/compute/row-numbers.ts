/**
 * Row ids and row addresses as columns.
 *
 * An address is fragment id * 2^32 + offset. It is the row id too, unless the table has stable row ids; those are kept
 * in the fragment as a sequence, one id for each physical row.
 */
import { type Data, Field, type RecordBatch, Schema, Uint64 } from "apache-arrow";
import { makeBatch } from "../data/kernels/batches.js";
import { makeColumn } from "../data/kernels/column.js";

/** `_rowid` as a column: identifies a row in one version, in all versions when the table has stable row ids. */
export const ROW_ID = "_rowid";
/** `_rowaddr` as a column: where the row lies. */
export const ROW_ADDRESS = "_rowaddr";

const UINT64 = new Uint64();

/** The fields of the row numbers, as they stand in results. */
export const ROW_NUMBER_FIELDS: readonly Field[] = [
  new Field(ROW_ID, UINT64, true),
  new Field(ROW_ADDRESS, UINT64, true),
];

/** Which row numbers a step needs. */
export interface RowNumberNeeds {
  readonly rowId: boolean;
  readonly rowAddress: boolean;
}

/** Offsets of the rows of a batch in their fragment: of the first row when they follow each other, or of each. */
export type RowOffsets = number | Uint32Array;

/** The addresses of rows of one fragment. */
export function addressesOf(fragmentId: number, offsets: RowOffsets, rows: number): BigUint64Array {
  const words = new Uint32Array(rows * 2);
  for (let i = 0; i < rows; i++) {
    words[2 * i] = typeof offsets === "number" ? offsets + i : offsets[i]!;
    words[2 * i + 1] = fragmentId;
  }
  return new BigUint64Array(words.buffer);
}

/** The row ids at `offsets`. @param stable the ids of all rows of the fragment, when the table keeps such */
export function rowIdsOf(
  fragmentId: number,
  offsets: RowOffsets,
  rows: number,
  stable: BigUint64Array | undefined,
): BigUint64Array {
  if (stable === undefined) return addressesOf(fragmentId, offsets, rows);
  if (typeof offsets === "number") return stable.slice(offsets, offsets + rows);
  const ids = new BigUint64Array(rows);
  for (let i = 0; i < rows; i++) ids[i] = stable[offsets[i]!]!;
  return ids;
}

export function uint64Column(values: BigUint64Array): Data {
  return makeColumn(UINT64, values.length, { values });
}

/** The batch with the row numbers that are needed behind its columns; the batch itself when none are. */
export function withRowNumbers(
  batch: RecordBatch,
  fragmentId: number,
  offsets: RowOffsets,
  needs: RowNumberNeeds,
  stable: BigUint64Array | undefined,
): RecordBatch {
  if (!needs.rowId && !needs.rowAddress) return batch;
  const fields = [...batch.schema.fields];
  const columns = [...batch.data.children];
  if (needs.rowId) {
    fields.push(ROW_NUMBER_FIELDS[0]!);
    columns.push(uint64Column(rowIdsOf(fragmentId, offsets, batch.numRows, stable)));
  }
  if (needs.rowAddress) {
    fields.push(ROW_NUMBER_FIELDS[1]!);
    columns.push(uint64Column(addressesOf(fragmentId, offsets, batch.numRows)));
  }
  return makeBatch(new Schema(fields), columns, batch.numRows);
}
