/** Rows fetched by where they lie, in any order: single rows, results of searches, ordered scans with a limit. */
import type { RecordBatch } from "apache-arrow";
import { openFragment } from "../data/fragment.js";
import { concatBatches, takeRows } from "../data/kernels/batches.js";
import type { Fragment } from "../format/fragment.js";
import type { TableSchema } from "../format/schema.js";
import type { Piece } from "./piece.js";
import type { ColumnNeeds, ScanSource } from "./plan.js";
import { neededRows } from "./project.js";
import { readAhead } from "./read-ahead.js";
import { throwIfAborted } from "./stop.js";

/** Fragments that are read while one is consumed. */
export const FRAGMENTS_AHEAD = 3;

/** Where a live row lies. */
export interface Place {
  readonly fragmentId: number;
  readonly offset: number;
}

/** Rows of one fragment: ascending offsets, perhaps repeated. */
export interface FragmentRows {
  readonly fragment: Fragment;
  readonly offsets: Uint32Array;
}

/** Some rows of a fragment with the columns of `schema`. Every offset is inside the fragment and live. */
export async function readRows(
  source: ScanSource,
  rows: FragmentRows,
  schema: TableSchema,
  signal: AbortSignal | undefined,
): Promise<Piece> {
  throwIfAborted(signal);
  const { fragment, offsets } = rows;
  const distinct = withoutRepeats(offsets);
  const batches: RecordBatch[] = [];
  const reader = openFragment(source.cache, fragment, source.schema);
  for await (const batch of reader.read({ schema, rows: { offsets: distinct } })) batches.push(batch);
  const batch = concatBatches(batches);
  if (distinct.length === offsets.length) return { fragment, batch, selected: undefined, offsets };
  const selected = new Uint32Array(offsets.length);
  for (let i = 1; i < offsets.length; i++) selected[i] = selected[i - 1]! + (offsets[i] === offsets[i - 1] ? 0 : 1);
  return { fragment, batch, selected, offsets: distinct };
}

function withoutRepeats(sorted: Uint32Array): Uint32Array {
  return sorted.filter((offset, i) => i === 0 || offset !== sorted[i - 1]);
}

/** The rows at `places`, in that order, repeats included; there is at least one. */
export async function readPlaces(
  source: ScanSource,
  places: readonly Place[],
  needs: ColumnNeeds,
  signal: AbortSignal | undefined,
): Promise<RecordBatch> {
  const order = places.map((_, i) => i);
  order.sort((a, b) => places[a]!.fragmentId - places[b]!.fragmentId || places[a]!.offset - places[b]!.offset);
  const batches: RecordBatch[] = [];
  const read = (rows: FragmentRows) => readRows(source, rows, needs.schema, signal);
  for await (const piece of readAhead(fragmentRows(source, places, order), FRAGMENTS_AHEAD, read)) {
    batches.push(await neededRows(source, piece, needs));
  }
  const back = new Uint32Array(places.length);
  for (const [i, place] of order.entries()) back[place] = i;
  return takeRows(concatBatches(batches), back);
}

function* fragmentRows(
  source: ScanSource,
  places: readonly Place[],
  order: readonly number[],
): Generator<FragmentRows> {
  for (let start = 0; start < order.length; ) {
    const id = places[order[start]!]!.fragmentId;
    let end = start + 1;
    while (end < order.length && places[order[end]!]!.fragmentId === id) end++;
    const offsets = Uint32Array.from(order.slice(start, end), (i) => places[i]!.offset);
    yield { fragment: source.fragments.byId(id)!, offsets };
    start = end;
  }
}
