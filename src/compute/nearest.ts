/**
 * Exact vector search: the distance to every live row that passes the filter, the closest rows of it.
 *
 * Results are as LanceDB gives them: closest first, ties in scan order; rows without a vector or with an undefined
 * distance are left out; `_distance` behind the columns unless selected, `query_index` in front when several vectors
 * are searched; offset and limit count per query vector. There is no index: it refuses nothing but costs a scan.
 */
import { type Data, type DataType, Field, Float32, Int32, type RecordBatch, Schema } from "apache-arrow";
import { makeBatch, takeRows } from "../data/kernels/batches.js";
import { makeColumn, validityOf, valuesOf } from "../data/kernels/column.js";
import type { TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import { BestRows, type RankedRow } from "./best-rows.js";
import { checkCount } from "./check-count.js";
import { type DistanceType, distances, type Elements, makeQuery, type Query, widenHalves } from "./distance.js";
import { selectRows } from "./expression/evaluate.js";
import { sortKeysOf } from "./order.js";
import { type Piece, pieceRows } from "./piece.js";
import { type ScanMetrics, scanPieces } from "./pieces.js";
import { readPlaces } from "./places.js";
import { needsOf, type ResolvedPlan, resolvePlan, rootsOf, type ScanPlan, type ScanSource } from "./plan.js";
import { projectOutput } from "./project.js";
import { rebatch } from "./rebatch.js";
import { ROW_NUMBER_FIELDS } from "./row-numbers.js";
import { sortRows } from "./sort-rows.js";

export type { DistanceType } from "./distance.js";

export const DISTANCE = "_distance";
export const QUERY_INDEX = "query_index";
/** Rows of a search that names no limit. */
export const NEAREST_LIMIT_DEFAULT = 10;

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
  const limit = plan.limit ?? NEAREST_LIMIT_DEFAULT;
  checkCount("limit", limit);
  checkCount("offset", plan.offset);
  if (limit === 0) {
    throw new TableError("INVALID_ARGUMENT", "A vector search needs a limit of at least 1: k must be positive.");
  }
  const resolved = resolveNearest(source, plan);
  const column = vectorColumn(source.schema, plan);
  return rebatch(search(source, { ...plan, limit, column }, resolved, metrics), plan.batchRows);
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
      ? `No vector column found to match with the query vector dimension: ${dimension}.`
      : `More than one vector columns found, please specify which column to create index or query: [${names}].`,
    { details: { dimension } },
  );
}

function dimensionOf(type: DataType): number {
  return (type as DataType & { listSize: number }).listSize;
}

/** A fixed-size list of floats or of unsigned bytes. */
function isVectorType(type: DataType): boolean {
  if (type.typeId !== 16) return false;
  const item = (type.children[0] as Field).type as DataType & { bitWidth?: number; isSigned?: boolean };
  return item.typeId === 3 || (item.typeId === 2 && item.bitWidth === 8 && item.isSigned === false);
}

type Search = NearestPlan & { readonly limit: number; readonly column: string };

async function* search(
  source: ScanSource,
  plan: Search,
  resolved: ResolvedPlan,
  metrics: ScanMetrics | undefined,
): AsyncGenerator<RecordBatch, void, undefined> {
  const best = await rank(source, plan, metrics);
  for (const [index, rows] of best.entries()) {
    const kept = rows.sorted().slice(plan.offset ?? 0);
    if (kept.length > 0) yield await fetch(source, plan, resolved, kept, index);
  }
}

/** The closest rows of each query vector. */
async function rank(source: ScanSource, plan: Search, metrics: ScanMetrics | undefined): Promise<BestRows[]> {
  const prefilter = plan.postfilter === true ? undefined : plan.filter;
  const { schema } = needsOf(source.schema, [plan.column]);
  const wanted = Math.min((plan.offset ?? 0) + plan.limit, source.fragments.rowCount());
  const best = plan.vectors.map(() => new BestRows(wanted));
  const pieces = scanPieces(source, {
    filter: prefilter,
    filterNeeds: needsOf(source.schema, prefilter === undefined ? [] : rootsOf(prefilter)),
    schema,
    shared: true,
    ...(plan.signal === undefined ? {} : { signal: plan.signal }),
    ...(metrics === undefined ? {} : { metrics }),
  });
  let queries: Query[] | undefined;
  for await (const piece of pieces) {
    const vectors = piece.batch.data.children[0]!;
    const elements = elementsOf(vectors, plan);
    queries ??= plan.vectors.map((vector) => makeQuery(vector, metricOf(elements, plan), elements));
    for (const [i, query] of queries.entries()) offerPiece(best[i]!, query, piece, vectors, elements, plan);
  }
  return best;
}

function elementsOf(vectors: Data, plan: Search): Elements {
  const values = valuesOf(vectors.children[0]!);
  if (values instanceof Float32Array || values instanceof Float64Array || values instanceof Uint8Array) return values;
  if (values instanceof Uint16Array) return widenHalves(values);
  throw new TableError("NOT_SUPPORTED", `Vectors of column ${plan.column} have elements that cannot be compared.`);
}

function metricOf(elements: Elements, plan: Search): DistanceType {
  const bytes = elements instanceof Uint8Array;
  const metric = plan.distanceType ?? (bytes ? "hamming" : "l2");
  if ((metric === "hamming") === bytes) return metric;
  throw new TableError(
    "INVALID_ARGUMENT",
    `Distance type ${metric} does not support the vectors of column ${plan.column}; use ${bytes ? "hamming" : "l2, cosine or dot"}.`,
    { details: { column: plan.column, distanceType: metric } },
  );
}

function offerPiece(best: BestRows, query: Query, piece: Piece, vectors: Data, elements: Elements, plan: Search): void {
  const { selected, offsets } = piece;
  const validity = validityOf(vectors);
  const lower = plan.lowerBound ?? Number.NEGATIVE_INFINITY;
  const upper = plan.upperBound ?? Number.POSITIVE_INFINITY;
  const out = new Float32Array(pieceRows(piece));
  distances(query, elements, selected, out);
  let worst = best.worst;
  for (let i = 0; i < out.length; i++) {
    const distance = out[i]!;
    // Also false for NaN. An infinite distance may be among the best while there is room.
    if (!(distance < worst || (worst === Number.POSITIVE_INFINITY && distance === worst))) continue;
    if (distance < lower || distance >= upper) continue;
    const row = selected === undefined ? i : selected[i]!;
    if (validity !== undefined && !isSet(validity, vectors.offset + row)) continue;
    best.offer(distance, piece.fragment.id, typeof offsets === "number" ? offsets + row : offsets[row]!);
    worst = best.worst;
  }
}

function isSet(bitmap: Uint8Array, at: number): boolean {
  return ((bitmap[at >>> 3]! >>> (at & 7)) & 1) !== 0;
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
  const distance = makeColumn(DISTANCE_FIELD.type, rows.length, {
    values: Float32Array.from(rows, (row) => row.distance),
  });
  const query = makeColumn(QUERY_INDEX_FIELD.type, rows.length, { values: new Int32Array(rows.length).fill(index) });
  const schema = new Schema([...batch.schema.fields, DISTANCE_FIELD, QUERY_INDEX_FIELD]);
  return makeBatch(schema, [...batch.data.children, distance, query], batch.numRows);
}
