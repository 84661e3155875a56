/** Schema changes as callers ask for them, turned into plans. Shapes are LanceDB's. */
import { type DataType, Field, Schema } from "apache-arrow";
import {
  type AlteredColumn,
  type NewColumn,
  planAddColumns,
  planAlterColumns,
  planDropColumns,
  type SchemaChangeContext,
} from "../change/schema-change.js";
import type { AlonePlan, AloneWrite } from "../change/write.js";
import { NO_ROWS } from "../change/write.js";
import type { Snapshot } from "../commit/snapshot.js";
import { bindExpression } from "../compute/expression/bind.js";
import { type BoundExpression, evaluate } from "../compute/expression/evaluate.js";
import { adoptSchema } from "../data/columns/adopt.js";
import { makeBatch } from "../data/kernels/batches.js";
import type { UpdateMap } from "../format/operation.js";
import { findPath, refuseBlob, type SchemaNode, type TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import { checkKeys, listOf, type OptionKeys, objectOf, textOf } from "./arguments.js";
import { parseSql, type SqlInput } from "./filter.js";
import type { OpenTable } from "./open-table.js";

const encoder = new TextEncoder();

export interface AddColumnsSql {
  readonly name: string;
  /** Expression over the columns of the table. */
  readonly valueSql: SqlInput;
}

export interface ColumnAlteration {
  /** Name of the column; "a.b" for a field of a struct. */
  readonly path: string;
  readonly rename?: string;
  /** An Arrow type, or its name: "int32", "float64", "string", ... */
  readonly dataType?: string | DataType;
  readonly nullable?: boolean;
}

export interface FieldMetadataUpdate {
  readonly path: string;
  /** A value of null removes its key. */
  readonly metadata: Readonly<Record<string, string | null>>;
  /** True: these entries are the whole metadata. */
  readonly replace?: boolean;
}

const ALTERATION: OptionKeys<ColumnAlteration> = { path: true, rename: true, dataType: true, nullable: true };
const FIELD_METADATA: OptionKeys<FieldMetadataUpdate> = { path: true, metadata: true, replace: true };
const ONE_ROW = makeBatch(new Schema([]), [], 1);

export function addColumnsWrite(
  open: OpenTable,
  columns: readonly AddColumnsSql[] | Field | readonly Field[] | Schema,
): AloneWrite {
  return alone(async (base) => planAddColumns(base, newColumns(columns, base), contextOf(open, base)));
}

export function alterColumnsWrite(open: OpenTable, alterations: readonly ColumnAlteration[]): AloneWrite {
  listOf(alterations, "alterColumns()");
  return alone(async (base) => {
    const altered = alterations.map((alteration): AlteredColumn => {
      const what = "A change of alterColumns()";
      const node = column(base.schema, checkKeys(objectOf(alteration, what), what, ALTERATION).path);
      return {
        id: node.id,
        ...(alteration.rename === undefined ? {} : { name: alteration.rename }),
        ...(alteration.nullable === undefined ? {} : { nullable: alteration.nullable }),
        ...(alteration.dataType === undefined ? {} : { type: typeOf(alteration.dataType, alteration.path) }),
      };
    });
    return planAlterColumns(base, altered, contextOf(open, base));
  });
}

export function dropColumnsWrite(names: readonly string[]): AloneWrite {
  listOf(names, "dropColumns()");
  return alone(async (base) =>
    planDropColumns(
      base,
      names.map((name) => column(base.schema, name).id),
    ),
  );
}

/** @throws INVALID_ARGUMENT for what is no update, NOT_SUPPORTED for one after which nobody could read the table */
export function fieldMetadataWrite(updates: readonly FieldMetadataUpdate[]): AloneWrite {
  listOf(updates, "updateFieldMetadata()");
  return alone(async (base) => {
    const fieldMetadata = new Map<number, UpdateMap>();
    for (const update of updates) {
      const what = "An update of updateFieldMetadata()";
      checkKeys(objectOf(update, what), what, FIELD_METADATA);
      const { id } = column(base.schema, update.path);
      const before = update.replace ? undefined : fieldMetadata.get(id);
      const entries = [...(before?.entries ?? []), ...metadataEntries(update)];
      fieldMetadata.set(id, { entries, replace: before?.replace ?? update.replace ?? false });
    }
    for (const field of base.manifest.fields) {
      const entries = fieldMetadata.get(field.id)?.entries ?? [];
      const added = entries.flatMap(({ key, value }) =>
        value === undefined ? [] : [[key, encoder.encode(value)] as const],
      );
      refuseBlob({ ...field, metadata: new Map(added) });
    }
    return {
      intent: { kind: "update_config", fieldMetadata },
      counts: NO_ROWS,
      stagedPaths: [],
      staged: Promise.resolve(),
    };
  });
}

function metadataEntries({ path, metadata }: FieldMetadataUpdate): UpdateMap["entries"] {
  const entries = Object.entries(metadata ?? {});
  const wrong = entries.find(([, value]) => value !== null && typeof value !== "string");
  if (typeof metadata === "object" && metadata !== null && wrong === undefined) {
    return entries.map(([key, value]) => (value === null ? { key } : { key, value }));
  }
  throw new TableError(
    "INVALID_ARGUMENT",
    `Metadata of '${path}' is an object of texts, and null for a key that goes${wrong === undefined ? "" : `, unlike '${wrong[0]}'`}.`,
    { details: { column: path } },
  );
}

function alone(plan: (base: Snapshot) => Promise<AlonePlan>): AloneWrite {
  return { kind: "alone", alone: true, rows: 0, sizeBytes: 0, plan };
}

function contextOf(open: OpenTable, base: Snapshot): SchemaChangeContext {
  return {
    table: open.shared,
    files: open.files,
    codec: open.codecOf(base.manifest),
    durable: open.settings.durability === "full",
  };
}

function newColumns(
  columns: readonly AddColumnsSql[] | Field | readonly Field[] | Schema,
  base: Snapshot,
): NewColumn[] {
  if (isSchema(columns)) return adoptSchema(columns).fields.map((field) => ({ field }));
  const list = listOf(
    (Array.isArray(columns) ? columns : [columns]) as readonly (AddColumnsSql | Field)[],
    "addColumns()",
  );
  return list.map((one) => {
    textOf(objectOf(one, "A column of addColumns()").name, "The name of a column");
    if (!("valueSql" in one)) return { field: adoptSchema({ fields: [one] }).fields[0] as Field };
    const value = bindExpression(parseSql(one.valueSql, `The expression for '${one.name}'`), base.schema.arrow);
    return { field: new Field(one.name, value.type, !isNonNullConstant(value)), value };
  });
}

/** A column of one value that is not null takes no nulls later either, as in LanceDB. */
function isNonNullConstant(value: BoundExpression): boolean {
  return value.root.kind === "literal" && value.columns.length === 0 && evaluate(value, ONE_ROW).nullCount === 0;
}

function isSchema(columns: unknown): columns is Schema {
  return typeof columns === "object" && columns !== null && Array.isArray((columns as { fields?: unknown }).fields);
}

/** A name with dots in it is found before it is taken for a path. */
function column(schema: TableSchema, path: string): SchemaNode {
  textOf(path, "The name of a column");
  const node = findPath(schema, [path]) ?? findPath(schema, path.split("."));
  if (node !== undefined) return node;
  const names = schema.arrow.fields.map((field) => field.name).join(", ");
  throw new TableError("INVALID_ARGUMENT", `No field named '${path}'. There are: ${names}.`, {
    details: { column: path },
  });
}

function typeOf(type: string | DataType, path: string): DataType {
  if (typeof type !== "string") objectOf(type, "dataType");
  return adoptSchema({ fields: [{ name: path, type }] }).fields[0]!.type;
}
