/**
 * The middle of a scan: reads windows of fragments, drops deleted rows and rows that the filter does not keep.
 *
 * A piece is a batch and the rows of it that count. Nothing is copied before somebody needs the rows: counting never
 * does, and columns that only the result needs are read for matching rows alone when few match.
 */
import type { Data, RecordBatch } from "apache-arrow";
import { type FragmentReader, openFragment } from "../data/fragment.js";
import { concatBatches, makeBatch, sliceRows, takeRows } from "../data/kernels/batches.js";
import type { DeletionVector } from "../format/deletion-vector.js";
import type { Fragment } from "../format/fragment.js";
import type { TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import type { BoundExpression } from "./expression/evaluate.js";
import { selectRows } from "./expression/evaluate.js";
import { type ColumnNeeds, rowBytes, type ScanSource, type Window, windowRows, windowsOf, without } from "./plan.js";
import { provesEmpty } from "./prune-fragment.js";
import { readAhead } from "./read-ahead.js";
import { loadRowSequences } from "./row-ids.js";
import { type RowOffsets, withRowNumbers } from "./row-numbers.js";

/** Rows of a batch inside a scan: large enough to amortise a batch, small enough for the caches. */
const STEP_ROWS = 1 << 15;
/** Windows that are read while one is consumed. */
const WINDOWS_AHEAD = 2;
/** The first window of a scan that may end early. */
const FIRST_WINDOW_ROWS = 1 << 13;
/** What reading one row on its own costs, in bytes read along with its neighbours: about a block with a checksum. */
const LONE_ROW_BYTES = 1 << 14;

/** Some rows of a fragment. */
export interface Piece {
  readonly fragment: Fragment;
  /** Columns of the table in the order of the schema that was asked for. */
  readonly batch: RecordBatch;
  /** The rows of the batch that count, ascending; all of them when absent. */
  readonly selected: Uint32Array | undefined;
  /** Where the rows of the batch lie in the fragment. */
  readonly offsets: RowOffsets;
}

/** What a scan did, for people and tests; filled while it runs. */
export interface ScanMetrics {
  fragments: number;
  fragmentsPruned: number;
  windows: number;
  rowsScanned: number;
  rowsMatched: number;
}

export function newMetrics(): ScanMetrics {
  return { fragments: 0, fragmentsPruned: 0, windows: 0, rowsScanned: 0, rowsMatched: 0 };
}

export interface PieceRequest {
  readonly filter: BoundExpression | undefined;
  readonly filterNeeds: ColumnNeeds;
  /** The columns that pieces have; row numbers are made later, from the offsets. */
  readonly schema: TableSchema;
  /** How many rows will be consumed at most. */
  readonly rowsWanted?: number;
  readonly signal?: AbortSignal;
  readonly metrics?: ScanMetrics;
}

/** How many rows of a piece count. */
export function pieceRows(piece: Piece): number {
  return piece.selected?.length ?? piece.batch.numRows;
}

/** Offsets in the fragment of the rows of a piece that count. */
export function pieceOffsets(piece: Piece): Uint32Array {
  const { offsets, selected } = piece;
  const out = new Uint32Array(pieceRows(piece));
  for (let i = 0; i < out.length; i++) {
    const row = selected === undefined ? i : selected[i]!;
    out[i] = typeof offsets === "number" ? offsets + row : offsets[row]!;
  }
  return out;
}

interface PieceScan {
  readonly source: ScanSource;
  readonly request: PieceRequest;
  readonly metrics: ScanMetrics;
  readonly readers: Map<number, FragmentReader>;
  readonly pruned: Map<number, Promise<boolean>>;
}

/**
 * The live rows that match, in scan order.
 * @throws SNAPSHOT_EXPIRED, CORRUPT, CANCELED or the signal's own error
 */
export async function* scanPieces(source: ScanSource, request: PieceRequest): AsyncGenerator<Piece, void, undefined> {
  const metrics = request.metrics ?? newMetrics();
  const scan: PieceScan = { source, request, metrics, readers: new Map(), pruned: new Map() };
  const limited = request.rowsWanted !== undefined;
  const rowsMax = windowRows(request.filter === undefined ? request.schema : request.filterNeeds.schema);
  const windows = windowsOf(source.fragments, {
    rowsMax,
    rowsFirst: limited && request.filter !== undefined ? Math.min(FIRST_WINDOW_ROWS, rowsMax) : rowsMax,
    ...(limited && request.filter === undefined ? { rowsWanted: request.rowsWanted } : {}),
  });
  metrics.fragments += source.fragments.length;
  for await (const pieces of readAhead(windows, limited ? 1 : WINDOWS_AHEAD, (window) => readWindow(scan, window))) {
    for (const piece of pieces) {
      throwIfAborted(request.signal);
      yield piece;
    }
  }
}

/** The signal's own error when it is one of ours (a timeout says so itself), else CANCELED. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  if (signal.reason instanceof TableError) throw signal.reason;
  throw new TableError("CANCELED", "The query was canceled by its signal.", { cause: signal.reason });
}

async function readWindow(scan: PieceScan, window: Window): Promise<Piece[]> {
  const { request, metrics } = scan;
  throwIfAborted(request.signal);
  const reader = readerOf(scan, window.fragment);
  if (request.filter !== undefined && (await isPruned(scan, reader))) return [];
  metrics.windows++;
  metrics.rowsScanned += window.end - window.start;
  const deleted = await reader.deletions();
  const pieces =
    request.filter === undefined
      ? await readLive(scan, reader, window, deleted)
      : await readMatching(scan, reader, window, deleted, request.filter);
  metrics.rowsMatched += pieces.reduce((sum, piece) => sum + pieceRows(piece), 0);
  return pieces;
}

function readerOf(scan: PieceScan, fragment: Fragment): FragmentReader {
  let reader = scan.readers.get(fragment.id);
  if (reader === undefined) {
    reader = openFragment(scan.source.cache, fragment, scan.source.schema);
    scan.readers.set(fragment.id, reader);
  }
  return reader;
}

/** True when statistics prove that the filter keeps no row of the fragment. */
function isPruned(scan: PieceScan, reader: FragmentReader): Promise<boolean> {
  const id = reader.fragment.id;
  let verdict = scan.pruned.get(id);
  if (verdict === undefined) {
    verdict = judge(scan, reader);
    scan.pruned.set(id, verdict);
  }
  return verdict;
}

async function judge(scan: PieceScan, reader: FragmentReader): Promise<boolean> {
  const { filter, filterNeeds } = scan.request;
  if (filter === undefined || !(await provesEmpty(reader, filter, filterNeeds.schema))) return false;
  scan.metrics.fragmentsPruned++;
  return true;
}

async function readLive(
  scan: PieceScan,
  reader: FragmentReader,
  window: Window,
  deleted: DeletionVector | undefined,
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  let start = window.start;
  for await (const batch of reader.read({ schema: scan.request.schema, rows: window, batchRows: STEP_ROWS })) {
    throwIfAborted(scan.request.signal);
    const selected = liveRows(deleted, start, batch.numRows);
    if (selected === undefined || selected.length > 0) {
      pieces.push({ fragment: window.fragment, batch, selected, offsets: start });
    }
    start += batch.numRows;
  }
  return pieces;
}

/** Rows of [start, start + rows) that are not deleted, counted from `start`; undefined when all are live. */
function liveRows(deleted: DeletionVector | undefined, start: number, rows: number): Uint32Array | undefined {
  if (deleted === undefined || deleted.countIn(start, start + rows) === 0) return undefined;
  const live = deleted.liveOffsets(start, start + rows);
  for (let i = 0; i < live.length; i++) live[i] = live[i]! - start;
  return live;
}

async function readMatching(
  scan: PieceScan,
  reader: FragmentReader,
  window: Window,
  deleted: DeletionVector | undefined,
  filter: BoundExpression,
): Promise<Piece[]> {
  const { filterNeeds, schema, signal } = scan.request;
  const rest = without(schema, filterNeeds.schema);
  const sequences = await loadRowSequences(scan.source, window.fragment, filterNeeds);
  const pieces: Piece[] = [];
  let start = window.start;
  let matched = 0;
  for await (const batch of reader.read({ schema: filterNeeds.schema, rows: window, batchRows: STEP_ROWS })) {
    throwIfAborted(signal);
    const live = liveRows(deleted, start, batch.numRows);
    const input = withRowNumbers(batch, window.fragment.id, start, filterNeeds, sequences);
    const selected = selectRows(filter, input, live);
    if (selected.length > 0) {
      matched += selected.length;
      pieces.push({ fragment: window.fragment, batch, selected, offsets: start });
    }
    start += batch.numRows;
  }
  if (pieces.length === 0) return [];
  if (rest.nodes.length === 0) return pieces.map((piece) => ({ ...piece, batch: pickColumns(piece.batch, schema) }));
  const alone = matched * LONE_ROW_BYTES < (window.end - window.start) * rowBytes(rest);
  return alone
    ? [await completeMatches(reader, pieces, schema, rest, filterNeeds.schema)]
    : await completeWindow(reader, window, pieces, schema, rest, filterNeeds.schema);
}

/** The same rows with the columns of `schema` only, in its order; the batch has all of them. */
export function pickColumns(batch: RecordBatch, schema: TableSchema): RecordBatch {
  const { fields } = batch.schema;
  const { nodes } = schema;
  if (fields.length === nodes.length && nodes.every((node, i) => node.field.name === fields[i]!.name)) return batch;
  const columns = nodes.map((node) => batch.data.children[fields.findIndex(({ name }) => name === node.field.name)]!);
  return makeBatch(schema.arrow, columns, batch.numRows);
}

/** One piece with all columns of the matching rows: those of the filter from memory, the rest from the files. */
async function completeMatches(
  reader: FragmentReader,
  pieces: readonly Piece[],
  schema: TableSchema,
  rest: TableSchema,
  filtered: TableSchema,
): Promise<Piece> {
  const rows = pieces.reduce((sum, piece) => sum + pieceRows(piece), 0);
  const offsets = new Uint32Array(rows);
  let at = 0;
  for (const piece of pieces) {
    const part = pieceOffsets(piece);
    offsets.set(part, at);
    at += part.length;
  }
  const read: RecordBatch[] = [];
  for await (const batch of reader.read({ schema: rest, rows: { offsets } })) read.push(batch);
  const early = concatBatches(pieces.map(({ batch, selected }) => takeRows(batch, selected!)));
  const batch = joinColumns(schema, filtered, early.data.children, rest, concatBatches(read).data.children, rows);
  return { fragment: reader.fragment, batch, selected: undefined, offsets };
}

/**
 * The pieces with all columns: the rest is read for the whole window, which costs less than to ask for its rows one by
 * one when many of them match.
 */
async function completeWindow(
  reader: FragmentReader,
  window: Window,
  pieces: readonly Piece[],
  schema: TableSchema,
  rest: TableSchema,
  filtered: TableSchema,
): Promise<Piece[]> {
  const out: Piece[] = [];
  let next = 0;
  let used = 0;
  let start = window.start;
  // Files may end their batches at other rows than the columns of the filter did.
  for await (const batch of reader.read({ schema: rest, rows: window, batchRows: STEP_ROWS })) {
    const end = start + batch.numRows;
    while (next < pieces.length) {
      const piece = pieces[next]!;
      const first = piece.offsets as number;
      const selected = piece.selected!;
      const stop = lowerBound(selected, end - first);
      if (stop > used) {
        const from = Math.max(first, start);
        const rows = Math.min(first + piece.batch.numRows, end) - from;
        const early = sliceRows(piece.batch, from - first, rows);
        const late = sliceRows(batch, from - start, rows);
        const whole = joinColumns(schema, filtered, early.data.children, rest, late.data.children, rows);
        const moved = from === first ? selected.subarray(used, stop) : selected.slice(used, stop);
        if (from !== first) for (let i = 0; i < moved.length; i++) moved[i] = moved[i]! - (from - first);
        out.push({ fragment: reader.fragment, batch: whole, selected: moved, offsets: from });
      }
      used = stop;
      if (stop < selected.length) break;
      next++;
      used = 0;
    }
    start = end;
  }
  return out;
}

/** The first index whose value is at least `value`. */
function lowerBound(ascending: Uint32Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A batch of `schema` from columns of which some are in one place and the rest in another. */
function joinColumns(
  schema: TableSchema,
  filtered: TableSchema,
  early: readonly Data[],
  rest: TableSchema,
  late: readonly Data[],
  rows: number,
): RecordBatch {
  const columns = schema.nodes.map((node) => {
    const index = filtered.nodes.findIndex((one) => one.id === node.id);
    if (index >= 0) return early[index]!;
    return late[rest.nodes.findIndex((one) => one.id === node.id)]!;
  });
  return makeBatch(schema.arrow, columns, rows);
}
