/**
 * Pages of data files 2.0: one column of the file per schema node, each page a tree of array encodings
 * (encodings20.proto).
 *
 * Refuses null structs, which this version cannot hold; native does too. Maps are refused before.
 */

import type { SchemaNode } from "../../../format/schema.js";
import { WireWriter } from "../../../format/wire.js";
import { TableError, unreachable } from "../../../support/errors.js";
import { copyBits } from "../../kernels/bits.js";
import { type Bits, bitAt } from "./bits.js";
import type { Column, DictionaryColumn, LeafColumn, ListColumn, Validity, VariableColumn } from "./column.js";
import type { Message } from "./describe.js";
import { cleanIndices } from "./dictionary.js";
import type { EncodedPage } from "./page.js";
import { cutLeaf } from "./page-cuts.js";
import { concatColumns, sliceColumn } from "./slices.js";

/** Field numbers of ArrayEncoding. */
const ENCODING = { flat: 1, nullable: 2, fixedSizeList: 3, list: 4, struct: 5, binary: 6, dictionary: 7 } as const;

/** Adds a run's pages to the columns of a node and its children, depth first. @throws NOT_SUPPORTED */
export function encodeArrayPages(
  node: SchemaNode,
  column: Column,
  firstRow: number,
  columns: Iterator<EncodedPage[], never>,
): void {
  const pages = columns.next().value;
  switch (column.kind) {
    case "struct": {
      if (column.validity) throw nullStruct(node);
      // Native looks at the first page of a struct, also at that of one without rows.
      pages.splice(0, 1, { rows: (pages[0]?.rows ?? 0) + column.length, firstRow: 0, layout: struct(), buffers: [] });
      for (const [i, child] of column.children.entries()) {
        encodeArrayPages(node.children[i]!, child, firstRow, columns);
      }
      return;
    }
    case "list": {
      const { offsets, items } = withoutHiddenItems(column);
      if (column.length > 0) pages.push({ rows: column.length, firstRow, ...encodeOffsets(offsets, column.validity) });
      encodeArrayPages(node.children[0]!, items, firstRow, columns);
      return;
    }
    default:
      for (const [start, end] of cutLeaf(column)) {
        const buffers = new Buffers();
        const layout = encodeArray(sliceColumn(column, start, end), buffers);
        pages.push({ rows: end - start, firstRow: firstRow + start, layout, buffers: buffers.all.map((one) => [one]) });
      }
  }
}

function nullStruct(node: SchemaNode): TableError {
  return new TableError(
    "NOT_SUPPORTED",
    `Struct "${node.field.name}" is null in some row, which tables of data format 2.0 cannot hold; fill it, or copy the table into one of format 2.2.`,
    { details: { fieldId: node.id } },
  );
}

/** Buffers of one page, in the order of their numbers. */
class Buffers {
  readonly all: Uint8Array[] = [];

  /** A Flat encoding over a new buffer. */
  flat(bits: number, bytes: Uint8Array): Message {
    const index = this.all.push(bytes) - 1;
    const writer = new WireWriter(32);
    const encoding = writer.begin(ENCODING.flat);
    writer.uint(1, bits);
    const buffer = writer.begin(2);
    writer.uintIfSet(1, index);
    writer.commit(buffer);
    writer.commit(encoding);
    return writer.finish();
  }
}

/** ArrayEncoding of the values, whose buffers join `buffers`. */
function encodeArray(column: LeafColumn, buffers: Buffers): Message {
  switch (column.kind) {
    case "null":
      return allNull();
    case "variable":
      return encodeBinary(column, buffers);
    case "dictionary":
      return encodeDictionary(column, buffers);
    case "fixed":
    case "bit":
    case "vector": {
      const { validity } = column;
      if (validity && !isAnyValid(validity, column.length)) return allNull();
      const nulls = validity && buffers.flat(1, packBits(validity, column.length));
      return nullable(nulls, encodeValues(column, buffers));
    }
    default:
      return unreachable(column);
  }
}

function encodeValues(column: LeafColumn & { kind: "fixed" | "bit" | "vector" }, buffers: Buffers): Message {
  if (column.kind === "fixed") return buffers.flat(column.width * 8, column.bytes);
  if (column.kind === "bit") return buffers.flat(1, packBits(column.bits, column.length));
  const { dimension, items } = column;
  const writer = new WireWriter(64);
  const list = writer.begin(ENCODING.fixedSizeList);
  writer.uint(1, dimension);
  writer.data(2, encodeArray(items, buffers));
  writer.bool(3, items.validity !== undefined);
  writer.commit(list);
  return writer.finish();
}

/** End offsets, in which a null value stands higher by one more than there are bytes, and the bytes. */
function encodeBinary(column: VariableColumn, buffers: Buffers): Message {
  const { offsets, bytes, length, validity } = column;
  const first = offsets[0]!;
  const total = offsets[length]! - first;
  const indices = noNulls(buffers.flat(64, encodeEnds(offsets, validity, total + 1)));
  const writer = new WireWriter(64);
  const binary = writer.begin(ENCODING.binary);
  writer.data(1, indices);
  writer.data(2, buffers.flat(8, bytes.subarray(first, first + total)));
  writer.uint(3, total + 1);
  writer.commit(binary);
  return writer.finish();
}

/** A null row points at an item of its own, which is null. */
function encodeDictionary(column: DictionaryColumn, buffers: Buffers): Message {
  const { validity, length } = column;
  let { items } = column;
  let indices = column.indices;
  if (validity) {
    const nullIndex = items.length;
    if (nullIndex >= 2 ** (indices.width * 8 - 1)) {
      throw new TableError("NOT_SUPPORTED", `A dictionary of ${nullIndex} values leaves no index for null; widen it.`);
    }
    indices = cleanIndices(column);
    const view = new DataView(indices.bytes.buffer);
    for (let i = 0; i < length; i++) {
      if (bitAt(validity, i)) continue;
      for (let b = 0, rest = nullIndex; b < indices.width; b++, rest = Math.floor(rest / 256)) {
        view.setUint8(i * indices.width + b, rest % 256);
      }
    }
    items = concatColumns([items, nullItem(items)]) as typeof items;
  }
  const writer = new WireWriter(128);
  const dictionary = writer.begin(ENCODING.dictionary);
  writer.data(1, noNulls(buffers.flat(indices.width * 8, indices.bytes)));
  writer.data(2, encodeArray(items, buffers));
  writer.uint(3, items.length);
  writer.commit(dictionary);
  return writer.finish();
}

function nullItem(items: DictionaryColumn["items"]): DictionaryColumn["items"] {
  const common = { length: 1, validity: { bytes: new Uint8Array(1), offset: 0 } };
  if (items.kind === "fixed") return { ...items, ...common, bytes: new Uint8Array(items.width) };
  return { ...items, ...common, offsets: new Int32Array(2), bytes: new Uint8Array(0) };
}

function encodeOffsets(offsets: Int32Array, validity: Validity): Pick<EncodedPage, "layout" | "buffers"> {
  const items = offsets.at(-1)! - offsets[0]!;
  const buffers = new Buffers();
  const ends = noNulls(buffers.flat(64, encodeEnds(offsets, validity, items + 1)));
  const writer = new WireWriter(64);
  const list = writer.begin(ENCODING.list);
  writer.data(1, ends);
  writer.uint(2, items + 1);
  writer.uintIfSet(3, items);
  writer.commit(list);
  return { layout: writer.finish(), buffers: buffers.all.map((one) => [one]) };
}

/** Ends as u64, those of null rows raised by `adjustment`. */
function encodeEnds(offsets: Int32Array, validity: Validity, adjustment: number): Uint8Array {
  const length = offsets.length - 1;
  const first = offsets[0]!;
  const ends = new Uint32Array(length * 2);
  for (let i = 0; i < length; i++) {
    const end = offsets[i + 1]! - first + (validity && !bitAt(validity, i) ? adjustment : 0);
    ends[i * 2] = end;
    if (end > 0xffff_ffff) ends[i * 2 + 1] = 1;
  }
  return new Uint8Array(ends.buffer);
}

/** The list with only the items that belong to a list that is there. */
function withoutHiddenItems(column: ListColumn): Pick<ListColumn, "offsets" | "items"> {
  const { offsets, validity, items, length } = column;
  const ends = new Int32Array(length + 1);
  const ranges: Column[] = [];
  let start = offsets[0]!;
  for (let i = 0; i < length; i++) {
    const isNull = validity !== undefined && !bitAt(validity, i);
    ends[i + 1] = ends[i]! + (isNull ? 0 : offsets[i + 1]! - offsets[i]!);
    if (!isNull || offsets[i] === offsets[i + 1]) continue;
    ranges.push(sliceColumn(items, start, offsets[i]!));
    start = offsets[i + 1]!;
  }
  ranges.push(sliceColumn(items, start, offsets[length]!));
  return { offsets: ends, items: concatColumns(ranges) };
}

function isAnyValid(validity: Bits, length: number): boolean {
  for (let i = 0; i < length; i++) if (bitAt(validity, i)) return true;
  return false;
}

function packBits(bits: Bits, length: number): Uint8Array {
  const bytes = new Uint8Array((length + 7) >> 3);
  copyBits(bits.bytes, bits.offset, bytes, 0, length);
  return bytes;
}

function struct(): Message {
  const writer = new WireWriter(8);
  writer.commit(writer.begin(ENCODING.struct));
  return writer.finish();
}

const noNulls = (values: Message): Message => nullable(undefined, values);

function allNull(): Message {
  const writer = new WireWriter(8);
  const encoding = writer.begin(ENCODING.nullable);
  writer.commit(writer.begin(3));
  writer.commit(encoding);
  return writer.finish();
}

function nullable(validity: Message | undefined, values: Message): Message {
  const writer = new WireWriter(64);
  const encoding = writer.begin(ENCODING.nullable);
  const form = writer.begin(validity ? 2 : 1);
  if (validity) writer.data(1, validity);
  writer.data(validity ? 2 : 1, values);
  writer.commit(form);
  writer.commit(encoding);
  return writer.finish();
}
