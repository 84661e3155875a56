/**
 * Encoded fragments side by side: bytes of a manifest, scanned once for what lists ask of every fragment.
 *
 * Ids ascend strictly; bytes in which they do not are refused.
 */
import { assert } from "../support/errors.js";
import { type Fragment, readFragment, writeFragment } from "./fragment.js";
import { corrupt, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

/** Number of the manifest's `fragments` field. */
export const FRAGMENTS_FIELD = 2;

/** Encoded fragments side by side, each with tag and length, and what is known of them without decoding. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly path: string;
  /** Where entry i begins; one more than there are entries. */
  readonly starts: Uint32Array;
  readonly ids: Float64Array;
  readonly physicalRows: Float64Array;
  readonly deletedRows: Float64Array;
  /** 1 where there is a deletion file. */
  readonly hasDeletions: Uint8Array;
  readonly decoded: (Fragment | undefined)[];
}

export function emptyBlock(bytes: Uint8Array, path: string, count: number): Block {
  return {
    bytes,
    path,
    starts: new Uint32Array(count + 1),
    ids: new Float64Array(count),
    physicalRows: new Float64Array(count),
    deletedRows: new Float64Array(count),
    hasDeletions: new Uint8Array(count),
    decoded: [],
  };
}

export function encodeBlock(fragments: readonly Fragment[]): Block {
  const writer = new WireWriter(128 * fragments.length);
  const starts: number[] = [];
  for (const fragment of fragments) {
    starts.push(writer.length);
    const start = writer.begin(FRAGMENTS_FIELD);
    writeFragment(writer, fragment);
    writer.commit(start);
  }
  const block = emptyBlock(writer.finish(), "a fragment of this process", fragments.length);
  for (const [i, fragment] of fragments.entries()) {
    assert(i === 0 || fragment.id > fragments[i - 1]!.id, "fragment ids of one list are all different");
    block.starts[i] = starts[i]!;
    block.ids[i] = fragment.id;
    block.physicalRows[i] = fragment.physicalRows;
    block.deletedRows[i] = fragment.deletionFile?.deletedRows ?? 0;
    block.hasDeletions[i] = fragment.deletionFile === undefined ? 0 : 1;
    block.decoded[i] = fragment;
  }
  block.starts[fragments.length] = block.bytes.length;
  return block;
}

/** Reads id and row counts of every entry, and steps over the rest. */
export function scanBlock(block: Block): void {
  const { starts, ids } = block;
  const reader = new WireReader(block.bytes, block.path);
  for (let i = 0; i < ids.length; i++) {
    openEntry(reader, starts[i]!, starts[i + 1]!);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          ids[i] = reader.uint();
          break;
        case 3:
          block.hasDeletions[i] = 1;
          block.deletedRows[i] = scanDeletionFile(reader);
          break;
        case 4:
          block.physicalRows[i] = reader.uint();
          break;
        default:
          reader.skip();
      }
    }
    if (i > 0 && ids[i]! <= ids[i - 1]!) throw corrupt(block.path, starts[i]!, "fragment ids do not ascend");
    if (block.deletedRows[i]! > block.physicalRows[i]!) {
      throw corrupt(block.path, starts[i]!, `fragment ${ids[i]} has more deleted rows than rows`);
    }
  }
}

function scanDeletionFile(reader: WireReader): number {
  const inner = reader.message();
  let deletedRows = 0;
  while (inner.next()) {
    if (inner.field === 4) deletedRows = inner.uint();
    else inner.skip();
  }
  return deletedRows;
}

export function entryOf(block: Block, entry: number): Fragment {
  const known = block.decoded[entry];
  if (known !== undefined) return known;
  const reader = new WireReader(block.bytes, block.path);
  openEntry(reader, block.starts[entry]!, block.starts[entry + 1]!);
  const fragment = readFragment(reader);
  block.decoded[entry] = fragment;
  return fragment;
}

/** Places the reader on the message inside a field entry. */
function openEntry(reader: WireReader, start: number, end: number): void {
  reader.pos = start;
  reader.end = end;
  reader.next();
  reader.end = reader.delimitedEnd();
}
