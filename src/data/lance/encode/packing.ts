/**
 * Bit packing in the FastLanes order: 1024 values of T bits become 1024 values of W bits, lane by lane.
 *
 * Used for levels (16 bits, one width per page) and for narrow integers (one width per chunk).
 */
import { flat, type Message, outOfLineBitpacking } from "./describe.js";

const BLOCK = 1024;
const ORDER = [0, 4, 2, 6, 1, 5, 3, 7] as const;

/** How the levels of one page become bytes. */
export interface LevelCodec {
  readonly description: Message;
  sizeOf(count: number): number;
  /** Writes levels [start, end) at a 2-aligned place. */
  write(levels: Uint16Array, start: number, end: number, out: Uint8Array, at: number): void;
}

const FLAT: LevelCodec = {
  description: flat(16),
  sizeOf: (count) => count * 2,
  write(levels, start, end, out, at) {
    out.set(new Uint8Array(levels.buffer, levels.byteOffset + start * 2, (end - start) * 2), at);
  },
};

/** Plain below `BLOCK` levels, packed above. */
export function levelCodec(count: number, maxLevel: number): LevelCodec {
  if (count < BLOCK) return FLAT;
  const width = 32 - Math.clz32(Math.max(1, maxLevel));
  const blockBytes = (BLOCK / 8) * width;
  return {
    description: outOfLineBitpacking(16, width),
    sizeOf: (levels) => Math.floor(levels / BLOCK) * blockBytes + tailBytes(levels % BLOCK, blockBytes),
    write: (levels, start, end, out, at) => writePacked(levels, start, end, width, out, at),
  };
}

/** The tail is packed like a full block unless its plain form is not longer. */
function tailBytes(levels: number, blockBytes: number): number {
  return Math.min(levels * 2, blockBytes);
}

function writePacked(
  levels: Uint16Array,
  start: number,
  end: number,
  width: number,
  out: Uint8Array,
  at: number,
): void {
  const blockBytes = (BLOCK / 8) * width;
  let from = start;
  let to = at;
  for (; from + BLOCK <= end; from += BLOCK, to += blockBytes) pack16(levels, from, width, out, to);
  const tail = end - from;
  if (tail === 0) return;
  if (tail * 2 <= blockBytes) {
    FLAT.write(levels, from, end, out, to);
    return;
  }
  const padded = new Uint16Array(BLOCK);
  padded.set(levels.subarray(from, end));
  pack16(padded, 0, width, out, to);
}

/** Packs 1024 values below 2^width, width 1 to 15, into 64 lanes of 16-bit words. */
function pack16(values: Uint16Array, from: number, width: number, out: Uint8Array, at: number): void {
  for (let lane = 0; lane < 64; lane++) {
    let pending = 0;
    let bits = 0;
    let to = at + lane * 2;
    for (let row = 0; row < 16; row++) {
      const index = ORDER[row >> 3]! * 16 + (row & 7) * 128 + lane;
      pending |= values[from + index]! << bits;
      bits += width;
      if (bits < 16) continue;
      out[to] = pending & 0xff;
      out[to + 1] = (pending >> 8) & 0xff;
      to += 128;
      pending >>>= 16;
      bits -= 16;
    }
  }
}
