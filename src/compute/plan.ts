/**
 * What a scan reads and in which steps, decided before anything is read. Pure.
 *
 * Names in a plan are exact: the language's case rules end where expressions are bound.
 */
import { type DataType, Field, Schema } from "apache-arrow";
import type { FileCache } from "../data/file-cache.js";
import { schemaOf } from "../data/held-columns.js";
import { childrenOf, layoutOf } from "../data/kernels/layout.js";
import type { Fragment } from "../format/fragment.js";
import type { FragmentList } from "../format/fragment-list.js";
import type { TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import type { BoundExpression } from "./expression/evaluate.js";
import type { TableReaders } from "./readers/pool.js";
import { ROW_ADDRESS, ROW_ID, ROW_NUMBER_FIELDS, ROW_NUMBERS, type RowNumberNeeds } from "./row-numbers.js";

/** What reading rows of a fragment needs to know of its version. */
export interface RowSource {
  readonly schema: TableSchema;
  readonly cache: FileCache;
  /** For people: which version this is. */
  readonly version?: number;
  /** True when row ids are kept in the fragments (feature flag 2). */
  readonly stableRowIds?: boolean;
}

/** One version of a table, as a reader needs it. */
export interface ScanSource extends RowSource {
  readonly fragments: FragmentList;
  /** Threads that large scans are shared with. */
  readonly readers?: TableReaders;
}

/** One column of a result: a column of the table under its own name, or an expression under a new one. */
export interface OutputColumn {
  readonly name: string;
  readonly expression?: BoundExpression;
}

export interface ColumnOrder {
  readonly columnName: string;
  /** Default true. */
  readonly ascending?: boolean;
  /** Default false, whatever the direction. */
  readonly nullsFirst?: boolean;
}

export interface ScanPlan {
  /** All columns of the table when absent. Row numbers (`_rowid`, `_rowaddr`, ...) may be among them. */
  readonly columns?: readonly OutputColumn[];
  readonly filter?: BoundExpression;
  /** No limit when absent. */
  readonly limit?: number;
  readonly offset?: number;
  /** Columns of the table, whether selected or not. Rows that compare equal stay in scan order. */
  readonly orderBy?: readonly ColumnOrder[];
  /** Adds `_rowid` behind the columns unless it is among them. */
  readonly withRowId?: boolean;
  readonly withRowAddress?: boolean;
  /** Most rows of one batch of the result. */
  readonly batchRows?: number;
  readonly signal?: AbortSignal;
}

/** The columns of the table and the row numbers that a step needs. */
export interface ColumnNeeds extends RowNumberNeeds {
  readonly schema: TableSchema;
}

/** A plan with every name resolved. */
export interface ResolvedPlan {
  readonly output: readonly OutputColumn[];
  readonly outputSchema: Schema;
  readonly filter: BoundExpression | undefined;
  readonly filterNeeds: ColumnNeeds;
  readonly outputNeeds: ColumnNeeds;
  readonly order: readonly Required<ColumnOrder>[];
  readonly orderNeeds: ColumnNeeds;
}

/** The schema that filters and expressions of a scan may refer to: the table's columns and the row numbers. */
export function queryableSchema(schema: TableSchema): Schema {
  return new Schema([...schema.arrow.fields, ...ROW_NUMBER_FIELDS], schema.arrow.metadata);
}

/** @throws INVALID_ARGUMENT naming a column that is not there or stands twice */
export function resolvePlan(
  source: Pick<RowSource, "schema">,
  plan: ScanPlan,
  extra: readonly Field[] = [],
): ResolvedPlan {
  const { schema } = source;
  const output = outputOf(schema, plan);
  const fields = output.map((column) => outputField(schema, column, extra));
  checkNames(output);
  const order = (plan.orderBy ?? []).map(({ columnName, ascending = true, nullsFirst = false }) => {
    return { columnName, ascending, nullsFirst };
  });
  for (const { columnName } of order) checkOrderColumn(schema, columnName);
  return {
    output,
    outputSchema: new Schema(fields, schema.arrow.metadata),
    filter: plan.filter,
    filterNeeds: needsOf(schema, plan.filter === undefined ? [] : rootsOf(plan.filter)),
    outputNeeds: needsOf(schema, output.flatMap(sourcesOf)),
    order,
    orderNeeds: needsOf(
      schema,
      order.map(({ columnName }) => rootOf(columnName)),
    ),
  };
}

function outputOf(schema: TableSchema, plan: ScanPlan): OutputColumn[] {
  const output = [...(plan.columns ?? schema.arrow.fields.map(({ name }) => ({ name })))];
  const has = (name: string) => output.some((column) => column.name === name);
  if (plan.withRowId === true && !has(ROW_ID)) output.push({ name: ROW_ID });
  if (plan.withRowAddress === true && !has(ROW_ADDRESS)) output.push({ name: ROW_ADDRESS });
  return output;
}

function outputField(schema: TableSchema, { name, expression }: OutputColumn, extra: readonly Field[]): Field {
  if (expression !== undefined) return new Field(name, expression.type, true);
  const known = [...schema.arrow.fields, ...ROW_NUMBER_FIELDS, ...extra];
  const field = known.find((one) => one.name === name);
  if (field !== undefined) return field;
  const valid = schema.arrow.fields.map((one) => `\`${one.name}\``).join(", ");
  throw new TableError("INVALID_ARGUMENT", `No field named "${name}". Valid fields are ${valid}.`, {
    details: { column: name },
  });
}

function checkNames(output: readonly OutputColumn[]): void {
  const seen = new Set<string>();
  for (const { name } of output) {
    if (seen.has(name)) {
      throw new TableError("INVALID_ARGUMENT", `Duplicate column name: ${name}. Select every column once.`, {
        details: { column: name },
      });
    }
    seen.add(name);
  }
}

function checkOrderColumn(schema: TableSchema, path: string): void {
  let fields: readonly Field[] = schema.arrow.fields;
  const whole = fields.find((field) => field.name === path);
  if (whole !== undefined) return;
  for (const name of path.split(".")) {
    const field = fields.find((one) => one.name === name);
    if (field === undefined) {
      throw new TableError("INVALID_ARGUMENT", `Column ${path} not found; it cannot order the result.`, {
        details: { column: path },
      });
    }
    fields = field.type.children ?? [];
  }
}

function rootOf(path: string): string {
  const dot = path.indexOf(".");
  return dot < 0 ? path : path.slice(0, dot);
}

export function rootsOf(expression: BoundExpression): string[] {
  return expression.columns.map((path) => path[0]!);
}

function sourcesOf({ name, expression }: OutputColumn): string[] {
  return expression === undefined ? [name] : rootsOf(expression);
}

/** What a step needs that refers to these top-level names; names that are no column of the table come from elsewhere. */
export function needsOf(schema: TableSchema, names: readonly string[]): ColumnNeeds {
  const wanted = new Set(names);
  const nodes = schema.nodes.filter((node) => wanted.has(node.field.name));
  return { schema: schemaOf(nodes, schema.arrow), numbers: new Set(ROW_NUMBERS.filter((name) => wanted.has(name))) };
}

/** The columns of either, in the order of the table. */
export function unionOf(table: TableSchema, a: TableSchema, b: TableSchema): TableSchema {
  const ids = new Set([...a.nodes, ...b.nodes].map((node) => node.id));
  return schemaOf(
    table.nodes.filter((node) => ids.has(node.id)),
    table.arrow,
  );
}

/** The columns of `needs` that `known` does not have. */
export function without(needs: TableSchema, known: TableSchema): TableSchema {
  const ids = new Set(known.nodes.map((node) => node.id));
  return schemaOf(
    needs.nodes.filter((node) => !ids.has(node.id)),
    needs.arrow,
  );
}

/** Rows of one fragment that are read in one step. */
export interface Window {
  readonly fragment: Fragment;
  readonly start: number;
  readonly end: number;
}

export interface WindowRules {
  /** Rows of the largest window. */
  readonly rowsMax: number;
  /** Rows of the first window; windows grow fourfold up to the largest. */
  readonly rowsFirst: number;
  /** Live rows that the scan wants in all, when no filter can drop any. */
  readonly rowsWanted?: number;
}

const GROWTH = 4;

/** Cuts the fragments into windows, in scan order, and stops when enough live rows are covered. */
export function* windowsOf(fragments: Iterable<Fragment>, rules: WindowRules): Generator<Window> {
  let rows = rules.rowsFirst;
  let missing = rules.rowsWanted ?? Number.POSITIVE_INFINITY;
  for (const fragment of fragments) {
    const deleted = fragment.deletionFile?.deletedRows ?? 0;
    // How many of a part of a fragment are live is only known where nothing is deleted.
    const end = deleted === 0 ? Math.min(fragment.physicalRows, missing) : fragment.physicalRows;
    for (let start = 0; start < end; start += rows, rows = Math.min(rules.rowsMax, rows * GROWTH)) {
      yield { fragment, start, end: Math.min(start + rows, end) };
    }
    missing -= fragment.physicalRows - deleted;
    if (missing <= 0) return;
  }
}

/** Rows of a batch inside a scan: large enough to amortise a batch, small enough for the caches. */
export const STEP_ROWS = 1 << 15;

export const WINDOW_BYTES = 4 << 20;
const WINDOW_ROWS_MIN = 4096;
const WINDOW_ROWS_MAX = 1 << 17;

/** Rows of a window that holds about so many bytes of these columns. */
export function windowRows(schema: TableSchema, windowBytes = WINDOW_BYTES): number {
  const rows = 2 ** Math.floor(Math.log2(windowBytes / (8 + rowBytes(schema))));
  return Math.max(WINDOW_ROWS_MIN, Math.min(WINDOW_ROWS_MAX, rows));
}

/** A guess at the bytes of one row: exact for fixed widths, a fair size for the rest. */
export function rowBytes(schema: TableSchema): number {
  return schema.arrow.fields.reduce((sum, field) => sum + valueBytes(field.type), 0);
}

function valueBytes(type: DataType): number {
  const layout = layoutOf(type);
  const below = childrenOf(type).reduce((sum, child) => sum + valueBytes(child.type as DataType), 0);
  switch (layout.kind) {
    case "null":
      return 0;
    case "bool":
      return 1 / 8;
    case "fixed":
    case "dictionary":
      return layout.width;
    case "bytes":
      return 32;
    case "list":
      return 4 + 8 * below;
    case "fixed-list":
      return layout.size * below;
    case "struct":
      return below;
  }
}
