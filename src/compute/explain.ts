/**
 * Plans in words, and what a run of them cost. For people: the text is no interface.
 *
 * Explaining reads footers (cached like those of a scan) to say which fragments the filter rules out, and no rows.
 */
import type { RecordBatch } from "apache-arrow";
import { openFragment } from "../data/fragment.js";
import type { Runtime } from "../support/runtime.js";
import { NEAREST_LIMIT_DEFAULT, type NearestPlan, resolveNearest, vectorColumn } from "./nearest.js";
import { type ResolvedPlan, resolvePlan, type ScanPlan, type ScanSource, unionOf, windowsOf } from "./plan.js";
import { provesEmpty } from "./prune-fragment.js";
import { readAhead } from "./read-ahead.js";
import { newMetrics, type ScanMetrics } from "./window-reader.js";

const FOOTERS_AHEAD = 7;

/** @param filterText the filter as SQL */
export async function explainScan(source: ScanSource, plan: ScanPlan, filterText?: string): Promise<string> {
  const resolved = resolvePlan(source, plan);
  const lines = [`Project: ${namesOf(resolved)}`, ...limitLines(plan)];
  if (resolved.order.length > 0) lines.push(`Sort: ${orderText(resolved)}`);
  if (filterText !== undefined) lines.push(`Filter: ${filterText}`);
  lines.push(await scanLine(source, plan, resolved));
  return indented(lines);
}

export async function explainNearest(source: ScanSource, plan: NearestPlan, filterText?: string): Promise<string> {
  const resolved = resolveNearest(source, plan);
  const post = plan.postfilter === true;
  const column = vectorColumn(source.schema, plan);
  const lines = [`Project: ${namesOf(resolved)}`];
  if (resolved.order.length > 0) lines.push(`Sort: ${orderText(resolved)}`);
  if (post && filterText !== undefined) lines.push(`Filter: ${filterText}`);
  lines.push(...limitLines({ ...plan, limit: plan.limit ?? NEAREST_LIMIT_DEFAULT }));
  const metric = plan.distanceType ?? "default metric";
  lines.push(`Nearest: exact, ${plan.vectors.length} query vectors, column=${column}, ${metric}`);
  if (!post && filterText !== undefined) lines.push(`Filter: ${filterText}`);
  const { limit: _limit, ...whole } = plan;
  lines.push(await scanLine(source, whole, { ...resolved, filter: post ? undefined : resolved.filter }));
  return indented(lines);
}

/**
 * Runs a query to its end and says what it cost. Requests and bytes count everything that the table's cache read in
 * that time, other queries included.
 */
export async function analyze(
  source: ScanSource,
  explanation: string,
  runtime: Runtime,
  run: (metrics: ScanMetrics) => AsyncIterable<RecordBatch>,
): Promise<string> {
  const metrics = newMetrics();
  const before = { ...source.cache.counters };
  const start = runtime.monotonicMs();
  let rows = 0;
  let batches = 0;
  for await (const batch of run(metrics)) {
    rows += batch.numRows;
    batches++;
  }
  const elapsedMs = (runtime.monotonicMs() - start).toFixed(2);
  const { counters } = source.cache;
  return [
    `Analyze: elapsed_ms=${elapsedMs}, output_rows=${rows}, output_batches=${batches}`,
    `  fragments=${metrics.fragments}, fragments_pruned=${metrics.fragmentsPruned}, windows=${metrics.windows}, ` +
      `rows_scanned=${metrics.rowsScanned}, rows_matched=${metrics.rowsMatched}, ` +
      `bytes_read=${counters.bytes - before.bytes}, requests=${counters.requests - before.requests}`,
    explanation,
  ].join("\n");
}

function indented(lines: readonly string[]): string {
  return lines.map((line, depth) => "  ".repeat(depth) + line).join("\n");
}

function namesOf(resolved: ResolvedPlan): string {
  return resolved.outputSchema.fields.map(({ name }) => name).join(", ") || "nothing";
}

function orderText(resolved: ResolvedPlan): string {
  const keys = resolved.order.map(({ columnName, ascending, nullsFirst }) => {
    return `${columnName} ${ascending ? "ASC" : "DESC"} NULLS ${nullsFirst ? "FIRST" : "LAST"}`;
  });
  return keys.join(", ");
}

function limitLines(plan: ScanPlan): string[] {
  if (plan.limit === undefined && plan.offset === undefined) return [];
  return [`Limit: skip=${plan.offset ?? 0}, fetch=${plan.limit ?? "all"}`];
}

async function scanLine(source: ScanSource, plan: ScanPlan, resolved: ResolvedPlan): Promise<string> {
  const { filter, filterNeeds, outputNeeds, orderNeeds } = resolved;
  const read = unionOf(
    source.schema,
    unionOf(source.schema, filterNeeds.schema, outputNeeds.schema),
    orderNeeds.schema,
  );
  const columns = read.nodes.map(({ field }) => field.name).join(", ");
  const kept = filter === undefined ? fragmentsForLimit(source, plan, resolved) : await fragmentsKept(source, resolved);
  return (
    `Scan: version=${source.version ?? "unknown"}, columns=[${columns}], rows=${source.fragments.rowCount()}, ` +
    `fragments=${source.fragments.length}, fragments_pruned=${source.fragments.length - kept}`
  );
}

/** Fragments that are read when only a limit can end the scan. */
function fragmentsForLimit(source: ScanSource, plan: ScanPlan, resolved: ResolvedPlan): number {
  if (plan.limit === undefined || resolved.order.length > 0) return source.fragments.length;
  const rules = { rowsMax: 1 << 30, rowsFirst: 1 << 30, rowsWanted: plan.limit + (plan.offset ?? 0) };
  return new Set([...windowsOf(source.fragments, rules)].map(({ fragment }) => fragment.id)).size;
}

async function fragmentsKept(source: ScanSource, resolved: ResolvedPlan): Promise<number> {
  const { filter, filterNeeds } = resolved;
  if (filter === undefined) return source.fragments.length;
  let kept = 0;
  const verdicts = readAhead(source.fragments, FOOTERS_AHEAD, (fragment) => {
    return provesEmpty(openFragment(source.cache, fragment, source.schema), filter, filterNeeds.schema);
  });
  for await (const empty of verdicts) kept += empty ? 0 : 1;
  return kept;
}
