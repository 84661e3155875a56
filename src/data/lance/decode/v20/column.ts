/**
 * A column of the request over the columns of a data file 2.0: one column per schema node, lists with a column of
 * offsets of their own, structs with one that holds nothing.
 *
 * Items of a list lie in pages that are cut without regard to the list's own. Specification: lance-format.md section 7.
 */
import { fromBinary } from "@bufbuild/protobuf";
import type { Data, DataType } from "apache-arrow";
import {
  type ArrayEncoding,
  ArrayEncodingSchema,
  ColumnEncodingSchema,
} from "../../../../format/protos/encodings20_pb.js";
import type { SchemaNode } from "../../../../format/schema.js";
import { TableError } from "../../../../support/errors.js";
import { bitmapBytes } from "../../../kernels/bits.js";
import { makeColumn } from "../../../kernels/column.js";
import { layoutOf } from "../../../kernels/layout.js";
import type { ColumnInfo } from "../../container.js";
import type { ByteReader } from "../byte-reader.js";
import { type ColumnSource, columnOf, splitByPage, storedBytes } from "../column.js";
import type { ColumnReader } from "../column-reader.js";
import { damaged, located, type Place, unknownEncoding } from "../damage.js";
import { type Ranges, rangesLength } from "../flat-sinks.js";
import { leafColumn, rowSlots, toOffsets } from "../leaf-data.js";
import { LevelSink, pageLevels } from "../levels.js";
import { shapeOf, sinkFor, valueBytes } from "../shape.js";
import { arrayDecoder } from "./array.js";
import type { ArrayDecoder } from "./context.js";
import { type EndTable, endTable } from "./ends.js";

const ARRAY_URL = "/lance.encodings.ArrayEncoding";

interface NodeReader extends ColumnReader {
  /** Rows, or items of the list around it. */
  readonly rows: number;
}

/** @throws CORRUPT, NOT_SUPPORTED naming an encoding, INVALID_ARGUMENT for a field that the file does not hold */
export async function openColumn20(source: ColumnSource, node: SchemaNode): Promise<ColumnReader> {
  const reader = await openNode(source, node);
  if (reader.rows !== source.container.rows) {
    const error = new TableError("CORRUPT", `it has ${reader.rows} rows, the file has ${source.container.rows}`);
    throw located(error, { path: source.path, offset: 0, column: node.field.name });
  }
  return reader;
}

async function openNode(source: ColumnSource, node: SchemaNode): Promise<NodeReader> {
  const index = columnOf(source.file, node.id);
  if (index === undefined) {
    const message = `Column "${node.field.name}" (field ${node.id}) is not held by data file ${source.path}; read it as NULL.`;
    throw new TableError("INVALID_ARGUMENT", message, { details: { path: source.path, fieldId: node.id } });
  }
  const info = await source.container.column(index);
  const place = (page: number): Place => ({
    path: source.path,
    column: node.field.name,
    offset: info.pages[page]?.buffers[0]?.start ?? 0,
  });
  try {
    requirePlain(info);
  } catch (error) {
    throw located(error, place(0));
  }
  const layout = layoutOf(node.field.type);
  const encodings = info.pages.map((_, page) => describePage(info, page, place));
  const packed = encodings[0]?.arrayEncoding.case === "packedStruct";
  if (layout.kind === "struct" && !packed) return structReader(source, node, info, encodings, place);
  if (layout.kind === "list") return listReader(source, node, info, encodings, place);
  return leafReader(source, source.nodeOf(node.id) ?? node, node, info, encodings, place);
}

function describePage(info: ColumnInfo, page: number, place: (page: number) => Place): ArrayEncoding {
  try {
    const { encoding } = info.pages[page]!;
    if (encoding.typeUrl !== ARRAY_URL) unknownEncoding(`the page encoding ${encoding.typeUrl}`);
    return fromBinary(ArrayEncodingSchema, encoding.value);
  } catch (error) {
    throw located(error, place(page));
  }
}

/** Refuses columns whose pages hold something other than the values. */
function requirePlain(info: ColumnInfo): void {
  if (info.encoding === undefined) return;
  const { columnEncoding } = fromBinary(ColumnEncodingSchema, info.encoding.value);
  if (columnEncoding.case === "blob") unknownEncoding("a blob column");
  if (columnEncoding.case !== "values" && columnEncoding.case !== undefined) {
    unknownEncoding(`the column encoding ${columnEncoding.case}`);
  }
}

async function structReader(
  source: ColumnSource,
  node: SchemaNode,
  info: ColumnInfo,
  encodings: readonly ArrayEncoding[],
  place: (page: number) => Place,
): Promise<NodeReader> {
  const other = encodings.findIndex((encoding) => encoding.arrayEncoding.case !== "struct");
  if (other >= 0) {
    const name = encodings[other]!.arrayEncoding.case ?? "nothing";
    throw located(
      new TableError("NOT_SUPPORTED", `a struct encoded as ${name} is not known to this version`),
      place(other),
    );
  }
  const children: NodeReader[] = [];
  for (const child of node.children) children.push(await openNode(source, child));
  if (children.some((child) => child.rows !== info.rows)) {
    throw located(new TableError("CORRUPT", "the children of a struct differ in length"), place(0));
  }
  return {
    rows: info.rows,
    rowBytes: children.reduce((sum, child) => sum + child.rowBytes, 0),
    storedBytes: children.reduce((sum, child) => sum + child.storedBytes, 0),
    pageStarts: children[0]?.pageStarts ?? [],
    async load(ranges, reader) {
      const loads = await Promise.all(children.map((child) => child.load(ranges, reader)));
      const length = rangesLength(ranges);
      return () => makeColumn(node.field.type, { length, nullCount: 0, children: loads.map((decode) => decode()) });
    },
  };
}

interface ListPage {
  readonly ends: EndTable;
  readonly items: number;
  /** Items of the pages before. */
  readonly firstItem: number;
}

async function listReader(
  source: ColumnSource,
  node: SchemaNode,
  info: ColumnInfo,
  encodings: readonly ArrayEncoding[],
  place: (page: number) => Place,
): Promise<NodeReader> {
  const child = await openNode(source, node.children[0]!);
  const pages: ListPage[] = [];
  let firstItem = 0;
  encodings.forEach((encoding, i) => {
    try {
      const list = encoding.arrayEncoding;
      if (list.case !== "list") unknownEncoding(`a list encoded as ${list.case ?? "nothing"}`);
      const page = info.pages[i]!;
      const items = Number(list.value.numItems);
      const context = { page, column: info, isDictionary: false };
      pages.push({
        ends: endTable(list.value.offsets, list.value.nullOffsetAdjustment, page.rows, context),
        items,
        firstItem,
      });
      firstItem += items;
      if (firstItem > child.rows) damaged(`lists refer to ${firstItem} items, there are ${child.rows}`);
    } catch (error) {
      throw located(error, place(i));
    }
  });
  const perRow = child.rows / Math.max(1, info.rows);
  return {
    rows: info.rows,
    rowBytes: 4 + perRow * child.rowBytes,
    storedBytes: storedBytes(info) + child.storedBytes,
    pageStarts: info.pages.map((page) => page.firstRow),
    load: (ranges, reader) => loadLists(node, info, pages, child, ranges, reader, place),
  };
}

async function loadLists(
  node: SchemaNode,
  info: ColumnInfo,
  pages: readonly ListPage[],
  child: NodeReader,
  ranges: Ranges,
  reader: ByteReader,
  place: (page: number) => Place,
): Promise<() => Data> {
  const rows = rangesLength(ranges);
  const offsets = new Int32Array(rows + 1);
  const validity = new Uint8Array(bitmapBytes(rows)).fill(255);
  const items: number[] = [];
  let row = 0;
  let nullCount = 0;
  for (const part of splitByPage(info, ranges)) {
    const page = pages[part.page]!;
    try {
      for (const run of await page.ends.load(part.ranges, reader)) {
        const { ends, nulls } = run;
        const last = ends.length - 1;
        if (ends[last]! > page.items) damaged(`a list ends at item ${ends[last]} of ${page.items}`);
        for (let i = 0; i < last; i++) offsets[row + i + 1] = offsets[row + i]! + ends[i + 1]! - ends[i]!;
        for (const at of nulls) validity[(row + at) >>> 3] = validity[(row + at) >>> 3]! & ~(1 << ((row + at) & 7));
        nullCount += nulls.length;
        row += last;
        addRange(items, page.firstItem + ends[0]!, page.firstItem + ends[last]!);
      }
    } catch (error) {
      throw located(error, place(part.page));
    }
  }
  const decode = items.length === 0 ? undefined : await child.load(items, reader);
  return () => {
    const data = decode === undefined ? emptyColumn(node.children[0]!) : decode();
    const bits = nullCount === 0 ? undefined : validity;
    return makeColumn(node.field.type, {
      length: rows,
      nullCount,
      validity: bits,
      offsets: toOffsets(node.field.type, offsets),
      children: [data],
    });
  };
}

function addRange(ranges: number[], start: number, end: number): void {
  if (start === end) return;
  if (ranges.length > 0 && ranges[ranges.length - 1] === start) ranges[ranges.length - 1] = end;
  else ranges.push(start, end);
}

/** A column without rows. */
function emptyColumn(node: SchemaNode): Data {
  const { type } = node.field;
  const { kind } = layoutOf(type);
  const none = { length: 0, nullCount: 0 };
  if (kind === "struct") return makeColumn(type, { ...none, children: node.children.map(emptyColumn) });
  if (kind !== "list") return leafColumn(type, type, sinkFor(shapeOf(type), 0), { ...none, validity: undefined });
  return makeColumn(type, {
    ...none,
    offsets: toOffsets(type, new Int32Array(1)),
    children: node.children.map(emptyColumn),
  });
}

const NULLABLE_ITEM = pageLevels([3], ["item"]);

function leafReader(
  source: ColumnSource,
  full: SchemaNode,
  node: SchemaNode,
  info: ColumnInfo,
  encodings: readonly ArrayEncoding[],
  place: (page: number) => Place,
): NodeReader {
  const { type } = full.field;
  let decoders = source.arrays.get(info.index);
  if (decoders === undefined) {
    decoders = openPages(type, info, encodings, place);
    source.arrays.set(info.index, decoders);
  }
  const pages = decoders;
  const shape = shapeOf(type);
  const stored = storedBytes(info);
  return {
    rows: info.rows,
    rowBytes: Math.max(valueBytes(shape), stored / Math.max(1, info.rows)),
    storedBytes: stored,
    pageStarts: info.pages.map((one) => one.firstRow),
    async load(ranges, reader) {
      const split = splitByPage(info, ranges);
      const parts = await Promise.all(
        split.map(async (part) => {
          try {
            return await pages[part.page]!.load(part.ranges, reader);
          } catch (error) {
            throw located(error, place(part.page));
          }
        }),
      );
      return () => {
        const rows = rangesLength(ranges);
        const values = sinkFor(shape, rows);
        const levels = new LevelSink(rows, false);
        parts.forEach((part, i) => {
          try {
            part.append(values);
            const count = rangesLength(split[i]!.ranges);
            levels.append(undefined, toLevels(part.validity, count), count, NULLABLE_ITEM);
            if (values.length !== levels.length) damaged("a page has another number of values");
          } catch (error) {
            throw located(error, place(split[i]!.page));
          }
        });
        const nulls = levels.def;
        const slots =
          nulls === undefined ? { length: rows, nullCount: 0, validity: undefined } : rowSlots(nulls, rows, 1);
        return leafColumn(node.field.type, type, values, slots);
      };
    },
  };
}

function openPages(
  type: DataType,
  info: ColumnInfo,
  encodings: readonly ArrayEncoding[],
  place: (page: number) => Place,
): readonly ArrayDecoder[] {
  const isDictionary = layoutOf(type).kind === "dictionary";
  let page = 0;
  try {
    const shape = shapeOf(type);
    const decoders: ArrayDecoder[] = [];
    for (; page < encodings.length; page++) {
      const at = info.pages[page]!;
      decoders.push(arrayDecoder(encodings[page], shape, at.rows, { page: at, column: info, isDictionary }));
    }
    return decoders;
  } catch (error) {
    throw located(error, place(page));
  }
}

function toLevels(validity: Uint8Array | undefined, count: number): Uint16Array | undefined {
  if (validity === undefined) return undefined;
  const levels = new Uint16Array(count);
  for (let i = 0; i < count; i++) levels[i] = 1 - ((validity[i >>> 3]! >>> (i & 7)) & 1);
  return levels;
}
