/**
 * What a scan wants to know of each of its windows, and the answer: the part of a scan that may run in any thread.
 *
 * An answer depends on the window and the job only, so that it does not matter where a window was read.
 */
import type { RecordBatch, Schema } from "apache-arrow";
import { concatBatches } from "../../data/kernels/batches.js";
import type { BoundExpression } from "../expression/evaluate.js";
import { pieceRows } from "../piece.js";
import { readTogether } from "../pieces.js";
import {
  type ColumnNeeds,
  needsOf,
  type RowSource,
  resolvePlan,
  rootsOf,
  type ScanPlan,
  type Window,
} from "../plan.js";
import { neededRows, neededSchema, projectOutput } from "../project.js";
import { offerToAll, type RankedOffsets, Ranker, type Ranking } from "../rank.js";
import { bestRows, boundOf, hopefulRows, orderedNeeds } from "../sort-columns.js";
import type { SortBound } from "../sort-rows.js";
import type { StopSignal } from "../stop.js";
import { type PieceRequest, type ScanMetrics, WindowReader } from "../window-reader.js";

/** Searches among the rows that pass one filter. */
export interface RankGroup {
  readonly column: string;
  readonly filter?: BoundExpression;
  readonly rankings: readonly Ranking[];
}

export type Job =
  /** The rows of the result. */
  | { readonly kind: "rows"; readonly plan: ScanPlan }
  /** The rows that may be among the first `keep` in the plan's order, with what `orderedNeeds` says. */
  | { readonly kind: "ordered"; readonly plan: ScanPlan; readonly keep: number }
  | { readonly kind: "count"; readonly filter: BoundExpression }
  /** The closest rows, for each group and ranking in it. */
  | { readonly kind: "rank"; readonly groups: readonly RankGroup[] };

/** What a window comes to. */
export interface Answer {
  /** Rows that matched. */
  readonly rows: number;
  readonly batches: readonly RecordBatch[];
  /** By group, ranking and vector. */
  readonly ranked: readonly (readonly (readonly RankedOffsets[])[])[];
}

export interface JobContext {
  readonly source: RowSource;
  /** Live rows of the version. */
  readonly rows: number;
  readonly signal?: StopSignal;
  readonly metrics?: ScanMetrics;
}

/** The requests whose pieces a job is made of: one, or one for each group of searches. */
export function requestsOf(source: RowSource, job: Job): PieceRequest[] {
  switch (job.kind) {
    case "rows": {
      const { filter, filterNeeds, outputNeeds } = resolvePlan(source, job.plan);
      return [{ filter, filterNeeds, schema: outputNeeds.schema }];
    }
    case "ordered": {
      const resolved = resolvePlan(source, job.plan);
      const { filter, filterNeeds } = resolved;
      return [{ filter, filterNeeds, schema: orderedNeeds(source, job.plan, resolved).schema }];
    }
    case "count":
      return [{ filter: job.filter, filterNeeds: needs(source, job.filter), schema: needs(source, undefined).schema }];
    case "rank":
      return job.groups.map(({ column, filter }) => ({
        filter,
        filterNeeds: needs(source, filter),
        schema: needsOf(source.schema, [column]).schema,
        shared: true,
      }));
  }
}

function needs(source: RowSource, filter: BoundExpression | undefined): ColumnNeeds {
  return needsOf(source.schema, filter === undefined ? [] : rootsOf(filter));
}

/** The schema of the batches of an answer. */
export function answerSchema(source: RowSource, job: Job): Schema | undefined {
  if (job.kind === "rows") return resolvePlan(source, job.plan).outputSchema;
  if (job.kind !== "ordered") return undefined;
  return neededSchema(orderedNeeds(source, job.plan, resolvePlan(source, job.plan)));
}

const NOTHING: Answer = { rows: 0, batches: [], ranked: [] };

/** Makes the function that answers for one window after the other. */
export function answering(context: JobContext, job: Job): (window: Window) => Promise<Answer> {
  const { source, rows, signal, metrics } = context;
  const readers = requestsOf(source, job).map(
    (request) =>
      new WindowReader(source, rows, {
        ...request,
        ...(signal === undefined ? {} : { signal }),
        ...(metrics === undefined ? {} : { metrics }),
      }),
  );
  const [reader] = readers as [WindowReader];
  switch (job.kind) {
    case "count":
      return async (window) => {
        const pieces = await reader.read(window);
        return { ...NOTHING, rows: pieces.reduce((sum, piece) => sum + pieceRows(piece), 0) };
      };
    case "rank":
      return (window) => rankWindow(readers, job.groups, window);
    case "rows": {
      const { outputNeeds, output, outputSchema } = resolvePlan(source, job.plan);
      return async (window) => {
        const batches = await rowsOf(source, reader, window, outputNeeds);
        return answerOf(batches.map((batch) => projectOutput(batch, output, outputSchema)));
      };
    }
    case "ordered": {
      const resolved = resolvePlan(source, job.plan);
      const wanted = orderedNeeds(source, job.plan, resolved);
      // Ties with the bound are kept, so that it does not matter in which order the windows come.
      let bound: SortBound | undefined;
      return async (window) => {
        const batches: RecordBatch[] = [];
        for (const piece of await reader.read(window)) {
          const hopeful = bound === undefined ? piece : hopefulRows(piece, resolved, bound);
          if (pieceRows(hopeful) > 0) batches.push(await neededRows(source, hopeful, wanted));
        }
        if (batches.length === 0 || job.keep === Number.POSITIVE_INFINITY) return answerOf(batches);
        const rows = concatBatches(batches);
        if (rows.numRows <= job.keep) return answerOf([rows]);
        const best = bestRows(rows, resolved, job.keep);
        bound = boundOf(best, resolved);
        return answerOf([best]);
      };
    }
  }
}

async function rowsOf(
  source: RowSource,
  reader: WindowReader,
  window: Window,
  wanted: ColumnNeeds,
): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  for (const piece of await reader.read(window)) batches.push(await neededRows(source, piece, wanted));
  return batches;
}

function answerOf(batches: readonly RecordBatch[]): Answer {
  return { ...NOTHING, rows: batches.reduce((sum, batch) => sum + batch.numRows, 0), batches };
}

async function rankWindow(
  readers: readonly WindowReader[],
  groups: readonly RankGroup[],
  window: Window,
): Promise<Answer> {
  const pieces = await readTogether(readers, window);
  const ranked = groups.map(({ column, rankings }, i) => {
    const rankers = rankings.map((ranking) => new Ranker(ranking));
    for (const piece of pieces[i]!) offerToAll(rankers, piece, column);
    return rankers.map((ranker) => ranker.ranked());
  });
  return { ...NOTHING, rows: pieces.flat().reduce((sum, piece) => sum + pieceRows(piece), 0), ranked };
}
