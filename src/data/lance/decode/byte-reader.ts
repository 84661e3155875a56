/**
 * Reads extents of one data file in few requests: neighbours and near neighbours share one.
 */
import type { Scratch } from "../../scratch.js";
import type { Extent } from "../container.js";

export interface ByteReader {
  /** Memory for what the batch under way is made of; fresh memory when absent. */
  readonly scratch: Scratch | undefined;
  /** The bytes of each extent, in their order; a view of a buffer that may hold more. They may be kept. */
  read(extents: readonly Extent[]): Promise<Uint8Array[]>;
  /** The same for bytes that nothing but the batch under way is made of. */
  borrow(extents: readonly Extent[]): Promise<Uint8Array[]>;
}

type ReadBytes = (start: number, end: number, scratch?: Scratch) => Promise<Uint8Array>;

/** Bytes between two extents that are cheaper read than skipped. */
const GAP_MAX_BYTES = 4096;

/** @param readBytes bytes [start, end) of the file */
export function byteReader(readBytes: ReadBytes, scratch?: Scratch): ByteReader {
  return {
    scratch,
    read: (extents) => readParts(extents, readBytes),
    borrow: (extents) => readParts(extents, (start, end) => readBytes(start, end, scratch)),
  };
}

async function readParts(extents: readonly Extent[], readBytes: ReadBytes): Promise<Uint8Array[]> {
  const order = extents.map((_, i) => i).filter((i) => extents[i]!.end > extents[i]!.start);
  order.sort((a, b) => extents[a]!.start - extents[b]!.start);
  const parts: Uint8Array[] = extents.map(() => NOTHING);
  const requests: Promise<void>[] = [];
  for (let first = 0; first < order.length; ) {
    const { start } = extents[order[first]!]!;
    let { end } = extents[order[first]!]!;
    let next = first + 1;
    while (next < order.length && extents[order[next]!]!.start <= end + GAP_MAX_BYTES) {
      end = Math.max(end, extents[order[next]!]!.end);
      next++;
    }
    const members = order.slice(first, next);
    requests.push(
      readBytes(start, end).then((bytes) => {
        for (const i of members) parts[i] = bytes.subarray(extents[i]!.start - start, extents[i]!.end - start);
      }),
    );
    first = next;
  }
  await Promise.all(requests);
  return parts;
}

const NOTHING = new Uint8Array(0);
