/**
 * Reads extents of one data file in few requests: neighbours and near neighbours share one.
 */
import type { Extent } from "../container.js";

export interface ByteReader {
  /** The bytes of each extent, in their order; a view of a buffer that may hold more. */
  read(extents: readonly Extent[]): Promise<Uint8Array[]>;
}

/** Bytes between two extents that are cheaper read than skipped. */
const GAP_MAX_BYTES = 4096;

/** @param readBytes bytes [start, end) of the file */
export function byteReader(readBytes: (start: number, end: number) => Promise<Uint8Array>): ByteReader {
  return {
    async read(extents) {
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
    },
  };
}

const NOTHING = new Uint8Array(0);
