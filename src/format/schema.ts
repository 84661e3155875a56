/**
 * The table's schema: Lance fields with ids, and the Arrow schema that they stand for.
 *
 * Names say nothing about data files; ids do. An id is never given twice while a file still lists it.
 * Rules: lance-format table specification, "Schema"; table of types in logical-type.ts.
 */
import { type DataType, Field, List, Map_, Schema, Struct, Type } from "apache-arrow";
import { TableError } from "../support/errors.js";
import type { FragmentList } from "./fragment-list.js";
import { isLargeList, largeListOf, NESTED, parseLogicalType, printFlatType, printLogicalType } from "./logical-type.js";

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

/** Deeper nesting is refused on both sides. */
export const SCHEMA_DEPTH_MAX = 32;
/** More top-level columns are refused for new tables. */
export const COLUMNS_MAX = 2_000;

const TOP_LEVEL = -1;
const EXTENSION_NAME_KEY = "ARROW:extension:name";
/** Blob columns: in files before version 2.2 by this key, since then by an extension. */
const BLOB_KEY = "lance-encoding:blob";
const BLOB_EXTENSION = "lance.blob.v2";
const textDecoder = new TextDecoder();
const textEncoder = new TextEncoder();

/**
 * The schema that a manifest's fields stand for, columns in the order of the fields.
 * @param metadata the manifest's schema metadata
 * @throws NOT_SUPPORTED naming a logical type that is not known, CORRUPT when the fields form no tree
 */
export function schemaFromFields(
  fields: readonly LanceField[],
  metadata: ReadonlyMap<string, Uint8Array> = new Map(),
): TableSchema {
  const children = new Map<number, LanceField[]>([[TOP_LEVEL, []]]);
  for (const field of fields) {
    if (field.id < 0 || children.has(field.id)) throw badFields(`field id ${field.id} is negative or used twice`);
    const siblings = children.get(field.parentId);
    if (siblings === undefined) throw badFields(`field ${field.id} comes before its parent ${field.parentId}`);
    siblings.push(field);
    children.set(field.id, []);
  }
  const nodes = (children.get(TOP_LEVEL) as LanceField[]).map((field) => nodeOf(field, children, 1));
  return schemaOf(nodes, textMetadata(metadata));
}

/**
 * Lance fields for an Arrow schema, ids depth first from `firstId`. Field metadata is kept.
 * @throws INVALID_ARGUMENT when the schema is too wide or too deep, NOT_SUPPORTED for a type that a table cannot hold
 */
export function fieldsFromSchema(schema: { readonly fields: readonly Field[] }, firstId: number): LanceField[] {
  if (schema.fields.length > COLUMNS_MAX) {
    throw new TableError(
      "INVALID_ARGUMENT",
      `The schema has ${schema.fields.length} columns; at most ${COLUMNS_MAX} are supported. Use struct or list columns.`,
      { details: { columns: schema.fields.length, columnsMax: COLUMNS_MAX } },
    );
  }
  const fields: LanceField[] = [];
  for (const field of schema.fields) addField(fields, field, TOP_LEVEL, firstId, field.name, 1);
  return fields;
}

/** The lowest id that neither the schema nor any data file of any fragment has. Looks at every fragment. */
export function nextFieldId(fields: readonly LanceField[], fragments: FragmentList): number {
  let highest = -1;
  for (const { id } of fields) highest = Math.max(highest, id);
  for (const fragment of fragments) {
    for (const file of fragment.files) for (const id of file.fields) highest = Math.max(highest, id);
  }
  return highest + 1;
}

/** The top-level columns with these names, in this order. @throws INVALID_ARGUMENT naming one that is not there */
export function projectSchema(schema: TableSchema, names: readonly string[]): TableSchema {
  const nodes = names.map((name) => {
    const node = schema.nodes.find(({ field }) => field.name === name);
    if (node !== undefined) return node;
    const columns = schema.nodes.map(({ field }) => field.name);
    throw new TableError("INVALID_ARGUMENT", `No field named ${name}. Valid fields are ${columns.join(", ")}.`, {
      details: { column: name, columns },
    });
  });
  return schemaOf(nodes, schema.arrow.metadata);
}

/** Every column and child, parents before their children. */
export function nodesDepthFirst(schema: TableSchema): SchemaNode[] {
  const all: SchemaNode[] = [];
  const visit = (node: SchemaNode) => {
    all.push(node);
    node.children.forEach(visit);
  };
  schema.nodes.forEach(visit);
  return all;
}

/** The nodes without children, in depth-first order. */
export function leavesOf(schema: TableSchema): SchemaNode[] {
  return nodesDepthFirst(schema).filter(({ children }) => children.length === 0);
}

/** The node at a path of names, for example ["point", "x"]; of equal names the first one. */
export function findPath(schema: TableSchema, path: readonly string[]): SchemaNode | undefined {
  let nodes = schema.nodes;
  let found: SchemaNode | undefined;
  for (const name of path) {
    found = nodes.find(({ field }) => field.name === name);
    if (found === undefined) return undefined;
    nodes = found.children;
  }
  return found;
}

/**
 * True when values of one type can stand in a column of the other: same type and parameters, same struct fields in the
 * same order. Nullability, metadata, dictionary ids and the names of list items and map entries do not matter.
 */
export function sameType(a: DataType, b: DataType): boolean {
  if (a === b) return true;
  if (a.typeId !== b.typeId) return false;
  if (![Type.Struct, Type.Map, Type.List].includes(a.typeId) && !isLargeList(a)) return textOf(a) === textOf(b);
  return (
    a.children.length === b.children.length &&
    a.children.every((child, i) => {
      const other = b.children[i] as Field;
      return (a.typeId !== Type.Struct || child.name === other.name) && sameType(child.type, other.type);
    })
  );
}

/** Type and parameters; Arrow's own text for types that a table cannot hold. */
function textOf(type: DataType): string {
  return printFlatType(type) ?? String(type);
}

function nodeOf(field: LanceField, all: ReadonlyMap<number, readonly LanceField[]>, depth: number): SchemaNode {
  if (depth > SCHEMA_DEPTH_MAX) throw badFields(`fields are nested deeper than ${SCHEMA_DEPTH_MAX}`);
  refuseBlob(field);
  const children = (all.get(field.id) ?? []).map((child) => nodeOf(child, all, depth + 1));
  const type = typeOf(field, children);
  return { id: field.id, field: new Field(field.name, type, field.nullable, textMetadata(field.metadata)), children };
}

/**
 * Values of a blob column lie outside the pages that its type stands for, so that none may be read or written as it.
 * @throws NOT_SUPPORTED for one
 */
export function refuseBlob({ name, metadata, extensionName }: LanceField): void {
  const said = (key: string) => textDecoder.decode(metadata.get(key));
  const names = [extensionName, said(EXTENSION_NAME_KEY)];
  if (said(BLOB_KEY) !== "true" && !names.includes(BLOB_EXTENSION)) return;
  throw new TableError(
    "NOT_SUPPORTED",
    `Column ${name} is a blob column, which is not supported. Keep bytes in binary columns, or use native LanceDB.`,
    { details: { column: name } },
  );
}

function typeOf(field: LanceField, children: readonly SchemaNode[]): DataType {
  const fields = children.map((child) => child.field);
  const only = fields.length === 1 ? fields[0] : undefined;
  switch (field.logicalType) {
    case NESTED.struct:
      return new Struct(fields);
    case NESTED.list:
    case NESTED.listOfStruct:
      if (only === undefined) throw badFields(`list field ${field.id} does not have one child`);
      return new List(only);
    case NESTED.largeList:
    case NESTED.largeListOfStruct:
      if (only === undefined) throw badFields(`list field ${field.id} does not have one child`);
      return largeListOf(only);
    case NESTED.map:
      if (only?.type.typeId !== Type.Struct || only.type.children.length !== 2) {
        throw badFields(`map field ${field.id} does not have entries of key and value`);
      }
      return new Map_(only);
    default:
      if (fields.length > 0) throw badFields(`field ${field.id} of type ${field.logicalType} has children`);
      return parseLogicalType(field.logicalType, field.name);
  }
}

function addField(
  into: LanceField[],
  field: Field,
  parentId: number,
  firstId: number,
  column: string,
  depth: number,
): void {
  if (depth > SCHEMA_DEPTH_MAX) {
    throw new TableError("INVALID_ARGUMENT", `Column ${column} is nested deeper than ${SCHEMA_DEPTH_MAX} levels.`, {
      details: { column, depthMax: SCHEMA_DEPTH_MAX },
    });
  }
  const id = firstId + into.length;
  const extensionName = field.metadata?.get(EXTENSION_NAME_KEY);
  into.push({
    id,
    parentId,
    name: field.name,
    logicalType: printLogicalType(field.type, column),
    nullable: field.nullable,
    metadata: new Map([...(field.metadata ?? [])].map(([key, value]) => [key, textEncoder.encode(value)])),
    ...(extensionName === undefined ? {} : { extensionName }),
  });
  for (const child of childFields(field.type)) addField(into, child, id, firstId, column, depth + 1);
}

/** Children that get ids of their own: of a fixed-size list none, its item is part of the logical type. */
function childFields(type: DataType): readonly Field[] {
  if (type.typeId === Type.FixedSizeList || type.typeId === Type.Dictionary) return [];
  if (type.typeId !== Type.Map) return type.children ?? [];
  // Entries and keys of a map are never null, whatever the Arrow type says.
  const entries = type.children[0] as Field<Struct>;
  const [key, value] = entries.type.children as [Field, Field];
  return [entries.clone({ nullable: false, type: new Struct([key.clone({ nullable: false }), value]) })];
}

function schemaOf(nodes: readonly SchemaNode[], metadata: Map<string, string>): TableSchema {
  return {
    arrow: new Schema(
      nodes.map(({ field }) => field),
      metadata,
    ),
    nodes,
  };
}

function textMetadata(metadata: ReadonlyMap<string, Uint8Array>): Map<string, string> {
  return new Map([...metadata].map(([key, value]) => [key, textDecoder.decode(value)]));
}

function badFields(problem: string): TableError {
  return new TableError("CORRUPT", `The schema in the manifest makes no sense: ${problem}. Restore it from a backup.`, {
    details: { problem },
  });
}
