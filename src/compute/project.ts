/** From a piece to a batch of the result: rows picked, row numbers added, expressions evaluated. */
import type { Data, RecordBatch, Schema } from "apache-arrow";
import { makeBatch, takeRows } from "../data/kernels/batches.js";
import { evaluate } from "./expression/evaluate.js";
import { type Piece, pickColumns, pieceOffsets } from "./pieces.js";
import type { OutputColumn, ResolvedPlan, ScanSource } from "./plan.js";
import { loadRowIds } from "./row-ids.js";
import { withRowNumbers } from "./row-numbers.js";

/** The rows of a piece that count as a batch with the table's columns and row numbers that the result needs. */
export async function inputOf(source: ScanSource, resolved: ResolvedPlan, piece: Piece): Promise<RecordBatch> {
  const { outputNeeds } = resolved;
  const narrow = pickColumns(piece.batch, outputNeeds.schema);
  const batch = piece.selected === undefined ? narrow : takeRows(narrow, piece.selected);
  if (!outputNeeds.rowId && !outputNeeds.rowAddress) return batch;
  const stable = outputNeeds.rowId ? await loadRowIds(source, piece.fragment) : undefined;
  return withRowNumbers(batch, piece.fragment.id, pieceOffsets(piece), outputNeeds, stable);
}

/** The columns of the result, computed from a batch that has all they need. */
export function projectOutput(input: RecordBatch, output: readonly OutputColumn[], schema: Schema): RecordBatch {
  const columns = output.map(({ name, expression }): Data => {
    if (expression !== undefined) return evaluate(expression, input);
    return input.data.children[input.schema.fields.findIndex((field) => field.name === name)]!;
  });
  return makeBatch(schema, columns, input.numRows);
}
