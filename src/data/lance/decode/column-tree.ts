/**
 * A column of the request as a tree: schema nodes over the leaf columns of a data file 2.1 or 2.2.
 */
import type { SchemaNode } from "../../../format/schema.js";
import type { ColumnInfo } from "../container.js";
import type { Place } from "./damage.js";
import type { LeafType, PageDecoder } from "./page.js";

/** A schema node over the file's columns. */
export type ColumnNode =
  | LeafNode
  | { readonly kind: "struct" | "list"; readonly node: SchemaNode; readonly children: readonly ColumnNode[] };

export interface LeafNode {
  readonly kind: "leaf";
  readonly node: SchemaNode;
  /** The node as the file holds it. */
  readonly full: SchemaNode;
  readonly leaf: LeafColumn;
  /** Among the leaves of the column's tree. */
  readonly position: number;
}

export interface LeafColumn extends LeafType {
  readonly info: ColumnInfo;
  readonly pages: readonly PageDecoder[];
  readonly place: (page: number) => Place;
}
