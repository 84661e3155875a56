/** From a piece to a batch of the result: rows picked, row numbers added, expressions evaluated. */
import { type Data, type RecordBatch, Schema } from "apache-arrow";
import { makeBatch, takeRows } from "../data/kernels/batches.js";
import { evaluate } from "./expression/evaluate.js";
import { type Piece, pickColumns, pieceOffsets } from "./piece.js";
import type { ColumnNeeds, OutputColumn, RowSource } from "./plan.js";
import { loadRowSequences } from "./row-ids.js";
import { ROW_NUMBER_FIELDS, ROW_NUMBERS, withRowNumbers } from "./row-numbers.js";

/** The rows of a piece that count as a batch of the columns and row numbers that are needed. */
export async function neededRows(source: RowSource, piece: Piece, needs: ColumnNeeds): Promise<RecordBatch> {
  const narrow = pickColumns(piece.batch, needs.schema);
  const batch = piece.selected === undefined ? narrow : takeRows(narrow, piece.selected);
  if (needs.numbers.size === 0) return batch;
  const sequences = await loadRowSequences(source, piece.fragment, needs);
  return withRowNumbers(batch, piece.fragment.id, pieceOffsets(piece), needs, sequences);
}

/** The schema of the batches that `neededRows` gives. */
export function neededSchema(needs: ColumnNeeds): Schema {
  const { arrow } = needs.schema;
  if (needs.numbers.size === 0) return arrow;
  return new Schema([...arrow.fields, ...ROW_NUMBER_FIELDS.filter((_, i) => needs.numbers.has(ROW_NUMBERS[i]!))]);
}

/** The columns of the result, computed from a batch that has all they need. */
export function projectOutput(input: RecordBatch, output: readonly OutputColumn[], schema: Schema): RecordBatch {
  const columns = output.map(({ name, expression }): Data => {
    if (expression !== undefined) return evaluate(expression, input);
    return input.data.children[input.schema.fields.findIndex((field) => field.name === name)]!;
  });
  return makeBatch(schema, columns, input.numRows);
}
