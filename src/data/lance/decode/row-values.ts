/**
 * Decoders for values that lie one by one in a full-zip page.
 *
 * Specification: lance-format.md 8.4, 10.6 to 10.8.
 */
import type { CompressiveEncoding, VariablePackedStruct } from "../../../format/protos/encodings21_pb.js";
import { flatBits, offsetBytes, refuseBufferCompression } from "./chunk-values.js";
import { damaged, unknownEncoding } from "./damage.js";
import { decodeFsst, decodeSymbolTable } from "./fsst.js";
import { decompress, schemeOf } from "./general.js";
import { appendFixed, packedWidth } from "./packed-rows.js";
import type { Shape } from "./shape.js";
import type { ListSink, ValueSink } from "./sinks.js";

export interface RowDecoder {
  /** Bytes of every value, when all have the same. */
  readonly width: number | undefined;
  /** Bytes of the length before a value, when they differ. */
  readonly lengthBytes: number;
  /** Appends `count` values of equal width that lie side by side. */
  append(bytes: Uint8Array, count: number, sink: ValueSink): void;
  /** Value i is bytes [bounds[2i], bounds[2i + 1]); a NULL is empty. Decompresses what has to be waited for. */
  prepare(bytes: Uint8Array, bounds: Uint32Array, count: number): Promise<(sink: ValueSink) => void>;
}

/** @throws CORRUPT, NOT_SUPPORTED naming the encoding */
export function rowDecoder(
  encoding: CompressiveEncoding | undefined,
  shape: Shape,
  fixedBits: number | undefined,
  lengthBits: number | undefined,
): RowDecoder {
  if (fixedBits !== undefined) return fixedDecoder(encoding, shape, fixedBits);
  if (lengthBits !== 32 && lengthBits !== 64) return unknownEncoding(`lengths of ${lengthBits} bits`);
  return variableDecoder(encoding, shape, lengthBits / 8);
}

/** One level of fixed-size lists on the way to the values. */
interface ListLevel {
  /** Bytes of validity per value, 0 without. */
  readonly validityBytes: number;
}

function fixedDecoder(encoding: CompressiveEncoding | undefined, shape: Shape, bits: number): RowDecoder {
  const lists: ListLevel[] = [];
  let inner = encoding;
  let innerShape = shape;
  let values = 1;
  while (inner?.compression.case === "fixedSizeList") {
    const list = inner.compression.value;
    if (innerShape.kind !== "fixed-list" || BigInt(innerShape.size) !== list.itemsPerValue) {
      return damaged(`lists of ${list.itemsPerValue} values stand for a value of kind ${innerShape.kind}`);
    }
    values *= innerShape.size;
    lists.push({ validityBytes: list.hasValidity ? Math.ceil(values / 8) : 0 });
    inner = list.values;
    innerShape = innerShape.child;
  }
  const itemBits = flatBits(inner, "full-zip values");
  const known = innerShape.kind === "bits" ? 1 : innerShape.kind === "fixed" ? innerShape.width * 8 : 0;
  if (itemBits !== known) damaged(`${itemBits} bits stand for a value of kind ${innerShape.kind}`);
  const validityBytes = lists.reduce((sum, list) => sum + list.validityBytes, 0);
  const valueBytes = Math.ceil((values * itemBits) / 8);
  const width = validityBytes + valueBytes;
  if (width * 8 !== bits && validityBytes * 8 + values * itemBits !== bits) {
    damaged(`a value of ${width} bytes takes ${bits} bits`);
  }
  const append = (bytes: Uint8Array, count: number, sink: ValueSink): void => {
    if (bytes.byteLength < count * width) damaged("full-zip values are cut short");
    if (validityBytes === 0 && itemBits !== 1) appendFixed(sink, bytes, count);
    else appendLists(bytes, count, width, lists, sink);
  };
  return {
    width,
    lengthBytes: 0,
    append,
    async prepare(bytes, bounds, count) {
      const packed = new Uint8Array(count * width);
      for (let i = 0; i < count; i++) packed.set(bytes.subarray(bounds[2 * i]!, bounds[2 * i + 1]!), i * width);
      return (sink) => append(packed, count, sink);
    },
  };
}

/** Rows of lists whose items have validity, or are bits: validity of each level, then the values. */
function appendLists(
  bytes: Uint8Array,
  count: number,
  width: number,
  lists: readonly ListLevel[],
  sink: ValueSink,
): void {
  for (let i = 0, row = 0; i < count; i++, row += width) {
    let at = row;
    let inner = sink;
    const levels: ListSink[] = [];
    for (const { validityBytes } of lists) {
      if (inner.kind !== "fixed-list") damaged("a list stands for another value");
      // Outer levels count their lists' items, so the number of lists at this level follows from those above.
      const scale = levels.reduce((product, level) => product * level.size, 1);
      inner.appendValidity(validityBytes === 0 ? undefined : bytes.subarray(at, at + validityBytes), 0, scale);
      at += validityBytes;
      inner.length += scale;
      levels.push(inner);
      inner = inner.child;
    }
    const values = levels.reduce((product, level) => product * level.size, 1);
    appendFixed(inner, bytes.subarray(at, row + width), values);
  }
}

function variableDecoder(encoding: CompressiveEncoding | undefined, shape: Shape, lengthBytes: number): RowDecoder {
  const compression = encoding?.compression;
  const append = (): void => damaged("values of differing length are taken for fixed ones");
  switch (compression?.case) {
    case "variable":
      refuseBufferCompression(compression.value.values);
      offsetBytes(compression.value.offsets);
      requireText(shape);
      return { width: undefined, lengthBytes, append, prepare: async (...values) => plainText(...values) };
    case "fsst": {
      requireText(shape);
      const table = decodeSymbolTable(compression.value.symbolTable);
      if (!table.active)
        return { width: undefined, lengthBytes, append, prepare: async (...values) => plainText(...values) };
      return {
        width: undefined,
        lengthBytes,
        append,
        prepare: async (bytes, bounds, count) => (sink) => {
          if (sink.kind !== "bytes") return;
          const ends = [0, 0];
          for (let i = 0; i < count; i++) {
            ends[0] = bounds[2 * i]!;
            ends[1] = bounds[2 * i + 1]!;
            decodeFsst(table, bytes, ends, 1, sink);
          }
        },
      };
    }
    case "general": {
      requireText(shape);
      const scheme = schemeOf(compression.value.compression);
      const inner = compression.value.values?.compression.case;
      if (inner !== undefined && inner !== "variable") unknownEncoding(`general compression over ${inner}`);
      return {
        width: undefined,
        lengthBytes,
        append,
        async prepare(bytes, bounds, count) {
          const values: Uint8Array[] = [];
          for (let i = 0; i < count; i++) {
            const value = bytes.subarray(bounds[2 * i]!, bounds[2 * i + 1]!);
            values.push(value.byteLength === 0 ? value : await decompress(scheme, value));
          }
          return (sink) => {
            if (sink.kind === "bytes") for (const value of values) sink.push(value, 0, value.byteLength);
          };
        },
      };
    }
    case "variablePackedStruct":
      return packedStructDecoder(compression.value, shape, lengthBytes);
    default:
      return unknownEncoding(`the full-zip encoding ${compression?.case ?? "without a name"}`);
  }
}

function requireText(shape: Shape): void {
  if (shape.kind !== "bytes") damaged(`text stands for a value of kind ${shape.kind}`);
}

function plainText(bytes: Uint8Array, bounds: Uint32Array, count: number): (sink: ValueSink) => void {
  return (sink) => {
    if (sink.kind !== "bytes") return;
    sink.reserveValues(count);
    if (count > 0) sink.reserveBytes(bounds[2 * count - 1]! - bounds[0]!);
    for (let i = 0; i < count; i++) sink.push(bytes, bounds[2 * i]!, bounds[2 * i + 1]!);
  };
}

/** Rows of side-by-side children, some behind a length. */
function packedStructDecoder(encoding: VariablePackedStruct, shape: Shape, lengthBytes: number): RowDecoder {
  if (shape.kind !== "struct" || shape.children.length !== encoding.fields.length) {
    return damaged(`a packed struct of ${encoding.fields.length} children stands for a value of kind ${shape.kind}`);
  }
  const children = shape.children;
  const decoders = encoding.fields.map((field, i) => {
    const child = children[i]!;
    if (field.layout.case === "bitsPerLength")
      return rowDecoder(field.value, child, undefined, Number(field.layout.value));
    const width = packedWidth(child, Number(field.layout.value ?? 0));
    return { ...rowDecoder(field.value, child, width * 8, undefined), width };
  });
  return {
    width: undefined,
    lengthBytes,
    append: () => damaged("values of differing length are taken for fixed ones"),
    async prepare(bytes, bounds, count) {
      const columns = splitPacked(bytes, bounds, count, decoders);
      const fill = await Promise.all(decoders.map((decoder, i) => decoder.prepare(bytes, columns[i]!, count)));
      return (sink) => {
        if (sink.kind !== "struct") return;
        fill.forEach((append, i) => {
          append(sink.children[i]!);
        });
        sink.length += count;
      };
    },
  };
}

/** Bounds of each child's values in packed rows; a NULL row has empty children. */
function splitPacked(
  bytes: Uint8Array,
  bounds: Uint32Array,
  count: number,
  decoders: readonly RowDecoder[],
): Uint32Array[] {
  const columns = decoders.map(() => new Uint32Array(count * 2));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < count; i++) {
    let at = bounds[2 * i]!;
    const end = bounds[2 * i + 1]!;
    if (at === end) {
      for (const column of columns) column[2 * i] = column[2 * i + 1] = at;
      continue;
    }
    decoders.forEach((decoder, j) => {
      let length = decoder.width ?? 0;
      if (decoder.width === undefined) {
        if (at + decoder.lengthBytes > end) damaged("a packed row is cut short");
        length = view.getUint32(at, true);
        at += decoder.lengthBytes;
      }
      if (at + length > end) damaged("a packed row is cut short");
      columns[j]![2 * i] = at;
      at += length;
      columns[j]![2 * i + 1] = at;
    });
  }
  return columns;
}
