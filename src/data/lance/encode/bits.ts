/** Bitmaps, least significant bit first, that start at any bit. */

/** Bits [offset, …) of a bitmap. */
export interface Bits {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

export function bitAt(bits: Bits, index: number): boolean {
  const at = bits.offset + index;
  return ((bits.bytes[at >> 3]! >> (at & 7)) & 1) === 1;
}

/** Copies `count` bits into a zeroed target, from bit `to` on. */
export function copyBits(source: Bits, from: number, count: number, target: Uint8Array, to: number): void {
  const start = source.offset + from;
  const shift = start & 7;
  if ((to & 7) === 0) {
    const first = start >> 3;
    const outFirst = to >> 3;
    const wholeBytes = count >> 3;
    if (shift === 0) target.set(source.bytes.subarray(first, first + wholeBytes), outFirst);
    else {
      for (let i = 0; i < wholeBytes; i++) {
        const low = source.bytes[first + i]! >> shift;
        target[outFirst + i] = low | (source.bytes[first + i + 1]! << (8 - shift));
      }
    }
    copySingleBits(source, from + wholeBytes * 8, count & 7, target, to + wholeBytes * 8);
    return;
  }
  copySingleBits(source, from, count, target, to);
}

function copySingleBits(source: Bits, from: number, count: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < count; i++) {
    const at = source.offset + from + i;
    const bit = (source.bytes[at >> 3]! >> (at & 7)) & 1;
    target[(to + i) >> 3]! |= bit << ((to + i) & 7);
  }
}

/** Sets `count` bits of the target from bit `to` on. */
export function setBits(target: Uint8Array, to: number, count: number): void {
  let at = to;
  const end = to + count;
  for (; at < end && (at & 7) !== 0; at++) target[at >> 3]! |= 1 << (at & 7);
  const wholeEnd = end & ~7;
  if (at < wholeEnd) {
    target.fill(0xff, at >> 3, wholeEnd >> 3);
    at = wholeEnd;
  }
  for (; at < end; at++) target[at >> 3]! |= 1 << (at & 7);
}
