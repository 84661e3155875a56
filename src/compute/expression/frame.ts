/** The columns that an evaluation sees: those of a batch, whole or at chosen rows, each read once. */
import type { Data, DataType, RecordBatch, Schema } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { readVector, structChild } from "./read.js";
import { shapeOf } from "./types.js";
import type { Vector } from "./vector.js";

/** The rows that an evaluation sees. */
export interface Frame {
  readonly length: number;
  column(path: readonly string[]): Vector;
}

export class BatchFrame implements Frame {
  readonly batch: RecordBatch;
  /** Chosen rows of the batch; all when undefined. */
  readonly rows: Uint32Array | undefined;
  readonly length: number;
  readonly #vectors = new Map<string, Vector>();

  constructor(batch: RecordBatch, rows?: Uint32Array) {
    this.batch = batch;
    this.rows = rows;
    this.length = rows?.length ?? batch.numRows;
  }

  column(path: readonly string[]): Vector {
    const key = path.join("\u0000");
    const known = this.#vectors.get(key);
    if (known !== undefined) return known;
    const vector = readVector(columnData(this.batch, path), this.rows);
    this.#vectors.set(key, vector);
    return vector;
  }
}

/** The Arrow data of a column of the batch; of a nested column with the NULLs of its parents. */
export function columnData(batch: RecordBatch, path: readonly string[]): Data {
  let fields = (batch.schema as Schema).fields;
  let data: Data | undefined;
  for (const name of path) {
    const index = fields.findIndex((field) => field.name === name);
    if (index < 0) {
      throw new TableError("INTERNAL", `The batch lacks the column ${path.join(".")} that an expression reads.`);
    }
    data = data === undefined ? (batch.data.children[index] as Data) : structChild(data, index);
    fields = (shapeOf(data.type as DataType).children ?? []) as typeof fields;
  }
  return data as Data;
}
