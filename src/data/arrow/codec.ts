/**
 * The arrow codec: data files are Arrow IPC files that any Arrow implementation reads. docs/format.md.
 *
 * `DataFile.fields` lists every node of the schema depth-first (items of fixed-size lists are none); `columnIndices` is
 * the position in the same walk over the file's own schema.
 */
import { type Data, type DataType, type Dictionary, type RecordBatch, Vector } from "apache-arrow";
import type { DataFile } from "../../format/fragment.js";
import { type SchemaNode, sameType } from "../../format/schema.js";
import { assert } from "../../support/errors.js";
import { type CheckedFile, corrupt, openChecked } from "../checksums.js";
import type { ByteSource, ColumnStatistics, DataFileReader, FragmentCodec, ReadRequest } from "../codec.js";
import { childrenOf, hasChildFields, TYPE_ID } from "../kernels/layout.js";
import { sizeInBody } from "./body.js";
import { ARROW_FILE_VERSION, encodeArrowFile } from "./encode.js";
import { FlatError } from "./flat-reader.js";
import { type LoadColumn, type LoadContext, loadColumn } from "./load.js";
import { type Block, decodeBatchMessage, decodeFooter, type Footer } from "./message.js";
import { type RowPiece, selectPieces, takePieces, toBatches } from "./selection.js";
import { decodeSummary, placesOf, SUMMARY_KEY, type Summary } from "./summary.js";

export const arrowCodec: FragmentCodec = {
  dataFormat: "arrow",
  extension: "arrow",
  encode: async (batches, schema, options) => encodeArrowFile(batches, schema, options?.fileName),
  open: (source, file) => openArrowFile(source, file),
};

/** A column of the file, wanted or not, as the loader sees it. */
interface FileColumn extends LoadColumn {
  readonly children: readonly FileColumn[];
}

const MAGIC = "ARROW1";

function footerBytes(tail: Uint8Array): number {
  const end = tail.byteLength;
  if (end < 10 || Buffer.from(tail.subarray(end - 6)).toString("latin1") !== MAGIC) return Number.NaN;
  const length = new DataView(tail.buffer, tail.byteOffset, end).getInt32(end - 10, true);
  return length > 0 ? length + 10 : Number.NaN;
}

async function openArrowFile(source: ByteSource, file: DataFile): Promise<DataFileReader> {
  const { path, sizeBytes } = source;
  const checked = await openChecked(source, file, ARROW_FILE_VERSION.major, footerBytes);
  const footerStart = sizeBytes - checked.footer.byteLength;
  return guarded(path, footerStart, () => {
    const footer = decodeFooter(checked.footer.subarray(0, checked.footer.byteLength - 10));
    const columns = columnsOf(footer);
    const positions = depthFirst(columns);
    const types = positions.map((column) => column.type);
    const summary = decodeSummary(footer.metadata.get(SUMMARY_KEY) ?? "", types);
    if (summary === undefined || summary.batchRows.length !== footer.batches.length) {
      throw corrupt(path, footerStart, "the summary in the footer makes no sense");
    }
    return new ArrowFileReader(checked, footer, summary, placesOf(path, file, positions.length), positions);
  });
}

/** Runs a decoder; its complaints become CORRUPT with the place. */
function guarded<T>(path: string, offset: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof FlatError) throw corrupt(path, offset, `its metadata has ${error.message}`, error);
    throw error;
  }
}

function columnsOf(footer: Footer): FileColumn[] {
  const next = { node: 0, buffer: 0, dictionary: 0 };
  const build = (type: DataType): FileColumn => {
    const isDictionary = (type.typeId as number) === TYPE_ID.dictionary;
    const { node, buffer } = next;
    const below = isDictionary ? [] : childrenOf(type);
    const own = sizeInBody(type).buffers - below.reduce((sum, c) => sum + sizeInBody(c.type as DataType).buffers, 0);
    next.node++;
    next.buffer += own;
    const dictionary = isDictionary ? next.dictionary++ : undefined;
    return { type, node, buffer, dictionary, children: below.map((child) => build(child.type as DataType)) };
  };
  return footer.fields.map((field) => build(field.type as DataType));
}

function depthFirst(columns: readonly FileColumn[]): FileColumn[] {
  return columns.flatMap((column) => [column, ...(hasChildFields(column.type) ? depthFirst(column.children) : [])]);
}

class ArrowFileReader implements DataFileReader {
  readonly rows: number;
  readonly #file: CheckedFile;
  readonly #footer: Footer;
  readonly #summary: Summary;
  readonly #places: ReadonlyMap<number, number>;
  readonly #columns: readonly FileColumn[];

  constructor(
    file: CheckedFile,
    footer: Footer,
    summary: Summary,
    places: ReadonlyMap<number, number>,
    columns: readonly FileColumn[],
  ) {
    this.#file = file;
    this.#footer = footer;
    this.#summary = summary;
    this.#places = places;
    this.#columns = columns;
    this.rows = summary.batchRows.reduce((sum, rows) => sum + rows, 0);
  }

  statistics(fieldId: number): ColumnStatistics | undefined {
    const place = this.#places.get(fieldId);
    return place === undefined ? undefined : this.#summary.columns[place]!.statistics;
  }

  async *read(request: ReadRequest): AsyncGenerator<RecordBatch, void, undefined> {
    const columns = request.schema.nodes.map((node) => this.#resolve(node));
    const dictionaries = new Map<number, Promise<Vector>>();
    const dictionaryOf = (id: number) => {
      const known = dictionaries.get(id) ?? this.#loadDictionary(id);
      dictionaries.set(id, known);
      return known;
    };
    const pieces = selectPieces(this.#summary.batchRows, request.rows);
    let ahead = pieces.length > 0 ? this.#loadPiece(pieces[0]!, columns, dictionaryOf) : undefined;
    for (let i = 0; i < pieces.length; i++) {
      const loaded = await ahead!;
      ahead = i + 1 < pieces.length ? this.#loadPiece(pieces[i + 1]!, columns, dictionaryOf) : undefined;
      // A consumer that stops early never waits for what is on its way.
      ahead?.catch(() => undefined);
      yield* toBatches(request, loaded, pieces[i]!.rows);
    }
  }

  /** What to load for a wanted column: its place in the file, its type as wanted, its children as wanted. */
  #resolve(node: SchemaNode): LoadColumn {
    const place = this.#places.get(node.id);
    assert(place !== undefined, `the data file ${this.#file.path} holds field ${node.id}`);
    const column = this.#columns[place]!;
    const type = node.field.type as DataType;
    const nested = hasChildFields(type) && hasChildFields(column.type) && node.children.length > 0;
    const fits = nested ? column.type.typeId === type.typeId : sameType(column.type, type);
    if (!fits) {
      throw corrupt(
        this.#file.path,
        0,
        `field ${node.id} is ${String(column.type)} where the schema says ${String(type)}`,
      );
    }
    return nested
      ? { ...column, type, children: node.children.map((child) => this.#resolve(child)) }
      : retyped(column, type);
  }

  async #context(
    block: Block,
    dictionaryOf: (id: number) => Promise<Vector>,
    dictionaryId?: number,
  ): Promise<LoadContext> {
    const { path, dataBytes } = this.#file;
    const { offset, metadataBytes, bodyBytes } = block;
    if (offset < 0 || metadataBytes < 16 || bodyBytes < 0 || offset + metadataBytes + bodyBytes > dataBytes) {
      throw corrupt(path, offset, "the footer lists a record batch outside the file");
    }
    const bytes = await this.#file.read(offset, offset + metadataBytes);
    const batch = guarded(path, offset, () => decodeBatchMessage(bytes));
    if (batch.dictionaryId !== dictionaryId) throw corrupt(path, offset, "a record batch of another kind than listed");
    return { file: this.#file, block, batch, dictionaryOf };
  }

  async #loadDictionary(id: number): Promise<Vector> {
    const block = this.#footer.dictionaries[id];
    if (block === undefined) throw corrupt(this.#file.path, 0, `dictionary ${id} is missing`);
    const context = await this.#context(
      block,
      () => Promise.reject(corrupt(this.#file.path, 0, "nested dictionaries")),
      id,
    );
    const owner = this.#dictionaryColumn(id);
    const column = columnsOf({ ...this.#footer, fields: [{ type: owner.dictionary } as never] })[0]!;
    return new Vector([await loadColumn(context, column, 0, context.batch.rows)]);
  }

  #dictionaryColumn(id: number): Dictionary {
    const find = (columns: readonly FileColumn[]): FileColumn | undefined => {
      for (const column of columns) {
        const found = column.dictionary === id ? column : find(column.children);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return find(this.#columns)!.type as Dictionary;
  }

  async #loadPiece(
    piece: RowPiece,
    columns: readonly LoadColumn[],
    dictionaryOf: (id: number) => Promise<Vector>,
  ): Promise<Data[]> {
    const block = this.#footer.batches[piece.batch]!;
    if (columns.length === 0) return [];
    const context = await this.#context(block, dictionaryOf);
    const { rows } = context.batch;
    if (rows !== this.#summary.batchRows[piece.batch]) {
      throw corrupt(this.#file.path, block.offset, `a record batch has ${rows} rows where the footer says otherwise`);
    }
    return await takePieces(piece, columns.length, block.bodyBytes / Math.max(rows, 1), (start, end) =>
      Promise.all(columns.map((column) => loadColumn(context, column, start, end))),
    );
  }
}

/** The column and its children under the wanted type's own objects. */
function retyped(column: FileColumn, type: DataType): LoadColumn {
  const children = column.children.map((child, i) => retyped(child, childrenOf(type)[i]!.type as DataType));
  return { ...column, type, children };
}
