/**
 * The parquet codec: data files are Parquet files, zstd, that any Parquet reader opens. docs/format.md.
 *
 * Reads hand parquet-wasm a small file in memory that holds exactly the wanted column chunks of one row group, already
 * checked against their checksums: nothing that goes wrong outside can go wrong inside WebAssembly. Field ids are in
 * the Parquet schema; `DataFile.fields` and `columnIndices` are those of the arrow codec.
 */
import { type Data, type DataType, type Field, type RecordBatch, Schema } from "apache-arrow";
import type { DataFile } from "../../format/fragment.js";
import { type SchemaNode, sameType } from "../../format/schema.js";
import { assert, isTableError } from "../../support/errors.js";
import { FlatError } from "../arrow/flat-reader.js";
import { decodeSchemaMessage, encodeSchemaMessage } from "../arrow/message.js";
import { type RowPiece, selectPieces, takePieces, toBatches } from "../arrow/selection.js";
import { decodeSummary, placesOf, SUMMARY_KEY, type Summary } from "../arrow/summary.js";
import { type CheckedFile, corrupt, openChecked } from "../checksums.js";
import type { ByteSource, ColumnStatistics, DataFileReader, FragmentCodec, ReadRequest } from "../codec.js";
import { rewrap } from "../columns/adopt.js";
import { sliceColumn } from "../kernels/batches.js";
import { makeColumn, type Offsets, validityOf } from "../kernels/column.js";
import { childrenOf, hasChildFields } from "../kernels/layout.js";
import { splice } from "../kernels/splice.js";
import { encodeParquetFile, PARQUET_FILE_VERSION, parquetFooterBytes } from "./encode.js";
import { ARROW_SCHEMA_KEY, decodeParquetFooter, encodeExtract, type ParquetFooter } from "./footer.js";
import { ThriftError } from "./thrift.js";
import { messageOf, readParquetFile } from "./wasm.js";

export const parquetCodec: FragmentCodec = {
  dataFormat: "parquet",
  extension: "parquet",
  encode: (batches, schema, options) => encodeParquetFile(batches, schema, options?.fileName),
  open: (source, file) => openParquetFile(source, file),
};

const ROWS_MAX = 0x7fffffff;

/** A column of the file: its position depth-first, its field, its children. */
interface FileColumn {
  readonly place: number;
  readonly field: Field;
  readonly children: readonly FileColumn[];
}

async function openParquetFile(source: ByteSource, file: DataFile): Promise<DataFileReader> {
  const { path, sizeBytes } = source;
  const checked = await openChecked(source, file, PARQUET_FILE_VERSION.major, parquetFooterBytes);
  const footerStart = sizeBytes - checked.footer.byteLength;
  try {
    const footer = decodeParquetFooter(checked.footer.subarray(0, checked.footer.byteLength - 8));
    const columns = columnsOf(footer);
    const all = depthFirst(columns);
    const types = all.map((column) => column.field.type as DataType);
    const summary = decodeSummary(footer.metadata.get(SUMMARY_KEY) ?? "", types);
    const groupRows = footer.rowGroups.map((group) => group.rows);
    if (summary === undefined || groupRows.some((rows, i) => rows !== summary.batchRows[i] || rows > ROWS_MAX)) {
      throw corrupt(path, footerStart, "the summary in the footer makes no sense");
    }
    return new ParquetFileReader(checked, footer, summary, placesOf(path, file, all.length), columns);
  } catch (error) {
    if (!(error instanceof ThriftError || error instanceof FlatError)) throw error;
    throw corrupt(path, footerStart, `its metadata has ${error.message}`, error);
  }
}

function columnsOf(footer: ParquetFooter): FileColumn[] {
  const message = Buffer.from(footer.metadata.get(ARROW_SCHEMA_KEY) ?? "", "base64");
  let place = 0;
  const build = (field: Field): FileColumn => {
    const own = place++;
    const type = field.type as DataType;
    return { place: own, field, children: hasChildFields(type) ? childrenOf(type).map(build) : [] };
  };
  return decodeSchemaMessage(message).map(build);
}

function depthFirst(columns: readonly FileColumn[]): FileColumn[] {
  return columns.flatMap((column) => [column, ...depthFirst(column.children)]);
}

class ParquetFileReader implements DataFileReader {
  readonly rows: number;
  readonly #file: CheckedFile;
  readonly #footer: ParquetFooter;
  readonly #summary: Summary;
  readonly #places: ReadonlyMap<number, number>;
  readonly #columns: ReadonlyMap<number, FileColumn>;

  constructor(
    file: CheckedFile,
    footer: ParquetFooter,
    summary: Summary,
    places: ReadonlyMap<number, number>,
    columns: readonly FileColumn[],
  ) {
    this.#file = file;
    this.#footer = footer;
    this.#summary = summary;
    this.#places = places;
    this.#columns = new Map(columns.map((column) => [column.place, column]));
    this.rows = summary.batchRows.reduce((sum, rows) => sum + rows, 0);
  }

  statistics(fieldId: number): ColumnStatistics | undefined {
    const place = this.#places.get(fieldId);
    return place === undefined ? undefined : this.#summary.columns[place]!.statistics;
  }

  async *read(request: ReadRequest): AsyncGenerator<RecordBatch, void, undefined> {
    const { nodes } = request.schema;
    for (const piece of selectPieces(this.#summary.batchRows, request.rows)) {
      const group = await this.#loadGroup(piece, nodes);
      const columns = await takePieces(piece, nodes.length, 0, async (start, end) =>
        group.map((column) => sliceColumn(column, start, end - start)),
      );
      yield* toBatches(request, columns, piece.rows);
    }
  }

  #columnOf(node: SchemaNode): FileColumn {
    const place = this.#places.get(node.id);
    assert(place !== undefined, `the data file ${this.#file.path} holds field ${node.id}`);
    const column = this.#columns.get(place);
    if (column === undefined) throw corrupt(this.#file.path, 0, `field ${node.id} is no column but a part of one`);
    return column;
  }

  /** The wanted columns of a whole row group. */
  async #loadGroup(piece: RowPiece, nodes: readonly SchemaNode[]): Promise<Data[]> {
    if (nodes.length === 0) return [];
    const group = this.#footer.rowGroups[piece.batch]!;
    const columns = nodes.map((node) => this.#columnOf(node));
    const names = new Set(columns.map((column) => column.field.name));
    const parts = await Promise.all(
      group.chunks.map(async ({ column, start, end }, i) =>
        names.has(column) ? ([i, await this.#file.read(start, end)] as const) : undefined,
      ),
    );
    const offset = Math.min(...group.chunks.map((chunk) => chunk.start));
    const chunks = new Map(parts.filter((part) => part !== undefined));
    const wanted = [...this.#columns.values()].map((column) => column.field).filter(({ name }) => names.has(name));
    const arrowSchema = encodeSchemaMessage(new Schema(wanted), 0);
    let batches: RecordBatch[];
    try {
      batches = await readParquetFile(encodeExtract(this.#footer, { group, chunks, arrowSchema }), group.rows);
    } catch (error) {
      if (isTableError(error)) throw error;
      throw corrupt(this.#file.path, offset, `its pages cannot be decoded (${messageOf(error)})`, error);
    }
    return columns.map((column, i) => {
      const pieces = batches.map((batch) => {
        const at = batch.schema.fields.findIndex((field) => field.name === column.field.name);
        return at < 0 ? undefined : (batch.data.children[at] as Data);
      });
      const found = pieces.filter((chunk) => chunk !== undefined);
      const rows = found.reduce((sum, chunk) => sum + chunk.length, 0);
      if (found.length === 0 || rows !== group.rows) {
        throw corrupt(this.#file.path, offset, `column ${column.field.name} has ${rows} rows of ${group.rows}`);
      }
      return this.#fit(splice(found), column, nodes[i]!);
    });
  }

  /** The column under the wanted type, with the wanted children. */
  #fit(data: Data, column: FileColumn, node: SchemaNode): Data {
    const type = node.field.type as DataType;
    const source = data.type as DataType;
    const nested = hasChildFields(type) && node.children.length > 0;
    const fits = nested ? source.typeId === type.typeId : sameType(source, type);
    if (!fits) {
      throw corrupt(this.#file.path, 0, `field ${node.id} is ${String(source)} where the schema says ${String(type)}`);
    }
    if (!nested) return rewrap(data, type);
    const children = node.children.map((child) => {
      const at = column.children.findIndex((one) => one.place === this.#places.get(child.id));
      if (at < 0) throw corrupt(this.#file.path, 0, `field ${node.id} does not hold field ${child.id}`);
      return this.#fit(data.children[at]!, column.children[at]!, child);
    });
    return makeColumn(type, {
      length: data.length,
      nullCount: data.nullCount,
      bitOffset: data.offset,
      validity: validityOf(data),
      offsets: data.valueOffsets as Offsets | undefined,
      children,
    });
  }
}
