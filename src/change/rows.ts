/** Plain rows as what a merge brings: fitted to the table when their group is planned. */
import { Schema } from "apache-arrow";
import { buildBatches } from "../data/columns/build.js";
import type { Row } from "../data/columns/rows.js";
import type { MergeWrite } from "./write.js";

/** What a merge says of the rows that it brings. */
export type MergeSource = Pick<MergeWrite, "plainRows" | "columns" | "toBatches" | "rows" | "sizeBytes">;

/** Plain rows as the source of a merge; columns that none of them has are not brought. */
export function mergeSource(rows: readonly Row[]): MergeSource {
  return {
    plainRows: rows,
    columns: (schema) => new Set(presentSchema(schema, rows).fields.map((field) => field.name)),
    toBatches: (schema) => buildBatches(rows, schema),
    rows: rows.length,
    sizeBytes: 0,
  };
}

/** The columns that at least one row has, all of them when none does. */
export function presentSchema(schema: Schema, rows: readonly Row[]): Schema {
  const present = schema.fields.filter(({ name }) =>
    rows.some((row) => (row as Record<string, unknown>)[name] !== undefined),
  );
  return present.length === 0 ? schema : new Schema(present, schema.metadata);
}
