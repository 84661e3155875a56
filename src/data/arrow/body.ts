/** A record batch's columns as the buffers of an IPC body, and the growing list of a file's bytes. */
import type { Data, DataType, Dictionary } from "apache-arrow";
import { alignBits } from "../kernels/bits.js";
import { bytesOf, type Offsets, validityOf } from "../kernels/column.js";
import { childrenOf, layoutOf } from "../kernels/layout.js";
import type { BatchMetadata } from "./message.js";

const ALIGNMENT = 64;
const EMPTY = new Uint8Array(0);
const PADDING = new Uint8Array(ALIGNMENT);

export interface Body {
  readonly metadata: BatchMetadata;
  readonly bodyBytes: number;
  readonly parts: readonly Uint8Array[];
}

interface Draft {
  readonly nodes: number[];
  readonly parts: Uint8Array[];
}

/** Body of columns that all have `rows` rows; buffers are shared where they can be. */
export function encodeBody(columns: readonly Data[], rows: number): Body {
  const draft: Draft = { nodes: [], parts: [] };
  for (const column of columns) addColumn(draft, column, rows);
  const buffers: number[] = [];
  let bodyBytes = 0;
  for (const part of draft.parts) {
    buffers.push(bodyBytes, part.byteLength);
    bodyBytes += Math.ceil(part.byteLength / ALIGNMENT) * ALIGNMENT;
  }
  return { metadata: { rows, nodes: draft.nodes, buffers }, bodyBytes, parts: draft.parts };
}

function addColumn(draft: Draft, data: Data, length: number): void {
  const type = data.type as DataType;
  const layout = layoutOf(type);
  if (layout.kind === "null") {
    draft.nodes.push(length, length);
    return;
  }
  const validity = validityOf(data);
  draft.nodes.push(length, validity === undefined ? 0 : data.nullCount);
  draft.parts.push(validity === undefined ? EMPTY : alignBits(validity, data.offset, length));
  switch (layout.kind) {
    case "bool":
      draft.parts.push(alignBits(data.values as Uint8Array, data.offset, length));
      return;
    case "fixed":
    case "dictionary":
      draft.parts.push(bytesOf(data.values as ArrayBufferView).subarray(0, length * layout.width));
      return;
    case "bytes": {
      const [start, end] = addOffsets(draft, data, length, layout.large);
      draft.parts.push(end === start ? EMPTY : bytesOf(data.values as Uint8Array).subarray(start, end));
      return;
    }
    case "list": {
      const [start, end] = addOffsets(draft, data, length, layout.large);
      addColumn(draft, cut(data.children[0]!, start, end - start), end - start);
      return;
    }
    case "fixed-list":
      addColumn(draft, cut(data.children[0]!, 0, length * layout.size), length * layout.size);
      return;
    case "struct":
      for (const child of data.children) addColumn(draft, cut(child, 0, length), length);
      return;
  }
}

function cut(data: Data, start: number, length: number): Data {
  return start === 0 && data.length === length ? data : data.slice(start, length);
}

/** Offsets that begin at 0; returns the range of items that they stand for. */
function addOffsets(draft: Draft, data: Data, length: number, large: boolean): [start: number, end: number] {
  const offsets = data.valueOffsets as Offsets | undefined;
  if (length === 0 || offsets === undefined) {
    draft.parts.push(new Uint8Array(large ? 8 : 4));
    return [0, 0];
  }
  const start = Number(offsets[0]);
  const end = Number(offsets[length]);
  const used = offsets.subarray(0, length + 1);
  draft.parts.push(bytesOf(start === 0 ? used : rebase(used, start)));
  return [start, end];
}

function rebase(offsets: Offsets, start: number): Offsets {
  if (offsets instanceof BigInt64Array) return offsets.map((offset) => offset - BigInt(start));
  return offsets.map((offset) => offset - start);
}

/** Number of nodes and buffers that a column of this type takes in a body. */
export function sizeInBody(type: DataType): { readonly nodes: number; readonly buffers: number } {
  const layout = layoutOf(type);
  let nodes = 1;
  let buffers = { null: 0, bool: 2, fixed: 2, dictionary: 2, bytes: 3, list: 2, "fixed-list": 1, struct: 1 }[
    layout.kind
  ];
  if (layout.kind === "dictionary") return { nodes, buffers };
  for (const child of childrenOf(type)) {
    const size = sizeInBody(child.type as DataType);
    nodes += size.nodes;
    buffers += size.buffers;
  }
  return { nodes, buffers };
}

/** The dictionary-encoded types within a type, depth-first, each with a way to its chunks. */
export function dictionariesIn(
  type: DataType,
  chunks: readonly Data[],
): { readonly type: Dictionary; readonly chunks: readonly Data[] }[] {
  if (layoutOf(type).kind === "dictionary") return [{ type: type as Dictionary, chunks }];
  return childrenOf(type).flatMap((child, i) =>
    dictionariesIn(
      child.type as DataType,
      chunks.map((chunk) => chunk.children[i]!),
    ),
  );
}

/** Small pieces are copied side by side, so that a small file is one chunk; large ones are passed on as they are. */
const SHARED_BYTES_MIN = 16_384;
const BLOCK_BYTES_MAX = 65_536;

export class ByteSink {
  readonly chunks: Uint8Array[] = [];
  sizeBytes = 0;
  #block: Uint8Array;
  #used = 0;

  constructor(blockBytes: number) {
    this.#block = new Uint8Array(blockBytes);
  }

  push(bytes: Uint8Array): void {
    const length = bytes.byteLength;
    this.sizeBytes += length;
    if (length >= SHARED_BYTES_MIN) {
      this.#flush();
      this.chunks.push(bytes);
      return;
    }
    if (this.#used + length > this.#block.byteLength) {
      this.#flush();
      this.#block = new Uint8Array(Math.min(BLOCK_BYTES_MAX, SHARED_BYTES_MIN + this.sizeBytes));
    }
    this.#block.set(bytes, this.#used);
    this.#used += length;
  }

  /** Zeros up to the next multiple of 64 after a piece of so many bytes. */
  pad(length: number): void {
    const rest = -length & (ALIGNMENT - 1);
    if (rest > 0) this.push(PADDING.subarray(0, rest));
  }

  finish(): readonly Uint8Array[] {
    this.#flush();
    return this.chunks;
  }

  #flush(): void {
    if (this.#used > 0) this.chunks.push(this.#block.subarray(0, this.#used));
    this.#block = this.#block.subarray(this.#used);
    this.#used = 0;
  }
}
