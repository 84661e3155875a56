/** Columns as this writer sees them: lengths, validity and typed buffers. */
import type { Bits } from "./bits.js";

/** Null slots are those whose bit is 0; undefined means that nothing is null. */
export type Validity = Bits | undefined;

interface Common {
  readonly length: number;
  readonly validity: Validity;
}

/** Values of `width` bytes each, null slots included. */
export interface FixedColumn extends Common {
  readonly kind: "fixed";
  readonly width: number;
  readonly bytes: Uint8Array;
}

export interface BitColumn extends Common {
  readonly kind: "bit";
  readonly bits: Bits;
}

/** Text or bytes; offsets are relative to `bytes` and need not start at 0. */
export interface VariableColumn extends Common {
  readonly kind: "variable";
  /** Bytes per offset of the Arrow type, 4 or 8. */
  readonly offsetWidth: 4 | 8;
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
}

/** Fixed-size lists of primitives; item i of row r is item r * dimension + i. */
export interface VectorColumn extends Common {
  readonly kind: "vector";
  readonly dimension: number;
  readonly items: FixedColumn | BitColumn | VectorColumn;
}

/** Lists and maps; offsets index `items`. */
export interface ListColumn extends Common {
  readonly kind: "list";
  readonly offsets: Int32Array;
  readonly items: Column;
}

export interface StructColumn extends Common {
  readonly kind: "struct";
  readonly children: readonly Column[];
}

export interface DictionaryColumn extends Common {
  readonly kind: "dictionary";
  readonly indices: FixedColumn;
  /** Which dictionary the indices refer to; the same object means the same dictionary. */
  readonly identity: object;
  readonly items: FixedColumn | VariableColumn;
}

export interface NullColumn extends Common {
  readonly kind: "null";
}

/** A column that is one leaf of the file. */
export type LeafColumn = FixedColumn | BitColumn | VariableColumn | VectorColumn | DictionaryColumn | NullColumn;
export type Column = LeafColumn | ListColumn | StructColumn;

/** Rows that are all null. */
export function nullColumn(length: number): NullColumn {
  return { kind: "null", length, validity: { bytes: new Uint8Array((length + 7) >> 3), offset: 0 } };
}
