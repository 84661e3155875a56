/**
 * Reads one fragment: its data files side by side, in physical row order, deleted rows included, and the vector that
 * says which rows are gone.
 *
 * Nothing is opened before it is needed. Row counts of files are checked against the fragment's.
 */
import type { RecordBatch } from "apache-arrow";
import { decodeDeletionVector } from "../format/deletion-file.js";
import type { DeletionVector } from "../format/deletion-vector.js";
import type { Fragment } from "../format/fragment.js";
import { dataPath, deletionPath } from "../format/layout.js";
import type { SchemaNode, TableSchema } from "../format/schema.js";
import { TableError } from "../support/errors.js";
import { missingMeansExpired } from "./byte-source.js";
import type { ColumnStatistics, ReadRequest, RowSelection } from "./codec.js";
import type { FileCache, OpenFile } from "./file-cache.js";
import { assemble, type FilePart, heldPart, partsOf } from "./held-columns.js";
import { makeBatch, sliceColumn } from "./kernels/batches.js";

/** Rows of a batch that is made without a file: only NULL columns, or no columns at all. */
const EMPTY_BATCH_ROWS = 1 << 16;

export interface FragmentReader {
  readonly fragment: Fragment;
  /** Rows before deletion. */
  readonly rows: number;
  /** The deleted rows; undefined when there are none. @throws SNAPSHOT_EXPIRED, CORRUPT */
  deletions(): Promise<DeletionVector | undefined>;
  /**
   * Statistics by field id of the columns in `schema` (children too), from the footers of the files that hold them.
   * @throws SNAPSHOT_EXPIRED, CORRUPT
   */
  statistics(schema: TableSchema): Promise<ReadonlyMap<number, ColumnStatistics>>;
  /**
   * The selected rows in ascending order as batches of `request.schema.arrow`, deleted rows among them.
   * @throws SNAPSHOT_EXPIRED when a file is gone, CORRUPT, NOT_SUPPORTED
   */
  read(request: ReadRequest): AsyncGenerator<RecordBatch, void, undefined>;
}

/** @param schema the schema of the version that is read */
export function openFragment(cache: FileCache, fragment: Fragment, schema: TableSchema): FragmentReader {
  return {
    fragment,
    rows: fragment.physicalRows,
    deletions: () => loadDeletions(cache, fragment),
    statistics: (wanted) => loadStatistics(cache, fragment, schema, wanted),
    read: (request) => readFragment(cache, fragment, schema, request),
  };
}

async function loadDeletions(cache: FileCache, fragment: Fragment): Promise<DeletionVector | undefined> {
  const file = fragment.deletionFile;
  if (file === undefined) return undefined;
  const path = deletionPath(fragment.id, file);
  return await cache.keep(path, 64 + 4 * file.deletedRows, async () => {
    const bytes = await cache.store.get(path).catch((error) => {
      throw missingMeansExpired(error, path);
    });
    const vector = await decodeDeletionVector(bytes, file.kind, path, fragment.physicalRows);
    if (vector.size === file.deletedRows) return vector;
    throw new TableError(
      "CORRUPT",
      `The deletion file ${path} lists ${vector.size} rows where the manifest says ${file.deletedRows}. ` +
        "Restore the file, or the version before the one that added it.",
      { details: { path, offset: 0, rows: vector.size, deletedRows: file.deletedRows } },
    );
  });
}

async function openPart(cache: FileCache, fragment: Fragment, schema: TableSchema, part: FilePart): Promise<OpenFile> {
  const open = await cache.file(part.file, schema);
  if (open.reader.rows !== fragment.physicalRows) {
    const path = dataPath(part.file);
    throw new TableError(
      "CORRUPT",
      `The file ${path} holds ${open.reader.rows} rows where fragment ${fragment.id} has ${fragment.physicalRows}. ` +
        "Restore the file, or the version before the one that added it.",
      { details: { path, offset: 0, rows: open.reader.rows, physicalRows: fragment.physicalRows } },
    );
  }
  return open;
}

async function loadStatistics(
  cache: FileCache,
  fragment: Fragment,
  schema: TableSchema,
  wanted: TableSchema,
): Promise<ReadonlyMap<number, ColumnStatistics>> {
  const known = new Map<number, ColumnStatistics>();
  const parts = partsOf(fragment.files, wanted);
  const opened = await Promise.all(parts.map((part) => openPart(cache, fragment, schema, part)));
  for (const [i, { reader }] of opened.entries()) {
    for (const id of idsOf(parts[i]!.schema.nodes)) {
      const statistics = reader.statistics(id);
      if (statistics !== undefined) known.set(id, statistics);
    }
  }
  for (const node of wanted.nodes) {
    const held = parts.some((part) => heldPart(node, new Set(part.file.fields)) !== undefined);
    if (!held) known.set(node.id, { nullCount: fragment.physicalRows });
  }
  return known;
}

function* idsOf(nodes: readonly SchemaNode[]): Generator<number> {
  for (const node of nodes) {
    yield node.id;
    yield* idsOf(node.children);
  }
}

async function* readFragment(
  cache: FileCache,
  fragment: Fragment,
  schema: TableSchema,
  request: ReadRequest,
): AsyncGenerator<RecordBatch, void, undefined> {
  checkSelection(request.rows, fragment);
  const parts = partsOf(fragment.files, request.schema);
  if (parts.length === 0) {
    yield* readNothing(fragment, request);
    return;
  }
  const opened = await Promise.all(parts.map((part) => openPart(cache, fragment, schema, part)));
  for (const { bytes } of opened) bytes.acquire();
  try {
    const streams = opened.map(({ reader }, i) => reader.read({ ...request, schema: parts[i]!.schema }));
    const whole = parts.length === 1 && parts[0]!.schema.nodes.every((node, i) => node === request.schema.nodes[i]);
    if (whole && parts[0]!.schema.nodes.length === request.schema.nodes.length) yield* streams[0]!;
    else yield* zip(streams, parts, request.schema, fragment);
  } finally {
    await Promise.all(opened.map(({ bytes }) => bytes.release()));
  }
}

function checkSelection(rows: RowSelection | undefined, fragment: Fragment): void {
  if (rows === undefined) return;
  const end = "offsets" in rows ? (rows.offsets.at(-1) ?? -1) + 1 : rows.end;
  if (end <= fragment.physicalRows && ("offsets" in rows || (rows.start >= 0 && rows.start <= rows.end))) return;
  throw new TableError("INTERNAL", `Rows outside fragment ${fragment.id} were asked for. Please report it.`);
}

/** Batches of the right length when no file holds any of the columns. */
function* readNothing(fragment: Fragment, request: ReadRequest): Generator<RecordBatch> {
  const { rows, schema } = request;
  const total =
    rows === undefined ? fragment.physicalRows : "offsets" in rows ? rows.offsets.length : rows.end - rows.start;
  const step = Math.min(request.batchRows ?? EMPTY_BATCH_ROWS, EMPTY_BATCH_ROWS);
  for (let start = 0; start < total; start += step) {
    const count = Math.min(step, total - start);
    const columns = schema.nodes.map((node) => assemble(node, [], count));
    yield makeBatch(schema.arrow, columns, count);
  }
}

/** A file's stream of batches, and how far its current batch is used up. */
interface Cursor {
  readonly stream: AsyncIterator<RecordBatch>;
  readonly part: FilePart;
  batch: RecordBatch | undefined;
  used: number;
}

/** Joins batches of several files side by side; their batches may end at different rows. */
async function* zip(
  streams: readonly AsyncIterable<RecordBatch>[],
  parts: readonly FilePart[],
  schema: TableSchema,
  fragment: Fragment,
): AsyncGenerator<RecordBatch, void, undefined> {
  const cursors = streams.map((stream, i): Cursor => {
    return { stream: stream[Symbol.asyncIterator](), part: parts[i]!, batch: undefined, used: 0 };
  });
  try {
    for (;;) {
      await Promise.all(cursors.map(advance));
      const left = cursors.map((cursor) => (cursor.batch === undefined ? 0 : cursor.batch.numRows - cursor.used));
      const count = Math.min(...left);
      if (count === 0) {
        if (left.some((rows) => rows > 0)) throw unevenFiles(parts, fragment);
        return;
      }
      yield sideBySide(cursors, schema, count);
    }
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.stream.return?.()));
  }
}

async function advance(cursor: Cursor): Promise<void> {
  while (cursor.batch === undefined || cursor.used === cursor.batch.numRows) {
    const next = await cursor.stream.next();
    cursor.batch = next.done === true ? undefined : next.value;
    cursor.used = 0;
    if (next.done === true) return;
  }
}

function sideBySide(cursors: readonly Cursor[], schema: TableSchema, count: number): RecordBatch {
  const columns = schema.nodes.map((node) => {
    const found = cursors.flatMap(({ part, batch, used }) => {
      const index = part.schema.nodes.findIndex((one) => one.id === node.id);
      if (index < 0) return [];
      return [{ node: part.schema.nodes[index]!, data: sliceColumn(batch!.data.children[index]!, used, count) }];
    });
    return assemble(node, found, count);
  });
  for (const cursor of cursors) cursor.used += count;
  return makeBatch(schema.arrow, columns, count);
}

function unevenFiles(parts: readonly FilePart[], fragment: Fragment): TableError {
  const paths = parts.map((part) => dataPath(part.file));
  return new TableError(
    "CORRUPT",
    `The files ${paths.join(", ")} of fragment ${fragment.id} gave different numbers of rows.`,
    {
      details: { path: paths[0], offset: 0, paths },
    },
  );
}
