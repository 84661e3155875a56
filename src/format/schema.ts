/** The table's schema: Lance fields with ids, and the Arrow schema that they stand for. */
import type { Field, Schema } from "apache-arrow";

/** One node of the schema as the manifest keeps it, in depth-first order with parent ids. */
export interface LanceField {
  readonly id: number;
  /** -1 at top level. */
  readonly parentId: number;
  readonly name: string;
  /** See lance-format.md 3.3, for example "int64", "fixed_size_list:float:128". */
  readonly logicalType: string;
  readonly nullable: boolean;
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  readonly extensionName?: string;
  /** Fields this version does not know or does not use, as encoded; kept through a rewrite. */
  readonly unknown?: Uint8Array;
}

/** One column, or one child of a column, with its id. */
export interface SchemaNode {
  readonly id: number;
  readonly field: Field;
  readonly children: readonly SchemaNode[];
}

/** An Arrow schema together with the ids of its fields, top level first. */
export interface TableSchema {
  readonly arrow: Schema;
  readonly nodes: readonly SchemaNode[];
}
