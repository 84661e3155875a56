/**
 * Row ids, row addresses and row versions as columns.
 *
 * An address is fragment id * 2^32 + offset. It is the row id too, unless the table has stable row ids; those are kept
 * in the fragment as a sequence, one id for each physical row, and so are the versions that made and last changed it.
 */
import { type Data, Field, type RecordBatch, Schema, Uint64 } from "apache-arrow";
import { makeBatch } from "../data/kernels/batches.js";
import { makeColumn } from "../data/kernels/column.js";

/** `_rowid` as a column: identifies a row in one version, in all versions when the table has stable row ids. */
export const ROW_ID = "_rowid";
/** `_rowaddr` as a column: where the row lies. */
export const ROW_ADDRESS = "_rowaddr";
/** The version that the row came in; 1 when the table has no stable row ids. */
export const ROW_CREATED = "_row_created_at_version";
/** The version that changed the row last; 1 when the table has no stable row ids. */
export const ROW_UPDATED = "_row_last_updated_at_version";

const UINT64 = new Uint64();

/** Names of the columns that are made of row numbers, in the order in which they are added. */
export const ROW_NUMBERS = [ROW_ID, ROW_ADDRESS, ROW_CREATED, ROW_UPDATED] as const;
export type RowNumber = (typeof ROW_NUMBERS)[number];

/** The fields of the row numbers, as they stand in results. */
export const ROW_NUMBER_FIELDS: readonly Field[] = ROW_NUMBERS.map((name) => new Field(name, UINT64, true));

/** Which row numbers a step needs. */
export interface RowNumberNeeds {
  readonly numbers: ReadonlySet<RowNumber>;
}

/** What the fragment keeps of those that are needed, for each of its physical rows. */
export type RowSequences = ReadonlyMap<RowNumber, BigUint64Array>;

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

/** The values of a sequence at `offsets`. */
function valuesAt(sequence: BigUint64Array, offsets: RowOffsets, rows: number): BigUint64Array {
  if (typeof offsets === "number") return sequence.slice(offsets, offsets + rows);
  const values = new BigUint64Array(rows);
  for (let i = 0; i < rows; i++) values[i] = sequence[offsets[i]!]!;
  return values;
}

export function uint64Column(values: BigUint64Array): Data {
  return makeColumn(UINT64, { length: values.length, values });
}

/** The batch with the row numbers that are needed behind its columns; the batch itself when none are. */
export function withRowNumbers(
  batch: RecordBatch,
  fragmentId: number,
  offsets: RowOffsets,
  needs: RowNumberNeeds,
  sequences: RowSequences,
): RecordBatch {
  if (needs.numbers.size === 0) return batch;
  const rows = batch.numRows;
  const fields = [...batch.schema.fields];
  const columns = [...batch.data.children];
  for (const [i, name] of ROW_NUMBERS.entries()) {
    if (!needs.numbers.has(name)) continue;
    const sequence = sequences.get(name);
    fields.push(ROW_NUMBER_FIELDS[i]!);
    const values = sequence === undefined ? addressesOf(fragmentId, offsets, rows) : valuesAt(sequence, offsets, rows);
    columns.push(uint64Column(values));
  }
  return makeBatch(new Schema(fields), columns, rows);
}
