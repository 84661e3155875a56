/**
 * What `add`, `createTable` and `mergeInsert` accept as data, as record batches of one schema: rows, tables and record
 * batches of any apache-arrow from 15 to 21, and iterables of either, which are pulled one batch at a time.
 */
import type { RecordBatch, Schema } from "apache-arrow";
import {
  adoptSchema,
  type BatchLike,
  isBatchLike,
  isTableLike,
  normalizeBatches,
  type TableLike,
} from "../data/columns/adopt.js";
import { buildBatches } from "../data/columns/build.js";
import { type InferOptions, inferSchema } from "../data/columns/infer.js";
import type { Row } from "../data/columns/rows.js";
import { TableError } from "../support/errors.js";

type Chunk = Row | readonly Row[] | TableLike | BatchLike;

/** Data for a table: rows or Arrow data at once, or an iterable of rows, of arrays of rows, or of Arrow batches. */
export type InputData = readonly Row[] | TableLike | BatchLike | Iterable<Chunk> | AsyncIterable<Chunk>;

export interface InputOptions extends InferOptions {
  /** Rows of an iterable that make one batch; 8192 when absent. */
  readonly batchRows?: number;
}

export interface Input {
  readonly schema: Schema;
  /** Rows in total; undefined for an iterable, whose end nobody knows. */
  readonly rows: number | undefined;
  /** Batches of `schema`: an array when all are there, otherwise an iterable that is read as fast as it is consumed. */
  readonly batches: readonly RecordBatch[] | AsyncIterable<RecordBatch>;
}

const STREAM_BATCH_ROWS = 8192;

/**
 * The data as batches of `schema`, or of the schema that its first batch stands for when none is given.
 *
 * @throws SCHEMA_MISMATCH naming row, column, value and type; for an iterable, from its batches as they are pulled
 * @throws INVALID_ARGUMENT for data of another kind, or when neither rows nor a schema are there
 */
export async function readInput(data: InputData, schema?: Schema, options: InputOptions = {}): Promise<Input> {
  if (isRows(data)) return readRows(data, schema, options);
  if (isTableLike(data) || isBatchLike(data)) {
    const target = schema ?? adoptSchema(data.schema);
    return withRows(target, normalizeBatches(data, target));
  }
  if (typeof data !== "object" || data === null || !(Symbol.asyncIterator in data || Symbol.iterator in data)) {
    throw new TableError(
      "INVALID_ARGUMENT",
      "The data is neither an array of rows, nor an Arrow table, nor an iterable of either.",
    );
  }
  return await readIterable(data as Iterable<Chunk> | AsyncIterable<Chunk>, schema, options);
}

/** True for an array of plain rows. */
export function isRows(data: InputData): data is readonly Row[] {
  return Array.isArray(data) && !data.some(isArrowData);
}

function isArrowData(value: unknown): value is TableLike | BatchLike {
  return (
    isTableLike(value) || (isBatchLike(value) && typeof value.data === "object" && Array.isArray(value.schema?.fields))
  );
}

function readRows(rows: readonly Row[], schema: Schema | undefined, options: InputOptions): Input {
  const target = schema ?? inferSchema(rows, options);
  return withRows(target, buildBatches(rows, target));
}

function withRows(schema: Schema, batches: readonly RecordBatch[]): Input {
  let rows = 0;
  for (const batch of batches) rows += batch.numRows;
  return { schema, rows, batches };
}

async function readIterable(
  data: Iterable<Chunk> | AsyncIterable<Chunk>,
  schema: Schema | undefined,
  options: InputOptions,
): Promise<Input> {
  const chunks = gatherRows(data, options.batchRows ?? STREAM_BATCH_ROWS);
  if (schema !== undefined) return { schema, rows: undefined, batches: toBatches(chunks, schema) };
  const first = await chunks.next();
  if (first.done === true) {
    throw new TableError("INVALID_ARGUMENT", "At least one record or a schema needs to be provided.");
  }
  try {
    const value = first.value;
    const target = isRowGroup(value) ? inferSchema(value, options) : adoptSchema(value.schema);
    return { schema: target, rows: undefined, batches: toBatches(chunks, target, value) };
  } catch (error) {
    await chunks.return(undefined);
    throw error;
  }
}

type Group = readonly Row[] | TableLike | BatchLike;

function isRowGroup(group: Group): group is readonly Row[] {
  return Array.isArray(group);
}

/** Single rows become groups; Arrow data and arrays of rows pass as they are. */
async function* gatherRows(
  data: Iterable<Chunk> | AsyncIterable<Chunk>,
  batchRows: number,
): AsyncGenerator<Group, undefined> {
  let rows: Row[] = [];
  for await (const chunk of data) {
    if (isArrowData(chunk) || Array.isArray(chunk)) {
      if (rows.length > 0) yield rows;
      rows = [];
      if (!Array.isArray(chunk) || chunk.length > 0) yield chunk as Group;
      continue;
    }
    rows.push(chunk as Row);
    if (rows.length < batchRows) continue;
    yield rows;
    rows = [];
  }
  if (rows.length > 0) yield rows;
  return undefined;
}

async function* toBatches(
  groups: AsyncGenerator<Group, undefined>,
  schema: Schema,
  first?: Group,
): AsyncGenerator<RecordBatch, undefined> {
  let row = 0;
  try {
    let group = first ?? (await groups.next()).value;
    while (group !== undefined) {
      const batches = isRowGroup(group)
        ? buildBatches(group, schema, { firstRow: row })
        : normalizeBatches(group, schema, row);
      for (const batch of batches) {
        row += batch.numRows;
        yield batch;
      }
      group = (await groups.next()).value;
    }
  } finally {
    await groups.return(undefined);
  }
  return undefined;
}
