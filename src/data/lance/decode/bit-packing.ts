/**
 * Unpacks integers that keep W of their T bits, 1024 at a time, in the lane order of the FastLanes layout.
 *
 * Row r of lane l is value `ORDER[r >> 3] * 16 + (r & 7) * 128 + l`; the rows of one lane form one bit string, low bits
 * first, whose words lie `lanes` apart. Specification: lance-format.md 10.2, 10.3.
 */
import { damaged } from "./damage.js";

export const BLOCK_VALUES = 1024;

const ORDER = [0, 4, 2, 6, 1, 5, 3, 7] as const;

/** Bytes of one packed block. */
export function blockBytes(bits: number): number {
  return bits * (BLOCK_VALUES / 8);
}

/**
 * Unpacks one block of 1024 values of `width` bytes (1, 2, 4, 8), each kept in `bits` bits, to `target` at byte `at`.
 * Both byte positions must suit the width.
 */
export function unpackBlock(
  source: Uint8Array,
  from: number,
  bits: number,
  width: number,
  target: Uint8Array,
  at: number,
): void {
  if (bits > width * 8) damaged(`${bits} bits are kept of ${width * 8}`);
  if (from + blockBytes(bits) > source.byteLength) damaged("a packed block is cut short");
  if (bits === 0) {
    target.fill(0, at, at + BLOCK_VALUES * width);
    return;
  }
  const start = source.byteOffset + from;
  const { buffer } = source;
  const out = target.byteOffset + at;
  switch (width) {
    case 1:
      unpackNarrow(
        new Uint8Array(buffer, start, bits * 128),
        bits,
        8,
        new Uint8Array(target.buffer, out, BLOCK_VALUES),
      );
      return;
    case 2:
      unpackNarrow(
        new Uint16Array(buffer, start, bits * 64),
        bits,
        16,
        new Uint16Array(target.buffer, out, BLOCK_VALUES),
      );
      return;
    case 4:
      unpackNarrow(
        new Uint32Array(buffer, start, bits * 32),
        bits,
        32,
        new Uint32Array(target.buffer, out, BLOCK_VALUES),
      );
      return;
    case 8:
      unpackWide(
        new Uint32Array(buffer, start, bits * 32),
        bits,
        new Uint32Array(target.buffer, out, BLOCK_VALUES * 2),
      );
      return;
    default:
      damaged(`values of ${width} bytes cannot be packed`);
  }
}

type Words = Uint8Array | Uint16Array | Uint32Array;

function unpackNarrow(words: Words, bits: number, size: number, out: Words): void {
  const lanes = BLOCK_VALUES / size;
  const mask = bits === 32 ? -1 : (1 << bits) - 1;
  for (let row = 0; row < size; row++) {
    const bit = row * bits;
    const shift = bit % size;
    const first = lanes * ((bit / size) | 0);
    const to = ORDER[row >> 3]! * 16 + (row & 7) * 128;
    if (shift + bits <= size) {
      for (let lane = 0; lane < lanes; lane++) out[to + lane] = (words[first + lane]! >>> shift) & mask;
    } else {
      const next = first + lanes;
      const left = size - shift;
      for (let lane = 0; lane < lanes; lane++) {
        out[to + lane] = ((words[first + lane]! >>> shift) | (words[next + lane]! << left)) & mask;
      }
    }
  }
}

/** 64-bit values as pairs of 32-bit halves, 16 lanes. */
function unpackWide(words: Uint32Array, bits: number, out: Uint32Array): void {
  const maskLow = bits >= 32 ? -1 : (1 << bits) - 1;
  const maskHigh = bits <= 32 ? 0 : bits === 64 ? -1 : (1 << (bits - 32)) - 1;
  for (let row = 0; row < 64; row++) {
    const bit = row * bits;
    const shift = bit & 63;
    const first = (bit >>> 6) * 32;
    const to = (ORDER[row >> 3]! * 16 + (row & 7) * 128) * 2;
    const crosses = shift + bits > 64;
    for (let i = 0; i < 32; i += 2) {
      const low = words[first + i]!;
      const high = words[first + i + 1]!;
      let valueLow = low;
      let valueHigh = high;
      if (shift >= 32) {
        valueLow = high >>> (shift - 32);
        valueHigh = 0;
      } else if (shift > 0) {
        valueLow = (low >>> shift) | (high << (32 - shift));
        valueHigh = high >>> shift;
      }
      if (crosses) {
        const nextLow = words[first + 32 + i]!;
        const nextHigh = words[first + 33 + i]!;
        const left = 64 - shift;
        if (left >= 32) {
          valueHigh |= nextLow << (left - 32);
        } else {
          valueLow |= nextLow << left;
          valueHigh |= (nextHigh << left) | (nextLow >>> (32 - left));
        }
      }
      out[to + i] = valueLow & maskLow;
      out[to + i + 1] = valueHigh & maskHigh;
    }
  }
}
