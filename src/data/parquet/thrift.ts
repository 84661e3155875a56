/**
 * Thrift's compact protocol as a tree, as much as Parquet footers need: decode, change a number, encode.
 *
 * Nothing is trusted: sizes are checked against the bytes that are left, nesting has a limit.
 * Specification: apache/thrift doc/specs/thrift-compact-protocol.md.
 */

export class ThriftError extends Error {
  override readonly name = "ThriftError";
}

export type ThriftValue =
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "int"; readonly type: number; readonly value: bigint }
  | { readonly kind: "bytes"; readonly type: number; readonly value: Uint8Array }
  | { readonly kind: "list"; readonly type: number; readonly itemType: number; readonly items: readonly ThriftValue[] }
  | ThriftStruct;

export interface ThriftStruct {
  readonly kind: "struct";
  readonly fields: ReadonlyMap<number, ThriftValue>;
}

const TYPE = { true: 1, false: 2, byte: 3, i16: 4, i32: 5, i64: 6, double: 7, binary: 8, list: 9, set: 10, struct: 12 };
const DEPTH_MAX = 32;

export function decodeThrift(bytes: Uint8Array): ThriftStruct {
  return new ThriftDecoder(bytes).struct(0);
}

class ThriftDecoder {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(depth: number): ThriftStruct {
    if (depth > DEPTH_MAX) throw new ThriftError(`nesting deeper than ${DEPTH_MAX}`);
    const fields = new Map<number, ThriftValue>();
    let id = 0;
    for (;;) {
      const header = this.#byte();
      if (header === 0) return { kind: "struct", fields };
      const delta = header >> 4;
      id = delta === 0 ? Number(this.#zigzag()) : id + delta;
      const type = header & 0x0f;
      const isBool = type === TYPE.true || type === TYPE.false;
      fields.set(id, isBool ? { kind: "bool", value: type === TYPE.true } : this.#value(type, depth));
    }
  }

  #value(type: number, depth: number): ThriftValue {
    switch (type) {
      case TYPE.true:
      case TYPE.false:
        return { kind: "bool", value: this.#byte() === TYPE.true };
      case TYPE.byte:
        return { kind: "bytes", type, value: this.#take(1) };
      case TYPE.i16:
      case TYPE.i32:
      case TYPE.i64:
        return { kind: "int", type, value: this.#zigzag() };
      case TYPE.double:
        return { kind: "bytes", type, value: this.#take(8) };
      case TYPE.binary:
        return { kind: "bytes", type, value: this.#take(Number(this.#varint())) };
      case TYPE.list:
      case TYPE.set:
        return this.#list(type, depth);
      case TYPE.struct:
        return this.struct(depth + 1);
      default:
        throw new ThriftError(`a value of unknown type ${type}`);
    }
  }

  #list(type: number, depth: number): ThriftValue {
    const header = this.#byte();
    const itemType = header & 0x0f;
    const size = header >> 4 === 15 ? Number(this.#varint()) : header >> 4;
    if (size > this.#bytes.byteLength - this.#at) throw new ThriftError(`a list of ${size} items`);
    const items: ThriftValue[] = [];
    for (let i = 0; i < size; i++) items.push(this.#value(itemType, depth + 1));
    return { kind: "list", type, itemType, items };
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new ThriftError("an end in the middle");
    return byte;
  }

  #take(length: number): Uint8Array {
    if (!(length <= this.#bytes.byteLength - this.#at)) throw new ThriftError(`a value of ${length} bytes`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new ThriftError("a number of more than ten bytes");
  }

  #zigzag(): bigint {
    const value = this.#varint();
    return (value >> 1n) ^ -(value & 1n);
  }
}

export function encodeThrift(struct: ThriftStruct): Uint8Array {
  const out: (number | Uint8Array)[] = [];
  encodeStruct(out, struct);
  const size = out.reduce<number>((sum, part) => sum + (typeof part === "number" ? 1 : part.byteLength), 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of out) {
    if (typeof part === "number") bytes[at++] = part;
    else {
      bytes.set(part, at);
      at += part.byteLength;
    }
  }
  return bytes;
}

type Out = (number | Uint8Array)[];

function typeOf(value: ThriftValue): number {
  if (value.kind === "bool") return value.value ? TYPE.true : TYPE.false;
  return value.kind === "struct" ? TYPE.struct : value.type;
}

function encodeStruct(out: Out, struct: ThriftStruct): void {
  let last = 0;
  for (const [id, value] of struct.fields) {
    const delta = id - last;
    if (delta > 0 && delta < 16) out.push((delta << 4) | typeOf(value));
    else {
      out.push(typeOf(value));
      encodeInt(out, BigInt(id));
    }
    if (value.kind !== "bool") encodeValue(out, value);
    last = id;
  }
  out.push(0);
}

function encodeValue(out: Out, value: ThriftValue): void {
  switch (value.kind) {
    case "bool":
      out.push(typeOf(value));
      return;
    case "int":
      encodeInt(out, value.value);
      return;
    case "bytes":
      if (value.type === TYPE.binary) encodeVarint(out, BigInt(value.value.byteLength));
      out.push(value.value);
      return;
    case "list":
      if (value.items.length < 15) out.push((value.items.length << 4) | value.itemType);
      else {
        out.push(0xf0 | value.itemType);
        encodeVarint(out, BigInt(value.items.length));
      }
      for (const item of value.items) encodeValue(out, item);
      return;
    case "struct":
      encodeStruct(out, value);
      return;
  }
}

function encodeInt(out: Out, value: bigint): void {
  encodeVarint(out, BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
}

function encodeVarint(out: Out, value: bigint): void {
  let rest = value;
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
}

/** A whole number of a struct. @throws ThriftError when it is not there, negative or beyond 2^53 */
export function numberAt(struct: ThriftStruct, id: number): number {
  const value = struct.fields.get(id);
  const number = value?.kind === "int" ? Number(value.value) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < 0) throw new ThriftError(`no sensible number in field ${id}`);
  return number;
}

export function structAt(struct: ThriftStruct, id: number): ThriftStruct {
  const value = struct.fields.get(id);
  if (value?.kind !== "struct") throw new ThriftError(`no struct in field ${id}`);
  return value;
}

export function structsAt(struct: ThriftStruct, id: number): readonly ThriftStruct[] {
  const value = struct.fields.get(id);
  const items = value?.kind === "list" ? value.items : [];
  if (items.some((item) => item.kind !== "struct")) throw new ThriftError(`no structs in field ${id}`);
  return items as readonly ThriftStruct[];
}

export function textAt(struct: ThriftStruct, id: number): string {
  const value = struct.fields.get(id);
  return value?.kind === "bytes" ? Buffer.from(value.value).toString("utf8") : "";
}

/** The struct with some fields replaced; `undefined` removes one. */
export function withFields(
  struct: ThriftStruct,
  changes: Readonly<Record<number, ThriftValue | undefined>>,
): ThriftStruct {
  const fields = new Map(struct.fields);
  for (const [id, value] of Object.entries(changes)) {
    if (value === undefined) fields.delete(Number(id));
    else fields.set(Number(id), value);
  }
  return { kind: "struct", fields };
}

export function i64(value: number): ThriftValue {
  return { kind: "int", type: TYPE.i64, value: BigInt(value) };
}

export function i32(value: number): ThriftValue {
  return { kind: "int", type: TYPE.i32, value: BigInt(value) };
}

export function text(value: string): ThriftValue {
  return { kind: "bytes", type: TYPE.binary, value: Buffer.from(value, "utf8") };
}

export function struct(fields: Readonly<Record<number, ThriftValue>>): ThriftStruct {
  return { kind: "struct", fields: new Map(Object.entries(fields).map(([id, value]) => [Number(id), value])) };
}

export function structs(items: readonly ThriftStruct[]): ThriftValue {
  return { kind: "list", type: TYPE.list, itemType: TYPE.struct, items };
}
