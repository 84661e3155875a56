/**
 * Reads flatbuffer tables out of bytes that nobody trusts; knows no schema.
 *
 * Every access is checked against the buffer. Format: FlatBuffers internals, "Tables", "Vectors".
 */
import { corrupt } from "./wire.js";

/** A table inside a flatbuffer. Slots are the field numbers of its schema, from 0. */
export class FlatTable {
  private readonly view: DataView;
  private readonly path: string;
  private readonly position: number;

  private constructor(view: DataView, path: string, position: number) {
    this.view = view;
    this.path = path;
    this.position = position;
  }

  /** The root table. */
  static root(bytes: Uint8Array, path: string): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, path, read(view, path, 0, 4));
  }

  /** An unsigned integer of 1, 2 or 4 bytes; 0 when the field is absent. */
  uint(slot: number, bytes: 1 | 2 | 4): number {
    const at = this.fieldAt(slot);
    return at === undefined ? 0 : read(this.view, this.path, at, bytes);
  }

  /** An integer of 8 bytes that is not negative; 0 when the field is absent. */
  long(slot: number): number {
    const at = this.fieldAt(slot);
    if (at === undefined) return 0;
    const value = read(this.view, this.path, at, 4) + read(this.view, this.path, at + 4, 4) * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw corrupt(this.path, at, "a number is out of range");
    return value;
  }

  table(slot: number): FlatTable | undefined {
    const at = this.fieldAt(slot);
    return at === undefined ? undefined : new FlatTable(this.view, this.path, this.follow(at));
  }

  /** The tables of a vector of tables. */
  tables(slot: number): FlatTable[] {
    return this.vector(slot, 4, (at) => new FlatTable(this.view, this.path, this.follow(at)));
  }

  /** The elements of a vector of structs of `bytes` bytes, each as a view. */
  structs(slot: number, bytes: number): DataView[] {
    return this.vector(slot, bytes, (at) => {
      if (at + bytes > this.view.byteLength) throw corrupt(this.path, at, "it refers outside itself");
      return new DataView(this.view.buffer, this.view.byteOffset + at, bytes);
    });
  }

  private vector<T>(slot: number, bytes: number, element: (at: number) => T): T[] {
    const field = this.fieldAt(slot);
    if (field === undefined) return [];
    const start = this.follow(field);
    const length = read(this.view, this.path, start, 4);
    if (length * bytes > this.view.byteLength) throw corrupt(this.path, start, "a vector is longer than its buffer");
    return Array.from({ length }, (_, i) => element(start + 4 + i * bytes));
  }

  private fieldAt(slot: number): number | undefined {
    const vtable = this.position - read(this.view, this.path, this.position, 4, true);
    const entry = 4 + slot * 2;
    if (entry + 2 > read(this.view, this.path, vtable, 2)) return undefined;
    const offset = read(this.view, this.path, vtable + entry, 2);
    return offset === 0 ? undefined : this.position + offset;
  }

  private follow(at: number): number {
    return at + read(this.view, this.path, at, 4);
  }
}

function read(view: DataView, path: string, at: number, bytes: 1 | 2 | 4, signed = false): number {
  if (at < 0 || at + bytes > view.byteLength) throw corrupt(path, Math.max(0, at), "it refers outside itself");
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true);
  return signed ? view.getInt32(at, true) : view.getUint32(at, true);
}
