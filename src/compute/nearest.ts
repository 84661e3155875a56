/**
 * Exact vector search: the distance to every live row that passes the filter, the closest rows of it.
 *
 * Results are as LanceDB gives them: closest first, ties in scan order; rows without a vector or with an undefined
 * distance are left out; `_distance` behind the columns unless selected, `query_index` in front when several vectors
 * are searched; offset and limit count per query vector. There is no index: it refuses nothing but costs a scan.
 */
import { isDeepStrictEqual } from "node:util";
import { type DataType, Field, Float32, Int32, type RecordBatch, Schema } from "apache-arrow";
import { makeBatch, takeRows } from "../data/kernels/batches.js";
import { makeColumn } from "../data/kernels/column.js";
import { TYPE_ID } from "../data/kernels/layout.js";
import type { TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import type { RankedRow } from "./best-rows.js";
import { checkCount } from "./check-count.js";
import type { DistanceType } from "./distance.js";
import { type BoundExpression, selectRows } from "./expression/evaluate.js";
import { scanTogether } from "./pieces.js";
import { readPlaces } from "./places.js";
import { needsOf, type ResolvedPlan, resolvePlan, rootsOf, type ScanPlan, type ScanSource } from "./plan.js";
import { projectOutput } from "./project.js";
import { offerToAll, Ranker, type Ranking } from "./rank.js";
import { readAhead } from "./read-ahead.js";
import { inThreads, readersFor } from "./readers/dispatch.js";
import { type RankGroup, requestsOf } from "./readers/job.js";
import { rebatch } from "./rebatch.js";
import { ROW_NUMBER_FIELDS } from "./row-numbers.js";
import { sortKeysOf } from "./sort-columns.js";
import { sortRows } from "./sort-rows.js";
import type { ScanMetrics } from "./window-reader.js";

export type { DistanceType } from "./distance.js";

export const DISTANCE = "_distance";
export const QUERY_INDEX = "query_index";
/** Rows of a search that names no limit. */
export const NEAREST_LIMIT_DEFAULT = 10;
/** Results that are fetched while one is finished. */
const FETCHES_AHEAD = 7;

export interface NearestPlan extends ScanPlan {
  /** The vector column; found by its dimension when absent. */
  readonly column?: string;
  /** One or more query vectors of one length. */
  readonly vectors: readonly ArrayLike<number>[];
  /** Default l2, for columns of bytes hamming. */
  readonly distanceType?: DistanceType;
  /** Only distances of at least this. */
  readonly lowerBound?: number;
  /** Only distances below this. */
  readonly upperBound?: number;
  /** Filter the closest rows instead of searching the rows that pass the filter. */
  readonly postfilter?: boolean;
}

const DISTANCE_FIELD = new Field(DISTANCE, new Float32(), true);
const QUERY_INDEX_FIELD = new Field(QUERY_INDEX, new Int32(), false);

/** What filters (with `postfilter`) and expressions of a search may refer to. */
export function nearestQueryableSchema(schema: TableSchema): Schema {
  return new Schema([...schema.arrow.fields, DISTANCE_FIELD, ...ROW_NUMBER_FIELDS], schema.arrow.metadata);
}

/** The schema of every batch of the search. @throws INVALID_ARGUMENT */
export function nearestSchema(source: ScanSource, plan: NearestPlan): Schema {
  return resolveNearest(source, plan).outputSchema;
}

/**
 * The closest rows.
 * @throws INVALID_ARGUMENT for a column or vector that does not fit; SNAPSHOT_EXPIRED, CORRUPT, CANCELED
 */
export function nearest(
  source: ScanSource,
  plan: NearestPlan,
  metrics?: ScanMetrics,
): AsyncGenerator<RecordBatch, void, undefined> {
  const checked = checkSearch(source, plan);
  return rebatch(search(source, checked, resolveNearest(source, plan), metrics), plan.batchRows);
}

/**
 * The closest rows of several searches, in the order of the plans: the same as one `nearest` for each, but the table is
 * read once.
 * @throws as `nearest`
 */
export async function nearestMany(
  source: ScanSource,
  plans: readonly NearestPlan[],
  options: Pick<ScanPlan, "batchRows" | "signal"> = {},
): Promise<RecordBatch[][]> {
  const { signal, batchRows } = options;
  const searches = plans.map((plan) => checkSearch(source, { ...plan, ...options }));
  const resolved = searches.map((plan) => resolveNearest(source, plan));
  if (plans.length === 0) return [];
  const rankers = await rankAll(source, searches, signal === undefined ? {} : { signal });
  const results: RecordBatch[][] = [];
  const indices = searches.map((_, i) => i);
  const fetched = readAhead(indices, FETCHES_AHEAD, async (i) => {
    const batches: RecordBatch[] = [];
    const found = fetchAll(source, searches[i]!, resolved[i]!, rankers[i]!);
    for await (const batch of rebatch(found, batchRows)) batches.push(batch);
    return batches;
  });
  for await (const batches of fetched) results.push(batches);
  return results;
}

/** The plan with its names resolved, `_distance` and `query_index` in their places. @throws INVALID_ARGUMENT */
export function resolveNearest(source: ScanSource, plan: NearestPlan): ResolvedPlan {
  const columns = [...(plan.columns ?? source.schema.arrow.fields.map(({ name }) => ({ name })))];
  if (!columns.some(({ name }) => name === DISTANCE)) columns.push({ name: DISTANCE });
  if (plan.vectors.length > 1 && !columns.some(({ name }) => name === QUERY_INDEX)) {
    columns.unshift({ name: QUERY_INDEX });
  }
  return resolvePlan(source, { ...plan, columns }, [DISTANCE_FIELD, QUERY_INDEX_FIELD]);
}

/**
 * The name of the column to search: the one that is named, or the only one of the vectors' dimension.
 * @throws INVALID_ARGUMENT
 */
export function vectorColumn(schema: TableSchema, plan: Pick<NearestPlan, "column" | "vectors">): string {
  const dimension = plan.vectors[0]?.length ?? 0;
  if (plan.vectors.length === 0 || plan.vectors.some((vector) => vector.length !== dimension)) {
    throw new TableError("INVALID_ARGUMENT", "A vector search needs query vectors of one and the same length.");
  }
  if (plan.column === undefined) return onlyVectorColumn(schema, dimension);
  const field = schema.arrow.fields.find(({ name }) => name === plan.column);
  if (field === undefined) {
    throw new TableError("INVALID_ARGUMENT", `Column ${plan.column} does not exist; name a vector column.`, {
      details: { column: plan.column },
    });
  }
  if (!isVectorType(field.type)) {
    throw new TableError(
      "INVALID_ARGUMENT",
      `Data type is not a vector (a FixedSizeList of floats or bytes), but ${field.type}: column ${field.name}.`,
      { details: { column: field.name } },
    );
  }
  if (dimensionOf(field.type) !== dimension) {
    throw new TableError(
      "INVALID_ARGUMENT",
      `The query vector has ${dimension} dimensions, the vectors of column ${field.name} have ${dimensionOf(field.type)}.`,
      { details: { column: field.name, dimension } },
    );
  }
  return field.name;
}

function onlyVectorColumn(schema: TableSchema, dimension: number): string {
  const found = schema.arrow.fields.filter(({ type }) => isVectorType(type) && dimensionOf(type) === dimension);
  if (found.length === 1) return found[0]!.name;
  const names = found.map(({ name }) => `"${name}"`).join(", ");
  throw new TableError(
    "INVALID_ARGUMENT",
    found.length === 0
      ? `No vector column found to match with the query vector dimension: ${dimension}. ${vectorsOf(schema, dimension)}`
      : `More than one vector columns found, please specify which column to create index or query: [${names}].`,
    { details: { dimension } },
  );
}

/** What there is instead of a column that fits, and what to do. */
function vectorsOf({ arrow }: TableSchema, dimension: number): string {
  const vectors = arrow.fields.filter(({ type }) => isVectorType(type));
  if (vectors.length > 0) {
    const there = vectors.map(({ name, type }) => `"${name}" (${dimensionOf(type)})`).join(", ");
    return `Vector columns and their dimensions: ${there}; search with a vector of one of these lengths.`;
  }
  const lists = arrow.fields.filter(({ type }) => type.typeId === TYPE_ID.list && isVectorItem(type.children[0]!.type));
  const [list] = lists;
  const example = `new Field("${list?.name ?? "vector"}", new FixedSizeList(${dimension}, new Field("item", new Float32(), true)))`;
  const cause =
    list === undefined
      ? "The table has no vector column"
      : `Column "${list.name}" holds lists of any length, which are not searched: without a schema only arrays in a column named "vector" become vectors`;
  return `${cause}. Create the table with a schema whose vector column has a fixed size, such as ${example}.`;
}

function dimensionOf(type: DataType): number {
  return (type as DataType & { listSize: number }).listSize;
}

/** A fixed-size list of floats or of unsigned bytes. */
function isVectorType(type: DataType): boolean {
  return type.typeId === TYPE_ID.fixedSizeList && isVectorItem((type.children[0] as Field).type);
}

function isVectorItem(type: DataType & { bitWidth?: number; isSigned?: boolean }): boolean {
  return (
    type.typeId === TYPE_ID.float || (type.typeId === TYPE_ID.int && type.bitWidth === 8 && type.isSigned === false)
  );
}

type Search = NearestPlan & { readonly limit: number; readonly column: string };

/** @throws INVALID_ARGUMENT */
function checkSearch(source: ScanSource, plan: NearestPlan): Search {
  const limit = plan.limit ?? NEAREST_LIMIT_DEFAULT;
  checkCount("limit", limit);
  checkCount("offset", plan.offset);
  if (limit === 0) {
    throw new TableError("INVALID_ARGUMENT", "A vector search needs a limit of at least 1: k must be positive.");
  }
  return { ...plan, limit, column: vectorColumn(source.schema, plan) };
}

async function* search(
  source: ScanSource,
  plan: Search,
  resolved: ResolvedPlan,
  metrics: ScanMetrics | undefined,
): AsyncGenerator<RecordBatch, void, undefined> {
  const { signal } = plan;
  const options = { ...(signal === undefined ? {} : { signal }), ...(metrics === undefined ? {} : { metrics }) };
  const [ranker] = await rankAll(source, [plan], options);
  yield* fetchAll(source, plan, resolved, ranker!);
}

/** The closest rows of each search: all searches look at the same window before the next one is read. */
async function rankAll(
  source: ScanSource,
  searches: readonly Search[],
  options: { readonly signal?: AbortSignal; readonly metrics?: ScanMetrics },
): Promise<Ranker[]> {
  const rankings = searches.map((plan) => rankingOf(source, plan));
  const rankers = rankings.map((ranking) => new Ranker(ranking));
  const members = groupsOf(searches);
  const groups = members.map((indices): RankGroup => {
    const { column } = searches[indices[0]!]!;
    const filter = prefilterOf(searches[indices[0]!]!);
    return { column, ...(filter === undefined ? {} : { filter }), rankings: indices.map((i) => rankings[i]!) };
  });
  const job = { kind: "rank", groups } as const;
  const readers = readersFor(source, job);
  if (readers !== undefined) {
    for await (const { ranked, window } of inThreads(source, readers, job, options)) {
      for (const [g, indices] of members.entries()) {
        for (const [r, i] of indices.entries()) rankers[i]!.offerRanked(ranked[g]![r]!, window.fragment.id);
      }
    }
    return rankers;
  }
  const requests = requestsOf(source, job).map((request) => ({ ...request, ...options }));
  for await (const pieces of scanTogether(source, requests)) {
    for (const [g, indices] of members.entries()) {
      const some = indices.map((i) => rankers[i]!);
      for (const piece of pieces[g]!) offerToAll(some, piece, groups[g]!.column);
    }
  }
  return rankers;
}

/** The searches that look at the same column and the same rows, by their places in the list. */
function groupsOf(searches: readonly Search[]): number[][] {
  const groups: number[][] = [];
  for (const [i, plan] of searches.entries()) {
    const group = groups.find(([first]) => {
      const other = searches[first!]!;
      if (other.column !== plan.column) return false;
      return isDeepStrictEqual(prefilterOf(other)?.source, prefilterOf(plan)?.source);
    });
    if (group === undefined) groups.push([i]);
    else group.push(i);
  }
  return groups;
}

function prefilterOf(plan: Search): BoundExpression | undefined {
  return plan.postfilter === true ? undefined : plan.filter;
}

function rankingOf(source: ScanSource, plan: Search): Ranking {
  const { column, vectors, distanceType, lowerBound, upperBound } = plan;
  return {
    column,
    vectors,
    ...(distanceType === undefined ? {} : { distanceType }),
    ...(lowerBound === undefined ? {} : { lowerBound }),
    ...(upperBound === undefined ? {} : { upperBound }),
    wanted: Math.min((plan.offset ?? 0) + plan.limit, source.fragments.rowCount()),
  };
}

async function* fetchAll(
  source: ScanSource,
  plan: Search,
  resolved: ResolvedPlan,
  ranker: Ranker,
): AsyncGenerator<RecordBatch, void, undefined> {
  for (const [index, best] of ranker.best.entries()) {
    const kept = best.sorted().slice(plan.offset ?? 0);
    if (kept.length > 0) yield await fetch(source, plan, resolved, kept, index);
  }
}

/** The rows as a batch of the result, after the filter when it comes last. */
async function fetch(
  source: ScanSource,
  plan: Search,
  resolved: ResolvedPlan,
  rows: readonly RankedRow[],
  index: number,
): Promise<RecordBatch> {
  const last = plan.postfilter === true ? plan.filter : undefined;
  const names = [...resolved.outputNeeds.schema.nodes, ...resolved.orderNeeds.schema.nodes].map(
    ({ field }) => field.name,
  );
  const needs = needsOf(source.schema, last === undefined ? names : [...names, ...rootsOf(last)]);
  const numbered = { ...needs, numbers: new Set([...resolved.outputNeeds.numbers, ...needs.numbers]) };
  let batch = withDistance(await readPlaces(source, rows, numbered, plan.signal), rows, index);
  if (last !== undefined) batch = takeRows(batch, selectRows(last, batch));
  if (resolved.order.length > 0) batch = takeRows(batch, sortRows(sortKeysOf(batch, resolved), batch.numRows));
  return projectOutput(batch, resolved.output, resolved.outputSchema);
}

function withDistance(batch: RecordBatch, rows: readonly RankedRow[], index: number): RecordBatch {
  const distance = makeColumn(DISTANCE_FIELD.type, {
    length: rows.length,
    values: Float32Array.from(rows, (row) => row.distance),
  });
  const query = makeColumn(QUERY_INDEX_FIELD.type, {
    length: rows.length,
    values: new Int32Array(rows.length).fill(index),
  });
  const schema = new Schema([...batch.schema.fields, DISTANCE_FIELD, QUERY_INDEX_FIELD]);
  return makeBatch(schema, [...batch.data.children, distance, query], batch.numRows);
}
