/**
 * The windows of a version one after the other, a few of them read ahead: the loop of every scan.
 *
 * Memory is bounded by the windows under way. A consumer that stops early starts no further window.
 */
import type { Piece } from "./piece.js";
import { type ScanSource, type Window, windowRows, windowsOf } from "./plan.js";
import { readAhead } from "./read-ahead.js";
import { throwIfAborted } from "./stop.js";
import { newMetrics, type PieceRequest, type WindowMemo, WindowReader } from "./window-reader.js";

/** Windows that are read while one is consumed. */
const WINDOWS_AHEAD = 2;
/** Bytes of the columns of a filter in one window: only one batch of them is in memory at once. */
const FILTERED_BYTES = 8 << 20;
/** The first window of a scan that may end early. */
const FIRST_WINDOW_ROWS = 1 << 13;

/**
 * The live rows that match, in scan order.
 * @throws SNAPSHOT_EXPIRED, CORRUPT, CANCELED or the signal's own error
 */
export async function* scanPieces(source: ScanSource, request: PieceRequest): AsyncGenerator<Piece, void, undefined> {
  const reader = new WindowReader(source, source.fragments.rowCount(), request);
  const ahead = request.rowsWanted === undefined ? WINDOWS_AHEAD : 1;
  (request.metrics ?? newMetrics()).fragments += source.fragments.length;
  for await (const pieces of readAhead(scanWindows(source, [request]), ahead, (window) => reader.read(window))) {
    for (const piece of pieces) {
      throwIfAborted(request.signal);
      yield piece;
    }
  }
}

/**
 * The same for several requests at once: for one window after the other, the pieces of each request.
 * Requests are `shared`; all look at a window before the next one, and what one reads of it, the others share.
 */
export async function* scanTogether(
  source: ScanSource,
  requests: readonly PieceRequest[],
): AsyncGenerator<Piece[][], void, undefined> {
  const rows = source.fragments.rowCount();
  const readers = requests.map((request) => new WindowReader(source, rows, request));
  const signal = requests[0]?.signal;
  (requests[0]?.metrics ?? newMetrics()).fragments += source.fragments.length;
  const windows = readAhead(scanWindows(source, requests), WINDOWS_AHEAD, (window) => readTogether(readers, window));
  for await (const pieces of windows) {
    throwIfAborted(signal);
    yield pieces;
  }
}

/** The pieces of a window for each reader. */
export async function readTogether(readers: readonly WindowReader[], window: Window): Promise<Piece[][]> {
  const memo: WindowMemo | undefined = readers.length > 1 ? new Map() : undefined;
  const pieces: Piece[][] = [];
  for (const reader of readers) pieces.push(await reader.read(window, memo));
  return pieces;
}

/** The windows that a scan for all of these requests reads, in scan order. */
export function scanWindows(
  source: ScanSource,
  requests: readonly PieceRequest[],
  rowsWanted = requests[0]?.rowsWanted,
): Generator<Window> {
  const rowsMax = rowsPerWindow(requests);
  if (rowsWanted === undefined) return windowsOf(source.fragments, { rowsMax, rowsFirst: rowsMax });
  const filtered = requests.some(({ filter }) => filter !== undefined);
  return windowsOf(source.fragments, {
    rowsMax,
    rowsFirst: filtered ? Math.min(FIRST_WINDOW_ROWS, rowsMax) : rowsMax,
    ...(filtered ? {} : { rowsWanted }),
  });
}

/** The most rows of a window. */
export function rowsPerWindow(requests: readonly PieceRequest[]): number {
  const each = requests.map(({ filter, filterNeeds, schema }) => {
    return filter === undefined ? windowRows(schema) : windowRows(filterNeeds.schema, FILTERED_BYTES);
  });
  return Math.min(...each);
}
