/**
 * Columns out of a record batch's body: only the buffers, and only the parts of them, that the wanted rows need.
 *
 * Everything the file says is checked before it is used: buffers lie in the body and are long enough, offsets never
 * fall, indices lie in their dictionary. Nothing is copied where the file's alignment allows.
 */
import type { Data, DataType, Vector } from "apache-arrow";
import { type CheckedFile, corrupt } from "../checksums.js";
import { makeColumn, type Offsets } from "../kernels/column.js";
import { layoutOf } from "../kernels/layout.js";
import type { BatchMetadata, Block } from "./message.js";

/** A column to load: where the file keeps it, as which type it is wanted, with the children that are wanted. */
export interface LoadColumn {
  readonly type: DataType;
  /** Its index among the nodes of a body, and that of its first buffer. */
  readonly node: number;
  readonly buffer: number;
  readonly children: readonly LoadColumn[];
  /** The dictionary's number within the file, for dictionary-encoded columns. */
  readonly dictionary: number | undefined;
}

/** One record batch (or dictionary) of the file. */
export interface LoadContext {
  readonly file: CheckedFile;
  readonly block: Block;
  readonly batch: BatchMetadata;
  readonly dictionaryOf: (id: number) => Promise<Vector>;
}

function damaged(context: LoadContext, problem: string): never {
  throw corrupt(context.file.path, context.block.offset, problem);
}

/** Bytes [from, to) of a buffer. */
function readBuffer(context: LoadContext, buffer: number, from: number, to: number): Promise<Uint8Array> {
  const { block, batch, file } = context;
  const offset = batch.buffers[2 * buffer];
  const length = batch.buffers[2 * buffer + 1];
  if (offset === undefined || length === undefined || offset < 0 || length < 0 || offset + length > block.bodyBytes) {
    damaged(context, `buffer ${buffer} lies outside its record batch`);
  }
  if (to > length) damaged(context, `buffer ${buffer} has ${length} bytes where ${to} are needed`);
  const start = block.offset + block.metadataBytes + offset;
  return file.read(start + from, start + to);
}

function bufferLength(context: LoadContext, buffer: number): number {
  return context.batch.buffers[2 * buffer + 1] ?? 0;
}

/** Rows [start, end) of a column. @throws CORRUPT */
export async function loadColumn(context: LoadContext, column: LoadColumn, start: number, end: number): Promise<Data> {
  const { type, node, buffer } = column;
  const length = end - start;
  const rows = context.batch.nodes[2 * node];
  const nulls = context.batch.nodes[2 * node + 1];
  if (
    rows === undefined ||
    nulls === undefined ||
    start < 0 ||
    start > end ||
    rows < end ||
    nulls < 0 ||
    nulls > rows
  ) {
    damaged(context, `column node ${node} has too few rows`);
  }
  const layout = layoutOf(type);
  if (layout.kind === "null") return makeColumn(type, { length, nullCount: length });
  const whole = start === 0 && end === rows;
  const validity = nulls === 0 || length === 0 ? undefined : readBuffer(context, buffer, start >> 3, (end + 7) >> 3);
  const base = { length, nullCount: nulls === 0 || length === 0 ? 0 : whole ? nulls : -1, bitOffset: start & 7 };
  switch (layout.kind) {
    case "bool": {
      const [bits, values] = await Promise.all([validity, readBuffer(context, buffer + 1, start >> 3, (end + 7) >> 3)]);
      return makeColumn(type, { ...base, validity: bits, values });
    }
    case "fixed": {
      const { width } = layout;
      const [bits, values] = await Promise.all([validity, readBuffer(context, buffer + 1, start * width, end * width)]);
      return makeColumn(type, { ...base, validity: bits, values });
    }
    case "bytes": {
      const [bits, parts] = await Promise.all([validity, loadBytes(context, column, start, end, layout.large)]);
      return makeColumn(type, { ...base, validity: bits, ...parts });
    }
    case "list": {
      const [bits, parts] = await Promise.all([validity, loadLists(context, column, start, end, layout.large)]);
      return makeColumn(type, { ...base, validity: bits, ...parts });
    }
    case "fixed-list": {
      const { size } = layout;
      const [bits, child] = await Promise.all([
        validity,
        loadColumn(context, column.children[0]!, start * size, end * size),
      ]);
      return makeColumn(type, { ...base, validity: bits, children: [child] });
    }
    case "struct": {
      const [bits, ...children] = await Promise.all([
        validity,
        ...column.children.map((child) => loadColumn(context, child, start, end)),
      ]);
      return makeColumn(type, { ...base, validity: bits, children: children as Data[] });
    }
    case "dictionary": {
      const { width } = layout;
      const [bits, values, dictionary] = await Promise.all([
        validity,
        readBuffer(context, buffer + 1, start * width, end * width),
        context.dictionaryOf(column.dictionary!),
      ]);
      const data = makeColumn(type, { ...base, validity: bits, values, dictionary });
      checkIndices(context, data, dictionary.length);
      return data;
    }
  }
}

async function loadBytes(context: LoadContext, column: LoadColumn, start: number, end: number, large: boolean) {
  const size = bufferLength(context, column.buffer + 2);
  const whole = start === 0 && end === context.batch.nodes[2 * column.node];
  const ahead = whole ? readBuffer(context, column.buffer + 2, 0, size) : undefined;
  // Whoever waits first decides which failure is reported; the other one is not left unhandled.
  ahead?.catch(() => undefined);
  const offsets = await loadOffsets(context, column, start, end, large);
  const first = Number(offsets[0]);
  const last = Number(offsets[end - start]);
  if (last > size) damaged(context, `offsets of column node ${column.node} point beyond its ${size} bytes`);
  const values = ahead === undefined ? await readBuffer(context, column.buffer + 2, first, last) : await ahead;
  return { offsets: ahead === undefined ? rebase(offsets, first) : offsets, values };
}

async function loadLists(context: LoadContext, column: LoadColumn, start: number, end: number, large: boolean) {
  const offsets = await loadOffsets(context, column, start, end, large);
  const first = Number(offsets[0]);
  const child = await loadColumn(context, column.children[0]!, first, Number(offsets[end - start]));
  return { offsets: rebase(offsets, first), children: [child] };
}

async function loadOffsets(
  context: LoadContext,
  column: LoadColumn,
  start: number,
  end: number,
  large: boolean,
): Promise<Offsets> {
  if (start === end) return large ? new BigInt64Array(1) : new Int32Array(1);
  const width = large ? 8 : 4;
  const read = await readBuffer(context, column.buffer + 1, start * width, (end + 1) * width);
  const bytes = read.byteOffset % width === 0 ? read : read.slice();
  const offsets = large
    ? new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 3)
    : new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const rising = offsets instanceof Int32Array ? isRising(offsets) : isRisingLarge(offsets);
  if (!rising) damaged(context, `offsets of column node ${column.node} fall`);
  return offsets;
}

function isRising(offsets: Int32Array): boolean {
  let last = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i]!;
    if (offset < last) return false;
    last = offset;
  }
  return true;
}

function isRisingLarge(offsets: BigInt64Array): boolean {
  let last = 0n;
  for (const offset of offsets) {
    if (offset < last) return false;
    last = offset;
  }
  return last <= BigInt(Number.MAX_SAFE_INTEGER);
}

function rebase(offsets: Offsets, first: number): Offsets {
  if (first === 0) return offsets;
  if (offsets instanceof BigInt64Array) return offsets.map((offset) => offset - BigInt(first));
  return offsets.map((offset) => offset - first);
}

function checkIndices(context: LoadContext, data: Data, size: number): void {
  const indices = data.values as Int32Array | BigInt64Array;
  if (data.nullCount === data.length) return;
  for (let i = 0; i < data.length; i++) {
    const index = Number(indices[i]);
    if ((index < 0 || index >= size) && data.getValid(i))
      damaged(context, `index ${index} into a dictionary of ${size}`);
  }
}
