/**
 * Where the chunks of a mini-block page lie and which of them some rows need.
 *
 * Specification: lance-format.md 8.2, chunk words and repetition index.
 */
import { damaged } from "./damage.js";
import type { Ranges } from "./flat-sinks.js";

export interface ChunkTable {
  /** Byte position of each chunk in the page's data buffer, and the end of the last. */
  readonly starts: Float64Array;
  /** Visible items before each chunk, and their number. */
  readonly itemsBefore: Float64Array;
  /** Rows that ended before each chunk, and their number; absent when rows are items. */
  readonly rowsBefore: Float64Array | undefined;
  /** 1 for a chunk whose last row goes on in the next one; absent as above or when the page has no index. */
  readonly goesOn: Uint8Array | undefined;
}

export interface ChunkTableSource {
  readonly words: Uint8Array;
  /** Chunk words and value sizes of 32 bits instead of 16. */
  readonly wide: boolean;
  readonly dataBytes: number;
  readonly items: number;
  readonly rows: number;
  readonly hasLists: boolean;
  /** The repetition index, if the page has one. */
  readonly index: Uint8Array | undefined;
  readonly indexDepth: number;
}

/** @throws CORRUPT when the words contradict each other, the data's length or the numbers of items and rows */
export function decodeChunkTable(source: ChunkTableSource): ChunkTable {
  const { words, wide, dataBytes, items, rows } = source;
  const wordBytes = wide ? 4 : 2;
  if (words.byteLength % wordBytes !== 0) damaged("chunk words are cut short");
  const chunks = words.byteLength / wordBytes;
  const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
  const starts = new Float64Array(chunks + 1);
  const itemsBefore = new Float64Array(chunks + 1);
  for (let i = 0; i < chunks; i++) {
    const word = wide ? view.getUint32(i * 4, true) : view.getUint16(i * 2, true);
    starts[i + 1] = starts[i]! + ((word >>> 4) + 1) * 8;
    itemsBefore[i + 1] = i === chunks - 1 ? items : itemsBefore[i]! + 2 ** (word & 15);
  }
  if (starts[chunks]! > dataBytes) damaged("chunks are longer than their buffer");
  const inLast = chunks === 0 ? items : items - itemsBefore[chunks - 1]!;
  if (inLast < 0 || inLast > 2 ** 15 || (chunks === 0 && items > 0)) damaged(`${items} items are in ${chunks} chunks`);
  if (!source.hasLists) {
    if (items !== rows) damaged(`${items} items make ${rows} rows`);
    return { starts, itemsBefore, rowsBefore: undefined, goesOn: undefined };
  }
  return { starts, itemsBefore, ...decodeIndex(source, chunks) };
}

function decodeIndex(source: ChunkTableSource, chunks: number): Pick<ChunkTable, "rowsBefore" | "goesOn"> {
  const { index, rows } = source;
  const rowsBefore = new Float64Array(chunks + 1);
  if (index === undefined) {
    rowsBefore[chunks] = rows;
    return { rowsBefore, goesOn: undefined };
  }
  const step = (source.indexDepth + 1) * 8;
  if (index.byteLength < chunks * step) damaged("the repetition index is cut short");
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
  const goesOn = new Uint8Array(chunks);
  for (let i = 0; i < chunks; i++) {
    const ended = view.getUint32(i * step, true) + view.getUint32(i * step + 4, true) * 2 ** 32;
    rowsBefore[i + 1] = rowsBefore[i]! + ended;
    const left = view.getUint32((i + 1) * step - 8, true) | view.getUint32((i + 1) * step - 4, true);
    goesOn[i] = left === 0 ? 0 : 1;
  }
  if (rowsBefore[chunks] !== rows) damaged(`the repetition index counts ${rowsBefore[chunks]} of ${rows} rows`);
  return { rowsBefore, goesOn };
}

/** One chunk and the items wanted of it, relative to its first. */
export interface ChunkPick {
  readonly chunk: number;
  readonly ranges: number[];
}

/** The chunks that hold the rows of a page without lists. */
export function pickChunks(table: ChunkTable, ranges: Ranges): ChunkPick[] {
  const { itemsBefore } = table;
  const picks: ChunkPick[] = [];
  let chunk = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    let start = ranges[i]!;
    const end = ranges[i + 1]!;
    chunk = findChunk(itemsBefore, start, chunk);
    for (; start < end; chunk++) {
      const first = itemsBefore[chunk]!;
      const stop = Math.min(end, itemsBefore[chunk + 1]!);
      const last = picks.at(-1);
      if (last?.chunk === chunk) last.ranges.push(start - first, stop - first);
      else picks.push({ chunk, ranges: [start - first, stop - first] });
      if (stop === end && end < itemsBefore[chunk + 1]!) break;
      start = stop;
    }
  }
  return picks;
}

/** The last chunk at or after `from` that begins at or before `value`. */
function findChunk(before: Float64Array, value: number, from: number): number {
  let low = Math.max(0, from - 1);
  let high = before.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (before[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Neighbouring chunks [start, end) that are decoded together, and the rows of the page wanted of them. */
export interface ChunkRun {
  readonly start: number;
  readonly end: number;
  /** Row to which the first entry of the first chunk belongs. */
  readonly firstRow: number;
  readonly ranges: number[];
}

/** The chunks that hold the rows of a page with lists, rows being able to span chunks. */
export function chunkRuns(table: ChunkTable, rowsBefore: Float64Array, ranges: Ranges): ChunkRun[] {
  const { goesOn } = table;
  const chunks = rowsBefore.length - 1;
  if (goesOn === undefined) return [{ start: 0, end: chunks, firstRow: 0, ranges: [...ranges] }];
  const runs: { start: number; end: number; firstRow: number; ranges: number[] }[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const from = ranges[i]!;
    const to = ranges[i + 1]!;
    // Chunks that end no row share a number in `rowsBefore`; the row starts in the first of them that it touches.
    let start = findChunk(rowsBefore, from, 0);
    while (start > 0 && rowsBefore[start]! === from && goesOn[start - 1] === 1) start--;
    let end = start + 1;
    while (end < chunks && rowsBefore[end]! < to) end++;
    const last = runs.at(-1);
    if (last !== undefined && start < last.end) {
      last.end = Math.max(last.end, end);
      last.ranges.push(from, to);
    } else runs.push({ start, end, firstRow: rowsBefore[start]!, ranges: [from, to] });
  }
  return runs;
}
