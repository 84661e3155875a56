/** A piece of a scan: a batch of one fragment and the rows of it that count. Rows are copied as late as possible. */
import type { RecordBatch } from "apache-arrow";
import { makeBatch } from "../data/kernels/batches.js";
import { gather } from "../data/kernels/gather.js";
import type { Fragment } from "../format/fragment.js";
import type { TableSchema } from "../format/schema.js";
import type { RowOffsets } from "./row-numbers.js";

/** Some rows of a fragment. */
export interface Piece {
  readonly fragment: Fragment;
  /** Columns of the table in the order of the schema that was asked for. */
  readonly batch: RecordBatch;
  /** The rows of the batch that count, ascending; all of them when absent. */
  readonly selected: Uint32Array | undefined;
  /** Where the rows of the batch lie in the fragment. */
  readonly offsets: RowOffsets;
}

/** How many rows of a piece count. */
export function pieceRows(piece: Piece): number {
  return piece.selected?.length ?? piece.batch.numRows;
}

/** Offsets in the fragment of the rows of a piece that count. */
export function pieceOffsets(piece: Piece): Uint32Array {
  const { offsets, selected } = piece;
  const out = new Uint32Array(pieceRows(piece));
  for (let i = 0; i < out.length; i++) {
    const row = selected === undefined ? i : selected[i]!;
    out[i] = typeof offsets === "number" ? offsets + row : offsets[row]!;
  }
  return out;
}

/** The same rows with the columns of `schema` only, in its order; the batch has all of them. */
export function pickColumns(batch: RecordBatch, schema: TableSchema): RecordBatch {
  const { fields } = batch.schema;
  const { nodes } = schema;
  if (fields.length === nodes.length && nodes.every((node, i) => node.field.name === fields[i]!.name)) return batch;
  const columns = nodes.map((node) => batch.data.children[fields.findIndex(({ name }) => name === node.field.name)]!);
  return makeBatch(schema.arrow, columns, batch.numRows);
}

/** The rows of a piece that count, in memory of their own. */
export function copyPiece(piece: Piece): Piece {
  const rows = pieceRows(piece);
  const columns = piece.batch.data.children.map((column) => gather(column, piece.selected!));
  const batch = makeBatch(piece.batch.schema, columns, rows);
  return { fragment: piece.fragment, batch, selected: undefined, offsets: pieceOffsets(piece) };
}
