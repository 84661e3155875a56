/**
 * Reads Lance data files 2.0, 2.1 and 2.2: columns by field id, any rows, as Arrow batches.
 *
 * Fetches the pages and chunks that the rows need and no others. Encodings that are not known are refused by name
 * before the first row. Specification: docs/format.md, Lance data files; lance-format.md sections 6 to 10.
 */
import type { Data, RecordBatch } from "apache-arrow";
import type { DataFile } from "../../../format/fragment.js";
import type { SchemaNode, TableSchema } from "../../../format/schema.js";
import { TableError } from "../../../support/errors.js";
import type { ByteSource, DataFileReader, ReadRequest, RowSelection } from "../../codec.js";
import { makeBatch } from "../../kernels/batches.js";
import { type Container, openContainer } from "../container.js";
import { type ByteReader, byteReader } from "./byte-reader.js";
import { type ColumnSource, openColumn } from "./column.js";
import type { ColumnReader } from "./column-reader.js";
import { BatchTooLarge } from "./damage.js";
import { type Ranges, rangesLength } from "./flat-sinks.js";
import { openColumn20 } from "./v20/column.js";

const BATCH_ROWS = 65_536;
/** What a batch should take in memory, as far as it can be told before it is read. */
const BATCH_TARGET_BYTES = 32 * 1024 * 1024;

/**
 * Opens a data file that LanceDB or this package wrote.
 * @throws CORRUPT (details: path, offset) when the footer makes no sense, NOT_SUPPORTED for another file version
 */
export async function openLanceFile(source: ByteSource, file: DataFile, schema: TableSchema): Promise<DataFileReader> {
  const container = await openContainer(source);
  requireVersion(container, source.path);
  const nodes = new Map<number, SchemaNode>();
  for (const node of schema.nodes) indexNodes(node, nodes);
  const columns: ColumnSource = {
    container,
    path: source.path,
    file,
    nodeOf: (id) => nodes.get(id),
    leaves: new Map(),
    arrays: new Map(),
  };
  return {
    rows: container.rows,
    statistics: () => undefined,
    read: (request) => readBatches(columns, request),
  };
}

function requireVersion({ major, minor }: Container, path: string): void {
  const known = (major === 0 && minor === 3) || (major === 2 && minor <= 2);
  if (known) return;
  throw new TableError(
    "NOT_SUPPORTED",
    `Data file ${path} has version ${major}.${minor}; this version reads 2.0 to 2.2.`,
    {
      details: { path, major, minor },
    },
  );
}

function indexNodes(node: SchemaNode, nodes: Map<number, SchemaNode>): void {
  nodes.set(node.id, node);
  for (const child of node.children) indexNodes(child, nodes);
}

function openAny(source: ColumnSource, node: SchemaNode): Promise<ColumnReader> {
  const { major, minor } = source.container;
  return major === 2 && minor > 0 ? openColumn(source, node) : openColumn20(source, node);
}

async function* readBatches(source: ColumnSource, request: ReadRequest): AsyncGenerator<RecordBatch> {
  const { container, path } = source;
  // Columns first: they tell a file whose row count is damaged from a caller who asks for too much.
  const columns = await Promise.all(request.schema.nodes.map((node) => openAny(source, node)));
  const ranges = toRanges(request.rows, container.rows, path);
  const rowsMax = batchRows(columns, request.batchRows);
  const cuts = ranges.length === 2 ? pageCuts(columns) : [];
  const batches = splitBatches(ranges, rowsMax, cuts);
  if (batches.length === 0) return;
  const { scratch: pool } = request;
  // The next batch is read while the consumer looks at this one, so they take turns.
  const turns = [pool?.take(), pool?.take()];
  const readers = turns.map((scratch) => byteReader((start, end, into) => container.read(start, end, into), scratch));
  const load = (i: number): Promise<readonly (() => Data)[]> => {
    turns[i % 2]?.reset();
    const loading = Promise.all(columns.map((column) => column.load(batches[i]!, readers[i % 2]!)));
    // A reader that stops early leaves this promise to nobody.
    loading.catch(() => undefined);
    return loading;
  };
  let ahead = load(0);
  for (let i = 0; i < batches.length; i++) {
    const loaded = await ahead;
    if (i + 1 < batches.length) ahead = load(i + 1);
    yield* decodeBatch(request, columns, readers[i % 2]!, batches[i]!, loaded, path);
  }
  // After a failure, or for a consumer who left, reads may be under way; then the memory is not used again.
  for (const scratch of turns) if (scratch !== undefined) pool?.giveBack(scratch);
}

/** One batch; when it outgrows memory's limit, its halves instead. */
async function* decodeBatch(
  request: ReadRequest,
  columns: readonly ColumnReader[],
  reader: ByteReader,
  ranges: Ranges,
  loaded: readonly (() => Data)[],
  path: string,
): AsyncGenerator<RecordBatch> {
  const rows = rangesLength(ranges);
  let batch: RecordBatch;
  try {
    batch = makeBatch(
      request.schema.arrow,
      loaded.map((decode) => decode()),
      rows,
    );
  } catch (error) {
    if (!(error instanceof BatchTooLarge)) throw error;
    if (rows === 1) {
      throw new TableError("NOT_SUPPORTED", `Row ${ranges[0]} of data file ${path} is larger than 256 MB.`, {
        details: { path, row: ranges[0] },
      });
    }
    for (const half of splitBatches(ranges, Math.ceil(rows / 2), [])) {
      const again = await Promise.all(columns.map((column) => column.load(half, reader)));
      yield* decodeBatch(request, columns, reader, half, again, path);
    }
    return;
  }
  yield batch;
}

function toRanges(selection: RowSelection | undefined, rows: number, path: string): Ranges {
  if (selection === undefined) return rows === 0 ? [] : [0, rows];
  if ("offsets" in selection) {
    const { offsets } = selection;
    const ranges: number[] = [];
    for (let i = 0; i < offsets.length; i++) {
      const row = offsets[i]!;
      if (row >= rows || (i > 0 && row <= offsets[i - 1]!)) throw outside(path, row, rows);
      if (ranges.length > 0 && ranges[ranges.length - 1] === row) ranges[ranges.length - 1] = row + 1;
      else ranges.push(row, row + 1);
    }
    return ranges;
  }
  const { start, end } = selection;
  if (!(start >= 0 && start <= end && end <= rows)) throw outside(path, end, rows);
  return start === end ? [] : [start, end];
}

function outside(path: string, row: number, rows: number): TableError {
  const message = `Row ${row} is not in data file ${path}, which has ${rows} rows, or the offsets are not ascending.`;
  return new TableError("INVALID_ARGUMENT", message, { details: { path, row, rows } });
}

function batchRows(columns: readonly ColumnReader[], wanted: number | undefined): number {
  const rowBytes = columns.reduce((sum, column) => sum + column.rowBytes, 0);
  const affordable = Math.max(1, Math.floor(BATCH_TARGET_BYTES / Math.max(1, rowBytes)));
  return Math.max(1, Math.min(wanted ?? BATCH_ROWS, affordable));
}

/** Page starts of the column with most bytes: batches that end there can use its buffers as they are. */
function pageCuts(columns: readonly ColumnReader[]): readonly number[] {
  let widest: ColumnReader | undefined;
  for (const column of columns) if (widest === undefined || column.storedBytes > widest.storedBytes) widest = column;
  return widest?.pageStarts ?? [];
}

/** Pieces of at most `rowsMax` rows that end at the cuts. */
function splitBatches(ranges: Ranges, rowsMax: number, cuts: readonly number[]): Ranges[] {
  const batches: number[][] = [];
  let batch: number[] = [];
  let room = rowsMax;
  let cut = 0;
  const close = (): void => {
    if (batch.length > 0) batches.push(batch);
    batch = [];
    room = rowsMax;
  };
  for (let i = 0; i < ranges.length; i += 2) {
    let start = ranges[i]!;
    const end = ranges[i + 1]!;
    while (start < end) {
      while (cut < cuts.length && cuts[cut]! <= start) cut++;
      const stop = Math.min(end, start + room, cuts[cut] ?? end);
      batch.push(start, stop);
      room -= stop - start;
      if (room === 0 || stop === cuts[cut]) close();
      start = stop;
    }
  }
  close();
  return batches;
}
