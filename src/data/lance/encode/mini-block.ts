/**
 * The mini-block layout: small values in chunks, each with its own levels (encodings21.proto, MiniBlockLayout).
 *
 * A chunk is a header of sizes, then repetition levels, definition levels and value buffers, each padded to 8 bytes.
 */
import { TableError } from "../../../support/errors.js";
import type { ChunkValues } from "./chunk-values.js";
import { type Layer, type Message, miniBlockLayout } from "./describe.js";
import { type LevelCodec, levelCodec } from "./packing.js";
import type { PageBuffer } from "./page.js";

const PADDING = 0xfe;
const LEVELS_PER_CHUNK_MAX = 0xffff;

/** Levels of one page, or of a plain column without nulls: neither array. */
export interface PageLevels {
  readonly rep: Uint16Array | undefined;
  readonly def: Uint16Array | undefined;
  readonly maxRep: number;
  readonly maxDef: number;
  readonly maxVisibleDef: number;
  readonly layers: readonly Layer[];
}

export interface PageDictionary {
  readonly description: Message;
  readonly count: number;
  readonly bytes: Uint8Array;
}

interface Chunk {
  readonly values: readonly [start: number, end: number];
  readonly levels: readonly [start: number, end: number];
  readonly sizeBytes: number;
}

const padded = (size: number) => (size + 7) & ~7;

/** Layout and buffers of a page of `items` values. @throws NOT_SUPPORTED when a chunk's levels do not fit its header. */
export function encodeMiniBlock(
  values: ChunkValues,
  levels: PageLevels,
  options: { readonly items: number; readonly largeChunks: boolean; readonly dictionary?: PageDictionary | undefined },
): { layout: Message; buffers: PageBuffer[] } {
  const { largeChunks, dictionary, items } = options;
  const repCodec = levels.rep && levelCodec(levels.rep.length, levels.maxRep);
  const defCodec = levels.def && levelCodec(levels.def.length, levels.maxDef);
  const page: Page = { values, levels, repCodec, defCodec, largeChunks };
  const chunks = planChunks(page);
  const buffers: PageBuffer[] = [[encodeWords(chunks, largeChunks)], [encodeChunks(page, chunks)]];
  if (dictionary) buffers.push([dictionary.bytes]);
  if (levels.rep) buffers.push([repetitionIndex(levels.rep, levels.maxRep, chunks)]);
  const layout = miniBlockLayout({
    rep: repCodec?.description,
    def: defCodec?.description,
    values: values.description,
    dictionary: dictionary && { items: dictionary.description, count: dictionary.count },
    layers: levels.layers,
    buffers: values.buffers,
    items,
    largeChunks,
  });
  return { layout, buffers };
}

interface Page {
  readonly values: ChunkValues;
  readonly levels: PageLevels;
  readonly repCodec: LevelCodec | undefined;
  readonly defCodec: LevelCodec | undefined;
  readonly largeChunks: boolean;
}

function planChunks(page: Page): Chunk[] {
  const { counts } = page.values;
  const levelsTotal = page.levels.rep?.length ?? page.levels.def?.length ?? 0;
  const chunks: Chunk[] = [];
  let value = 0;
  let level = 0;
  for (const [i, count] of counts.entries()) {
    const last = i === counts.length - 1;
    const levelsEnd = levelsTotal === 0 ? 0 : last ? levelsTotal : skipItems(page.levels, level, count);
    const sizeBytes = chunkBytes(page, value, value + count, levelsEnd - level);
    chunks.push({ values: [value, value + count], levels: [level, levelsEnd], sizeBytes });
    value += count;
    level = levelsEnd;
  }
  return chunks;
}

/** The level after the next `count` visible items; invisible ones behind them go to the next chunk. */
function skipItems(levels: PageLevels, from: number, count: number): number {
  const { def, maxVisibleDef, rep } = levels;
  if (!def || !rep) return from + count;
  let at = from;
  for (let left = count; left > 0; at++) if (def[at]! <= maxVisibleDef) left--;
  return at;
}

function headerBytes(page: Page): number {
  const levelSizes = (page.repCodec ? 2 : 0) + (page.defCodec ? 2 : 0);
  return padded(2 + levelSizes + page.values.buffers * (page.largeChunks ? 4 : 2));
}

function chunkBytes(page: Page, start: number, end: number, levels: number): number {
  let size = headerBytes(page);
  for (const codec of [page.repCodec, page.defCodec]) {
    if (!codec) continue;
    const bytes = codec.sizeOf(levels);
    if (levels > LEVELS_PER_CHUNK_MAX || bytes > 0xffff) throw tooManyLevels(levels);
    size += padded(bytes);
  }
  for (let b = 0; b < page.values.buffers; b++) size += padded(page.values.sizeOf(b, start, end));
  if (!page.largeChunks && size > 32 * 1024) throw tooManyLevels(levels);
  return size;
}

function tooManyLevels(levels: number): TableError {
  return new TableError(
    "NOT_SUPPORTED",
    `A row holds ${levels} null or empty lists next to one another, more than a chunk of a Lance page can describe; split the row.`,
  );
}

function encodeWords(chunks: readonly Chunk[], large: boolean): Uint8Array {
  const words = large ? new Uint32Array(chunks.length) : new Uint16Array(chunks.length);
  for (const [i, chunk] of chunks.entries()) {
    const count = chunk.values[1] - chunk.values[0];
    const exponent = i === chunks.length - 1 ? 0 : 31 - Math.clz32(count);
    words[i] = (chunk.sizeBytes / 8 - 1) * 16 + exponent;
  }
  return new Uint8Array(words.buffer);
}

function encodeChunks(page: Page, chunks: readonly Chunk[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0));
  let at = 0;
  for (const chunk of chunks) {
    writeChunk(page, chunk, out, at);
    at += chunk.sizeBytes;
  }
  return out;
}

function writeChunk(page: Page, chunk: Chunk, out: Uint8Array, start: number): void {
  const { values, levels, largeChunks } = page;
  const levelCount = chunk.levels[1] - chunk.levels[0];
  const header = new DataView(out.buffer, out.byteOffset + start, headerBytes(page));
  header.setUint16(0, levelCount, true);
  let field = 2;
  let at = start + header.byteLength;
  for (const [codec, array] of [
    [page.repCodec, levels.rep],
    [page.defCodec, levels.def],
  ] as const) {
    if (!codec || !array) continue;
    const size = codec.sizeOf(levelCount);
    header.setUint16(field, size, true);
    field += 2;
    codec.write(array, chunk.levels[0], chunk.levels[1], out, at);
    out.fill(PADDING, at + size, at + padded(size));
    at += padded(size);
  }
  for (let b = 0; b < values.buffers; b++) {
    const size = values.sizeOf(b, chunk.values[0], chunk.values[1]);
    if (largeChunks) header.setUint32(field, size, true);
    else header.setUint16(field, size, true);
    field += largeChunks ? 4 : 2;
    values.write(b, chunk.values[0], chunk.values[1], out, at);
    out.fill(PADDING, at + size, at + padded(size));
    at += padded(size);
  }
  out.fill(PADDING, start + field, start + header.byteLength);
}

/** Per chunk: rows that end in it, and levels left over that belong to a row going on in the next one. */
function repetitionIndex(rep: Uint16Array, maxRep: number, chunks: readonly Chunk[]): Uint8Array {
  const index = new BigUint64Array(chunks.length * 2);
  for (const [i, chunk] of chunks.entries()) {
    const [start, end] = chunk.levels;
    let ended = 0;
    let lastStart = -1;
    for (let at = start; at < end; at++) {
      if (rep[at] !== maxRep) continue;
      if (at > start) ended++;
      lastStart = at;
    }
    const last = i === chunks.length - 1;
    const endsHere = last || rep[end] === maxRep;
    if (endsHere) ended++;
    index[i * 2] = BigInt(ended);
    index[i * 2 + 1] = endsHere ? 0n : BigInt(lastStart < 0 ? end - start : end - lastStart);
  }
  return new Uint8Array(index.buffer);
}
