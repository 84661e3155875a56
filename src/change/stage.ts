/**
 * Rows become data files of new fragments: bytes on disk that nobody sees until a manifest names them.
 *
 * Writing starts at once and goes on beside the making of the manifest; the commit waits for `written`.
 */
import type { RecordBatch } from "apache-arrow";
import type { EncodeOptions, FragmentCodec } from "../data/codec.js";
import { sliceRows } from "../data/kernels/batches.js";
import { fileVersionOf } from "../format/file-version.js";
import type { Fragment } from "../format/fragment.js";
import { dataPath } from "../format/layout.js";
import type { Manifest } from "../format/manifest.js";
import type { TableSchema } from "../format/schema.js";
import type { ObjectStore } from "../store/contract.js";

/** Rows of one data file, at most; native LanceDB cuts at the same number. */
export const FRAGMENT_ROWS_MAX = 1_048_576;

export interface StageContext {
  readonly store: ObjectStore;
  /** A fresh name for a data file with this extension. */
  readonly nameFile: (extension: string) => string;
  readonly codec: FragmentCodec;
  readonly schema: TableSchema;
  readonly durable: boolean;
  readonly encode: EncodeOptions;
}

/** New fragments (ids are given at commit) and the files behind them. */
export interface StagedRows {
  readonly fragments: readonly Fragment[];
  readonly paths: readonly string[];
  readonly rows: number;
  readonly sizeBytes: number;
  /** Resolves when every file is written, and synced if durable. Never an unhandled rejection. */
  readonly written: Promise<void>;
}

/** Starts to write `batches`, whose schema is `context.schema.arrow`, as new fragments. */
export async function stageRows(batches: readonly RecordBatch[], context: StageContext): Promise<StagedRows> {
  const fragments: Fragment[] = [];
  const paths: string[] = [];
  const writes: Promise<void>[] = [];
  let rows = 0;
  let sizeBytes = 0;
  for (const part of cut(batches)) {
    const fileName = context.nameFile(context.codec.extension);
    const named = { ...context.encode, fileName };
    const encoded = await context.codec.encode(part, context.schema, named).catch(async (error: unknown) => {
      await removeFiles(paths, whenAll(writes), context.store);
      throw error;
    });
    const file = {
      path: fileName,
      fields: encoded.fields,
      columnIndices: encoded.columnIndices,
      majorVersion: encoded.majorVersion,
      minorVersion: encoded.minorVersion,
      sizeBytes: encoded.sizeBytes,
    };
    fragments.push({ id: 0, files: [file], physicalRows: encoded.rows });
    const path = dataPath(file);
    paths.push(path);
    writes.push(context.store.write(path, encoded.chunks, { durable: context.durable }));
    rows += encoded.rows;
    sizeBytes += encoded.sizeBytes;
  }
  return { fragments, paths, rows, sizeBytes, written: whenAll(writes) };
}

/** Removes files of a write that failed, once nobody is writing them any more. */
export async function removeFiles(paths: readonly string[], written: Promise<void>, store: ObjectStore): Promise<void> {
  await written.catch(() => {});
  await whenAll(paths.map((path) => store.delete(path))).catch(() => {});
}

/** What the codec has to know of the table that it writes for. */
export function encodeOptionsOf(manifest: Manifest): EncodeOptions {
  const fileVersion = fileVersionOf(manifest);
  return fileVersion === undefined ? {} : { fileVersion };
}

/** Resolves after all have settled; rejects with the first failure, and never as an unhandled rejection. */
export function whenAll(promises: readonly Promise<unknown>[]): Promise<void> {
  const all = Promise.allSettled(promises).then((settled) => {
    for (const one of settled) if (one.status === "rejected") throw one.reason;
  });
  all.catch(() => {});
  return all;
}

/** Batches in runs of at most FRAGMENT_ROWS_MAX rows. */
function cut(batches: readonly RecordBatch[]): readonly (readonly RecordBatch[])[] {
  const parts: RecordBatch[][] = [];
  let part: RecordBatch[] = [];
  let rows = 0;
  for (const batch of batches) {
    for (let start = 0; start < batch.numRows; ) {
      const count = Math.min(batch.numRows - start, FRAGMENT_ROWS_MAX - rows);
      part.push(count === batch.numRows ? batch : sliceRows(batch, start, count));
      rows += count;
      start += count;
      if (rows === FRAGMENT_ROWS_MAX) {
        parts.push(part);
        part = [];
        rows = 0;
      }
    }
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
