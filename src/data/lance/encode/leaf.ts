/** From the rows of one column to its leaves: one column of the file each, with the levels that rebuild the nesting. */

import type { SchemaNode } from "../../../format/schema.js";
import { TableError } from "../../../support/errors.js";
import { type Column, type LeafColumn, nullColumn } from "./column.js";
import { buildLevels, type Levels, type Step } from "./levels.js";
import { gatherLeaf } from "./slices.js";

export interface Leaf {
  readonly rows: number;
  readonly levels: Levels;
  /** The visible items in order; validity is in the levels and not looked at here. */
  readonly values: LeafColumn;
}

/** Leaves in depth-first order. @throws SCHEMA_MISMATCH for nulls in a field that has none. */
export function shredColumn(node: SchemaNode, column: Column): Leaf[] {
  const leaves: Leaf[] = [];
  shred(node, column, [], column.length, leaves);
  return leaves;
}

function shred(node: SchemaNode, column: Column, outer: readonly Step[], rows: number, leaves: Leaf[]): void {
  if (column.validity && column.kind !== "null" && !node.field.nullable) {
    throw new TableError(
      "SCHEMA_MISMATCH",
      `Field "${node.field.name}" holds nulls and its schema says that it has none; fill them or make it nullable.`,
      { details: { fieldId: node.id } },
    );
  }
  switch (column.kind) {
    case "struct":
      if (column.children.length === 0) {
        leaves.push(emptyStructLeaf(node, column, outer, rows));
        return;
      }
      column.children.forEach((child, i) => {
        shred(node.children[i]!, child, [...outer, { kind: "item", validity: column.validity }], rows, leaves);
      });
      return;
    case "list":
      shred(
        node.children[0]!,
        column.items,
        [...outer, { kind: "list", validity: column.validity, offsets: column.offsets }],
        rows,
        leaves,
      );
      return;
    default: {
      const levels = buildLevels([...outer, { kind: "item", validity: column.validity }], rows);
      const values = levels.positions ? gatherLeaf(column, levels.positions) : column;
      leaves.push({ rows, levels, values });
    }
  }
}

/** A struct without fields takes a column of its own that nobody looks at; it cannot hold nulls or stand in a list. */
function emptyStructLeaf(node: SchemaNode, column: Column, outer: readonly Step[], rows: number): Leaf {
  if (column.validity || outer.some((step) => step.kind === "list" || step.validity)) {
    throw new TableError(
      "NOT_SUPPORTED",
      `Struct "${node.field.name}" has no fields and holds nulls or stands in a list or a null struct; give it a field.`,
      { details: { fieldId: node.id } },
    );
  }
  return {
    rows,
    levels: buildLevels([{ kind: "item", validity: nullColumn(rows).validity }], rows),
    values: nullColumn(rows),
  };
}
