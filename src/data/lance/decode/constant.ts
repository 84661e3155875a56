/**
 * Pages that hold one value for all items, or none at all: every item is NULL.
 *
 * Levels, where there are any, are kept after the first read. Specification: lance-format.md 8.3.
 */
import type { ConstantLayout } from "../../../format/protos/encodings21_pb.js";
import type { Extent, PageInfo } from "../container.js";
import { checkLevelEncoding, decodeLevels } from "./block-values.js";
import type { ByteReader } from "./byte-reader.js";
import { readOffsets } from "./chunk-values.js";
import { DECODED_MAX_BYTES, damaged } from "./damage.js";
import type { Ranges } from "./flat-sinks.js";
import { canonicalForm, countVisible, keepRows, type PageLevels, pageLevels } from "./levels.js";
import { appendFixed } from "./packed-rows.js";
import type { LeafSink, LeafType, PageDecoder } from "./page.js";
import { type Shape, sinkFor } from "./shape.js";
import { gatherInto, type ValueSink } from "./sinks.js";

interface Loaded {
  readonly value: ValueSink | undefined;
  readonly rep: Uint16Array | undefined;
  readonly def: Uint16Array | undefined;
}

interface Buffers {
  readonly scalar: Extent | undefined;
  readonly rep: Extent | undefined;
  readonly def: Extent | undefined;
}

const NOTHING: Extent = { start: 0, end: 0 };

/** @throws CORRUPT, NOT_SUPPORTED naming what is not known */
export function constantDecoder(page: PageInfo, layout: ConstantLayout, leaf: LeafType): PageDecoder {
  const levels = pageLevels(layout.layers, leaf.layers);
  checkLevelEncoding(layout.repCompression);
  checkLevelEncoding(layout.defCompression);
  const buffers = assign(page.buffers);
  if (buffers.scalar !== undefined && layout.inlineValue !== undefined) damaged("a constant page has two values");
  let loaded: Promise<Loaded> | undefined;
  const open = (reader: ByteReader): Promise<Loaded> => {
    loaded ??= loadPage(page, layout, leaf, levels, buffers, reader).catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
  return {
    rows: page.rows,
    async load(ranges, reader) {
      const { value, rep, def } = await open(reader);
      return (sink) => {
        if (levels.maxRep === 0) appendRows(sink, ranges, def, value, levels);
        else appendLists(sink, ranges, page.rows, rep, def, value, levels, leaf);
      };
    },
  };
}

/** Which buffer is which follows from their number. */
function assign(buffers: readonly Extent[]): Buffers {
  switch (buffers.length) {
    case 0:
      return { scalar: undefined, rep: undefined, def: undefined };
    case 1:
      return { scalar: buffers[0], rep: undefined, def: undefined };
    case 2:
      return { scalar: undefined, rep: buffers[0], def: buffers[1] };
    case 3:
      return { scalar: buffers[0], rep: buffers[1], def: buffers[2] };
    default:
      return damaged(`a constant page has ${buffers.length} buffers`);
  }
}

async function loadPage(
  page: PageInfo,
  layout: ConstantLayout,
  leaf: LeafType,
  levels: PageLevels,
  buffers: Buffers,
  reader: ByteReader,
): Promise<Loaded> {
  const extents = [buffers.scalar ?? NOTHING, buffers.rep ?? NOTHING, buffers.def ?? NOTHING];
  const [scalar, repBytes, defBytes] = await reader.read(extents);
  const { repCompression, defCompression } = layout;
  const read = (bytes: Uint8Array, encoding: typeof repCompression, claimed: bigint): Uint16Array | undefined => {
    if (bytes.byteLength === 0) return undefined;
    const count = encoding === undefined ? bytes.byteLength >>> 1 : Number(claimed);
    if (count * 2 > DECODED_MAX_BYTES) damaged(`${count} levels in one page`);
    return decodeLevels(encoding, bytes, count);
  };
  const rep = read(repBytes!, repCompression, layout.numRepValues);
  const def = read(defBytes!, defCompression, layout.numDefValues);
  if (rep !== undefined && def !== undefined && rep.length !== def.length) damaged("levels differ in number");
  if (levels.maxRep === 0 && def !== undefined && def.length !== page.rows) {
    damaged(`${def.length} levels stand for ${page.rows} rows`);
  }
  const bytes = layout.inlineValue;
  let value: ValueSink | undefined;
  if (bytes !== undefined) value = oneFixed(leaf.shape, bytes);
  else if (buffers.scalar !== undefined) value = decodeScalar(leaf.shape, scalar!);
  return { value, rep, def };
}

function oneFixed(shape: Shape, bytes: Uint8Array): ValueSink {
  const sink = sinkFor(shape, 1);
  if (sink.kind === "bytes") sink.push(bytes, 0, bytes.byteLength);
  else appendFixed(sink, bytes.slice(), 1);
  return sink;
}

/** Number of buffers, their lengths, and the buffers of an Arrow array of one row. */
function decodeScalar(shape: Shape, bytes: Uint8Array): ValueSink {
  if (bytes.byteLength < 4) damaged("a constant is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count === 0 || count > 8 || bytes.byteLength < 4 + count * 4) damaged(`a constant claims ${count} buffers`);
  const parts: Uint8Array[] = [];
  let at = 4 + count * 4;
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(4 + i * 4, true);
    if (length > bytes.byteLength - at) damaged("a constant is cut short");
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (shape.kind !== "bytes") return oneFixed(shape, parts.at(-1)!);
  const [offsets, values] = parts.slice(-2);
  if (offsets === undefined || values === undefined) damaged("a constant text has no offsets");
  const ends = readOffsets(offsets, 0, offsets.byteLength >= 16 ? 8 : 4, 1, 0, values.byteLength);
  const sink = sinkFor(shape, 1);
  if (sink.kind === "bytes") sink.push(values, ends[0]!, ends[1]!);
  return sink;
}

function appendValues(sink: ValueSink, value: ValueSink | undefined, count: number): void {
  if (value === undefined) sink.appendEmpty(count);
  else gatherInto(sink, value, new Uint8Array(count), count);
}

function appendRows(
  sink: LeafSink,
  ranges: Ranges,
  def: Uint16Array | undefined,
  value: ValueSink | undefined,
  levels: PageLevels,
): void {
  for (let i = 0; i < ranges.length; i += 2) {
    const start = ranges[i]!;
    const end = ranges[i + 1]!;
    const count = end - start;
    const own = def?.subarray(start, end) ?? (value === undefined ? nulls(count, levels) : undefined);
    sink.levels.append(undefined, own, count, levels);
    appendValues(sink.values, value, count);
  }
}

/** Levels of a page that stores none because every row is NULL. */
function nulls(count: number, levels: PageLevels): Uint16Array | undefined {
  return levels.maxDef === 0 ? undefined : new Uint16Array(count).fill(levels.maxDef);
}

function appendLists(
  sink: LeafSink,
  ranges: Ranges,
  rows: number,
  rep: Uint16Array | undefined,
  def: Uint16Array | undefined,
  value: ValueSink | undefined,
  levels: PageLevels,
  leaf: LeafType,
): void {
  const entries = rep?.length ?? def?.length ?? rows;
  const start = { entries: sink.levels.length, items: sink.values.length, row: 0 };
  const own = def ?? (value === undefined ? nulls(entries, levels) : undefined);
  sink.levels.append(rep, own, entries, levels);
  appendValues(sink.values, value, own === undefined ? entries : countVisible(own, levels.maxVisibleDef));
  keepRows(sink, start, ranges, canonicalForm(leaf.layers));
}
