/**
 * The contract of a fragment's data files: one interface, three formats (arrow, parquet, lance).
 *
 * Columns are identified by the field ids of the table's schema; names inside a data file carry no meaning.
 * `DataFile.fields` and `DataFile.columnIndices` (docs/format.md says per format what they list) connect the two.
 */
import type { RecordBatch } from "apache-arrow";
import type { DataFile } from "../format/fragment.js";
import type { TableSchema } from "../format/schema.js";
import type { Bytes } from "../store/contract.js";
import type { Scratch, ScratchPool } from "./scratch.js";

export type DataFormat = "lance" | "arrow" | "parquet";

/** A value in the physical unit of its column: what `ColumnStatistics` and pruning compare. */
export type Scalar = boolean | number | bigint | string;

/** What is known about one column of one data file. A bound that is absent is unknown, not unbounded. */
export interface ColumnStatistics {
  /** Lower bound of all non-null values (exact unless the value was cut). NaN is never a bound. */
  readonly min?: Scalar;
  readonly max?: Scalar;
  readonly nullCount?: number;
}

/** Random access to the bytes of one data file. */
export interface ByteSource {
  readonly path: string;
  readonly sizeBytes: number;
  /** Another one once another file was found under the path; may be unknown before the first read. */
  readonly identity?: string | undefined;
  /**
   * Bytes [start, end), fresh buffer starting at offset 0. With `scratch` they may lie in its memory, or in memory that
   * is kept: whoever asked looks at them until the scratch is reset, and writes nothing there.
   */
  read(start: number, end: number, scratch?: Scratch): Promise<Bytes>;
}

/** Which rows of a file, by physical offset: a range, or ascending offsets without duplicates. */
export type RowSelection = { readonly start: number; readonly end: number } | { readonly offsets: Uint32Array };

export interface ReadRequest {
  /** The columns wanted, in the order wanted; children may be pruned. Every one must be held by this file. */
  readonly schema: TableSchema;
  /** All rows when absent. */
  readonly rows?: RowSelection;
  /** Upper bound for the rows of one batch. */
  readonly batchRows?: number;
  /** Batches are looked at only until the next one is asked for: they may lie in memory of this pool. */
  readonly scratch?: ScratchPool;
}

export interface DataFileReader {
  readonly rows: number;
  /** Statistics of a top-level or nested column by field id; undefined when the file keeps none. */
  statistics(fieldId: number): ColumnStatistics | undefined;
  /** The rows in ascending order as consecutive batches whose schema is `request.schema.arrow`. */
  read(request: ReadRequest): AsyncIterable<RecordBatch>;
}

/** A data file in memory, ready to be written, with what its manifest entry needs. */
export interface EncodedDataFile {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly rows: number;
  readonly fields: readonly number[];
  readonly columnIndices: readonly number[];
  readonly majorVersion: number;
  readonly minorVersion: number;
}

export interface EncodeOptions {
  /** The table's data_format.version; only the lance codec looks at it. */
  readonly fileVersion?: string;
  /** The name that the file will have, without directories; under another one it will not be read. */
  readonly fileName?: string;
}

/** Columns that take the rows of small files, one file after the other, each in memory as a whole. */
export interface RowGatherer {
  /** Rows taken since the last `take`, and the bytes of their files. */
  readonly rows: number;
  readonly sizeBytes: number;
  /**
   * Appends all rows of a file, its checksums verified; false, and nothing appended, when the file has to be read in
   * the general way, which may find it damaged. Does not keep `bytes`.
   */
  append(bytes: Uint8Array, file: DataFile, rows: number): boolean;
  /** The rows taken so far as one batch of the schema, which belongs to the caller. */
  take(): RecordBatch;
}

export interface FragmentCodec {
  readonly dataFormat: DataFormat;
  /** File name extension without the dot. */
  readonly extension: string;
  /** Batches of `schema.arrow` as one data file. Ids of the columns are those of `schema`. */
  encode(batches: readonly RecordBatch[], schema: TableSchema, options?: EncodeOptions): Promise<EncodedDataFile>;
  /**
   * Reads the file's footer. @throws CORRUPT (details: path, offset) on bytes that make no sense, NOT_SUPPORTED
   * naming an encoding that is not known; never hangs, never allocates beyond what the file's size justifies.
   */
  open(source: ByteSource, file: DataFile, schema: TableSchema): Promise<DataFileReader>;
  /** A short way through many small files, where the codec has one for the columns of `schema`. */
  gatherer?(schema: TableSchema): RowGatherer | undefined;
}
