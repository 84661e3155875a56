/** From the rows of one column to its leaves: one column of the file each, with the levels that rebuild the nesting. */

import type { SchemaNode } from "../../../format/schema.js";
import { TableError } from "../../../support/errors.js";
import type { Column, LeafColumn } from "./column.js";
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
