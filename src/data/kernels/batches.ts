/**
 * Whole batches: take rows, slice, filter, join, cast to a schema's own classes.
 *
 * A result is of the same copy of apache-arrow as the batch that it came from, with the same schema object. Columns
 * are shared where nothing moves (slices) and fresh where rows are picked or joined.
 */
import { Data, type DataType, RecordBatch, type Schema, Struct, Vector } from "apache-arrow";
import { assert } from "../../support/errors.js";
import { buffersOf, makeColumn, makeLike, type Values } from "./column.js";
import { gather } from "./gather.js";
import { splice } from "./splice.js";

export { nullColumn } from "./column.js";

const structs = new WeakMap<Schema, Struct>();

/** A batch of `rows` rows from columns in the order of the schema's fields. */
export function makeBatch(schema: Schema, columns: readonly Data[], rows: number): RecordBatch {
  assert(columns.length === schema.fields.length, "a batch has one column for each field");
  let struct = structs.get(schema);
  if (struct === undefined) {
    struct = new Struct(schema.fields);
    structs.set(schema, struct);
  }
  const data = makeColumn(struct, { length: rows, children: columns });
  return new RecordBatch(schema, data as Data<Struct>);
}

/** The same columns in classes of this package's copy of apache-arrow and under `schema`; nothing is copied. */
export function adoptBatch(batch: RecordBatch, schema: Schema): RecordBatch {
  const columns = schema.fields.map((field, i) => adoptColumn(batch.data.children[i]!, field.type));
  return makeBatch(schema, columns, batch.numRows);
}

function adoptColumn(data: Data, type: DataType): Data {
  const fields: readonly { type: DataType }[] = type.children ?? [];
  const children = data.children.map((child, i) => adoptColumn(child, fields[i]!.type));
  const words = (type as DataType & { dictionary?: DataType }).dictionary;
  const dictionary =
    words === undefined
      ? undefined
      : data.dictionary && new Vector(data.dictionary.data.map((chunk) => adoptColumn(chunk, words)));
  const buffers = buffersOf(data.valueOffsets, adoptValues(data.values, type), data.nullBitmap);
  return new Data(type, data.offset, data.length, data.nullCount, buffers, children, dictionary);
}

/** Old copies keep 64-bit times as pairs of 32-bit numbers. */
function adoptValues(values: Values | undefined, type: DataType): Values | undefined {
  if (values === undefined || !(values instanceof Int32Array) || !(type.ArrayType === BigInt64Array)) return values;
  const aligned = values.byteOffset % 8 === 0 ? values : values.slice();
  return new BigInt64Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 1);
}

/** The same rows with other columns. */
function rebuild(batch: RecordBatch, columns: readonly Data[], rows: number): RecordBatch {
  const struct = batch.data;
  const makeStruct = struct.constructor as typeof Data<Struct>;
  const make = batch.constructor as typeof RecordBatch;
  return new make(batch.schema, new makeStruct(struct.type, 0, rows, 0, undefined, [...columns]));
}

/** The rows `indices`, in that order; an index may repeat. Every index is below the number of rows. */
export function takeRows(batch: RecordBatch, indices: Uint32Array): RecordBatch {
  const rows = indices.length;
  if (isRun(indices)) return sliceRows(batch, rows === 0 ? 0 : indices[0]!, rows);
  return rebuild(
    batch,
    batch.data.children.map((column) => gather(column, indices)),
    rows,
  );
}

/** True when the indices go up by one, so that they are a slice. */
function isRun(indices: Uint32Array): boolean {
  const rows = indices.length;
  if (rows < 2) return true;
  if (indices[rows - 1]! - indices[0]! !== rows - 1) return false;
  for (let i = 1; i < rows; i++) if (indices[i]! !== indices[i - 1]! + 1) return false;
  return true;
}

/** `count` rows from `start` on, without a copy. */
export function sliceRows(batch: RecordBatch, start: number, count: number): RecordBatch {
  if (start === 0 && count === batch.numRows) return batch;
  return rebuild(
    batch,
    batch.data.children.map((column) => sliceColumn(column, start, count)),
    count,
  );
}

/** `count` rows of a column from `start` on, without a copy. */
export function sliceColumn(column: Data, start: number, count: number): Data {
  if (start === 0 && count === column.length) return column;
  return column.typeId === 1 ? makeLike(column, { length: count }) : column.slice(start, count);
}

/** The rows whose byte in `keep` is not 0. `keep` has one byte for each row. */
export function filterRows(batch: RecordBatch, keep: Uint8Array): RecordBatch {
  const indices = new Uint32Array(batch.numRows);
  let count = 0;
  for (let row = 0; row < batch.numRows; row++) {
    indices[count] = row;
    count += keep[row] === 0 ? 0 : 1;
  }
  return takeRows(batch, indices.subarray(0, count));
}

/** All rows of the batches, in order; they have one schema. One batch alone is returned as it is. */
export function concatBatches(batches: readonly RecordBatch[]): RecordBatch {
  const first = batches[0];
  assert(first !== undefined, "there is a batch to join");
  if (batches.length === 1) return first;
  const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  const columns = first.data.children.map((_, i) => splice(batches.map((batch) => batch.data.children[i]!)));
  return rebuild(first, columns, rows);
}
