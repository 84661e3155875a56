/**
 * What a page decoder is: it reads the bytes that some rows need and appends those rows to a column's sinks.
 */
import type { ByteReader } from "./byte-reader.js";
import type { Ranges } from "./flat-sinks.js";
import type { LayerKind, LevelSink } from "./levels.js";
import type { Shape } from "./shape.js";
import type { ValueSink } from "./sinks.js";

/** A leaf column as its schema has it. */
export interface LeafType {
  /** Of the values; FSL and packed structs are values. */
  readonly shape: Shape;
  /** Nesting levels from the inside to the outside, the value itself first. */
  readonly layers: readonly LayerKind[];
}

/** Where the rows of one batch of one leaf column go. */
export interface LeafSink {
  readonly levels: LevelSink;
  readonly values: ValueSink;
}

export interface PageDecoder {
  /** Rows of the page. */
  readonly rows: number;
  /**
   * Reads what the rows in `ranges` (of the page, ascending, not empty) need. The function that comes back appends
   * exactly these rows to the sink; it does not wait for anything.
   */
  load(ranges: Ranges, reader: ByteReader): Promise<(sink: LeafSink) => void>;
}
