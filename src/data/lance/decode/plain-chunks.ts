/**
 * Mini-block chunks that hold nothing but fixed-width values as Arrow has them: copied once, the rows wanted only.
 *
 * Specification: lance-format.md 8.2, 10.1.
 */
import type { MiniBlockLayout } from "../../../format/protos/encodings21_pb.js";
import type { Extent, PageInfo } from "../container.js";
import type { ByteReader } from "./byte-reader.js";
import { type ChunkPick, type ChunkTable, pickChunks } from "./chunk-table.js";
import { damaged } from "./damage.js";
import { type Ranges, rangesLength } from "./flat-sinks.js";
import { type PageLevels, pageLevels } from "./levels.js";
import type { LeafSink, LeafType } from "./page.js";
import { extendPlain, plainBytes } from "./shape.js";

export interface PlainChunks {
  readonly data: Extent;
  readonly levels: PageLevels;
  /** Bytes per value. */
  readonly width: number;
  /** Sizes of 32 bits instead of 16. */
  readonly wide: boolean;
}

/** The page as plain chunks, if it is such. */
export function plainChunks(page: PageInfo, layout: MiniBlockLayout, leaf: LeafType): PlainChunks | undefined {
  const width = plainBytes(leaf.shape);
  const data = page.buffers[1];
  if (width === 0 || data === undefined || !isPlain(layout)) return undefined;
  return { data, levels: pageLevels(layout.layers, leaf.layers), width, wide: layout.hasLargeChunk };
}

/** True when chunks hold no levels, and values that are neither packed nor mixed with validity. */
function isPlain(layout: MiniBlockLayout): boolean {
  if (layout.repCompression !== undefined || layout.defCompression !== undefined) return false;
  if (layout.dictionary !== undefined) return false;
  let inner = layout.valueCompression?.compression;
  while (inner?.case === "fixedSizeList" && !inner.value.hasValidity) inner = inner.value.values?.compression;
  return inner?.case === "flat";
}

/** Chunks of plain values: one copy from the file's bytes to the column, of the rows wanted only. */
export async function loadPlain(
  plan: PlainChunks,
  table: ChunkTable,
  ranges: Ranges,
  reader: ByteReader,
): Promise<(sink: LeafSink) => void> {
  const picks = pickChunks(table, ranges);
  const base = plan.data.start;
  const runs: { readonly picks: ChunkPick[]; readonly start: number; end: number }[] = [];
  for (const pick of picks) {
    const start = table.starts[pick.chunk]!;
    const end = table.starts[pick.chunk + 1]!;
    const last = runs.at(-1);
    if (last?.end === start) {
      last.picks.push(pick);
      last.end = end;
    } else runs.push({ picks: [pick], start, end });
  }
  const parts = await reader.borrow(runs.map(({ start, end }) => ({ start: base + start, end: base + end })));
  return (sink) => {
    const count = rangesLength(ranges);
    sink.levels.append(undefined, undefined, count, plan.levels);
    const { bytes, at } = extendPlain(sink.values, count);
    let to = at;
    runs.forEach((run, i) => {
      to = copyPlain(plan, table, run, parts[i]!, bytes, to);
    });
  };
}

function copyPlain(
  plan: PlainChunks,
  table: ChunkTable,
  run: { readonly picks: readonly ChunkPick[]; readonly start: number },
  source: Uint8Array,
  target: Uint8Array,
  at: number,
): number {
  const { width, wide } = plan;
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  let to = at;
  for (const { chunk, ranges } of run.picks) {
    const start = table.starts[chunk]! - run.start;
    const first = start + PLAIN_HEADER_BYTES;
    const size = wide ? view.getUint32(start + 2, true) : view.getUint16(start + 2, true);
    const count = table.itemsBefore[chunk + 1]! - table.itemsBefore[chunk]!;
    if (size < count * width || first + size > table.starts[chunk + 1]! - run.start) {
      damaged(`a chunk of ${count} values of ${width} bytes has ${size} bytes`);
    }
    for (let i = 0; i < ranges.length; i += 2) {
      const from = first + ranges[i]! * width;
      const end = first + ranges[i + 1]! * width;
      target.set(source.subarray(from, end), to);
      to += end - from;
    }
  }
  return to;
}

/** Number of levels (none) and size of the one value buffer, padded. */
const PLAIN_HEADER_BYTES = 8;
