/** Writes a Parquet file: zstd, statistics per row group, field ids, our summary, and checksums before the footer. */
import { type DataType, Field, List, Map_, type RecordBatch, Schema, Struct } from "apache-arrow";
import { nodesDepthFirst, type SchemaNode, type TableSchema } from "../../format/schema.js";
import { arrange, BATCH_ROWS, encodeIpcStream, summarizePieces } from "../arrow/encode.js";
import { encodeSummary, SUMMARY_KEY } from "../arrow/summary.js";
import { encodeChecksums } from "../checksums.js";
import type { EncodedDataFile } from "../codec.js";
import { hasChildFields, largeListType, TYPE_ID } from "../kernels/layout.js";
import { writeParquetFile } from "./wasm.js";

export const PARQUET_FILE_VERSION = { major: 1, minor: 0 } as const;

/** The key that Arrow's own Parquet writers take field ids from. */
const FIELD_ID_KEY = "PARQUET:field_id";

/** The batches as the bytes of one Parquet file. @throws NOT_SUPPORTED for a type that Parquet does not hold */
export async function encodeParquetFile(
  batches: readonly RecordBatch[],
  schema: TableSchema,
  fileName?: string,
): Promise<EncodedDataFile> {
  const pieces = arrange(batches, schema);
  const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0);
  const groupRows: number[] = [];
  for (let start = 0; start < rows; start += BATCH_ROWS) groupRows.push(Math.min(BATCH_ROWS, rows - start));
  const bytes = await writeParquetFile(encodeIpcStream(pieces, withFieldIds(schema)), {
    rowGroupRows: BATCH_ROWS,
    metadata: new Map([[SUMMARY_KEY, encodeSummary(groupRows, summarizePieces(schema, pieces))]]),
    withDictionary: schema.arrow.fields.filter(mayRepeat).map((field) => field.name),
  });
  const footerStart = bytes.byteLength - parquetFooterBytes(bytes);
  const data = bytes.subarray(0, footerStart);
  const footer = bytes.subarray(footerStart);
  const section = encodeChecksums([data], footer, fileName);
  const fields = nodesDepthFirst(schema).map((node) => node.id);
  return {
    chunks: [data, section, footer],
    sizeBytes: bytes.byteLength + section.byteLength,
    rows,
    fields,
    columnIndices: fields.map((_, i) => i),
    majorVersion: PARQUET_FILE_VERSION.major,
    minorVersion: PARQUET_FILE_VERSION.minor,
  };
}

/** Length of the footer at the end of these bytes, with its length and magic; NaN when it is none. */
export function parquetFooterBytes(tail: Uint8Array): number {
  const end = tail.byteLength;
  if (end < 8 || Buffer.from(tail.subarray(end - 4)).toString("latin1") !== "PAR1") return Number.NaN;
  return new DataView(tail.buffer, tail.byteOffset, end).getUint32(end - 8, true) + 8;
}

/**
 * Columns whose values may repeat. A dictionary of floats or vectors is built for nothing, and parquet-wasm cannot name
 * the leaves of nested columns, so those do without.
 */
function mayRepeat(field: Field): boolean {
  const type = field.type as DataType;
  const id = type.typeId as number;
  return id !== TYPE_ID.float && id !== TYPE_ID.bool && id !== TYPE_ID.fixedSizeList && !hasChildFields(type);
}

const tagged = new WeakMap<TableSchema, Schema>();

function withFieldIds(schema: TableSchema): Schema {
  let result = tagged.get(schema);
  if (result === undefined) {
    result = new Schema(schema.nodes.map(tag));
    tagged.set(schema, result);
  }
  return result;
}

function tag(node: SchemaNode): Field {
  const { name, nullable } = node.field;
  return new Field(name, tagChildren(node), nullable, new Map([[FIELD_ID_KEY, String(node.id)]]));
}

function tagChildren(node: SchemaNode): DataType {
  const type = node.field.type as DataType;
  const children = node.children.map(tag);
  switch (type.typeId as number) {
    case TYPE_ID.struct:
      return new Struct(children);
    case TYPE_ID.list:
      return new List(children[0]!);
    case TYPE_ID.largeList:
      return largeListType(children[0]!);
    case TYPE_ID.map:
      return new Map_(children[0] as ConstructorParameters<typeof Map_>[0], (type as Map_).keysSorted);
    default:
      return type;
  }
}
