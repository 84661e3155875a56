/**
 * Memory that is used again: buffers for what is read, decoded, looked at and forgotten, batch after batch.
 *
 * Fresh buffers would have to be zeroed by the system and collected by the engine, whose collector takes as much
 * processor time as a scan that looks at every row; two threads that scan would wait for it.
 */
import type { Bytes } from "../store/contract.js";
import { allocateBytes } from "../store/ranges.js";

/** Below this a buffer of its own costs less than looking for one. */
const SMALL_BYTES = 1 << 10;
/** A free buffer that is larger than this many times what is wanted stays free. */
const SLACK = 4;
/** What an idle scratch may keep. */
const SCRATCH_BYTES_MAX = 16 << 20;
/** What all scratches of a pool that wait for the next read may keep. */
const IDLE_BYTES_MAX = 32 << 20;

/** Buffers for one batch at a time. */
export class Scratch {
  #free: ArrayBuffer[] = [];
  #taken: ArrayBuffer[] = [];

  /** Bytes that it keeps while nothing is taken. */
  get freeBytes(): number {
    return this.#free.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Bytes that lie 8-aligned, may hold anything, and belong to the caller until the next `reset`. */
  take(size: number): Bytes {
    if (size < SMALL_BYTES) return new Uint8Array(size);
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const { byteLength } = this.#free[i]!;
      if (byteLength < size || byteLength > size * SLACK) continue;
      if (best < 0 || byteLength < this.#free[best]!.byteLength) best = i;
    }
    const buffer = best < 0 ? allocateBytes(roundUp(size)).buffer : this.#free[best]!;
    if (best >= 0) {
      this.#free[best] = this.#free.at(-1)!;
      this.#free.pop();
    }
    this.#taken.push(buffer);
    return new Uint8Array(buffer, 0, size);
  }

  /** Whatever was taken may be given to others; nobody looks at it any more. */
  reset(): void {
    // What the last batch needed, the next one needs first.
    const buffers = [...this.#taken, ...this.#free];
    this.#taken = [];
    this.#free = [];
    let held = 0;
    for (const buffer of buffers) {
      held += buffer.byteLength;
      if (held > SCRATCH_BYTES_MAX) break;
      this.#free.push(buffer);
    }
  }
}

/** Sizes of neighbouring batches differ a little: one buffer serves them all. */
function roundUp(size: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(size)) - 3);
  return Math.ceil(size / unit) * unit;
}

/** Scratches of one table in one thread. */
export class ScratchPool {
  readonly #idle: Scratch[] = [];
  readonly #make: () => Scratch;

  constructor(make: () => Scratch = () => new Scratch()) {
    this.#make = make;
  }

  take(): Scratch {
    return this.#idle.pop() ?? this.#make();
  }

  /** Only for a scratch that no read writes into any more; one that may still be written to is left to the collector. */
  giveBack(scratch: Scratch): void {
    scratch.reset();
    const held = this.#idle.reduce((sum, { freeBytes }) => sum + freeBytes, scratch.freeBytes);
    if (held <= IDLE_BYTES_MAX) this.#idle.push(scratch);
  }
}
