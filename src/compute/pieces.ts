/**
 * The middle of a scan: reads windows of fragments, drops deleted rows and rows that the filter does not keep.
 *
 * A piece is a batch and the rows of it that count. Nothing is copied before somebody needs the rows: counting never
 * does, and columns that only the result needs are read for matching rows alone when few match.
 */
import type { RecordBatch } from "apache-arrow";
import { type FragmentReader, openFragment } from "../data/fragment.js";
import type { DeletionVector } from "../format/deletion-vector.js";
import type { Fragment } from "../format/fragment.js";
import type { TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import type { BoundExpression } from "./expression/evaluate.js";
import { selectRows } from "./expression/evaluate.js";
import { completeMatches, completeWindow } from "./late-columns.js";
import { copyPiece, type Piece, pickColumns, pieceRows } from "./piece.js";
import {
  type ColumnNeeds,
  rowBytes,
  type ScanSource,
  STEP_ROWS,
  type Window,
  windowRows,
  windowsOf,
  without,
} from "./plan.js";
import { provesEmpty } from "./prune-fragment.js";
import { readAhead } from "./read-ahead.js";
import { loadRowSequences } from "./row-ids.js";
import { withRowNumbers } from "./row-numbers.js";

/** Windows that are read while one is consumed. */
const WINDOWS_AHEAD = 2;
/** The first window of a scan that may end early. */
const FIRST_WINDOW_ROWS = 1 << 13;
/** What reading one row on its own costs, in bytes read along with its neighbours: about a block with a checksum. */
const LONE_ROW_BYTES = 1 << 14;

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
  /** The consumer only looks at the batches: they may come from the cache and stay there. */
  readonly shared?: boolean;
  readonly signal?: AbortSignal;
  readonly metrics?: ScanMetrics;
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
  const { schema, shared } = scan.request;
  const batches = shared === true ? await sharedBatches(scan, reader, window, schema) : undefined;
  for await (const batch of batches ?? reader.read({ schema, rows: window, batchRows: STEP_ROWS })) {
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
  const sequences = await loadRowSequences(scan.source, window.fragment, filterNeeds);
  const batches = await sharedBatches(scan, reader, window, filterNeeds.schema);
  const pieces: Piece[] = [];
  let start = window.start;
  let matched = 0;
  for await (const batch of batches ??
    reader.read({ schema: filterNeeds.schema, rows: window, batchRows: STEP_ROWS })) {
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
  const rest = without(schema, filterNeeds.schema);
  if (rest.nodes.length === 0) {
    const narrow = pieces.map((piece) => ({ ...piece, batch: pickColumns(piece.batch, schema) }));
    return batches === undefined || schema.nodes.length === 0 ? narrow : narrow.map(copyPiece);
  }
  if (matched * LONE_ROW_BYTES < (window.end - window.start) * rowBytes(rest)) {
    return [await completeMatches(reader, pieces, schema, rest, filterNeeds.schema)];
  }
  // What the cache holds is not handed out, so that nobody can change it there.
  return batches === undefined
    ? await completeWindow(reader, window, pieces, schema, rest, filterNeeds.schema)
    : await completeWindow(reader, window, pieces, schema, schema, without(schema, schema));
}

/** The window's batches by way of the cache; undefined when the version has more of these columns than it can hold. */
async function sharedBatches(
  scan: PieceScan,
  reader: FragmentReader,
  window: Window,
  schema: TableSchema,
): Promise<readonly RecordBatch[] | undefined> {
  const { cache, fragments } = scan.source;
  if (schema.nodes.length === 0 || fragments.rowCount() * rowBytes(schema) > cache.keptBytesMax) return undefined;
  const files = window.fragment.files.map(({ path, fields }) => `${path} ${fields.join()}`);
  const columns = schema.nodes.map((node) => `${node.id} ${node.field}`);
  const key = [...files, ...columns, `${window.start} ${window.end}`].join("\n");
  return await cache.batches(key, () => reader.read({ schema, rows: window, batchRows: STEP_ROWS }));
}
