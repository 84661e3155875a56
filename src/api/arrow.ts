/**
 * LanceDB's helpers around apache-arrow: rows to Arrow tables by its inference rules, and tables to and from IPC bytes.
 *
 * Embedding functions are not run here; a schema that names them keeps its metadata.
 */
import {
  type DataType,
  Field,
  FixedSizeList,
  type Float,
  Float32,
  type RecordBatch,
  RecordBatchFileReader,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
} from "apache-arrow";
import { adoptSchema, isTableLike, normalizeBatches, type SchemaLike, type TableLike } from "../data/columns/adopt.js";
import { buildBatches } from "../data/columns/build.js";
import { inferSchema } from "../data/columns/infer.js";
import { isRecord, pluck, type Row } from "../data/columns/rows.js";
import { childrenOf, TYPE_ID } from "../data/kernels/layout.js";
import { TableError } from "../support/errors.js";
import { NO_EMBEDDINGS, type OptionKeys, objectOf, optionsOf } from "./arguments.js";

export type { BatchLike as RecordBatchLike, FieldLike, SchemaLike, TableLike } from "../data/columns/adopt.js";

/** What `createTable` and `add` take as data at least. */
export type Data = Record<string, unknown>[] | TableLike;

/** How a column of number arrays becomes a vector column. */
export class VectorColumnOptions {
  /** Element type of the vectors. */
  type: Float = new Float32();

  constructor(values?: Partial<VectorColumnOptions>) {
    Object.assign(this, values);
  }
}

/** Options of `makeArrowTable`. */
export class MakeArrowTableOptions {
  /** Types of the columns; inferred when absent. Required for empty data. */
  schema?: SchemaLike;
  /** Columns whose number arrays become fixed-size vectors; "vector" by default. Not used with a schema. */
  vectorColumns: Record<string, VectorColumnOptions> = { vector: new VectorColumnOptions() };
  /** Dictionary-encode inferred string columns. Not used with a schema. */
  dictionaryEncodeStrings = false;

  constructor(values?: Partial<MakeArrowTableOptions>) {
    Object.assign(this, values);
  }
}

const MAKE: OptionKeys<MakeArrowTableOptions, "embeddingFunction" | "embeddings"> = {
  schema: true,
  vectorColumns: true,
  dictionaryEncodeStrings: true,
  embeddingFunction: NO_EMBEDDINGS,
  embeddings: NO_EMBEDDINGS,
};

/**
 * Rows as an Arrow table. With a schema the result has those of its columns, in its order, that occur in the data;
 * without one, inferred and nullable columns in order of appearance.
 * @throws SCHEMA_MISMATCH for values that do not fit, INVALID_ARGUMENT without rows and schema
 */
export function makeArrowTable(
  data: Array<Record<string, unknown>>,
  options?: Partial<MakeArrowTableOptions>,
  metadata?: Map<string, string>,
): Table {
  const { schema, vectorColumns, dictionaryEncodeStrings } = new MakeArrowTableOptions(
    optionsOf(options, "The options of makeArrowTable()", MAKE),
  );
  objectOf(data, "The data of makeArrowTable()");
  const given = schema === undefined || schema === null ? undefined : adoptSchema(schema);
  const allMetadata = new Map([...(given?.metadata ?? []), ...(metadata ?? [])]);
  if (data.length === 0 && given !== undefined) return new Table(new Schema(given.fields, allMetadata));
  const fields =
    given === undefined
      ? inferSchema(data, { vectorColumns, dictionaryEncodeStrings }).fields
      : presentFields(given.fields, data);
  if (given !== undefined) checkNames(given.fields, data);
  const target = new Schema([...fields], allMetadata);
  return new Table(target, buildBatches(data, target));
}

/** The fields that at least one row holds, structs cut down to such children. */
function presentFields(fields: readonly Field[], rows: ArrayLike<unknown>): Field[] {
  const out: Field[] = [];
  for (const field of fields) {
    const values = pluck(rows, field.name);
    if (values.every((value) => value === undefined)) continue;
    const type = field.type as DataType;
    if ((type.typeId as number) !== TYPE_ID.struct || !values.some(isRecord)) {
      out.push(field);
      continue;
    }
    const children = presentFields(childrenOf(type), values);
    out.push(new Field(field.name, new Struct(children), field.nullable, field.metadata));
  }
  return out;
}

function checkNames(fields: readonly Field[], rows: readonly Row[]): void {
  const known = new Set(fields.map((field) => field.name));
  for (const [row, record] of rows.entries()) {
    for (const key of Object.keys(record)) {
      if (known.has(key) || (record as Record<string, unknown>)[key] === undefined) continue;
      throw new TableError("SCHEMA_MISMATCH", `Found field not in schema: ${key} at row ${row}`, {
        details: { row, column: key },
      });
    }
  }
}

/** An Arrow table of `schema` without rows. */
export function makeEmptyTable(schema: SchemaLike, metadata?: Map<string, string>): Table {
  return makeArrowTable([], { schema }, metadata);
}

/** An Arrow table of `schema` without rows. */
export function createEmptyTable(schema: SchemaLike): Table {
  return makeEmptyTable(schema);
}

/** Rows as an Arrow table with every column of the schema, missing ones null. */
export async function convertToTable(
  data: Array<Record<string, unknown>>,
  embeddings?: undefined,
  options: Partial<MakeArrowTableOptions> = {},
): Promise<Table> {
  if (embeddings !== undefined && embeddings !== null) {
    throw new TableError("NOT_SUPPORTED", "Embedding functions are not run here; compute the vectors first.");
  }
  const asked = optionsOf(options, "The options of convertToTable()", MAKE);
  if (asked.schema === undefined || data.length === 0) return makeArrowTable(data, asked);
  const schema = adoptSchema(asked.schema);
  return new Table(schema, buildBatches(data, schema));
}

/** The type of a vector column: `dimensions` values of `innerType`. */
export function newVectorType(dimensions: number, innerType: Float): FixedSizeList {
  return new FixedSizeList(dimensions, new Field("item", innerType, true));
}

/** A schema of any apache-arrow copy as one of ours. */
export function sanitizeSchema(schema: SchemaLike): Schema {
  return adoptSchema(schema);
}

/** A table of any apache-arrow copy as one of ours. */
export function sanitizeTable(table: TableLike): Table {
  const schema = adoptSchema(table.schema);
  return new Table(schema, normalizeBatches(table, schema));
}

/** Arrow IPC file bytes of a table. */
export async function fromTableToBuffer(table: Table): Promise<Buffer> {
  return Buffer.from(await RecordBatchFileWriter.writeAll(table).toUint8Array());
}

/** Arrow IPC stream bytes of a table. */
export async function fromTableToStreamBuffer(table: Table): Promise<Buffer> {
  return Buffer.from(await RecordBatchStreamWriter.writeAll(table).toUint8Array());
}

/** Arrow IPC file bytes of rows or of a table. */
export async function fromDataToBuffer(data: Data, embeddings?: undefined, schema?: SchemaLike): Promise<Buffer> {
  if (isTableLike(data)) return await fromTableToBuffer(sanitizeTable(data));
  return await fromTableToBuffer(await convertToTable(data, embeddings, schema === undefined ? {} : { schema }));
}

/** Arrow IPC file bytes of one record batch. */
export async function fromRecordBatchToBuffer(batch: RecordBatch): Promise<Buffer> {
  return Buffer.from(await RecordBatchFileWriter.writeAll([batch]).toUint8Array());
}

/** The first record batch of Arrow IPC file bytes; null when there is none, or none with rows. */
export async function fromBufferToRecordBatch(data: Uint8Array): Promise<RecordBatch | null> {
  const reader = RecordBatchFileReader.from(data);
  const first = reader.next();
  // Without batches, some versions of apache-arrow give one that has no rows.
  return first.done === true || first.value.numRows === 0 ? null : first.value;
}
