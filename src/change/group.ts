/**
 * Executes one group of writes: plan on the head, commit, and again when a conflict asks for it.
 *
 * A group of appends becomes one Append, one of deletes one Delete, a mixture one Update. A write that cannot be
 * planned gets its own error and leaves; the others commit.
 */
import type { RecordBatch } from "apache-arrow";
import { commitProposal } from "../commit/commit.js";
import { busy } from "../commit/commit-errors.js";
import { DURABILITY_PROPERTY, type Durability } from "../commit/durability.js";
import { type Effect, encodeHanded, HANDED_PROPERTY } from "../commit/handed.js";
import type { Intent, Proposal } from "../commit/proposal.js";
import type { GroupOutcome } from "../commit/queue.js";
import { hasStableRowIds, lineageOf, withLineage } from "../commit/row-ids.js";
import type { SharedTable } from "../commit/shared-table.js";
import type { Snapshot } from "../commit/snapshot.js";
import { bindExpression, bindFilter } from "../compute/expression/bind.js";
import type { ScanSource } from "../compute/scan.js";
import type { FragmentCodec } from "../data/codec.js";
import { buildBatches } from "../data/columns/build.js";
import { checkWritable } from "../format/flags.js";
import { manifestPath } from "../format/layout.js";
import { isTableError, TableError } from "../support/errors.js";
import type { CommitMessage } from "../support/telemetry.js";
import { mergeInto } from "./merge-insert.js";
import { RowChanges } from "./row-changes.js";
import { encodeOptionsOf, type StagedRows, stageRows } from "./stage.js";
import {
  type AppendWrite,
  NO_ROWS,
  type TableWrite,
  type UpdateWrite,
  type WriteCounts,
  type WriteResult,
} from "./write.js";

export interface WriterContext {
  readonly table: SharedTable;
  /** A version as the scans of a write read it. */
  readonly sourceOf: (snapshot: Snapshot) => ScanSource;
  /** The codec of a table's data files, by what its manifest says. */
  readonly codecOf: (snapshot: Snapshot) => FragmentCodec;
  readonly durability: Durability;
  readonly timeoutMs: number;
  /** How often a group is planned again after a conflict, at most. */
  readonly plansMax: number;
}

/** What each write of the group will have done, by its place; absent for one that could not be planned. */
type Counts = (WriteCounts | undefined)[];

type Outcome = GroupOutcome<WriteResult>[number];

interface GroupPlan {
  readonly proposal: Proposal | undefined;
  readonly counts: Counts;
  readonly errors: ReadonlyMap<number, unknown>;
}

/** Runs a group of writes on this process and answers each. */
export async function executeGroup(
  writes: readonly TableWrite[],
  context: WriterContext,
  message?: CommitMessage,
): Promise<GroupOutcome<WriteResult>> {
  const [first] = writes;
  if (first?.kind === "turn") {
    await first.run();
    return [{ value: { ...NO_ROWS, version: context.table.head?.version ?? 0, attempts: 0, rebases: 0 } }];
  }
  const { runtime, contention, lease, meters, name } = context.table;
  const startedMs = runtime.monotonicMs();
  let attempts = 0;
  await contention.beforeCommit();
  for (let plans = 1; plans <= context.plansMax; plans++) {
    const leftMs = context.timeoutMs - (runtime.monotonicMs() - startedMs);
    if (plans > 1 && leftMs <= 0) throw busy(name, attempts, context.timeoutMs);
    // What was beaten once is planned where nobody of those who wait for each other can beat it again.
    const turn = plans > 1 ? await contention.turn() : undefined;
    const held = await lease.hold(() => context.table.refresh(), "write");
    const base = held.snapshot;
    try {
      checkWritable(base.manifest.writerFlags, context.table.store.display);
      const early = await alreadyCommitted(writes, base, context);
      const open = early.size === 0 ? writes : writes.filter((write) => !early.has(write));
      if (open.length === 0) return merge(writes, early, []);
      const plan = await planGroup(open, base, context);
      if (plan.proposal === undefined) return merge(writes, early, answers(open, plan, undefined));
      const proposal = withProperties(plan.proposal, open, plan.counts);
      const options = { durability: context.durability, timeoutMs: Math.max(0, leftMs), turn };
      const result = await commitProposal(context.table, base, proposal, options);
      if (result.kind === "committed") {
        attempts += result.attempts;
        const { version } = result.snapshot;
        if (message !== undefined) Object.assign(message, { version, attempts });
        meters.commits.record(runtime.monotonicMs() - startedMs);
        return merge(writes, early, answers(open, plan, { version, attempts, rebases: result.rebases }));
      }
      attempts += 1;
      await contention.beforeRetry(plans);
    } finally {
      turn?.end();
      held.release();
    }
  }
  throw new TableError(
    "CONFLICT",
    `Commit conflict on table '${name}': the operation was run ${context.plansMax} times, and each time another writer changed the same rows first. Nothing was written; try again.`,
    { details: { attempts, plansMax: context.plansMax } },
  );
}

/** The answers of those writes that another process has committed meanwhile. @throws UNKNOWN_OUTCOME */
async function alreadyCommitted(
  writes: readonly TableWrite[],
  base: Snapshot,
  context: WriterContext,
): Promise<ReadonlyMap<TableWrite, Outcome>> {
  const early = new Map<TableWrite, Outcome>();
  const requests = writes.flatMap(({ request }) => request ?? []);
  if (requests.length === 0) return early;
  const committed = await context.table.handed.find(requests, base);
  if (committed.size === 0) return early;
  // Who linked the version may not have made its name durable: it went silent.
  if (context.durability === "full") await context.table.store.sync([manifestPath(base.version, base.head.scheme)]);
  for (const write of writes) {
    const handed = write.request === undefined ? undefined : committed.get(write.request);
    if (handed === undefined) continue;
    const [rowsAdded, rowsUpdated, rowsDeleted] = handed.effect;
    early.set(write, {
      value: { rowsAdded, rowsUpdated, rowsDeleted, version: handed.version, attempts: 1, rebases: 0 },
    });
  }
  return early;
}

/** Answers in the order of `writes`: those of `early`, and `rest` in between. */
function merge(
  writes: readonly TableWrite[],
  early: ReadonlyMap<TableWrite, Outcome>,
  rest: GroupOutcome<WriteResult>,
): GroupOutcome<WriteResult> {
  if (early.size === 0) return rest;
  let next = 0;
  return writes.map((write) => early.get(write) ?? (rest[next++] as Outcome));
}

/** Says which writes of other processes a proposal contains, and what a caller says of a commit that is its own. */
function withProperties(proposal: Proposal, writes: readonly TableWrite[], counts: Counts): Proposal {
  const said = writes[0]?.properties;
  const handed = writes.flatMap(({ request }, index) => {
    const mine = counts[index];
    if (request === undefined || mine === undefined) return [];
    const effect: Effect = [mine.rowsAdded, mine.rowsUpdated, mine.rowsDeleted];
    return [{ request, effect }];
  });
  if (said === undefined && handed.length === 0) return proposal;
  const properties = new Map([...(said ?? []), ...proposal.properties]);
  if (handed.length > 0) properties.set(HANDED_PROPERTY, encodeHanded(handed));
  return { ...proposal, properties, requests: handed.map(({ request }) => request) };
}

interface Committed {
  readonly version: number;
  readonly attempts: number;
  readonly rebases: number;
}

function answers(
  writes: readonly TableWrite[],
  plan: GroupPlan,
  committed: Committed | undefined,
): GroupOutcome<WriteResult> {
  return writes.map((_, index) => {
    const mine = plan.counts[index];
    if (mine === undefined || committed === undefined) return { error: plan.errors.get(index) };
    // Field by field: a thousand answers of one group at once are common, and copies of objects are slow.
    const { rowsAdded, rowsUpdated, rowsDeleted } = mine;
    const { version, attempts, rebases } = committed;
    return { value: { rowsAdded, rowsUpdated, rowsDeleted, version, attempts, rebases } };
  });
}

async function planGroup(writes: readonly TableWrite[], base: Snapshot, context: WriterContext): Promise<GroupPlan> {
  const [first] = writes;
  if (first?.kind === "alone") {
    const { intent, counts, stagedPaths, staged } = await first.plan(base);
    const proposal = propose(intent, base, { paths: stagedPaths, written: staged }, context);
    return { proposal, counts: [counts], errors: new Map() };
  }
  return writes.every((write) => write.kind === "append")
    ? planAppends(writes, base, context)
    : planRowChanges(writes, base, context);
}

/** The rows of all appends, as one set of fragments. */
async function planAppends(writes: readonly AppendWrite[], base: Snapshot, context: WriterContext): Promise<GroupPlan> {
  const errors = new Map<number, unknown>();
  const batches = buildTogether(writes, base) ?? buildEach(writes, base, errors);
  const counts: Counts = writes.map(({ rows }, index) =>
    errors.has(index) ? undefined : { rowsAdded: rows, rowsUpdated: 0, rowsDeleted: 0 },
  );
  if (errors.size === writes.length) return { proposal: undefined, counts, errors };
  const staged = await stage(batches, base, context);
  const intent: Intent = { kind: "append", fragments: staged.fragments };
  return { proposal: propose(intent, base, staged, context), counts, errors };
}

/** One conversion for the plain rows of the whole group; undefined when one of them does not fit. */
function buildTogether(writes: readonly AppendWrite[], base: Snapshot): readonly RecordBatch[] | undefined {
  const rows: object[] = [];
  for (const write of writes) {
    if (write.plainRows === undefined) return undefined;
    for (const row of write.plainRows) rows.push(row);
  }
  try {
    return buildBatches(rows as Record<string, unknown>[], base.schema.arrow);
  } catch (error) {
    if (isTableError(error, "SCHEMA_MISMATCH")) return undefined;
    throw error;
  }
}

function buildEach(writes: readonly AppendWrite[], base: Snapshot, errors: Map<number, unknown>): RecordBatch[] {
  return writes.flatMap((write, index) => {
    try {
      return write.toBatches(base.schema.arrow);
    } catch (error) {
      errors.set(index, error);
      return [];
    }
  });
}

/** Deletes, updates, merges and appends in order of admission, each on the effect of those before it. */
async function planRowChanges(
  writes: readonly TableWrite[],
  base: Snapshot,
  context: WriterContext,
): Promise<GroupPlan> {
  const changes = new RowChanges(context.sourceOf(base), base.schema);
  const counts: Counts = [];
  const errors = new Map<number, unknown>();
  for (const [index, write] of writes.entries()) {
    try {
      counts[index] = await applyWrite(write, changes, base);
    } catch (error) {
      errors.set(index, error);
    }
  }
  const planned = writes.filter((_, index) => counts[index] !== undefined);
  if (planned.length === 0) return { proposal: undefined, counts, errors };
  const { rows, added, origins } = changes.finish();
  const onlyDeletes = planned.every((write) => write.kind === "delete");
  if (onlyDeletes) {
    const predicate = planned.map(({ text }) => text).join(" OR ");
    const intent: Intent = { kind: "delete", rows, predicate };
    return { proposal: propose(intent, base, NOTHING_STAGED, context), counts, errors };
  }
  // Decoded before anything is staged: it may be refused.
  const lineage = hasStableRowIds(base.manifest) ? lineageOf(base.manifest.fragments, origins) : undefined;
  const staged = await stage(added, base, context);
  const newFragments = lineage === undefined ? staged.fragments : withLineage(staged.fragments, lineage);
  const insertsByKey = planned.some((write) => write.kind === "merge");
  const intent: Intent = { kind: "update", rows, newFragments, insertsByKey, fieldsModified: [] };
  return { proposal: propose(intent, base, staged, context), counts, errors };
}

async function applyWrite(write: TableWrite, changes: RowChanges, base: Snapshot): Promise<WriteCounts> {
  switch (write.kind) {
    case "append":
      changes.insert(write.toBatches(base.schema.arrow));
      return { ...NO_ROWS, rowsAdded: write.rows };
    case "delete":
      return { ...NO_ROWS, rowsDeleted: await changes.deleteWhere(bindFilter(write.predicate, base.schema.arrow)) };
    case "update":
      return { ...NO_ROWS, rowsUpdated: await applyUpdate(write, changes, base) };
    case "merge":
      return mergeInto(write, changes, base.schema);
    case "alone":
    case "turn":
      throw new TableError("INTERNAL", "A write that commits alone was put into a group. Please report it.");
  }
}

async function applyUpdate(write: UpdateWrite, changes: RowChanges, base: Snapshot): Promise<number> {
  const { arrow } = base.schema;
  const assignments = new Map(
    [...write.assignments].map(([column, expression]) => {
      if (!arrow.fields.some((field) => field.name === column)) throw unknownColumn(column, base);
      return [column, bindExpression(expression, arrow)];
    }),
  );
  return changes.updateWhere(write.where === undefined ? undefined : bindFilter(write.where, arrow), assignments);
}

function unknownColumn(column: string, base: Snapshot): TableError {
  const names = base.schema.arrow.fields.map((field) => field.name);
  return new TableError(
    "INVALID_ARGUMENT",
    `No field named '${column}'. An update sets top-level columns by their exact name; there are: ${names.join(", ")}.`,
    { details: { column } },
  );
}

const NOTHING_STAGED = { paths: [], written: Promise.resolve() };

async function stage(batches: readonly RecordBatch[], base: Snapshot, context: WriterContext): Promise<StagedRows> {
  return stageRows(batches, {
    store: context.table.store,
    nameFile: context.table.nameFile,
    codec: context.codecOf(base),
    schema: base.schema,
    durable: context.durability === "full",
    encode: encodeOptionsOf(base.manifest),
  });
}

function propose(
  intent: Intent,
  base: Snapshot,
  staged: { readonly paths: readonly string[]; readonly written: Promise<void> },
  context: WriterContext,
): Proposal {
  return {
    intent,
    readVersion: base.version,
    staged: staged.written,
    stagedPaths: staged.paths,
    properties: new Map([[DURABILITY_PROPERTY, context.durability]]),
  };
}
