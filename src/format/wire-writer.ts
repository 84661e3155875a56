/**
 * The protobuf wire format, written: the twin of wire.ts.
 *
 * Format: protobuf encoding specification.
 */
export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

const HIGH = 0x1_0000_0000;
const textEncoder = new TextEncoder();

/** Builds one message; fields appear in the order of the calls. Nested messages go through `begin` and `commit`. */
export class WireWriter {
  private bytes: Uint8Array<ArrayBuffer>;
  private pos = 0;

  constructor(capacityBytes = 256) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  get length(): number {
    return this.pos;
  }

  /** A u32, u64 or enum. */
  uint(field: number, value: number | bigint): void {
    this.room(20);
    this.tag(field, WIRE_VARINT);
    if (typeof value === "bigint") this.bigVarint(BigInt.asUintN(64, value));
    else this.varint(value);
  }

  /** As `uint`, left out when zero: proto3 without `optional`. */
  uintIfSet(field: number, value: number | bigint): void {
    if (value !== 0 && value !== 0n) this.uint(field, value);
  }

  /** An i32 or i64, negative ones as ten bytes. */
  int(field: number, value: number | bigint): void {
    this.uint(field, value < 0 ? BigInt(value) : value);
  }

  bool(field: number, value: boolean): void {
    if (value) this.uint(field, 1);
  }

  data(field: number, value: Uint8Array): void {
    this.room(20 + value.length);
    this.tag(field, WIRE_BYTES);
    this.varint(value.length);
    this.bytes.set(value, this.pos);
    this.pos += value.length;
  }

  string(field: number, value: string): void {
    this.room(20 + value.length * 3);
    this.tag(field, WIRE_BYTES);
    const bytes = Buffer.byteLength(value);
    this.varint(bytes);
    textEncoder.encodeInto(value, this.bytes.subarray(this.pos, this.pos + bytes));
    this.pos += bytes;
  }

  stringIfSet(field: number, value: string): void {
    if (value !== "") this.string(field, value);
  }

  /** A repeated integer in packed form; nothing when empty. */
  packed(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const inner = this.begin(field);
    for (const value of values) {
      this.room(10);
      if (value < 0) this.bigVarint(BigInt.asUintN(64, BigInt(value)));
      else this.varint(value);
    }
    this.commit(inner);
  }

  /** Opens a nested message; its fields follow until `commit` gets the answer of this call. */
  begin(field: number): number {
    this.room(20);
    this.tag(field, WIRE_BYTES);
    // One byte for the length; commit makes room when the message is longer than that can say.
    this.pos++;
    return this.pos;
  }

  commit(start: number): void {
    const length = this.pos - start;
    const extra = varintLength(length) - 1;
    if (extra > 0) {
      this.room(extra);
      this.bytes.copyWithin(start + extra, start, this.pos);
    }
    this.pos = start - 1;
    this.varint(length);
    this.pos += length;
  }

  /** Fields as they are, tags included. */
  raw(fields: Uint8Array | undefined): void {
    if (fields === undefined) return;
    this.room(fields.length);
    this.bytes.set(fields, this.pos);
    this.pos += fields.length;
  }

  /** What was written, as a fresh array. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.pos);
  }

  private room(count: number): void {
    if (this.pos + count <= this.bytes.length) return;
    const wider = new Uint8Array(Math.max(this.bytes.length * 2, this.pos + count));
    wider.set(this.bytes.subarray(0, this.pos));
    this.bytes = wider;
  }

  private tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  private varint(value: number): void {
    let rest = value;
    while (rest >= HIGH) {
      this.bytes[this.pos++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    rest >>>= 0;
    while (rest >= 0x80) {
      this.bytes[this.pos++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.pos++] = rest;
  }

  private bigVarint(value: bigint): void {
    let rest = value;
    while (rest >= 0x80n) {
      this.bytes[this.pos++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.pos++] = Number(rest);
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}
