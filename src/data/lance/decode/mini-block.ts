/**
 * Pages of small values: chunks of at most 4096 values, each with its levels, that can be read one by one.
 *
 * Without lists a row's chunk follows from the chunk words; with lists, from the repetition index. Chunk words,
 * repetition index and dictionary are read once per page and kept. Specification: lance-format.md 8.2.
 */
import type { CompressiveEncoding, MiniBlockLayout } from "../../../format/protos/encodings21_pb.js";
import type { Extent, PageInfo } from "../container.js";
import { checkLevelEncoding, decodeBlock, decodeLevels } from "./block-values.js";
import type { ByteReader } from "./byte-reader.js";
import { type ChunkPick, type ChunkTable, chunkRuns, decodeChunkTable, pickChunks } from "./chunk-table.js";
import { type ChunkDecoder, chunkDecoder, flatBits } from "./chunk-values.js";
import { DECODED_MAX_BYTES, damaged } from "./damage.js";
import { FixedSink, type Ranges, rangesLength } from "./flat-sinks.js";
import { decompress, type Scheme, schemeOf } from "./general.js";
import { type CanonicalForm, canonicalForm, countVisible, keepRows, type PageLevels, pageLevels } from "./levels.js";
import type { LeafSink, LeafType, PageDecoder } from "./page.js";
import { loadPlain, type PlainChunks, plainChunks } from "./plain-chunks.js";
import { type Shape, sinkFor, valueBytes } from "./shape.js";
import { gatherInto, type ValueSink } from "./sinks.js";

interface Parts {
  readonly levels: number;
  readonly rep: Uint8Array | undefined;
  readonly def: Uint8Array | undefined;
  readonly values: Uint8Array[];
}

interface Loaded {
  readonly table: ChunkTable;
  readonly dictionary: ValueSink | undefined;
}

/** Everything about the page that its description says. */
interface Plan {
  readonly page: PageInfo;
  readonly levels: PageLevels;
  readonly form: CanonicalForm;
  readonly rep: CompressiveEncoding | undefined;
  readonly def: CompressiveEncoding | undefined;
  readonly values: ChunkDecoder;
  /** General compression of each chunk's first value buffer. */
  readonly scheme: Scheme | undefined;
  /** Width of dictionary indices, 0 when the chunks hold the values themselves. */
  readonly indexBytes: number;
  readonly wide: boolean;
  /** When chunks hold nothing but values as Arrow has them. */
  readonly plain: PlainChunks | undefined;
}

/** @throws CORRUPT, NOT_SUPPORTED naming what is not known */
export function miniBlockDecoder(page: PageInfo, layout: MiniBlockLayout, leaf: LeafType): PageDecoder {
  let encoding = layout.valueCompression;
  let scheme: Scheme | undefined;
  if (encoding?.compression.case === "general") {
    scheme = schemeOf(encoding.compression.value.compression);
    encoding = encoding.compression.value.values;
  }
  const indexBytes = layout.dictionary === undefined ? 0 : integerBytes(encoding);
  const shape: Shape = indexBytes === 0 ? leaf.shape : { kind: "fixed", width: indexBytes };
  const plan: Plan = {
    page,
    levels: pageLevels(layout.layers, leaf.layers),
    form: canonicalForm(leaf.layers),
    rep: layout.repCompression,
    def: layout.defCompression,
    values: chunkDecoder(encoding, shape),
    scheme,
    indexBytes,
    wide: layout.hasLargeChunk,
    plain: plainChunks(page, layout, leaf),
  };
  checkLevelEncoding(plan.rep);
  checkLevelEncoding(plan.def);
  if (BigInt(plan.values.buffers) !== layout.numBuffers) {
    damaged(`chunks have ${layout.numBuffers} value buffers, their encoding takes ${plan.values.buffers}`);
  }
  if (plan.levels.maxRep > 0 !== (plan.rep !== undefined)) damaged("repetition levels contradict the layers");
  let loaded: Promise<Loaded> | undefined;
  const open = (reader: ByteReader): Promise<Loaded> => {
    loaded ??= loadPage(plan, layout, leaf, reader).catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
  return {
    rows: page.rows,
    async load(ranges, reader) {
      const { table, dictionary } = await open(reader);
      if (plan.plain !== undefined) return loadPlain(plan.plain, table, ranges, reader);
      return table.rowsBefore === undefined
        ? loadPicks(plan, table, dictionary, ranges, reader)
        : loadRuns(plan, table, dictionary, table.rowsBefore, ranges, reader);
    },
  };
}

/** Bytes of the integers that a value encoding makes: the indices of a dictionary. */
function integerBytes(encoding: CompressiveEncoding | undefined): number {
  const compression = encoding?.compression;
  let bits = 0;
  if (compression?.case === "flat") bits = Number(compression.value.bitsPerValue);
  else if (compression?.case === "inlineBitpacking") bits = Number(compression.value.uncompressedBitsPerValue);
  else if (compression?.case === "rle" || compression?.case === "byteStreamSplit") {
    bits = flatBits(compression.value.values, "dictionary indices");
  }
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) damaged(`dictionary indices of ${bits} bits`);
  return bits / 8;
}

async function loadPage(plan: Plan, layout: MiniBlockLayout, leaf: LeafType, reader: ByteReader): Promise<Loaded> {
  const { page, levels } = plan;
  const hasDictionary = layout.dictionary !== undefined;
  const hasIndex = layout.repetitionIndexDepth > 0;
  const [words, data] = page.buffers;
  const dictionaryAt = hasDictionary ? page.buffers[2] : undefined;
  const indexAt = hasIndex ? page.buffers[hasDictionary ? 3 : 2] : undefined;
  if (words === undefined || data === undefined) damaged("a page of chunks lacks its buffers");
  if ((hasDictionary && dictionaryAt === undefined) || (hasIndex && indexAt === undefined)) {
    damaged("a page of chunks lacks a buffer");
  }
  const none: Extent = { start: 0, end: 0 };
  const [wordBytes, dictionaryBytes, indexBytes] = await reader.read([words, dictionaryAt ?? none, indexAt ?? none]);
  const table = decodeChunkTable({
    words: wordBytes!,
    wide: plan.wide,
    dataBytes: data.end - data.start,
    items: Number(layout.numItems),
    rows: page.rows,
    hasLists: levels.maxRep > 0,
    index: indexAt === undefined ? undefined : indexBytes!,
    indexDepth: layout.repetitionIndexDepth,
  });
  if (!hasDictionary) return { table, dictionary: undefined };
  const count = Number(layout.numDictionaryItems);
  if (count * valueBytes(leaf.shape) > DECODED_MAX_BYTES) damaged(`a dictionary claims ${count} items`);
  const dictionary = sinkFor(leaf.shape, 0);
  await decodeBlock(layout.dictionary, dictionaryBytes!, count, dictionary);
  return { table, dictionary };
}

/** Reads the chunks and takes them apart; decompresses where a chunk is compressed as a whole. */
async function readChunks(
  plan: Plan,
  table: ChunkTable,
  chunks: readonly number[],
  reader: ByteReader,
): Promise<Parts[]> {
  const base = plan.page.buffers[1]!.start;
  const { starts } = table;
  const extents = chunks.map((chunk) => ({ start: base + starts[chunk]!, end: base + starts[chunk + 1]! }));
  const parts = (await reader.borrow(extents)).map((bytes) => splitChunk(plan, bytes));
  if (plan.scheme !== undefined) {
    for (const part of parts) part.values[0] = await decompress(plan.scheme, part.values[0]!);
  }
  return parts;
}

function splitChunk(plan: Plan, bytes: Uint8Array): Parts {
  const hasRep = plan.rep !== undefined;
  const hasDef = plan.def !== undefined;
  const { buffers } = plan.values;
  const headerBytes = 2 + (hasRep ? 2 : 0) + (hasDef ? 2 : 0) + buffers * (plan.wide ? 4 : 2);
  if (bytes.byteLength < headerBytes) damaged("a chunk is shorter than its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 2;
  const size = (wide: boolean): number => {
    const value = wide ? view.getUint32(at, true) : view.getUint16(at, true);
    at += wide ? 4 : 2;
    return value;
  };
  const repBytes = hasRep ? size(false) : 0;
  const defBytes = hasDef ? size(false) : 0;
  const sizes: number[] = [];
  for (let i = 0; i < buffers; i++) sizes.push(size(plan.wide));
  let from = pad(headerBytes);
  const take = (length: number): Uint8Array => {
    if (from + length > bytes.byteLength) damaged("a chunk's parts are longer than the chunk");
    const part = bytes.subarray(from, from + length);
    from += pad(length);
    return part;
  };
  return {
    levels: view.getUint16(0, true),
    rep: hasRep ? take(repBytes) : undefined,
    def: hasDef ? take(defBytes) : undefined,
    values: sizes.map(take),
  };
}

function pad(length: number): number {
  return (length + 7) & ~7;
}

async function loadPicks(
  plan: Plan,
  table: ChunkTable,
  dictionary: ValueSink | undefined,
  ranges: Ranges,
  reader: ByteReader,
): Promise<(sink: LeafSink) => void> {
  const picks: readonly ChunkPick[] = pickChunks(table, ranges);
  const parts = await readChunks(
    plan,
    table,
    picks.map((pick) => pick.chunk),
    reader,
  );
  return (sink) => {
    picks.forEach(({ chunk, ranges: wanted }, i) => {
      const before = sink.values.length;
      const levelsBefore = sink.levels.length;
      const count = table.itemsBefore[chunk + 1]! - table.itemsBefore[chunk]!;
      decodeChunk(plan, parts[i]!, count, dictionary, sink);
      if (rangesLength(wanted) === count) return;
      sink.values.keep(before, wanted);
      sink.levels.keep(levelsBefore, wanted);
    });
  };
}

function decodeChunk(plan: Plan, parts: Parts, count: number, dictionary: ValueSink | undefined, sink: LeafSink): void {
  const { levels } = plan;
  const hasLevels = plan.rep !== undefined || plan.def !== undefined;
  const entries = hasLevels ? parts.levels : count;
  const rep = parts.rep === undefined ? undefined : decodeLevels(plan.rep, parts.rep, entries);
  const def = parts.def === undefined ? undefined : decodeLevels(plan.def, parts.def, entries);
  const visible = def === undefined ? entries : levels.maxRep === 0 ? entries : countVisible(def, levels.maxVisibleDef);
  if (visible !== count) damaged(`a chunk of ${count} values has ${visible} levels for them`);
  sink.levels.append(rep, def, entries, levels);
  if (dictionary === undefined) {
    plan.values.decode(parts.values, count, sink.values);
    return;
  }
  const indices = new FixedSink(plan.indexBytes, count);
  plan.values.decode(parts.values, count, indices);
  gatherInto(sink.values, dictionary, toIndices(indices, count, def, levels.maxVisibleDef), count);
}

/** Dictionary indices as numbers; those of NULL values may be anything on disk and become 0. */
function toIndices(
  sink: FixedSink,
  count: number,
  def: Uint16Array | undefined,
  maxVisibleDef: number,
): ArrayLike<number> {
  const { bytes, width } = sink;
  let indices: Uint8Array | Uint16Array | Uint32Array;
  if (width === 1) indices = bytes.subarray(0, count);
  else if (width === 2) indices = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  else if (width === 4) indices = new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  else {
    const halves = new Uint32Array(bytes.buffer, bytes.byteOffset, count * 2);
    indices = Uint32Array.from({ length: count }, (_, i) => (halves[2 * i + 1] === 0 ? halves[2 * i]! : 0xffffffff));
  }
  if (def === undefined) return indices;
  const cleared = indices.slice();
  for (let entry = 0, i = 0; entry < def.length; entry++) {
    if (def[entry]! > maxVisibleDef) continue;
    if (def[entry] !== 0) cleared[i] = 0;
    i++;
  }
  return cleared;
}

async function loadRuns(
  plan: Plan,
  table: ChunkTable,
  dictionary: ValueSink | undefined,
  rowsBefore: Float64Array,
  ranges: Ranges,
  reader: ByteReader,
): Promise<(sink: LeafSink) => void> {
  const runs = chunkRuns(table, rowsBefore, ranges);
  const chunks = runs.flatMap((run) => Array.from({ length: run.end - run.start }, (_, i) => run.start + i));
  const parts = await readChunks(plan, table, chunks, reader);
  return (sink) => {
    let part = 0;
    for (const run of runs) {
      const before = sink.values.length;
      const levelsBefore = sink.levels.length;
      for (let chunk = run.start; chunk < run.end; chunk++) {
        const count = table.itemsBefore[chunk + 1]! - table.itemsBefore[chunk]!;
        decodeChunk(plan, parts[part++]!, count, dictionary, sink);
      }
      keepRows(sink, { entries: levelsBefore, items: before, row: run.firstRow }, run.ranges, plan.form);
    }
  };
}
