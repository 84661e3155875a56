/**
 * Merge-insert (upsert) on the rows of a group: join the source with the table by key, then update, insert, delete.
 *
 * Keys are compared by value and type as the table stores them; a null in a key matches nothing. Two source rows that
 * match one target row are refused, because the outcome would depend on their order.
 */
import { type Data, Field, type RecordBatch, Schema, Struct } from "apache-arrow";
import { bindFilter } from "../compute/expression/bind.js";
import { type BoundExpression, selectRows } from "../compute/expression/evaluate.js";
import { concatBatches, makeBatch, takeRows } from "../data/kernels/batches.js";
import { makeColumn, nullColumn } from "../data/kernels/column.js";
import { keyReader } from "../data/kernels/keys.js";
import type { TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import { type MatchedRows, type PendingRows, pickRows, type RowChanges } from "./row-changes.js";
import type { MergeWrite, WriteCounts } from "./write.js";

/** The source rows by key, and which of them found a partner. */
interface Source {
  readonly batch: RecordBatch;
  readonly rowsByKey: ReadonlyMap<string, readonly number[]>;
  readonly matched: Uint8Array;
}

/** Applies a merge to the rows of a group. @throws INVALID_ARGUMENT, SCHEMA_MISMATCH */
export async function mergeInto(write: MergeWrite, changes: RowChanges, schema: TableSchema): Promise<WriteCounts> {
  const { arrow } = schema;
  checkKeys(write.on, arrow);
  const source = indexSource(write.toBatches(arrow), arrow, write.on);
  const given = write.columns(arrow);
  const joined = joinedSchema(arrow);
  const updateWhere = write.updateMatched?.where && bindFilter(write.updateMatched.where, joined);
  const deleteWhere = write.deleteUnmatchedTarget?.where && bindFilter(write.deleteUnmatchedTarget.where, arrow);
  const names = neededColumns(write, arrow, given);
  const plan: MergePlan = { write, source, given, updateWhere, deleteWhere, joined };
  const removed: BigUint64Array[] = [];
  const replacing: PendingRows[] = [];
  let deleted = 0;
  for await (const target of changes.matches(undefined, names)) {
    const verdict = judgeTargets(target.batch, plan);
    const updated = pick(target, verdict.updates);
    replacing.push({ batch: updatedRows(target.batch, verdict, plan), origins: updated });
    deleted += verdict.deletes.length;
    removed.push(updated, pick(target, verdict.deletes));
  }
  const kept: PendingRows[] = [];
  for (const { batch, origins } of changes.pending()) {
    const verdict = judgeTargets(batch, plan);
    replacing.push({ batch: updatedRows(batch, verdict, plan), origins: pickRows(origins, verdict.updates) });
    deleted += verdict.deletes.length;
    const gone = new Set([...verdict.updates, ...verdict.deletes]);
    const rest = Uint32Array.from(rowNumbers(batch.numRows).filter((row) => !gone.has(row)));
    kept.push({ batch: takeRows(batch, rest), origins: pickRows(origins, rest) });
  }
  const inserted = write.insertUnmatched ? rowNumbers(source.batch.numRows).filter((row) => !source.matched[row]) : [];
  const added = takeRows(source.batch, Uint32Array.from(inserted));
  // Nothing throws from here on: a merge that is refused leaves the rows of earlier writes of its group alone.
  for (const addresses of removed) changes.removeAt(addresses);
  changes.replacePending([...kept, ...replacing]);
  changes.insert([added]);
  const rowsUpdated = replacing.reduce((sum, { batch }) => sum + batch.numRows, 0);
  return { rowsAdded: inserted.length, rowsUpdated, rowsDeleted: deleted };
}

/** The target rows that are updated: columns that the source has from it, the others as they were. */
function updatedRows(target: RecordBatch, verdict: TargetVerdict, plan: MergePlan): RecordBatch {
  const { schema } = plan.source.batch;
  const after = takeRows(plan.source.batch, Uint32Array.from(verdict.sourceRows));
  if (schema.fields.every((field) => plan.given.has(field.name))) return after;
  const before = takeRows(target, Uint32Array.from(verdict.updates));
  const columns = schema.fields.map((field, i) => {
    if (plan.given.has(field.name)) return after.data.children[i] as Data;
    return before.data.children[before.schema.fields.findIndex((one) => one.name === field.name)] as Data;
  });
  return makeBatch(schema, columns, after.numRows);
}

interface MergePlan {
  readonly write: MergeWrite;
  readonly source: Source;
  /** Columns that the source has. */
  readonly given: ReadonlySet<string>;
  readonly updateWhere: BoundExpression | undefined;
  readonly deleteWhere: BoundExpression | undefined;
  readonly joined: Schema;
}

interface TargetVerdict {
  /** Target rows that are replaced, and the source row that replaces each. */
  readonly updates: readonly number[];
  readonly sourceRows: readonly number[];
  readonly deletes: readonly number[];
}

function judgeTargets(batch: RecordBatch, plan: MergePlan): TargetVerdict {
  const { write, source } = plan;
  const key = keyReader(batch, write.on);
  const targets: number[] = [];
  const partners: number[] = [];
  const alone: number[] = [];
  for (let row = 0; row < batch.numRows; row++) {
    const text = key(row);
    const rows = text === undefined ? undefined : source.rowsByKey.get(text);
    if (rows === undefined) {
      alone.push(row);
      continue;
    }
    for (const partner of rows) source.matched[partner] = 1;
    if (rows.length > 1 && write.updateMatched !== undefined) throw ambiguous(write.on, rows.length);
    targets.push(row);
    partners.push(rows[0] as number);
  }
  const chosen = write.updateMatched === undefined ? [] : chooseUpdates(batch, targets, partners, plan);
  return {
    updates: chosen.map((i) => targets[i] as number),
    sourceRows: chosen.map((i) => partners[i] as number),
    deletes: chooseDeletes(batch, alone, plan),
  };
}

/** Indices into `targets` of the pairs for which the condition of the update holds. */
function chooseUpdates(
  batch: RecordBatch,
  targets: readonly number[],
  partners: readonly number[],
  plan: MergePlan,
): readonly number[] {
  if (plan.updateWhere === undefined || targets.length === 0) return rowNumbers(targets.length);
  const target = takeRows(batch, Uint32Array.from(targets));
  const source = takeRows(plan.source.batch, Uint32Array.from(partners));
  const columns = plan.joined.fields.map((field) => {
    const side = field.name === "target" ? target : source;
    return makeColumn(field.type, { length: side.numRows, children: side.data.children });
  });
  return Array.from(selectRows(plan.updateWhere, makeBatch(plan.joined, columns, targets.length)));
}

function chooseDeletes(batch: RecordBatch, alone: readonly number[], plan: MergePlan): readonly number[] {
  if (plan.write.deleteUnmatchedTarget === undefined) return [];
  if (plan.deleteWhere === undefined) return alone;
  const chosen = new Set(selectRows(plan.deleteWhere, batch, Uint32Array.from(alone)));
  return alone.filter((row) => chosen.has(row));
}

function pick(target: MatchedRows, rows: readonly number[]): BigUint64Array {
  return BigUint64Array.from(rows, (row) => target.addresses[row] as bigint);
}

/** `target.a` and `source.a` as fields of two structs, which is how LanceDB names them in conditions. */
function joinedSchema(schema: Schema): Schema {
  const fields = schema.fields.map((field) => new Field(field.name, field.type, true));
  return new Schema(["target", "source"].map((side) => new Field(side, new Struct(fields), false)));
}

/** Only conditions, which may look at any column, and columns that the source lacks need more than the keys. */
function neededColumns(write: MergeWrite, schema: Schema, given: ReadonlySet<string>): readonly string[] {
  const conditional = write.updateMatched?.where !== undefined || write.deleteUnmatchedTarget?.where !== undefined;
  const kept = write.updateMatched !== undefined && schema.fields.some((field) => !given.has(field.name));
  return conditional || kept ? schema.fields.map((field) => field.name) : write.on;
}

function indexSource(batches: readonly RecordBatch[], schema: Schema, on: readonly string[]): Source {
  const empty = () =>
    makeBatch(
      schema,
      schema.fields.map((field) => nullColumn(field.type, 0)),
      0,
    );
  const batch = batches.length === 0 ? empty() : concatBatches(batches);
  const key = keyReader(batch, on);
  const rowsByKey = new Map<string, number[]>();
  for (let row = 0; row < batch.numRows; row++) {
    const text = key(row);
    if (text === undefined) continue;
    const rows = rowsByKey.get(text);
    if (rows === undefined) rowsByKey.set(text, [row]);
    else rows.push(row);
  }
  return { batch, rowsByKey, matched: new Uint8Array(batch.numRows) };
}

function checkKeys(on: readonly string[], schema: Schema): void {
  if (on.length === 0) throw new TableError("INVALID_ARGUMENT", "mergeInsert needs at least one key column.");
  for (const name of on) {
    if (schema.fields.some((field) => field.name === name)) continue;
    const names = schema.fields.map((field) => field.name).join(", ");
    throw new TableError("INVALID_ARGUMENT", `No field named '${name}' to merge on. There are: ${names}.`, {
      details: { column: name },
    });
  }
}

function ambiguous(on: readonly string[], rows: number): TableError {
  return new TableError(
    "INVALID_ARGUMENT",
    `Ambiguous merge insert: ${rows} source rows match the same target row on (${on.join(", ")}). Keep one source row for each key.`,
    { details: { on } },
  );
}

function rowNumbers(count: number): number[] {
  return Array.from({ length: count }, (_, row) => row);
}
