/** Data of a caller as a write for the queue: rows that wait for their group, or files staged as a stream arrives. */
import type { RecordBatch, Schema } from "apache-arrow";
import { planOverwrite } from "../change/overwrite.js";
import { presentSchema } from "../change/rows.js";
import { encodeOptionsOf } from "../change/stage.js";
import { StagedStream } from "../change/staged-stream.js";
import { type AlonePlan, NO_ROWS, type TableWrite } from "../change/write.js";
import type { Snapshot } from "../commit/snapshot.js";
import { type BatchLike, isBatchLike, isTableLike, normalizeBatches, type TableLike } from "../data/columns/adopt.js";
import { buildBatches } from "../data/columns/build.js";
import type { Row } from "../data/columns/rows.js";
import { TableError } from "../support/errors.js";
import { type Input, type InputData, readInput } from "./input.js";
import { dataFormatOf, type OpenTable } from "./open-table.js";
import type { Report } from "./progress.js";

/**
 * An append of whatever `data` is. Plain rows are turned into columns together with those of their group.
 * Rows and Arrow data are a write at once, so that the writes of one caller keep the order of its calls.
 */
export function appendWrite(open: OpenTable, data: InputData, report: Report): TableWrite | Promise<TableWrite> {
  if (isPlainRows(data)) {
    const toBatches: RowsToBatches = (schema) => buildBatches(data, schema);
    return { kind: "append", plainRows: data, toBatches, rows: data.length, sizeBytes: 0, alone: false };
  }
  if (isTableLike(data) || isBatchLike(data)) return arrowAppend(data);
  return iterableAppend(open, data, report);
}

/** Arrow data is fitted to the table when its group is planned. */
function arrowAppend(data: TableLike | BatchLike): TableWrite {
  let rows = 0;
  let sizeBytes = 0;
  for (const batch of isTableLike(data) ? data.batches : [data]) {
    const { length, byteLength } = batch.data as { readonly length: number; readonly byteLength?: number };
    rows += length;
    sizeBytes += byteLength ?? 0;
  }
  let fitted: { readonly schema: Schema; readonly batches: readonly RecordBatch[] } | undefined;
  const toBatches: RowsToBatches = (schema) => {
    if (fitted?.schema !== schema) fitted = { schema, batches: normalizeBatches(data, schema) };
    return fitted.batches;
  };
  return { kind: "append", plainRows: undefined, toBatches, rows, sizeBytes, alone: false };
}

async function iterableAppend(open: OpenTable, data: InputData, report: Report): Promise<TableWrite> {
  const base = await open.shared.refresh();
  const input = await readInput(data, base.schema.arrow);
  const { batches } = input;
  if (!Array.isArray(batches)) return streamWrite(open, input, base, report);
  const ready: readonly RecordBatch[] = batches;
  const toBatches: RowsToBatches = (schema) =>
    schema === input.schema ? ready : ready.flatMap((batch) => normalizeBatches(batch, schema));
  const sizeBytes = ready.reduce((sum, batch) => sum + batch.data.byteLength, 0);
  return { kind: "append", plainRows: undefined, toBatches, rows: input.rows ?? 0, sizeBytes, alone: false };
}

/**
 * A replacement of the whole content by `data`, which keeps the table's format. Arrow data brings its schema; rows
 * keep those columns of the table that at least one of them has.
 */
export function overwriteWrite(open: OpenTable, data: InputData, report: Report): TableWrite {
  let read = false;
  const plan = async (base: Snapshot): Promise<AlonePlan> => {
    if (read && !isWhole(data)) throw readTwice(open.shared.name);
    read = true;
    const input = await readInput(data, schemaOfOverwrite(data, base));
    return planOverwrite({
      table: open.shared,
      schema: input.schema,
      batches: input.batches,
      dataFormat: dataFormatOf(base.manifest),
      codec: open.codecOf(base.manifest),
      durable: open.settings.durability === "full",
      base: base.manifest,
      onProgress: report,
    });
  };
  return { kind: "alone", alone: true, rows: 0, sizeBytes: 0, plan };
}

type RowsToBatches = (TableWrite & { kind: "append" })["toBatches"];

function isPlainRows(data: InputData): data is readonly Row[] {
  if (!Array.isArray(data)) return false;
  const [first] = data as readonly unknown[];
  return first === undefined || !(typeof first === "object" && first !== null && "schema" in first && "data" in first);
}

/** True for data that can be read again when the operation is run again. */
function isWhole(data: InputData): boolean {
  return Array.isArray(data) || isTableLike(data) || isBatchLike(data);
}

function schemaOfOverwrite(data: InputData, base: Snapshot): Schema | undefined {
  if (isPlainRows(data)) return data.length === 0 ? base.schema.arrow : presentSchema(base.schema.arrow, data);
  return isWhole(data) ? undefined : base.schema.arrow;
}

/** An iterable gave its rows to a first attempt that another writer beat. */
export function readTwice(table: string): TableError {
  return new TableError(
    "CONFLICT",
    `Commit conflict on table '${table}': another writer replaced it meanwhile, and an iterable cannot be read twice. Nothing was written; run the operation again.`,
  );
}

/** A stream is staged while it arrives and can be planned once only, because nobody can read it again. */
async function streamWrite(open: OpenTable, input: Input, base: Snapshot, report: Report): Promise<TableWrite> {
  await open.shared.lease.ready();
  const stream = new StagedStream({
    store: open.shared.store,
    nameFile: open.shared.nameFile,
    codec: open.codecOf(base.manifest),
    schema: base.schema,
    durable: open.settings.durability === "full",
    encode: encodeOptionsOf(base.manifest),
  });
  const staged = await stream.consume(input.batches, report);
  let planned = false;
  const plan = async (head: Snapshot): Promise<AlonePlan> => {
    if (planned || !sameFields(head, base)) {
      await Promise.all(staged.paths.map((path) => open.shared.store.delete(path)));
      throw new TableError(
        "CONFLICT",
        `Commit conflict on table '${open.shared.name}': its schema changed while the rows of an iterable were being added, and an iterable cannot be read twice. Nothing was added; add the rows again.`,
        { details: { readVersion: base.version, headVersion: head.version } },
      );
    }
    planned = true;
    return {
      intent: { kind: "append", fragments: staged.fragments },
      counts: { ...NO_ROWS, rowsAdded: staged.rows },
      stagedPaths: staged.paths,
      staged: staged.written,
    };
  };
  return { kind: "alone", alone: true, rows: staged.rows, sizeBytes: staged.sizeBytes, plan };
}

/** True when rows staged for one version fit the other: the same fields by id, type and nullability. */
function sameFields(a: Snapshot, b: Snapshot): boolean {
  const one = a.manifest.fields;
  const other = b.manifest.fields;
  return (
    one === other ||
    (one.length === other.length &&
      one.every((field, i) => {
        const twin = other[i];
        return (
          twin !== undefined &&
          twin.id === field.id &&
          twin.logicalType === field.logicalType &&
          twin.nullable === field.nullable
        );
      }))
  );
}
