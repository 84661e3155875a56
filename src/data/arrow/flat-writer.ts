/**
 * FlatBuffers, as much as Arrow metadata needs: tables, vectors of tables and of structs, strings.
 *
 * Written front to back: a table is laid down with empty references, its children follow, and the references are
 * patched. Format: https://flatbuffers.dev/internals (vtables, u32 offsets, everything aligned to its size).
 */

/** One slot of a table: absent, a number of so many bytes, or a reference that is patched later. */
export type Slot = null | "ref" | readonly [sizeBytes: 1 | 2 | 4 | 8, value: number];

/** Where a table or vector begins, and where each of its slots or items is. */
export interface Placed {
  readonly start: number;
  readonly at: readonly number[];
}

export class FlatWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #size = 4;

  /** Forgets what was written. The first four bytes stay free for the reference to the root. */
  reset(): void {
    this.#bytes.fill(0, 0, this.#size);
    this.#size = 4;
  }

  /** A copy of all bytes, after the root is set, zero-padded to a multiple of 8. */
  finish(root: number): Uint8Array {
    this.#view.setUint32(0, root, true);
    return this.#bytes.slice(0, (this.#size + 7) & ~7);
  }

  table(slots: readonly Slot[]): Placed {
    const vtableBytes = 4 + 2 * slots.length;
    const start = this.#reserve(vtableBytes, 8);
    const vtable = start - vtableBytes;
    let tableBytes = 4;
    const at = new Array<number>(slots.length).fill(0);
    for (const size of [4, 8, 2, 1]) {
      for (let i = 0; i < slots.length; i++) {
        const slot = slots[i];
        if (slot == null || (slot === "ref" ? 4 : slot[0]) !== size) continue;
        tableBytes = (tableBytes + size - 1) & -size;
        at[i] = start + tableBytes;
        tableBytes += size;
      }
    }
    this.#grow(start + tableBytes);
    const view = this.#view;
    view.setInt32(start, start - vtable, true);
    view.setUint16(vtable, vtableBytes, true);
    view.setUint16(vtable + 2, tableBytes, true);
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i];
      if (slot == null) continue;
      view.setUint16(vtable + 4 + 2 * i, at[i]! - start, true);
      if (slot !== "ref") this.#put(at[i]!, slot[0], slot[1]);
    }
    this.#size = start + tableBytes;
    return { start, at };
  }

  /** A vector of references, to be patched. */
  refs(count: number): Placed {
    const start = this.#reserve(0, 4);
    this.#grow(start + 4 + 4 * count);
    this.#view.setUint32(start, count, true);
    this.#size = start + 4 + 4 * count;
    return { start, at: Array.from({ length: count }, (_, i) => start + 4 + 4 * i) };
  }

  /** A vector of structs of 8-byte numbers, `perItem` of them each. */
  structs(numbers: readonly number[], perItem: number): number {
    const start = this.#reserve(4, 8) - 4;
    this.#grow(start + 4 + 8 * numbers.length);
    this.#view.setUint32(start, numbers.length / perItem, true);
    for (let i = 0; i < numbers.length; i++) this.#put(start + 4 + 8 * i, 8, numbers[i]!);
    this.#size = start + 4 + 8 * numbers.length;
    return start;
  }

  string(text: string): number {
    const bytes = Buffer.from(text, "utf8");
    const start = this.#reserve(0, 4);
    this.#grow(start + 5 + bytes.byteLength);
    this.#view.setUint32(start, bytes.byteLength, true);
    this.#bytes.set(bytes, start + 4);
    this.#size = start + 5 + bytes.byteLength;
    return start;
  }

  /** Bytes made by another writer, references within them intact. Returns where they begin. */
  paste(bytes: Uint8Array): number {
    const start = this.#reserve(0, 8);
    this.#grow(start + bytes.byteLength);
    this.#bytes.set(bytes, start);
    this.#size = start + bytes.byteLength;
    return start;
  }

  /** Points the reference at `position` to `target`, which must lie behind it. */
  patch(position: number | undefined, target: number): void {
    this.#view.setUint32(position!, target - position!, true);
  }

  #put(position: number, sizeBytes: number, value: number): void {
    if (sizeBytes === 1) this.#view.setUint8(position, value);
    else if (sizeBytes === 2) this.#view.setInt16(position, value, true);
    else if (sizeBytes === 4) this.#view.setInt32(position, value, true);
    else {
      this.#view.setUint32(position, value % 0x1_0000_0000, true);
      this.#view.setInt32(position + 4, Math.floor(value / 0x1_0000_0000), true);
    }
  }

  /** The next aligned position with `before` bytes free in front of it. */
  #reserve(before: number, alignment: number): number {
    return (this.#size + before + alignment - 1) & -alignment;
  }

  #grow(size: number): void {
    if (size <= this.#bytes.byteLength) return;
    const next = new Uint8Array(Math.max(size, 2 * this.#bytes.byteLength));
    next.set(this.#bytes);
    this.#bytes = next;
    this.#view = new DataView(next.buffer);
  }
}
