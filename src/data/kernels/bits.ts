/**
 * Bitmaps as Arrow lays them out, least significant bit first: validity and Boolean values.
 *
 * Every function takes the bit where the range starts, because Arrow shares one bitmap between slices.
 */

/** Bytes that hold `bits` bits. */
export function bitmapBytes(bits: number): number {
  return (bits + 7) >>> 3;
}

/** A bitmap whose first `bits` bits are set and whose spare bits are clear. */
export function onesBitmap(bits: number): Uint8Array {
  const bitmap = new Uint8Array(bitmapBytes(bits)).fill(255, 0, bits >>> 3);
  if ((bits & 7) !== 0) bitmap[bits >>> 3] = (1 << (bits & 7)) - 1;
  return bitmap;
}

/** Copies `count` bits from `source` at bit `from` to `target` at bit `to`; the target's bits there must be clear. */
export function copyBits(source: Uint8Array, from: number, target: Uint8Array, to: number, count: number): void {
  if (count === 0) return;
  let done = 0;
  if ((from & 7) === (to & 7)) {
    while (done < count && ((to + done) & 7) !== 0) done += copyBit(source, from + done, target, to + done);
    const bytes = (count - done) >>> 3;
    target.set(source.subarray((from + done) >>> 3, ((from + done) >>> 3) + bytes), (to + done) >>> 3);
    done += bytes << 3;
  } else if ((to & 7) === 0) {
    const shift = from & 7;
    const bytes = count >>> 3;
    let at = from >>> 3;
    for (let i = 0, out = to >>> 3; i < bytes; i++, at++, out++) {
      target[out] = (source[at]! >>> shift) | (source[at + 1]! << (8 - shift));
    }
    done = bytes << 3;
  }
  for (; done < count; done++) copyBit(source, from + done, target, to + done);
}

function copyBit(source: Uint8Array, from: number, target: Uint8Array, to: number): 1 {
  if (((source[from >>> 3]! >>> (from & 7)) & 1) !== 0) target[to >>> 3] = target[to >>> 3]! | (1 << (to & 7));
  return 1;
}

/** Sets `count` bits of `target` from bit `to` on. */
export function setBits(target: Uint8Array, to: number, count: number): void {
  const end = to + count;
  let at = to;
  for (; at < end && (at & 7) !== 0; at++) target[at >>> 3] = target[at >>> 3]! | (1 << (at & 7));
  const bytes = (end - at) >>> 3;
  target.fill(255, at >>> 3, (at >>> 3) + bytes);
  for (at += bytes << 3; at < end; at++) target[at >>> 3] = target[at >>> 3]! | (1 << (at & 7));
}

/** The bits at `offset + indices[i]`, as a bitmap of `indices.length` bits. */
export function gatherBits(source: Uint8Array, offset: number, indices: Uint32Array): Uint8Array {
  const count = indices.length;
  const out = new Uint8Array(bitmapBytes(count));
  let byte = 0;
  for (let i = 0; i < count; i++) {
    const at = offset + indices[i]!;
    byte |= ((source[at >>> 3]! >>> (at & 7)) & 1) << (i & 7);
    if ((i & 7) === 7) {
      out[i >>> 3] = byte;
      byte = 0;
    }
  }
  if ((count & 7) !== 0) out[count >>> 3] = byte;
  return out;
}

/** How many of the `count` bits from bit `from` on are set. */
export function countBits(bitmap: Uint8Array, from: number, count: number): number {
  const end = from + count;
  let at = from;
  let set = 0;
  for (; at < end && (at & 7) !== 0; at++) set += (bitmap[at >>> 3]! >>> (at & 7)) & 1;
  for (; at + 8 <= end; at += 8) set += ONES[bitmap[at >>> 3]!]!;
  for (; at < end; at++) set += (bitmap[at >>> 3]! >>> (at & 7)) & 1;
  return set;
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>>= 1) ones += rest & 1;
  return ones;
});

/** True when bit `index` is set. */
export function bitAt(bits: Uint8Array, index: number): boolean {
  return ((bits[index >> 3]! >> (index & 7)) & 1) === 1;
}

/** `length` bits from `bitOffset` on, moved to offset 0 in a fresh or shared array. */
export function alignBits(bits: Uint8Array, bitOffset: number, length: number): Uint8Array {
  const byteLength = (length + 7) >> 3;
  const first = bitOffset >> 3;
  const shift = bitOffset & 7;
  if (shift === 0) return bits.subarray(first, first + byteLength);
  const out = new Uint8Array(byteLength);
  for (let i = 0; i < byteLength; i++) {
    const low = bits[first + i]! >> shift;
    const high = (bits[first + i + 1] ?? 0) << (8 - shift);
    out[i] = low | high;
  }
  return out;
}
