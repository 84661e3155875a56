/**
 * Where decoded values go: growing buffers in Arrow's layout, for fixed-width values, bits and text.
 *
 * Decoders append at the tail; `keep` then drops the rows of the tail that nobody asked for. Knows no encodings.
 */
import { bitmapBytes, copyBits } from "../../kernels/bits.js";
import type { Scratch } from "../../scratch.js";
import { BATCH_MAX_BYTES, BatchTooLarge, damaged } from "./damage.js";

/** Ascending, disjoint ranges as start, end, start, end, ... */
export type Ranges = readonly number[];

export function rangesLength(ranges: Ranges): number {
  let length = 0;
  for (let i = 0; i < ranges.length; i += 2) length += ranges[i + 1]! - ranges[i]!;
  return length;
}

function grown(bytes: Uint8Array, used: number, needed: number, scratch?: Scratch): Uint8Array {
  if (needed > BATCH_MAX_BYTES) throw new BatchTooLarge();
  const size = Math.max(needed, Math.min(bytes.byteLength * 2, BATCH_MAX_BYTES));
  const larger = scratch === undefined ? new Uint8Array(size) : scratch.take(size);
  larger.set(bytes.subarray(0, used));
  return larger;
}

/** Values of a whole number of bytes each. */
export class FixedSink {
  readonly kind = "fixed";
  readonly width: number;
  length = 0;
  bytes: Uint8Array;
  /** The buffer belongs to a page and must not be written to. */
  #borrowed = false;

  constructor(width: number, capacity: number, scratch?: Scratch) {
    this.width = width;
    this.#scratch = scratch;
    if (width * capacity > BATCH_MAX_BYTES) throw new BatchTooLarge();
    this.bytes = EMPTY;
    this.#capacity = capacity;
  }
  /** Values expected; memory is taken with the first append, so that a page's own buffer can be used instead. */
  readonly #capacity: number;
  readonly #scratch: Scratch | undefined;

  /** Room for `count` more values; returns the byte position where they go. The caller fills all of it. */
  extend(count: number): number {
    const at = this.length * this.width;
    const needed = at + count * this.width;
    if (needed > this.bytes.byteLength || this.#borrowed) {
      this.bytes = grown(this.bytes, at, Math.max(needed, this.#capacity * this.width), this.#scratch);
      this.#borrowed = false;
    }
    this.length += count;
    return at;
  }

  /** Appends `count` values from `source`, or takes `source` itself when it holds all that is expected. */
  append(source: Uint8Array, count: number): void {
    const size = count * this.width;
    if (source.byteLength < size)
      damaged(`${count} values of ${this.width} bytes do not fit in ${source.byteLength} bytes`);
    if (this.length === 0 && count === this.#capacity && count > 0 && source.byteOffset % 8 === 0) {
      this.bytes = source.subarray(0, size);
      this.length = count;
      this.#borrowed = true;
      return;
    }
    const at = this.extend(count);
    this.bytes.set(source.byteLength === size ? source : source.subarray(0, size), at);
  }

  appendEmpty(count: number): void {
    const at = this.extend(count);
    this.bytes.fill(0, at, at + count * this.width);
  }

  keep(from: number, ranges: Ranges): void {
    const { width } = this;
    let to = from * width;
    if (this.#borrowed) {
      const copy = this.bytes.slice(0, this.length * width);
      this.bytes = copy;
      this.#borrowed = false;
    }
    for (let i = 0; i < ranges.length; i += 2) {
      const start = (from + ranges[i]!) * width;
      const end = (from + ranges[i + 1]!) * width;
      this.bytes.copyWithin(to, start, end);
      to += end - start;
    }
    this.length = to / width;
  }

  gather(source: FixedSink, indices: ArrayLike<number>, count: number): void {
    const at = this.extend(count);
    gatherFixed(source.bytes, source.length, indices, count, this.bytes, at, this.width);
  }

  /** The values as bytes, cut to length. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length * this.width);
  }
}

const EMPTY = new Uint8Array(0);

function gatherFixed(
  source: Uint8Array,
  length: number,
  indices: ArrayLike<number>,
  count: number,
  target: Uint8Array,
  at: number,
  width: number,
): void {
  if ((width === 8 || width === 4) && source.byteOffset % 4 === 0 && at % 4 === 0) {
    const from = new Int32Array(source.buffer, source.byteOffset, (length * width) >>> 2);
    const to = new Int32Array(target.buffer, target.byteOffset + at, (count * width) >>> 2);
    for (let i = 0; i < count; i++) {
      const index = indices[i]!;
      if (index >= length) damaged(`index ${index} lies outside the ${length} items of the dictionary`);
      if (width === 4) to[i] = from[index]!;
      else {
        to[2 * i] = from[2 * index]!;
        to[2 * i + 1] = from[2 * index + 1]!;
      }
    }
    return;
  }
  for (let i = 0, out = at; i < count; i++, out += width) {
    const index = indices[i]!;
    if (index >= length) damaged(`index ${index} lies outside the ${length} items of the dictionary`);
    const start = index * width;
    for (let j = 0; j < width; j++) target[out + j] = source[start + j]!;
  }
}

/** Booleans and validity: one bit each, low bit first. */
export class BitSink {
  readonly kind = "bits";
  length = 0;
  bytes: Uint8Array;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(bitmapBytes(capacity));
  }

  /** Room for `count` more bits, all clear; returns the position of the first. */
  extend(count: number): number {
    const at = this.length;
    const needed = bitmapBytes(at + count);
    if (needed > this.bytes.byteLength) this.bytes = grown(this.bytes, bitmapBytes(at), needed);
    this.length += count;
    return at;
  }

  append(source: Uint8Array, from: number, count: number): void {
    if (source.byteLength * 8 < from + count) damaged(`${count} bits do not fit in ${source.byteLength} bytes`);
    const at = this.extend(count);
    copyBits(source, from, this.bytes, at, count);
  }

  appendEmpty(count: number): void {
    this.extend(count);
  }

  keep(from: number, ranges: Ranges): void {
    const tail = new BitSink(rangesLength(ranges));
    for (let i = 0; i < ranges.length; i += 2) {
      tail.append(this.bytes, from + ranges[i]!, ranges[i + 1]! - ranges[i]!);
    }
    const keptBytes = bitmapBytes(from);
    if ((from & 7) !== 0) this.bytes[keptBytes - 1] = this.bytes[keptBytes - 1]! & ((1 << (from & 7)) - 1);
    this.bytes.fill(0, keptBytes, bitmapBytes(this.length));
    this.length = from;
    this.append(tail.bytes, 0, tail.length);
  }

  gather(source: BitSink, indices: ArrayLike<number>, count: number): void {
    const at = this.extend(count);
    for (let i = 0; i < count; i++) {
      const index = indices[i]!;
      if (index >= source.length) damaged(`index ${index} lies outside the ${source.length} items of the dictionary`);
      const bit = (source.bytes[index >>> 3]! >>> (index & 7)) & 1;
      this.bytes[(at + i) >>> 3] = this.bytes[(at + i) >>> 3]! | (bit << ((at + i) & 7));
    }
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, bitmapBytes(this.length));
  }
}

/** Values of varying length: text and binary. */
export class BytesSink {
  readonly kind = "bytes";
  length = 0;
  /** Where value i ends is `offsets[i + 1]`; `offsets[0]` is 0. */
  offsets: Int32Array;
  bytes: Uint8Array;

  constructor(capacity: number, scratch?: Scratch) {
    if (capacity * 4 > BATCH_MAX_BYTES) throw new BatchTooLarge();
    this.#capacity = capacity;
    this.#scratch = scratch;
    this.offsets = newOffsets(capacity + 1, scratch);
    this.bytes = EMPTY;
  }
  /** Values expected: from the first ones it follows how many bytes they will all take, more or less. */
  readonly #capacity: number;
  readonly #scratch: Scratch | undefined;

  /** Bytes used so far. */
  get used(): number {
    return this.offsets[this.length]!;
  }

  /** Room for `count` more values; the caller sets `offsets[length + 1 ...]` and then adds to `length`. */
  reserveValues(count: number): void {
    const needed = this.length + count + 1;
    if (needed <= this.offsets.length) return;
    if (needed * 4 > BATCH_MAX_BYTES) throw new BatchTooLarge();
    const larger = newOffsets(Math.max(needed, this.offsets.length * 2), this.#scratch);
    larger.set(this.offsets.subarray(0, this.length + 1));
    this.offsets = larger;
  }

  /** Room for `size` more bytes behind `used`. */
  reserveBytes(size: number): void {
    const needed = this.used + size;
    if (needed <= this.bytes.byteLength) return;
    const expected = this.length === 0 ? 0 : ((this.used * this.#capacity) / this.length) * 1.05 + size;
    const room = Math.max(needed, Math.min(Math.ceil(expected), BATCH_MAX_BYTES));
    this.bytes = grown(this.bytes, this.used, room, this.#scratch);
  }

  /** Appends one value: bytes [start, end) of `source`. */
  push(source: Uint8Array, start: number, end: number): void {
    const at = this.used;
    this.reserveValues(1);
    this.reserveBytes(end - start);
    if (end - start < 64) for (let i = start, to = at; i < end; i++, to++) this.bytes[to] = source[i]!;
    else this.bytes.set(source.subarray(start, end), at);
    this.offsets[++this.length] = at + end - start;
  }

  appendEmpty(count: number): void {
    this.reserveValues(count);
    this.offsets.fill(this.used, this.length + 1, this.length + 1 + count);
    this.length += count;
  }

  keep(from: number, ranges: Ranges): void {
    const { offsets } = this;
    let length = from;
    let to = offsets[from]!;
    for (let i = 0; i < ranges.length; i += 2) {
      const start = from + ranges[i]!;
      const end = from + ranges[i + 1]!;
      const first = offsets[start]!;
      const last = offsets[end]!;
      this.bytes.copyWithin(to, first, last);
      const shift = to - first;
      for (let j = start; j < end; j++) offsets[++length] = offsets[j + 1]! + shift;
      to += last - first;
    }
    this.length = length;
  }

  gather(source: BytesSink, indices: ArrayLike<number>, count: number): void {
    this.reserveValues(count);
    const from = source.offsets;
    const { offsets } = this;
    let end = this.used;
    for (let i = 0, at = this.length; i < count; i++) {
      const index = indices[i]!;
      if (index >= source.length) damaged(`index ${index} lies outside the ${source.length} items of the dictionary`);
      end += from[index + 1]! - from[index]!;
      if (end > BATCH_MAX_BYTES) throw new BatchTooLarge();
      offsets[++at] = end;
    }
    this.reserveBytes(end - this.used);
    copyItems(source, indices, count, this.bytes, this.used);
    this.length += count;
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.used);
  }
}

/** Offsets of which the first is 0. */
function newOffsets(length: number, scratch: Scratch | undefined): Int32Array {
  if (scratch === undefined) return new Int32Array(length);
  const offsets = new Int32Array(scratch.take(length * 4).buffer, 0, length);
  offsets[0] = 0;
  return offsets;
}

function copyItems(source: BytesSink, indices: ArrayLike<number>, count: number, target: Uint8Array, at: number): void {
  const { bytes, offsets } = source;
  let to = at;
  for (let i = 0; i < count; i++) {
    const index = indices[i]!;
    const start = offsets[index]!;
    const end = offsets[index + 1]!;
    if (end - start < 64) for (let j = start; j < end; j++) target[to++] = bytes[j]!;
    else {
      target.set(bytes.subarray(start, end), to);
      to += end - start;
    }
  }
}
