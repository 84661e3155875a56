/**
 * Which file of a fragment holds which columns, and the parts of a schema that each file is asked for.
 *
 * A struct may lie in several files (children added later); every other column lies in one file as a whole. What no
 * file holds reads as NULL, and a field id of -2 in a file is a column that no schema knows any more.
 */
import { type Data, Field, Schema, Struct } from "apache-arrow";
import type { DataFile } from "../format/fragment.js";
import type { SchemaNode, TableSchema } from "../format/schema.js";
import { makeColumn, nullColumn, validityOf } from "./kernels/column.js";

/** A part of a column in one file: the node with only the children that the file holds, or nothing. */
export function heldPart(node: SchemaNode, held: ReadonlySet<number>): SchemaNode | undefined {
  if (node.children.length === 0) return held.has(node.id) ? node : undefined;
  const children = node.children.map((child) => heldPart(child, held));
  const some = children.filter((child) => child !== undefined);
  // A format may list a nested column under its own id alone.
  if (some.length === 0) return held.has(node.id) ? node : undefined;
  if (!isStruct(node) || children.every((child, i) => child === node.children[i])) return node;
  const type = new Struct(some.map((child) => child.field));
  const field = new Field(node.field.name, type, node.field.nullable, node.field.metadata);
  return { id: node.id, field, children: some };
}

function isStruct(node: SchemaNode): boolean {
  return node.field.typeId === 13;
}

/** What one file contributes: the schema to ask it for. */
export interface FilePart {
  readonly file: DataFile;
  readonly schema: TableSchema;
}

/** Splits the wanted columns over the files of a fragment; a file that holds none of them does not appear. */
export function partsOf(files: readonly DataFile[], wanted: TableSchema): FilePart[] {
  const parts: FilePart[] = [];
  for (const file of files) {
    const held = new Set(file.fields);
    const nodes = wanted.nodes.map((node) => heldPart(node, held)).filter((node) => node !== undefined);
    if (nodes.length > 0) parts.push({ file, schema: schemaOf(nodes, wanted.arrow) });
  }
  return parts;
}

/** The schema of some columns of another one. */
export function schemaOf(nodes: readonly SchemaNode[], like: Schema): TableSchema {
  return {
    nodes,
    arrow: new Schema(
      nodes.map((node) => node.field),
      like.metadata,
    ),
  };
}

/** A column found in some files: the nodes that were asked for, and the data that came. */
export interface FoundColumn {
  readonly node: SchemaNode;
  readonly data: Data;
}

/** One column from the parts that the files gave; what nobody gave is NULL. */
export function assemble(node: SchemaNode, found: readonly FoundColumn[], rows: number): Data {
  const first = found[0];
  if (first === undefined) return nullColumn(node.field.type, rows);
  if (first.node === node || !isStruct(node)) return first.data;
  const children = node.children.map((child) => assemble(child, childrenOf(found, child.id), rows));
  const validity = validityOf(first.data);
  // The parts agree on which structs are NULL; a bitmap that starts inside a byte is kept by reusing its column.
  if (validity === undefined) return makeColumn(node.field.type, { length: rows, children });
  return first.data.clone(node.field.type, first.data.offset, rows, first.data.nullCount, first.data.buffers, children);
}

function childrenOf(found: readonly FoundColumn[], id: number): FoundColumn[] {
  const out: FoundColumn[] = [];
  for (const { node, data } of found) {
    const index = node.children.findIndex((child) => child.id === id);
    if (index >= 0) out.push({ node: node.children[index]!, data: data.children[index]! });
  }
  return out;
}
