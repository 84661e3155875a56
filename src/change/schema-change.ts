/**
 * Plans of schema changes: add, alter and drop columns, field metadata.
 *
 * Columns with values become one more data file for each fragment; columns of nulls, renames and drops change only the
 * manifest. Field ids are never used twice.
 */
import { type Data, type DataType, Field, type RecordBatch, Schema } from "apache-arrow";
import { indicesOfField } from "../commit/indices.js";
import type { SharedTable } from "../commit/shared-table.js";
import type { Snapshot } from "../commit/snapshot.js";
import { castData } from "../compute/expression/cast.js";
import { type BoundExpression, evaluate } from "../compute/expression/evaluate.js";
import type { FragmentCodec } from "../data/codec.js";
import type { FileCache } from "../data/file-cache.js";
import { openFragment } from "../data/fragment.js";
import { makeBatch } from "../data/kernels/batches.js";
import { checkLanceSchema } from "../data/lance/check-schema.js";
import { fileVersionOf } from "../format/file-version.js";
import type { Fragment } from "../format/fragment.js";
import { dataPath } from "../format/layout.js";
import { checkColumnName } from "../format/names.js";
import { fieldsFromSchema, type LanceField, nextFieldId, projectSchema, schemaFromFields } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import { encodeOptionsOf, whenAll } from "./stage.js";
import { type AlonePlan, NO_ROWS } from "./write.js";

export interface SchemaChangeContext {
  readonly table: SharedTable;
  readonly files: FileCache;
  readonly codec: FragmentCodec;
  readonly durable: boolean;
}

/** A new column: its field, and the expression over the old columns that gives its values (nulls without one). */
export interface NewColumn {
  readonly field: Field;
  readonly value?: BoundExpression;
}

/** A column after an alteration. */
export interface AlteredColumn {
  readonly id: number;
  readonly name?: string;
  readonly nullable?: boolean;
  readonly type?: DataType;
}

/** @throws INVALID_ARGUMENT for a name that exists, SCHEMA_MISMATCH for a column of nulls that takes none */
export async function planAddColumns(
  base: Snapshot,
  columns: readonly NewColumn[],
  context: SchemaChangeContext,
): Promise<AlonePlan> {
  const { fields } = base.manifest;
  const taken = new Set(base.schema.arrow.fields.map((field) => field.name));
  for (const { field, value } of columns) {
    checkColumnName(field.name);
    if (taken.has(field.name)) {
      throw new TableError("INVALID_ARGUMENT", `Column '${field.name}' already exists; choose another name.`, {
        details: { column: field.name },
      });
    }
    taken.add(field.name);
    if (value === undefined && !field.nullable) {
      throw new TableError(
        "SCHEMA_MISMATCH",
        `Column '${field.name}' takes no nulls, so it cannot be added without values. Make it nullable, or give an expression.`,
        { details: { column: field.name } },
      );
    }
  }
  const schema = new Schema(columns.map((column) => column.field));
  checkHeld(schema, base, context);
  const added = fieldsFromSchema(schema, nextFieldId(fields, base.manifest.fragments));
  const computed = columns.filter((column) => column.value !== undefined);
  const next = [...fields, ...added];
  if (computed.length === 0) return merge(base, next, [...base.manifest.fragments], []);
  const names = new Set(computed.map((column) => column.field.name));
  return rewriteColumns(base, next, topLevel(added, names), computed.map(toSource), context);
}

/** @throws INVALID_ARGUMENT for a cast that cannot be, SCHEMA_MISMATCH for values that do not fit */
export async function planAlterColumns(
  base: Snapshot,
  altered: readonly AlteredColumn[],
  context: SchemaChangeContext,
): Promise<AlonePlan> {
  const byId = new Map(altered.map((column) => [column.id, column]));
  const renamed = base.manifest.fields.map((field) => {
    const change = byId.get(field.id);
    if (change === undefined) return field;
    if (change.nullable === false && field.nullable) {
      throw new TableError(
        "INVALID_ARGUMENT",
        `Column '${field.name}' is nullable and cannot be made non-nullable: it may hold nulls.`,
        { details: { column: field.name } },
      );
    }
    return { ...field, name: change.name ?? field.name, nullable: change.nullable ?? field.nullable };
  });
  checkNames(renamed);
  const casts = altered.filter((column) => column.type !== undefined);
  if (casts.length === 0) return project(base, renamed);
  return planCasts(base, renamed, casts, context);
}

/** @throws INVALID_ARGUMENT when no column would be left */
export function planDropColumns(base: Snapshot, ids: readonly number[]): AlonePlan {
  const dropped = new Set(ids);
  const fields = base.manifest.fields.filter((field) => {
    if (dropped.has(field.parentId)) dropped.add(field.id);
    return !dropped.has(field.id);
  });
  if (!fields.some((field) => field.parentId < 0)) {
    throw new TableError("INVALID_ARGUMENT", "A table keeps at least one column; drop the table instead.");
  }
  return project(base, fields);
}

/** A cast is a new column with the old one's place and name. */
async function planCasts(
  base: Snapshot,
  renamed: readonly LanceField[],
  casts: readonly AlteredColumn[],
  context: SchemaChangeContext,
): Promise<AlonePlan> {
  let firstId = nextFieldId(base.manifest.fields, base.manifest.fragments);
  const fields: LanceField[] = [];
  const added: LanceField[] = [];
  const sources: ColumnSource[] = [];
  const replaced = new Set<number>();
  for (const field of renamed) {
    if (replaced.has(field.parentId)) replaced.add(field.id);
    if (replaced.has(field.id)) continue;
    const type = casts.find((cast) => cast.id === field.id)?.type;
    if (type === undefined) {
      fields.push(field);
      continue;
    }
    if (field.parentId >= 0) {
      throw new TableError("NOT_SUPPORTED", `Column '${field.name}' is inside another one and cannot be cast.`);
    }
    checkNoIndex(base, field);
    replaced.add(field.id);
    const schema = new Schema([new Field(field.name, type, field.nullable)]);
    checkHeld(schema, base, context);
    const fresh = fieldsFromSchema(schema, firstId);
    firstId += fresh.length;
    fields.push(...fresh);
    added.push(...fresh);
    const old = base.manifest.fields.find((one) => one.id === field.id) as LanceField;
    sources.push({ names: [old.name], compute: (batch) => castData(batch.data.children[0] as Data, type) });
  }
  return rewriteColumns(base, fields, added, sources, context);
}

/** @throws NOT_SUPPORTED for columns that the table's data files do not hold */
function checkHeld(schema: Schema, base: Snapshot, context: SchemaChangeContext): void {
  const version = fileVersionOf(base.manifest);
  if (context.codec.dataFormat === "lance" && version !== undefined) checkLanceSchema(schema, version);
}

/** A cast rewrites the column, and its indices would have to go; that is not done behind the caller's back. */
function checkNoIndex(base: Snapshot, field: LanceField): void {
  const names = indicesOfField(base.manifest.indexSection, field.id);
  if (names.length === 0) return;
  throw new TableError(
    "INVALID_ARGUMENT",
    `Column '${field.name}' cannot be cast: it has ${names.length} index(es) attached (${names.join(", ")}). Drop them with LanceDB's dropIndex() first, and build them again afterwards.`,
    { details: { column: field.name, indices: names } },
  );
}

/** Where the values of one new column come from. */
interface ColumnSource {
  /** Old columns that are read; undefined for all. */
  readonly names: readonly string[] | undefined;
  readonly compute: (batch: RecordBatch) => Data;
}

function toSource(column: NewColumn): ColumnSource {
  const { value, field } = column;
  if (value === undefined) throw new TableError("INTERNAL", "A computed column has an expression. Please report it.");
  const compute = (batch: RecordBatch) => castData(evaluate(value, batch), field.type);
  return { names: [...new Set(value.columns.map((path) => path[0] as string))], compute };
}

/** Writes one more data file with the new columns for every fragment. Deleted rows get values too: rows keep places. */
async function rewriteColumns(
  base: Snapshot,
  fields: readonly LanceField[],
  added: readonly LanceField[],
  sources: readonly ColumnSource[],
  context: SchemaChangeContext,
): Promise<AlonePlan> {
  const schema = schemaFromFields(added, new Map());
  const live = new Set(fields.map((field) => field.id));
  const fragments: Fragment[] = [];
  const paths: string[] = [];
  const writes: Promise<void>[] = [];
  try {
    for (const fragment of base.manifest.fragments) {
      const batches = await computeColumns(base, fragment, sources, schema.arrow, context);
      const path = context.table.nameFile(context.codec.extension);
      const named = { ...encodeOptionsOf(base.manifest), fileName: path };
      const encoded = await context.codec.encode(batches, schema, named);
      const { chunks, rows: _rows, ...entry } = encoded;
      const file = { ...entry, path };
      paths.push(dataPath(file));
      const write = context.table.store.write(dataPath(file), chunks, { durable: context.durable });
      writes.push(write);
      await write;
      const kept = fragment.files.filter((old) => old.fields.some((id) => live.has(id)));
      fragments.push({ ...fragment, files: [...kept, file] });
    }
  } catch (error) {
    await whenAll(writes).catch(() => {});
    await whenAll(paths.map((path) => context.table.store.delete(path))).catch(() => {});
    throw error;
  }
  return merge(base, fields, fragments, paths);
}

async function computeColumns(
  base: Snapshot,
  fragment: Fragment,
  sources: readonly ColumnSource[],
  schema: Schema,
  context: SchemaChangeContext,
): Promise<RecordBatch[]> {
  const reader = openFragment(context.files, fragment, base.schema);
  const columns: Data[][] = [];
  for (const source of sources) {
    const wanted = source.names === undefined ? base.schema : projectSchema(base.schema, source.names);
    const parts: Data[] = [];
    for await (const batch of reader.read({ schema: wanted, batchRows: fragment.physicalRows })) {
      parts.push(source.compute(batch));
    }
    columns.push(parts);
  }
  return zip(columns, schema);
}

/** Columns in pieces as batches. All columns of a fragment are read with the same batch size. */
function zip(columns: readonly (readonly Data[])[], schema: Schema): RecordBatch[] {
  const [first = []] = columns;
  return first.map((piece, i) => {
    const parts = columns.map((pieces) => pieces[i] as Data);
    if (parts.some((part) => part === undefined || part.length !== piece.length)) {
      throw new TableError("INTERNAL", "The columns of a fragment are read in equal pieces. Please report it.");
    }
    for (const [c, part] of parts.entries()) {
      const field = schema.fields[c] as Field;
      if (!field.nullable && part.nullCount > 0) {
        throw new TableError("SCHEMA_MISMATCH", `Column '${field.name}' takes no nulls, and its values have some.`);
      }
    }
    return makeBatch(schema, parts, piece.length);
  });
}

function merge(
  base: Snapshot,
  fields: readonly LanceField[],
  fragments: readonly Fragment[],
  paths: readonly string[],
): AlonePlan {
  const { schemaMetadata } = base.manifest;
  return {
    intent: { kind: "merge", fragments, fields, schemaMetadata, preservesNullability: true },
    counts: NO_ROWS,
    stagedPaths: paths,
    staged: Promise.resolve(),
  };
}

function project(base: Snapshot, fields: readonly LanceField[]): AlonePlan {
  const { schemaMetadata } = base.manifest;
  return {
    intent: { kind: "project", fields, schemaMetadata, preservesNullability: true },
    counts: NO_ROWS,
    stagedPaths: [],
    staged: Promise.resolve(),
  };
}

/** @throws INVALID_ARGUMENT for a name that no column can have, or that two columns side by side have */
export function checkNames(fields: readonly LanceField[]): void {
  const seen = new Set<string>();
  for (const field of fields) {
    if (field.parentId < 0) checkColumnName(field.name);
    const key = `${field.parentId}:${field.name}`;
    if (seen.has(key)) {
      throw new TableError("INVALID_ARGUMENT", `Column '${field.name}' already exists; choose another name.`, {
        details: { column: field.name },
      });
    }
    seen.add(key);
  }
}

/** The fields of the columns with these names, and their children. */
function topLevel(fields: readonly LanceField[], names: ReadonlySet<string>): LanceField[] {
  const kept = new Set<number>();
  return fields.filter((field) => {
    const wanted = field.parentId < 0 ? names.has(field.name) : kept.has(field.parentId);
    if (wanted) kept.add(field.id);
    return wanted;
  });
}
