/**
 * The protobuf wire format over bytes, for the messages that are read and written on every commit.
 *
 * Checks every length against what is there before it takes it; never rounds: a u64 above 2^53 - 1 is refused where a
 * number is asked for. Groups (wire types 3 and 4) are refused. Format: protobuf encoding specification.
 */
import { TableError } from "../support/errors.js";

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

const VARINT_BYTES_MAX = 10;
const HIGH = 0x1_0000_0000;
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const textEncoder = new TextEncoder();

/**
 * Walks the fields of one message: `next()` reads a tag, then exactly one of the value readers or `skip()` follows.
 * Every failure is CORRUPT with the path and the offset in `bytes`.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly path: string;
  pos: number;
  end: number;
  /** Number of the field that `next()` found. */
  field = 0;
  wireType = 0;
  /** Where its tag begins. */
  tagStart = 0;

  constructor(bytes: Uint8Array, path: string, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.path = path;
    this.pos = start;
    this.end = end;
  }

  /** Reads the tag of the next field; false at the end of the message. */
  next(): boolean {
    if (this.pos >= this.end) return false;
    this.tagStart = this.pos;
    const tag = this.varint();
    this.wireType = tag & 7;
    this.field = Math.floor(tag / 8);
    if (this.field < 1 || tag >= HIGH) this.fail("a field number is out of range");
    return true;
  }

  /** A u32, u64 or enum that fits into a number. */
  uint(): number {
    this.expect(WIRE_VARINT);
    return this.varint();
  }

  /** A u64 or (as two's complement) i64. */
  bigUint(): bigint {
    this.expect(WIRE_VARINT);
    return this.bigVarint();
  }

  /** An i64. */
  bigInt(): bigint {
    return BigInt.asIntN(64, this.bigUint());
  }

  int32(): number {
    this.expect(WIRE_VARINT);
    return this.signedVarint();
  }

  bool(): boolean {
    this.expect(WIRE_VARINT);
    return this.bigVarint() !== 0n;
  }

  /** The bytes of a length-delimited field, a view. */
  view(): Uint8Array {
    const end = this.delimitedEnd();
    const view = this.bytes.subarray(this.pos, end);
    this.pos = end;
    return view;
  }

  string(): string {
    const end = this.delimitedEnd();
    const start = this.pos;
    this.pos = end;
    return this.text(start, end);
  }

  /** The message in a length-delimited field, as a reader of its own. */
  message(): WireReader {
    const end = this.delimitedEnd();
    const inner = new WireReader(this.bytes, this.path, this.pos, end);
    this.pos = end;
    return inner;
  }

  /** Adds the values of a repeated i32, packed or not. */
  int32s(into: number[]): void {
    if (this.wireType !== WIRE_BYTES) {
      into.push(this.int32());
      return;
    }
    const end = this.delimitedEnd();
    const outer = this.end;
    this.end = end;
    while (this.pos < end) into.push(this.signedVarint());
    this.end = outer;
  }

  /** Adds the values of a repeated unsigned integer, packed or not. */
  uints(into: number[]): void {
    if (this.wireType !== WIRE_BYTES) {
      into.push(this.uint());
      return;
    }
    const end = this.delimitedEnd();
    const outer = this.end;
    this.end = end;
    while (this.pos < end) into.push(this.varint());
    this.end = outer;
  }

  /** Steps over the value of the current field. */
  skip(): void {
    switch (this.wireType) {
      case WIRE_VARINT:
        this.skipVarint();
        return;
      case WIRE_FIXED64:
        this.advance(8);
        return;
      case WIRE_BYTES:
        this.pos = this.delimitedEnd();
        return;
      case WIRE_FIXED32:
        this.advance(4);
        return;
      default:
        this.fail(`wire type ${this.wireType} is unknown`);
    }
  }

  /** Steps over the value and keeps the field as encoded, tag included. */
  keep(unknown: Uint8Array[]): void {
    this.skip();
    unknown.push(this.bytes.subarray(this.tagStart, this.pos));
  }

  /** @throws CORRUPT at the current position */
  fail(problem: string): never {
    throw corrupt(this.path, this.pos, problem);
  }

  /** Checks a length-delimited field's length; leaves `pos` at its first byte and answers where it ends. */
  delimitedEnd(): number {
    this.expect(WIRE_BYTES);
    const length = this.varint();
    if (length > this.end - this.pos) this.fail(`${length} bytes are announced and ${this.end - this.pos} are left`);
    return this.pos + length;
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) this.fail(`field ${this.field} has wire type ${this.wireType}, not ${wireType}`);
  }

  private advance(count: number): void {
    if (count > this.end - this.pos) this.fail("the message ends inside a value");
    this.pos += count;
  }

  private skipVarint(): void {
    const limit = Math.min(this.end, this.pos + VARINT_BYTES_MAX);
    while (this.pos < limit) if (this.bytes[this.pos++]! < 0x80) return;
    this.fail("a varint does not end");
  }

  private varint(): number {
    const { bytes, end } = this;
    let pos = this.pos;
    let result = 0;
    let scale = 1;
    const limit = Math.min(end, pos + VARINT_BYTES_MAX);
    while (pos < limit) {
      const byte = bytes[pos++]!;
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (result > Number.MAX_SAFE_INTEGER) this.fail("a number is above 2^53 - 1");
        this.pos = pos;
        return result;
      }
      scale *= 128;
    }
    return this.fail("a varint does not end");
  }

  private bigVarint(): bigint {
    let result = 0n;
    let shift = 0n;
    const limit = Math.min(this.end, this.pos + VARINT_BYTES_MAX);
    while (this.pos < limit) {
      const byte = this.bytes[this.pos++]!;
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (result >= 2n ** 64n) this.fail("a number is above 2^64 - 1");
        return result;
      }
      shift += 7n;
    }
    return this.fail("a varint does not end");
  }

  private signedVarint(): number {
    // Negative i32 come as ten bytes of sign extension; everything else is short.
    const start = this.pos;
    if (start < this.end && this.bytes[start]! < 0x80) {
      this.pos = start + 1;
      return this.bytes[start]!;
    }
    const value = BigInt.asIntN(64, this.bigVarint());
    if (value !== BigInt.asIntN(32, value)) this.fail("a number is outside the range of i32");
    return Number(value);
  }

  private text(start: number, end: number): string {
    try {
      return strictText.decode(this.bytes.subarray(start, end));
    } catch (cause) {
      throw corrupt(this.path, start, "a text is not UTF-8", cause);
    }
  }
}

/** A u64 as a number, never rounded. @throws CORRUPT */
export function safeNumber(value: bigint, path: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(path, 0, "a number is above 2^53 - 1");
  return Number(value);
}

/** CORRUPT for `path` at `offset`. */
export function corrupt(path: string, offset: number, problem: string, cause?: unknown): TableError {
  return new TableError("CORRUPT", `${path} is damaged at byte ${offset}: ${problem}. Restore it from a backup.`, {
    details: { path, offset, problem },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Fields that `keep` collected, as one piece; undefined when there are none. A copy, so that it pins no file. */
export function joinUnknown(parts: readonly Uint8Array[]): Uint8Array | undefined {
  return parts.length === 0 ? undefined : concat(parts);
}

/** One fresh array with all `parts`. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let pos = 0;
  for (const part of parts) {
    all.set(part, pos);
    pos += part.length;
  }
  return all;
}

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
