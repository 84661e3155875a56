/**
 * Reads a window of a fragment: drops deleted rows and rows that the filter does not keep.
 *
 * What comes out are pieces: a batch and the rows of it that count. Nothing is copied before somebody needs the rows:
 * counting never does, and columns that only the result needs are read for matching rows alone when few match.
 */
import type { RecordBatch } from "apache-arrow";
import { type FragmentReader, openFragment } from "../data/fragment.js";
import type { DeletionVector } from "../format/deletion-vector.js";
import type { Fragment } from "../format/fragment.js";
import type { TableSchema } from "../format/schema.js";
import type { BoundExpression } from "./expression/evaluate.js";
import { selectRows } from "./expression/evaluate.js";
import { completeMatches, completeWindow, copyWindow } from "./late-columns.js";
import { copyPiece, type Piece, pickColumns, pieceRows } from "./piece.js";
import { type ColumnNeeds, type RowSource, rowBytes, STEP_ROWS, type Window, without } from "./plan.js";
import { provesEmpty } from "./prune-fragment.js";
import { loadRowSequences } from "./row-ids.js";
import { withRowNumbers } from "./row-numbers.js";
import { type StopSignal, throwIfAborted } from "./stop.js";

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
  readonly signal?: StopSignal;
  readonly metrics?: ScanMetrics;
}

/** Batches of one window that several readers of the same window share. */
export type WindowMemo = Map<string, Promise<readonly RecordBatch[]>>;

/** Reads windows of one version for one request. */
export class WindowReader {
  readonly #source: RowSource;
  readonly #rows: number;
  readonly #request: PieceRequest;
  readonly #metrics: ScanMetrics;
  readonly #readers = new Map<number, FragmentReader>();
  readonly #pruned = new Map<number, Promise<boolean>>();

  /** @param rows how many live rows the version has */
  constructor(source: RowSource, rows: number, request: PieceRequest) {
    this.#source = source;
    this.#rows = rows;
    this.#request = request;
    this.#metrics = request.metrics ?? newMetrics();
  }

  /**
   * The live rows of the window that match.
   * @param memo holds what is read of the window for the next reader of the same one; `shared` requests only
   * @throws SNAPSHOT_EXPIRED, CORRUPT, CANCELED or the signal's own error
   */
  async read(window: Window, memo?: WindowMemo): Promise<Piece[]> {
    throwIfAborted(this.#request.signal);
    if (await this.isPruned(window.fragment)) return [];
    const metrics = this.#metrics;
    metrics.windows++;
    metrics.rowsScanned += window.end - window.start;
    const reader = this.#readerOf(window.fragment);
    const deleted = await reader.deletions();
    const { filter } = this.#request;
    const pieces =
      filter === undefined
        ? await this.#readLive(reader, window, deleted, memo)
        : await this.#readMatching(reader, window, deleted, filter, memo);
    metrics.rowsMatched += pieces.reduce((sum, piece) => sum + pieceRows(piece), 0);
    return pieces;
  }

  /** True when statistics prove that the filter keeps no row of the fragment. */
  isPruned(fragment: Fragment): Promise<boolean> {
    let verdict = this.#pruned.get(fragment.id);
    if (verdict === undefined) {
      verdict = this.#judge(fragment);
      this.#pruned.set(fragment.id, verdict);
    }
    return verdict;
  }

  async #judge(fragment: Fragment): Promise<boolean> {
    const { filter, filterNeeds } = this.#request;
    if (filter === undefined) return false;
    if (!(await provesEmpty(this.#readerOf(fragment), filter, filterNeeds.schema))) return false;
    this.#metrics.fragmentsPruned++;
    return true;
  }

  #readerOf(fragment: Fragment): FragmentReader {
    let reader = this.#readers.get(fragment.id);
    if (reader === undefined) {
      reader = openFragment(this.#source.cache, fragment, this.#source.schema);
      this.#readers.set(fragment.id, reader);
    }
    return reader;
  }

  async #readLive(
    reader: FragmentReader,
    window: Window,
    deleted: DeletionVector | undefined,
    memo: WindowMemo | undefined,
  ): Promise<Piece[]> {
    const pieces: Piece[] = [];
    let start = window.start;
    const { schema, shared, signal } = this.#request;
    const batches = shared === true ? await this.#sharedBatches(reader, window, schema, memo) : undefined;
    for await (const batch of batches ?? reader.read({ schema, rows: window, batchRows: STEP_ROWS })) {
      throwIfAborted(signal);
      const selected = liveRows(deleted, start, batch.numRows);
      if (selected === undefined || selected.length > 0) {
        pieces.push({ fragment: window.fragment, batch, selected, offsets: start });
      }
      start += batch.numRows;
    }
    return pieces;
  }

  async #readMatching(
    reader: FragmentReader,
    window: Window,
    deleted: DeletionVector | undefined,
    filter: BoundExpression,
    memo: WindowMemo | undefined,
  ): Promise<Piece[]> {
    const { filterNeeds, schema, shared, signal } = this.#request;
    const { scratch } = this.#source.cache;
    const rest = without(schema, filterNeeds.schema);
    const early = without(schema, rest);
    const sequences = await loadRowSequences(this.#source, window.fragment, filterNeeds);
    const batches = await this.#sharedBatches(reader, window, filterNeeds.schema, memo);
    // Who only looks gets the columns where they lie; others get copies of what matches, so that all that is read may lie
    // in memory that is used again.
    const copies = shared !== true && early.nodes.length > 0;
    const request = { schema: filterNeeds.schema, rows: window, batchRows: STEP_ROWS };
    const read = () => reader.read(shared === true && early.nodes.length > 0 ? request : { ...request, scratch });
    const pieces: Piece[] = [];
    let start = window.start;
    let matched = 0;
    for await (const batch of batches ?? read()) {
      throwIfAborted(signal);
      const live = liveRows(deleted, start, batch.numRows);
      const input = withRowNumbers(batch, window.fragment.id, start, filterNeeds, sequences);
      const selected = selectRows(filter, input, live);
      if (selected.length > 0) {
        matched += selected.length;
        const piece = { fragment: window.fragment, batch: pickColumns(batch, early), selected, offsets: start };
        pieces.push(copies ? copyPiece(piece) : piece);
      }
      start += batch.numRows;
    }
    if (pieces.length === 0 || rest.nodes.length === 0) return pieces;
    if (matched * LONE_ROW_BYTES < (window.end - window.start) * rowBytes(rest)) {
      return [await completeMatches(reader, pieces, schema, rest, early)];
    }
    if (shared !== true) return await copyWindow(reader, pieces, schema, rest, early, scratch);
    const late = await this.#sharedBatches(reader, window, rest, memo);
    return await completeWindow(reader, window, pieces, schema, rest, early, late);
  }

  /** The window's batches from the cache or the memo; undefined when neither may hold them. */
  async #sharedBatches(
    reader: FragmentReader,
    window: Window,
    schema: TableSchema,
    memo: WindowMemo | undefined,
  ): Promise<readonly RecordBatch[] | undefined> {
    const { cache } = this.#source;
    if (schema.nodes.length === 0) return undefined;
    const read = () => reader.read({ schema, rows: window, batchRows: STEP_ROWS });
    // Columns of the version that do not fit would only push each other out.
    if (this.#rows * rowBytes(schema) <= cache.keptBytesMax) return await cache.batches(keyOf(window, schema), read);
    if (memo === undefined) return undefined;
    const key = keyOf(window, schema);
    const batches = memo.get(key) ?? collect(read());
    memo.set(key, batches);
    return await batches;
  }
}

function keyOf({ fragment, start, end }: Window, schema: TableSchema): string {
  const files = fragment.files.map(({ path, fields }) => `${path} ${fields.join()}`);
  const columns = schema.nodes.map((node) => `${node.id} ${node.field}`);
  return [...files, ...columns, `${start} ${end}`].join("\n");
}

async function collect(batches: AsyncIterable<RecordBatch>): Promise<readonly RecordBatch[]> {
  const all: RecordBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

/** Rows of [start, start + rows) that are not deleted, counted from `start`; undefined when all are live. */
function liveRows(deleted: DeletionVector | undefined, start: number, rows: number): Uint32Array | undefined {
  if (deleted === undefined || deleted.countIn(start, start + rows) === 0) return undefined;
  const live = deleted.liveOffsets(start, start + rows);
  for (let i = 0; i < live.length; i++) live[i] = live[i]! - start;
  return live;
}
