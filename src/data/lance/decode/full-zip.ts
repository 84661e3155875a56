/**
 * Pages of large values: every value beside its own levels, row by row.
 *
 * Fixed-width rows without lists lie at multiples of one stride; all others are found through the page's table of row
 * positions. Specification: lance-format.md 8.4.
 */
import type { CompressiveEncoding, FullZipLayout } from "../../../format/protos/encodings21_pb.js";
import type { Extent, PageInfo } from "../container.js";
import type { ByteReader } from "./byte-reader.js";
import { damaged } from "./damage.js";
import type { Ranges } from "./flat-sinks.js";
import { canonicalForm, keepRows, type PageLevels, pageLevels } from "./levels.js";
import type { LeafSink, LeafType, PageDecoder } from "./page.js";
import { type RowDecoder, rowDecoder } from "./row-values.js";

interface Plan {
  readonly page: PageInfo;
  readonly data: Extent;
  readonly levels: PageLevels;
  readonly repBits: number;
  readonly defBits: number;
  readonly controlBytes: number;
  readonly values: RowDecoder;
}

/** @throws CORRUPT, NOT_SUPPORTED naming what is not known */
export function fullZipDecoder(page: PageInfo, layout: FullZipLayout, leaf: LeafType): PageDecoder {
  const { bitsRep, bitsDef, details } = layout;
  const data = page.buffers[0];
  if (data === undefined) damaged("a full-zip page has no buffer");
  if (bitsRep > 16 || bitsDef > 16) damaged(`levels of ${bitsRep} and ${bitsDef} bits`);
  const levels = pageLevels(layout.layers, leaf.layers);
  if (levels.maxRep > 0 !== bitsRep > 0) damaged("repetition levels contradict the layers");
  const controlBytes = controlWordBytes(bitsRep + bitsDef);
  if (details.case === undefined) damaged("a full-zip page does not say how wide its values are");
  const fixedBits = details.case === "bitsPerValue" ? details.value : undefined;
  const lengthBits = details.case === "bitsPerOffset" ? details.value : undefined;
  const values = rowDecoder(
    layout.valueCompression as CompressiveEncoding | undefined,
    leaf.shape,
    fixedBits,
    lengthBits,
  );
  const plan: Plan = { page, data, levels, repBits: bitsRep, defBits: bitsDef, controlBytes, values };
  if (levels.maxRep === 0 && values.width !== undefined) {
    const stride = controlBytes + values.width;
    if (stride * page.rows > data.end - data.start)
      damaged(`${page.rows} rows of ${stride} bytes do not fit in the page`);
    return { rows: page.rows, load: (ranges, reader) => loadStrided(plan, stride, ranges, reader) };
  }
  return indexedDecoder(plan, leaf);
}

function controlWordBytes(bits: number): number {
  if (bits === 0) return 0;
  if (bits <= 8) return 1;
  return bits <= 16 ? 2 : 4;
}

async function loadStrided(
  plan: Plan,
  stride: number,
  ranges: Ranges,
  reader: ByteReader,
): Promise<(sink: LeafSink) => void> {
  const extents: Extent[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    extents.push({ start: plan.data.start + ranges[i]! * stride, end: plan.data.start + ranges[i + 1]! * stride });
  }
  const parts = await reader.borrow(extents);
  const rows = await Promise.all(
    parts.map(async (bytes, i) => {
      const count = ranges[2 * i + 1]! - ranges[2 * i]!;
      return { count, ...splitStrided(plan, bytes, count, stride) };
    }),
  );
  return (sink) => {
    for (const { count, def, values } of rows) {
      sink.levels.append(undefined, def, count, plan.levels);
      plan.values.append(values, count, sink.values);
    }
  };
}

/** Takes control words and values of equal width apart; without control words the values are the bytes as they are. */
function splitStrided(
  plan: Plan,
  bytes: Uint8Array,
  count: number,
  stride: number,
): { readonly def: Uint16Array | undefined; readonly values: Uint8Array } {
  const { controlBytes } = plan;
  if (controlBytes === 0) return { def: undefined, values: bytes };
  const width = stride - controlBytes;
  const def = new Uint16Array(count);
  const values = new Uint8Array(count * width);
  for (let i = 0, from = 0; i < count; i++, from += stride) {
    def[i] = bytes[from]! | (controlBytes === 1 ? 0 : bytes[from + 1]! << 8);
    values.set(bytes.subarray(from + controlBytes, from + stride), i * width);
  }
  return { def, values };
}

/** Pages whose rows have different lengths: the second buffer holds where each row begins, and where the last ends. */
function indexedDecoder(plan: Plan, leaf: LeafType): PageDecoder {
  const { page, data } = plan;
  const index = page.buffers[1];
  if (index === undefined) damaged("a full-zip page has no table of row positions");
  const indexBytes = index.end - index.start;
  const width = indexBytes / (page.rows + 1);
  if (width !== 1 && width !== 2 && width !== 4 && width !== 8) {
    damaged(`a table of ${indexBytes} bytes holds the positions of ${page.rows} rows`);
  }
  const form = canonicalForm(leaf.layers);
  const lists = plan.levels.maxRep > 0;
  return {
    rows: page.rows,
    async load(ranges, reader) {
      const positions = await readPositions(index, width, ranges, reader);
      const extents: Extent[] = [];
      for (let i = 0; i < positions.length; i += 2) {
        const start = data.start + positions[i]!;
        const end = data.start + positions[i + 1]!;
        if (!(start <= end && end <= data.end)) damaged("row positions lie outside the page");
        extents.push({ start, end });
      }
      const parts = await reader.borrow(extents);
      const runs = parts.map((bytes) => parseEntries(plan, bytes));
      const decoded = await Promise.all(runs.map((run) => plan.values.prepare(run.bytes, run.bounds, run.items)));
      return (sink) => {
        runs.forEach((run, i) => {
          const start = { entries: sink.levels.length, items: sink.values.length, row: 0 };
          const rows = ranges[2 * i + 1]! - ranges[2 * i]!;
          sink.levels.append(run.rep, run.def, run.entries, plan.levels);
          decoded[i]!(sink.values);
          if (!lists && run.entries !== rows) damaged(`${run.entries} entries stand for ${rows} rows`);
          if (lists) keepRows(sink, start, [0, rows], form);
        });
      };
    },
  };
}

/** First and last position for each range of rows. */
async function readPositions(index: Extent, width: number, ranges: Ranges, reader: ByteReader): Promise<number[]> {
  const ends = ranges.map((row) => ({ start: index.start + row * width, end: index.start + (row + 1) * width }));
  const parts = await reader.borrow(ends);
  return parts.map((bytes) => readUnsigned(bytes, 0, width));
}

function readUnsigned(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

interface Entries {
  readonly entries: number;
  readonly rep: Uint16Array | undefined;
  readonly def: Uint16Array | undefined;
  /** Visible items; item i is bytes [bounds[2i], bounds[2i + 1]). */
  readonly items: number;
  readonly bounds: Uint32Array;
  readonly bytes: Uint8Array;
}

/** Walks over control words, lengths and values of whole rows. */
function parseEntries(plan: Plan, bytes: Uint8Array): Entries {
  const { controlBytes, defBits, repBits, levels, values } = plan;
  const least = Math.max(1, controlBytes + (controlBytes === 0 ? values.lengthBytes : 0));
  const most = Math.floor(bytes.byteLength / least);
  const rep = repBits > 0 ? new Uint16Array(most) : undefined;
  const def = defBits > 0 ? new Uint16Array(most) : undefined;
  const bounds = new Uint32Array(most * 2);
  const mask = (1 << defBits) - 1;
  let entries = 0;
  let items = 0;
  for (let at = 0; at < bytes.byteLength; entries++) {
    if (at + least > bytes.byteLength) damaged("a full-zip entry is cut short");
    const word = readUnsigned(bytes, at, controlBytes);
    at += controlBytes;
    const level = word & mask;
    if (rep !== undefined) rep[entries] = word >>> defBits;
    if (def !== undefined) def[entries] = level;
    if (level > levels.maxVisibleDef) continue;
    let length = 0;
    if (values.width !== undefined) length = values.width;
    else if (level === 0) {
      if (at + values.lengthBytes > bytes.byteLength) damaged("a full-zip entry is cut short");
      length = readUnsigned(bytes, at, values.lengthBytes);
      at += values.lengthBytes;
    }
    if (length > bytes.byteLength - at) damaged("a full-zip value is longer than its row");
    bounds[2 * items] = at;
    at += length;
    bounds[2 * items + 1] = at;
    items++;
  }
  return {
    entries,
    rep: rep?.subarray(0, entries),
    def: def?.subarray(0, entries),
    items,
    bounds,
    bytes,
  };
}
