/**
 * A Parquet footer: which row groups there are and where their column chunks lie; and footers for extracts, small
 * Parquet files in memory that hold some column chunks of one row group and nothing else.
 *
 * Field numbers: apache/parquet-format parquet.thrift (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData).
 */
import {
  decodeThrift,
  encodeThrift,
  i32,
  i64,
  numberAt,
  struct,
  structAt,
  structs,
  structsAt,
  ThriftError,
  type ThriftStruct,
  text,
  textAt,
  withFields,
} from "./thrift.js";

const FILE = { schema: 2, rows: 3, rowGroups: 4, metadata: 5, columnOrders: 7 } as const;
const ELEMENT = { name: 4, children: 5 } as const;
const GROUP = { columns: 1, rows: 3, offset: 5 } as const;
const CHUNK = {
  offset: 2,
  metadata: 3,
  offsetIndex: 4,
  offsetIndexLength: 5,
  columnIndex: 6,
  columnIndexLength: 7,
} as const;
const COLUMN = {
  path: 3,
  compressedBytes: 7,
  dataPage: 9,
  indexPage: 10,
  dictionaryPage: 11,
  bloomFilter: 14,
  bloomFilterLength: 15,
} as const;
/** The key under which Arrow keeps its own schema. */
export const ARROW_SCHEMA_KEY = "ARROW:schema";

const MAGIC = new TextEncoder().encode("PAR1");

export interface ChunkPlace {
  /** Name of the top-level column. */
  readonly column: string;
  readonly start: number;
  readonly end: number;
}

export interface RowGroup {
  readonly rows: number;
  readonly chunks: readonly ChunkPlace[];
  readonly thrift: ThriftStruct;
}

export interface ParquetFooter {
  readonly rowGroups: readonly RowGroup[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly thrift: ThriftStruct;
}

/** @throws ThriftError */
export function decodeParquetFooter(bytes: Uint8Array): ParquetFooter {
  const thrift = decodeThrift(bytes);
  const pairs = structsAt(thrift, FILE.metadata).map((pair) => [textAt(pair, 1), textAt(pair, 2)] as const);
  const rowGroups = structsAt(thrift, FILE.rowGroups).map((group) => ({
    rows: numberAt(group, GROUP.rows),
    chunks: structsAt(group, GROUP.columns).map(placeOf),
    thrift: group,
  }));
  return { rowGroups, metadata: new Map(pairs), thrift };
}

function placeOf(chunk: ThriftStruct): ChunkPlace {
  const column = structAt(chunk, CHUNK.metadata);
  const path = column.fields.get(COLUMN.path);
  const first = path?.kind === "list" ? path.items[0] : undefined;
  const name = first?.kind === "bytes" ? Buffer.from(first.value).toString("utf8") : "";
  const data = numberAt(column, COLUMN.dataPage);
  const dictionary = column.fields.has(COLUMN.dictionaryPage) ? numberAt(column, COLUMN.dictionaryPage) : data;
  // A dictionary page at 0 is how some writers say that there is none.
  const start = dictionary === 0 ? data : Math.min(data, dictionary);
  return { column: name, start, end: start + numberAt(column, COLUMN.compressedBytes) };
}

/** What an extract is made of. */
export interface ExtractParts {
  readonly group: RowGroup;
  /** The bytes of the wanted column chunks by their index in the row group. */
  readonly chunks: ReadonlyMap<number, Uint8Array>;
  /** The wanted columns as an Arrow schema message, in the order of the file. */
  readonly arrowSchema: Uint8Array;
}

/** A Parquet file of some top-level columns of one row group. @throws ThriftError */
export function encodeExtract(footer: ParquetFooter, parts: ExtractParts): Uint8Array {
  const { group, chunks, arrowSchema } = parts;
  const all = structsAt(group.thrift, GROUP.columns);
  const names = new Set([...chunks.keys()].map((i) => group.chunks[i]!.column));
  let size: number = MAGIC.byteLength;
  const moved: ThriftStruct[] = [];
  for (const [i, bytes] of chunks) {
    moved.push(moveChunk(all[i]!, size - group.chunks[i]!.start));
    size += bytes.byteLength;
  }
  const rowGroup = withFields(group.thrift, { [GROUP.columns]: structs(moved), [GROUP.offset]: undefined });
  const hint = Buffer.from(arrowSchema).toString("base64");
  const thrift = withFields(footer.thrift, {
    [FILE.schema]: structs(pruneSchema(structsAt(footer.thrift, FILE.schema), names)),
    [FILE.rows]: i64(group.rows),
    [FILE.rowGroups]: structs([rowGroup]),
    [FILE.metadata]: structs([struct({ 1: text(ARROW_SCHEMA_KEY), 2: text(hint) })]),
    [FILE.columnOrders]: undefined,
  });
  const tail = encodeThrift(thrift);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, tail.byteLength, true);
  return joined([MAGIC, ...chunks.values(), tail, length, MAGIC], size + tail.byteLength + 8);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}

/** The schema elements (depth-first, the root first) of the named top-level columns. */
function pruneSchema(elements: readonly ThriftStruct[], names: ReadonlySet<string>): ThriftStruct[] {
  const [root, ...rest] = elements;
  if (root === undefined) throw new ThriftError("no schema");
  const kept: ThriftStruct[] = [];
  let columns = 0;
  let at = 0;
  while (at < rest.length) {
    const end = subtreeEnd(rest, at);
    if (names.has(textAt(rest[at]!, ELEMENT.name))) {
      kept.push(...rest.slice(at, end));
      columns++;
    }
    at = end;
  }
  return [withFields(root, { [ELEMENT.children]: i32(columns) }), ...kept];
}

/** Index behind an element and everything below it. */
function subtreeEnd(elements: readonly ThriftStruct[], start: number): number {
  let at = start;
  for (let open = 1; open > 0; at++) {
    const element = elements[at];
    if (element === undefined) throw new ThriftError("a schema that ends in the middle");
    open += (element.fields.has(ELEMENT.children) ? numberAt(element, ELEMENT.children) : 0) - 1;
  }
  return at;
}

/** The chunk as it lies in the extract; page indexes and filters are left behind. */
function moveChunk(chunk: ThriftStruct, distance: number): ThriftStruct {
  const column = structAt(chunk, CHUNK.metadata);
  const shift = (id: number) => {
    const offset = column.fields.has(id) ? numberAt(column, id) : 0;
    return offset === 0 ? undefined : i64(offset + distance);
  };
  const moved = withFields(column, {
    [COLUMN.dataPage]: shift(COLUMN.dataPage),
    [COLUMN.dictionaryPage]: shift(COLUMN.dictionaryPage),
    [COLUMN.indexPage]: undefined,
    [COLUMN.bloomFilter]: undefined,
    [COLUMN.bloomFilterLength]: undefined,
  });
  return withFields(chunk, {
    [CHUNK.offset]: i64(0),
    [CHUNK.metadata]: moved,
    [CHUNK.offsetIndex]: undefined,
    [CHUNK.offsetIndexLength]: undefined,
    [CHUNK.columnIndex]: undefined,
    [CHUNK.columnIndexLength]: undefined,
  });
}
