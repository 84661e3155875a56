/**
 * Arrow's messages and footer (Message.fbs, File.fbs): encode and decode. Compressed bodies are refused by name.
 *
 * A message in a file is 0xFFFFFFFF, the length of its metadata, the metadata, padding, and the body.
 */
import type { Field, Schema } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { FlatError, FlatReader } from "./flat-reader.js";
import { FlatWriter } from "./flat-writer.js";
import { decodeFields, decodeMetadata, encodeMetadata, encodeSchema } from "./schema-message.js";

const VERSION_V5 = 4;
const HEADER_SCHEMA = 1;
const HEADER_DICTIONARY = 2;
const HEADER_RECORD_BATCH = 3;
const ALIGNMENT = 64;

/** Where a message lies in the file. */
export interface Block {
  readonly offset: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

/** What a record batch message says of its body: per node length and null count, per buffer offset and length. */
export interface BatchMetadata {
  readonly rows: number;
  readonly nodes: readonly number[];
  readonly buffers: readonly number[];
}

const writer = new FlatWriter();

/** Prefix and metadata, padded so that the body begins at a multiple of 64 in the file. */
function frame(root: number, position: number): Uint8Array {
  const metadata = writer.finish(root);
  const total = ((position + 8 + metadata.byteLength + ALIGNMENT - 1) & -ALIGNMENT) - position;
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  view.setInt32(0, -1, true);
  view.setInt32(4, total - 8, true);
  out.set(metadata, 8);
  return out;
}

/** The schema message at a position of the file. Positions beyond 2 GiB never occur here: it comes first. */
export function encodeSchemaMessage(schema: Schema, position: number): Uint8Array {
  writer.reset();
  const message = writer.table([[2, VERSION_V5], [1, HEADER_SCHEMA], "ref", [8, 0]]);
  const { bytes, start } = encodeSchema(schema);
  writer.patch(message.at[2], writer.paste(bytes) + start);
  return frame(message.start, position);
}

function writeBatchTable(batch: BatchMetadata): number {
  const table = writer.table([[8, batch.rows], "ref", "ref"]);
  writer.patch(table.at[1], writer.structs(batch.nodes, 2));
  writer.patch(table.at[2], writer.structs(batch.buffers, 2));
  return table.start;
}

/** The message in front of a record batch's body. `position` counts modulo 64 only. */
export function encodeBatchMessage(batch: BatchMetadata, bodyBytes: number, position: number): Uint8Array {
  writer.reset();
  const message = writer.table([[2, VERSION_V5], [1, HEADER_RECORD_BATCH], "ref", [8, bodyBytes]]);
  writer.patch(message.at[2], writeBatchTable(batch));
  return frame(message.start, position % ALIGNMENT);
}

/** The message in front of a dictionary's body. */
export function encodeDictionaryMessage(
  id: number,
  batch: BatchMetadata,
  bodyBytes: number,
  position: number,
): Uint8Array {
  writer.reset();
  const message = writer.table([[2, VERSION_V5], [1, HEADER_DICTIONARY], "ref", [8, bodyBytes]]);
  const dictionary = writer.table([[8, id], "ref", [1, 0]]);
  writer.patch(message.at[2], dictionary.start);
  writer.patch(dictionary.at[1], writeBatchTable(batch));
  return frame(message.start, position % ALIGNMENT);
}

/** The footer's metadata, without its length and the closing magic. */
export function encodeFooter(
  schema: Schema,
  dictionaries: readonly Block[],
  batches: readonly Block[],
  metadata: ReadonlyMap<string, string>,
): Uint8Array {
  writer.reset();
  const footer = writer.table([[2, VERSION_V5], "ref", "ref", "ref", "ref"]);
  const { bytes, start } = encodeSchema(schema);
  writer.patch(footer.at[1], writer.paste(bytes) + start);
  const flat = (blocks: readonly Block[]) => blocks.flatMap((b) => [b.offset, b.metadataBytes, b.bodyBytes]);
  writer.patch(footer.at[2], writer.structs(flat(dictionaries), 3));
  writer.patch(footer.at[3], writer.structs(flat(batches), 3));
  writer.patch(footer.at[4], encodeMetadata(writer, metadata));
  return writer.finish(footer.start);
}

export interface Footer {
  readonly fields: readonly Field[];
  readonly dictionaries: readonly Block[];
  readonly batches: readonly Block[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** @throws FlatError */
export function decodeFooter(bytes: Uint8Array): Footer {
  const reader = new FlatReader(bytes);
  const footer = reader.root();
  const schema = reader.table(footer, 1);
  if (schema === undefined) throw new FlatError("a footer without a schema");
  return {
    fields: decodeFields(reader, schema),
    dictionaries: reader.blocks(footer, 2),
    batches: reader.blocks(footer, 3),
    metadata: decodeMetadata(reader, footer, 4),
  };
}

/** The fields of a schema message, prefix included. @throws FlatError */
export function decodeSchemaMessage(bytes: Uint8Array): Field[] {
  const start = bytes.byteLength >= 8 && new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true) === -1 ? 8 : 4;
  const reader = new FlatReader(bytes.subarray(start));
  const schema = reader.table(reader.root(), 2);
  if (schema === undefined) throw new FlatError("a schema message without a schema");
  return decodeFields(reader, schema);
}

/** A record batch's or dictionary's metadata, prefix included. @throws FlatError, NOT_SUPPORTED */
export function decodeBatchMessage(bytes: Uint8Array): BatchMetadata & { readonly dictionaryId: number | undefined } {
  if (bytes.byteLength < 16) throw new FlatError("a message that is too short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getInt32(0, true) !== -1) throw new FlatError("no message where the footer says one is");
  const reader = new FlatReader(bytes.subarray(8));
  const message = reader.root();
  const kind = reader.u8(message, 1);
  const header = reader.table(message, 2);
  if (header === undefined) throw new FlatError("a message without content");
  if (kind === HEADER_RECORD_BATCH) return { ...decodeBatch(reader, header), dictionaryId: undefined };
  if (kind !== HEADER_DICTIONARY) throw new FlatError(`a message of an unexpected kind (${kind})`);
  const batch = reader.table(header, 1);
  if (batch === undefined || reader.u8(header, 2) !== 0)
    throw new FlatError("a dictionary without content, or a delta");
  return { ...decodeBatch(reader, batch), dictionaryId: reader.i64(header, 0) };
}

function decodeBatch(reader: FlatReader, table: number): BatchMetadata {
  if (reader.table(table, 3) !== undefined) {
    throw new TableError("NOT_SUPPORTED", "Compressed Arrow IPC bodies are not read; write the file uncompressed.");
  }
  const rows = reader.i64(table, 0);
  if (rows < 0 || rows > 0x7fffffff) throw new FlatError(`a batch of ${rows} rows`);
  return { rows, nodes: reader.numbers(table, 1, 2), buffers: reader.numbers(table, 2, 2) };
}
