/**
 * Reads single rows by position or row id.
 *
 * Rows come in scan order. Deleted and missing rows are left out. Positions that repeat give repeated rows, ids that
 * repeat give one row, as in LanceDB.
 */
import type { RecordBatch } from "apache-arrow";
import { openFragment } from "../data/fragment.js";
import type { Fragment } from "../format/fragment.js";
import { checkCount } from "./check-count.js";
import { FRAGMENTS_AHEAD, type FragmentRows, readRows } from "./places.js";
import { type ResolvedPlan, resolvePlan, type ScanPlan, type ScanSource } from "./plan.js";
import { neededRows, projectOutput } from "./project.js";
import { readAhead } from "./read-ahead.js";
import { rebatch } from "./rebatch.js";
import { loadRowIds } from "./row-ids.js";
import { throwIfAborted } from "./stop.js";

export type TakePlan = Pick<ScanPlan, "columns" | "withRowId" | "withRowAddress" | "batchRows" | "signal">;

const WORD = 2n ** 32n;

/**
 * The rows at these positions of the table in scan order, deleted rows not counted. Positions behind the end are
 * left out.
 * @throws INVALID_ARGUMENT, SNAPSHOT_EXPIRED, CORRUPT, CANCELED
 */
export function takeOffsets(
  source: ScanSource,
  offsets: readonly number[],
  plan: TakePlan,
): AsyncGenerator<RecordBatch, void, undefined> {
  for (const offset of offsets) checkCount("offset", offset);
  const resolved = resolvePlan(source, plan);
  return rebatch(takeRowsOf(source, resolved, positionsToRows(source, offsets), plan), plan.batchRows);
}

/**
 * The rows with these ids (`_rowid`), each once. Ids that no live row has are left out.
 * @throws INVALID_ARGUMENT, SNAPSHOT_EXPIRED, CORRUPT, CANCELED
 */
export function takeRowIds(
  source: ScanSource,
  ids: readonly bigint[],
  plan: TakePlan,
): AsyncGenerator<RecordBatch, void, undefined> {
  const resolved = resolvePlan(source, plan);
  return rebatch(takeRowsOf(source, resolved, idsToRows(source, ids), plan), plan.batchRows);
}

async function* takeRowsOf(
  source: ScanSource,
  resolved: ResolvedPlan,
  rows: Promise<readonly FragmentRows[]>,
  plan: TakePlan,
): AsyncGenerator<RecordBatch, void, undefined> {
  const read = (one: FragmentRows) => readRows(source, one, resolved.outputNeeds.schema, plan.signal);
  for await (const piece of readAhead(await rows, FRAGMENTS_AHEAD, read)) {
    throwIfAborted(plan.signal);
    yield projectOutput(await neededRows(source, piece, resolved.outputNeeds), resolved.output, resolved.outputSchema);
  }
}

async function positionsToRows(source: ScanSource, positions: readonly number[]): Promise<readonly FragmentRows[]> {
  const sorted = Float64Array.from(positions).sort();
  const found: FragmentRows[] = [];
  let at = 0;
  let first = 0;
  for (const fragment of source.fragments) {
    if (at === sorted.length) break;
    const live = fragment.physicalRows - (fragment.deletionFile?.deletedRows ?? 0);
    let end = at;
    while (end < sorted.length && sorted[end]! < first + live) end++;
    if (end > at) {
      const deleted = await deletedOf(source, fragment);
      found.push({ fragment, offsets: liveToPhysical(sorted.subarray(at, end), first, deleted) });
    }
    at = end;
    first += live;
  }
  return found;
}

/** Offsets in the fragment of its live rows number `sorted[i] - first`. */
function liveToPhysical(sorted: Float64Array, first: number, deleted: Uint32Array | undefined): Uint32Array {
  const offsets = new Uint32Array(sorted.length);
  let gone = 0;
  for (let i = 0; i < sorted.length; i++) {
    const live = sorted[i]! - first;
    while (deleted !== undefined && gone < deleted.length && deleted[gone]! <= live + gone) gone++;
    offsets[i] = live + gone;
  }
  return offsets;
}

async function deletedOf(source: ScanSource, fragment: Fragment): Promise<Uint32Array | undefined> {
  return (await openFragment(source.cache, fragment, source.schema).deletions())?.toArray();
}

async function idsToRows(source: ScanSource, ids: readonly bigint[]): Promise<readonly FragmentRows[]> {
  const wanted = new Map<number, number[]>();
  for (const id of source.stableRowIds === true ? await addressesOfIds(source, ids) : new Set(ids)) {
    const fragmentId = Number(id / WORD);
    const offsets = wanted.get(fragmentId);
    if (offsets === undefined) wanted.set(fragmentId, [Number(id % WORD)]);
    else offsets.push(Number(id % WORD));
  }
  const found: FragmentRows[] = [];
  for (const id of [...wanted.keys()].sort((a, b) => a - b)) {
    const fragment = source.fragments.byId(id);
    if (fragment === undefined) continue;
    const deleted = new Set(await deletedOf(source, fragment));
    const live = wanted.get(id)!.filter((offset) => offset < fragment.physicalRows && !deleted.has(offset));
    if (live.length > 0) found.push({ fragment, offsets: Uint32Array.from(live).sort() });
  }
  return found;
}

/** Addresses of the rows with stable ids: every fragment's ids are looked through. */
async function addressesOfIds(source: ScanSource, ids: readonly bigint[]): Promise<Set<bigint>> {
  const wanted = new Set(ids);
  const addresses = new Set<bigint>();
  for (const fragment of source.fragments) {
    const known = await loadRowIds(source, fragment);
    for (let offset = 0; known !== undefined && offset < known.length; offset++) {
      if (wanted.has(known[offset]!)) addresses.add(BigInt(fragment.id) * WORD + BigInt(offset));
    }
  }
  return addresses;
}
