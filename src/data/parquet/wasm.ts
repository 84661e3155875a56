/**
 * parquet-wasm, loaded with its first use. Only its synchronous calls are used: they report bad bytes as ordinary
 * errors, while its asynchronous readers can bring the process down. Memory inside WebAssembly is always given back.
 */
import type { RecordBatch } from "apache-arrow";
import { RecordBatchReader } from "apache-arrow";
import { TableError } from "../../support/errors.js";

type Library = typeof import("parquet-wasm");

/** Rows that WebAssembly is asked to hold at once, whatever a footer says. */
const BATCH_ROWS_MAX = 1 << 20;

let library: Promise<Library> | undefined;

async function load(): Promise<Library> {
  library ??= import("parquet-wasm");
  try {
    return await library;
  } catch (cause) {
    library = undefined;
    throw new TableError("NOT_SUPPORTED", "The data format parquet needs the package parquet-wasm; install it.", {
      cause,
    });
  }
}

export interface ParquetWriteOptions {
  readonly rowGroupRows: number;
  readonly metadata: ReadonlyMap<string, string>;
  /** Names of top-level columns that are dictionary-encoded; nothing else is. */
  readonly withDictionary: readonly string[];
}

/** An Arrow IPC stream as a Parquet file, compressed with zstd. @throws NOT_SUPPORTED for a type that Parquet refuses */
export async function writeParquetFile(stream: Uint8Array, options: ParquetWriteOptions): Promise<Uint8Array> {
  const parquet = await load();
  let builder = new parquet.WriterPropertiesBuilder()
    .setCompression(parquet.Compression.ZSTD)
    .setDictionaryEnabled(false)
    .setStatisticsEnabled(parquet.EnabledStatistics.Chunk)
    .setMaxRowGroupSize(options.rowGroupRows)
    .setKeyValueMetadata(new Map(options.metadata));
  for (const name of options.withDictionary) builder = builder.setColumnDictionaryEnabled(name, true);
  const properties = builder.build();
  try {
    // Both calls take over what they are given; nothing of it is left to be freed.
    return parquet.writeParquet(parquet.Table.fromIPCStream(stream), properties);
  } catch (cause) {
    throw new TableError("NOT_SUPPORTED", `A Parquet file cannot hold this schema: ${messageOf(cause)}.`, { cause });
  }
}

/** All rows of a Parquet file in memory: the synchronous reader has no projection. @throws whatever parquet-wasm throws on bad bytes */
export async function readParquetFile(file: Uint8Array, rows: number): Promise<RecordBatch[]> {
  const parquet = await load();
  const table = parquet.readParquet(file, {
    batchSize: Math.min(Math.max(rows, 1), BATCH_ROWS_MAX),
  });
  return [...RecordBatchReader.from(table.intoIPCStream())];
}

/** What parquet-wasm throws is a string or an error. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
