/**
 * What the reader needs of a column, whatever the version of the file.
 */
import type { Data } from "apache-arrow";
import type { ByteReader } from "./byte-reader.js";
import type { Ranges } from "./flat-sinks.js";

export interface ColumnReader {
  /** Estimate of what one row takes in memory. */
  readonly rowBytes: number;
  /** Bytes of the column in the file. */
  readonly storedBytes: number;
  /** First row of each page of the column's first leaf. */
  readonly pageStarts: readonly number[];
  /** Reads what the rows need. The function that comes back decodes them, without waiting, into one Arrow column. */
  load(ranges: Ranges, reader: ByteReader): Promise<() => Data>;
}
