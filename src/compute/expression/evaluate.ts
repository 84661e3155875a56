/** Evaluation of a bound expression over a record batch; a filter keeps the rows where it is TRUE. */
import type { Data, RecordBatch } from "apache-arrow";
import type { BoundExpression } from "./bound.js";
import { BatchFrame, columnData } from "./frame.js";
import { evaluateNode } from "./node.js";
import { stretch } from "./vector.js";
import { writeData } from "./write.js";

export type { BoundExpression } from "./bound.js";
export { selectRows } from "./select.js";

/** The value of `expression` for every row of `batch`: Arrow data of its type. @throws INVALID_ARGUMENT */
export function evaluate(expression: BoundExpression, batch: RecordBatch): Data {
  const { root } = expression;
  if (root.kind === "column") return columnData(batch, root.path);
  const vector = stretch(evaluateNode(root, new BatchFrame(batch)), batch.numRows);
  return writeData(vector);
}
