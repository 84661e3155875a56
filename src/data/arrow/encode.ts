/**
 * Writes an Arrow IPC file: uncompressed, buffers at multiples of 64, with checksums (checksums.ts) and a summary.
 *
 * Any Arrow implementation reads the result; what is ours lies in the footer's custom metadata and before the footer.
 */
import { type Data, type DataType, type RecordBatch, type Schema, Vector } from "apache-arrow";
import { nodesDepthFirst, type TableSchema } from "../../format/schema.js";
import { encodeChecksums } from "../checksums.js";
import type { EncodedDataFile } from "../codec.js";
import { nullColumn } from "../kernels/column.js";
import { splice } from "../kernels/splice.js";
import { type Body, ByteSink, dictionariesIn, encodeBody } from "./body.js";
import {
  type Block,
  encodeBatchMessage,
  encodeDictionaryMessage,
  encodeFooter,
  encodeSchemaMessage,
} from "./message.js";
import { type ColumnSummary, encodeSummary, SUMMARY_KEY, summarize } from "./summary.js";

/** Most rows of a record batch in a file. */
export const BATCH_ROWS = 131_072;
/** Smaller batches are joined. */
const BATCH_ROWS_MIN = 8_192;
const SINK_BYTES = 4_096;
const MAGIC = new TextEncoder().encode("ARROW1\0\0");
const END_OF_STREAM = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

export const ARROW_FILE_VERSION = { major: 1, minor: 0 } as const;

/** Columns of equal length, ready to be written as one record batch. */
export interface Columns {
  readonly rows: number;
  readonly columns: readonly Data[];
}

/** The batches as the bytes of one file. Buffers of the batches are shared: do not change them before it is written. */
export function encodeArrowFile(
  batches: readonly RecordBatch[],
  schema: TableSchema,
  fileName?: string,
): EncodedDataFile {
  const pieces = arrange(batches, schema);
  const sink = new ByteSink(SINK_BYTES);
  sink.push(MAGIC);
  const { dictionaries, blocks } = writeStream(sink, pieces, schema.arrow);
  const summaries = summarizePieces(schema, pieces);
  const rowCounts = pieces.map((piece) => piece.rows);
  const metadata = new Map([[SUMMARY_KEY, encodeSummary(rowCounts, summaries)]]);
  const footer = closeFooter(encodeFooter(schema.arrow, dictionaries, blocks, metadata));
  sink.push(encodeChecksums(sink.finish(), footer, fileName));
  sink.push(footer);
  const fields = nodesDepthFirst(schema).map((node) => node.id);
  return {
    chunks: sink.finish(),
    sizeBytes: sink.sizeBytes,
    rows: rowCounts.reduce((sum, rows) => sum + rows, 0),
    fields,
    columnIndices: fields.map((_, i) => i),
    majorVersion: ARROW_FILE_VERSION.major,
    minorVersion: ARROW_FILE_VERSION.minor,
  };
}

/** The batches as an IPC stream; `as` is their schema under which the stream is to go. */
export function encodeIpcStream(pieces: readonly Columns[], as: Schema): Uint8Array {
  const sink = new ByteSink(SINK_BYTES);
  writeStream(sink, pieces, as);
  const out = new Uint8Array(sink.sizeBytes);
  let at = 0;
  for (const chunk of sink.finish()) {
    out.set(chunk, at);
    at += chunk.byteLength;
  }
  return out;
}

/** Field ids and statistics of all pieces together. */
export function summarizePieces(schema: TableSchema, pieces: readonly Columns[]): ColumnSummary[] {
  const columns = schema.nodes.map((_, i) => pieces.map((piece) => piece.columns[i]!));
  return summarize(schema.nodes, columns);
}

function writeStream(sink: ByteSink, pieces: readonly Columns[], schema: Schema) {
  sink.push(encodeSchemaMessage(schema, sink.sizeBytes));
  const dictionaries = writeDictionaries(sink, pieces, schema);
  const blocks = pieces.map(({ columns, rows }) => {
    const body = encodeBody(columns, rows);
    return writeMessage(sink, encodeBatchMessage(body.metadata, body.bodyBytes, sink.sizeBytes), body);
  });
  sink.push(END_OF_STREAM);
  return { dictionaries, blocks };
}

function closeFooter(metadata: Uint8Array): Uint8Array {
  const footer = new Uint8Array(metadata.byteLength + 10);
  footer.set(metadata);
  new DataView(footer.buffer).setInt32(metadata.byteLength, metadata.byteLength, true);
  footer.set(MAGIC.subarray(0, 6), metadata.byteLength + 4);
  return footer;
}

function writeMessage(sink: ByteSink, message: Uint8Array, body: Body): Block {
  const offset = sink.sizeBytes;
  sink.push(message);
  for (const part of body.parts) {
    sink.push(part);
    sink.pad(part.byteLength);
  }
  return { offset, metadataBytes: message.byteLength, bodyBytes: body.bodyBytes };
}

/** One dictionary per dictionary-encoded column; all pieces share it, because `arrange` has joined them. */
function writeDictionaries(sink: ByteSink, pieces: readonly Columns[], schema: Schema): Block[] {
  const found = schema.fields.flatMap((field, i) =>
    dictionariesIn(
      field.type as DataType,
      pieces.map((piece) => piece.columns[i]!),
    ),
  );
  return found.map(({ type, chunks }, id) => {
    const vector = chunks[0]?.dictionary ?? new Vector([nullColumn(type.dictionary as DataType, 0)]);
    const values = splice(vector.data as Data[]);
    const body = encodeBody([values], values.length);
    return writeMessage(sink, encodeDictionaryMessage(id, body.metadata, body.bodyBytes, sink.sizeBytes), body);
  });
}

/** Batches of a good size: small ones joined, large ones cut. */
export function arrange(batches: readonly RecordBatch[], schema: TableSchema): Columns[] {
  const full = batches.filter((batch) => batch.numRows > 0);
  const hasDictionaries = schema.arrow.fields.some((field) => dictionariesIn(field.type as DataType, []).length > 0);
  const groups: RecordBatch[][] = [];
  let groupRows = 0;
  for (const batch of full) {
    const group = groups[groups.length - 1];
    const joins = hasDictionaries || batch.numRows < BATCH_ROWS_MIN || groupRows < BATCH_ROWS_MIN;
    if (group !== undefined && joins && (hasDictionaries || groupRows + batch.numRows <= BATCH_ROWS)) {
      group.push(batch);
      groupRows += batch.numRows;
    } else {
      groups.push([batch]);
      groupRows = batch.numRows;
    }
  }
  return groups.flatMap((group) => cut(join(group)));
}

function join(group: readonly RecordBatch[]): Columns {
  const [first] = group;
  if (group.length === 1) return { rows: first!.numRows, columns: first!.data.children };
  const columns = first!.data.children.map((_, i) => splice(group.map((batch) => batch.data.children[i]!)));
  return { rows: group.reduce((sum, batch) => sum + batch.numRows, 0), columns };
}

function cut(piece: Columns): Columns[] {
  if (piece.rows <= BATCH_ROWS) return [piece];
  const out: Columns[] = [];
  for (let start = 0; start < piece.rows; start += BATCH_ROWS) {
    const rows = Math.min(BATCH_ROWS, piece.rows - start);
    out.push({ rows, columns: piece.columns.map((column) => column.slice(start, rows)) });
  }
  return out;
}
