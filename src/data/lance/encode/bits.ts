/** A bitmap that starts at any bit, least significant first: validity and Boolean values of a slice. */

/** Bits [offset, …) of `bytes`. */
export interface Bits {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

export function bitAt(bits: Bits, index: number): boolean {
  const at = bits.offset + index;
  return ((bits.bytes[at >> 3]! >> (at & 7)) & 1) === 1;
}
