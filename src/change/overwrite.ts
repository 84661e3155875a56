/** Plans of the writes that replace the whole content: overwrite (also the first version of a table) and restore. */
import type { RecordBatch, Schema } from "apache-arrow";
import type { SharedTable } from "../commit/shared-table.js";
import type { DataFormat, FragmentCodec } from "../data/codec.js";
import { checkLanceSchema } from "../data/lance/check-schema.js";
import { fileVersionOf } from "../format/file-version.js";
import { DATA_FORMAT_KEY } from "../format/flags.js";
import type { Manifest } from "../format/manifest.js";
import { fieldsFromSchema, nextFieldId, schemaFromFields } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import { checkNames } from "./schema-change.js";
import { StagedStream } from "./staged-stream.js";
import { type AlonePlan, NO_ROWS } from "./write.js";

/** data_format of new tables: the Lance file version that native LanceDB 0.39 writes. */
export const NEW_FILE_VERSION = "2.2";

export interface OverwriteRequest {
  readonly table: SharedTable;
  readonly schema: Schema;
  readonly batches: readonly RecordBatch[] | AsyncIterable<RecordBatch>;
  readonly dataFormat: DataFormat;
  readonly codec: FragmentCodec;
  readonly durable: boolean;
  /** The version that is replaced; undefined for a new table. Its file version and field ids go on. */
  readonly base: Manifest | undefined;
  readonly onProgress?: ((rows: number, sizeBytes: number) => void) | undefined;
}

/** Stages the new content; what is returned can be committed on any version. */
export async function planOverwrite(request: OverwriteRequest): Promise<AlonePlan> {
  const { base, schema } = request;
  const first = base === undefined ? 0 : nextFieldId(base.fields, base.fragments);
  const fields = fieldsFromSchema(schema, first);
  if (fields.length === 0) {
    throw new TableError("INVALID_ARGUMENT", "A table needs at least one column; the data and the schema have none.");
  }
  checkNames(fields);
  const metadata = encodeMetadata(schema.metadata);
  const version = (base && fileVersionOf(base)) ?? NEW_FILE_VERSION;
  if (request.dataFormat === "lance") checkLanceSchema(schema, version);
  const tableSchema = schemaFromFields(fields, metadata);
  const stream = new StagedStream({
    store: request.table.store,
    nameFile: request.table.nameFile,
    codec: request.codec,
    schema: tableSchema,
    durable: request.durable,
    encode: { fileVersion: version },
  });
  const staged = await stream.consume(request.batches, request.onProgress);
  const config = new Map(request.dataFormat === "lance" ? [] : [[DATA_FORMAT_KEY, request.dataFormat]]);
  return {
    intent: {
      kind: "overwrite",
      fragments: staged.fragments,
      fields,
      schemaMetadata: metadata,
      config,
      dataFormat: { format: "lance", version },
    },
    counts: { ...NO_ROWS, rowsAdded: staged.rows },
    stagedPaths: staged.paths,
    staged: staged.written,
  };
}

/** Brings a version back as the newest one. The version must exist when this is called. */
export async function planRestore(table: SharedTable, version: number): Promise<AlonePlan> {
  await table.open(version);
  return { intent: { kind: "restore", version }, counts: NO_ROWS, stagedPaths: [], staged: Promise.resolve() };
}

export function encodeMetadata(metadata: ReadonlyMap<string, string>): ReadonlyMap<string, Uint8Array> {
  const encoder = new TextEncoder();
  return new Map([...metadata].map(([key, value]) => [key, encoder.encode(value)]));
}
