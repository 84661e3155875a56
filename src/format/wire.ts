/**
 * The protobuf wire format, read, for the messages that are read and written on every commit.
 *
 * Checks every length against what is there before it takes it; never rounds: a u64 above 2^53 - 1 is refused where a
 * number is asked for. Groups (wire types 3 and 4) are refused. Format: protobuf encoding specification.
 */
import { TableError } from "../support/errors.js";
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from "./wire-writer.js";

export { WireWriter } from "./wire-writer.js";

const VARINT_BYTES_MAX = 10;
const HIGH = 0x1_0000_0000;
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
