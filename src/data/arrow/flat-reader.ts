/**
 * Reads FlatBuffers that nobody vouches for: every position is checked before it is used. What makes no sense throws
 * a `FlatError`, which the caller turns into CORRUPT with the file's name.
 */

export class FlatError extends Error {
  override readonly name = "FlatError";
}

/** A position of a table within the bytes. */
export type TablePosition = number;

const COUNT_MAX = 1_000_000;

export class FlatReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  root(): TablePosition {
    return this.#follow(0);
  }

  /** Position of a slot's content; undefined when the table does not have it. */
  #slot(table: TablePosition, slot: number): number | undefined {
    const vtable = table - this.#i32(table);
    const size = this.#u16(vtable);
    if (size < 4 + 2 * slot + 2) return undefined;
    const offset = this.#u16(vtable + 4 + 2 * slot);
    return offset === 0 ? undefined : table + offset;
  }

  u8(table: TablePosition, slot: number): number {
    const at = this.#slot(table, slot);
    return at === undefined ? 0 : this.#check(at, 1).getUint8(at);
  }

  i16(table: TablePosition, slot: number, absent = 0): number {
    const at = this.#slot(table, slot);
    return at === undefined ? absent : this.#check(at, 2).getInt16(at, true);
  }

  i32(table: TablePosition, slot: number, absent = 0): number {
    const at = this.#slot(table, slot);
    return at === undefined ? absent : this.#i32(at);
  }

  i64(table: TablePosition, slot: number): number {
    const at = this.#slot(table, slot);
    return at === undefined ? 0 : this.#i64(at);
  }

  table(table: TablePosition, slot: number): TablePosition | undefined {
    const at = this.#slot(table, slot);
    return at === undefined ? undefined : this.#follow(at);
  }

  string(table: TablePosition, slot: number): string | undefined {
    const at = this.#slot(table, slot);
    if (at === undefined) return undefined;
    const start = this.#follow(at);
    const length = this.#u32(start);
    this.#check(start + 4, length);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start + 4, length).toString("utf8");
  }

  tables(table: TablePosition, slot: number): TablePosition[] {
    const vector = this.#vector(table, slot, 4);
    return Array.from({ length: vector.count }, (_, i) => this.#follow(vector.start + 4 * i));
  }

  /** A vector of structs of 8-byte numbers, flat. */
  numbers(table: TablePosition, slot: number, perItem: number): number[] {
    const vector = this.#vector(table, slot, 8 * perItem);
    return Array.from({ length: vector.count * perItem }, (_, i) => this.#i64(vector.start + 8 * i));
  }

  /** Blocks of the footer: offset i64, metadata length i32 and padding, body length i64. */
  blocks(table: TablePosition, slot: number): { offset: number; metadataBytes: number; bodyBytes: number }[] {
    const vector = this.#vector(table, slot, 24);
    return Array.from({ length: vector.count }, (_, i) => {
      const at = vector.start + 24 * i;
      return { offset: this.#i64(at), metadataBytes: this.#i32(at + 8), bodyBytes: this.#i64(at + 16) };
    });
  }

  #vector(table: TablePosition, slot: number, itemBytes: number): { start: number; count: number } {
    const at = this.#slot(table, slot);
    if (at === undefined) return { start: 0, count: 0 };
    const start = this.#follow(at);
    const count = this.#u32(start);
    if (count > COUNT_MAX) throw new FlatError(`a list of ${count} items`);
    this.#check(start + 4, count * itemBytes);
    return { start: start + 4, count };
  }

  #follow(at: number): number {
    return at + this.#u32(at);
  }

  #check(at: number, length: number): DataView {
    if (!(at >= 0 && at + length <= this.#bytes.byteLength)) throw new FlatError("a reference beyond the end");
    return this.#view;
  }

  #u16(at: number): number {
    return this.#check(at, 2).getUint16(at, true);
  }

  #u32(at: number): number {
    return this.#check(at, 4).getUint32(at, true);
  }

  #i32(at: number): number {
    return this.#check(at, 4).getInt32(at, true);
  }

  #i64(at: number): number {
    const view = this.#check(at, 8);
    const value = view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
    if (!Number.isSafeInteger(value)) throw new FlatError(`a number beyond 2^53`);
    return value;
  }
}
