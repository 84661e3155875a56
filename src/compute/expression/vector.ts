/**
 * Columns in the form that the kernels compute with: few physical forms, validity as one byte per row.
 *
 * A vector with `constant` set holds one element that stands for every row.
 */
import type { DataType } from "apache-arrow";
import { NULL } from "./types.js";

interface VectorHead {
  readonly type: DataType;
  readonly length: number;
  readonly constant: boolean;
  /** 1 where the row has a value; absent when all have. */
  readonly valid: Uint8Array | undefined;
}

/** Numbers up to 32 bits, floats, date32 (days) and time32. */
export interface NumberVector extends VectorHead {
  readonly form: "number";
  readonly values: Float64Array;
}

export type WideValues = BigInt64Array | BigUint64Array | bigint[];

/** Integers of 64 bits, the times kept in them, and decimals (unscaled). */
export interface WideVector extends VectorHead {
  readonly form: "wide";
  readonly values: WideValues;
}

/** Booleans, one byte each, 0 or 1. */
export interface TruthVector extends VectorHead {
  readonly form: "truth";
  readonly values: Uint8Array;
}

/** Text (UTF-8) and binary: element i is bytes[offsets[i] .. offsets[i + 1]]. */
export interface BytesVector extends VectorHead {
  readonly form: "bytes";
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

export interface ListVector extends VectorHead {
  readonly form: "list";
  readonly offsets: Int32Array;
  readonly child: Vector;
}

export interface StructVector extends VectorHead {
  readonly form: "struct";
  readonly children: readonly Vector[];
}

/** A value of no type: NULL in every row. */
export interface NothingVector extends VectorHead {
  readonly form: "nothing";
}

export type Vector = NumberVector | WideVector | TruthVector | BytesVector | ListVector | StructVector | NothingVector;

export function nothing(type: DataType = NULL, length = 1): NothingVector {
  return { form: "nothing", type, length, constant: true, valid: new Uint8Array(1) };
}

/** Elements that the arrays of a vector hold: one for a constant. */
export function physicalLength(vector: Vector): number {
  return vector.constant ? 1 : vector.length;
}

/** Whether row `i` has a value. */
export function isValid(vector: Vector, i: number): boolean {
  if (vector.form === "nothing") return false;
  return vector.valid === undefined || vector.valid[vector.constant ? 0 : i] === 1;
}

/** The shape that an element-wise kernel produces from these inputs. */
export interface Outcome {
  readonly length: number;
  readonly constant: boolean;
  readonly count: number;
  readonly valid: Uint8Array | undefined;
}

/** Constant when all inputs are; NULL where any input is. */
export function outcomeOf(...inputs: readonly Vector[]): Outcome {
  const length = inputs.find((input) => !input.constant)?.length ?? inputs[0]?.length ?? 1;
  const constant = inputs.every((input) => input.constant);
  const count = constant ? 1 : length;
  let valid: Uint8Array | undefined;
  for (const input of inputs) valid = mergeValid(valid, input, count);
  return { length, constant, count, valid };
}

function mergeValid(merged: Uint8Array | undefined, input: Vector, count: number): Uint8Array | undefined {
  if (input.form === "nothing") return new Uint8Array(count);
  const { valid } = input;
  if (valid === undefined) return merged;
  if (input.constant) {
    if (valid[0] === 1) return merged;
    return new Uint8Array(count);
  }
  if (merged === undefined) return valid;
  const out = new Uint8Array(count);
  for (let i = 0; i < count; i++) out[i] = (merged[i] as number) & (valid[i] as number);
  return out;
}

export function truth(values: Uint8Array, outcome: Outcome, type: DataType): TruthVector {
  const { length, constant, valid } = outcome;
  return { form: "truth", type, length, constant, valid, values };
}

/** The same vector as one of another length; only constants can change theirs. */
export function stretch<V extends Vector>(vector: V, length: number): V {
  return vector.length === length || !vector.constant ? vector : { ...vector, length };
}

const ENCODER = new TextEncoder();

/** Decoding a short run through a Buffer is several times faster than through a TextDecoder. */
const BUFFERS = new WeakMap<Uint8Array, Buffer>();

function bufferOf(bytes: Uint8Array): Buffer {
  const known = BUFFERS.get(bytes);
  if (known !== undefined) return known;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  BUFFERS.set(bytes, buffer);
  return buffer;
}

export function encodeText(text: string): Uint8Array {
  return ENCODER.encode(text);
}

/** The text of row `i` of a vector of bytes. */
export function textAt(vector: BytesVector, i: number): string {
  const at = vector.constant ? 0 : i;
  return bufferOf(vector.bytes).toString("utf8", vector.offsets[at] as number, vector.offsets[at + 1] as number);
}

/** Text from one string per row; undefined for NULL. */
export function textVector(
  texts: readonly (string | undefined)[],
  type: DataType,
  shape: { readonly length: number; readonly constant: boolean },
): BytesVector {
  const offsets = new Int32Array(texts.length + 1);
  const valid = new Uint8Array(texts.length);
  let size = 0;
  texts.forEach((text, i) => {
    if (text !== undefined) {
      size += Buffer.byteLength(text);
      valid[i] = 1;
    }
    offsets[i + 1] = size;
  });
  // Surrogates of neighbours must not meet, so that each text is written alone.
  const bytes = new Uint8Array(size);
  const buffer = bufferOf(bytes);
  texts.forEach((text, i) => {
    if (text !== undefined && text !== "") buffer.write(text, offsets[i] as number);
  });
  const { length, constant } = shape;
  return { form: "bytes", type, length, constant, bytes, offsets, valid: valid.includes(0) ? valid : undefined };
}

/** Letters of ASCII text in the other case, or undefined when a byte of the text is not ASCII. */
export function mapAscii(vector: BytesVector, first: number, last: number, distance: number): BytesVector | undefined {
  const start = vector.offsets[0] as number;
  const end = vector.offsets[physicalLength(vector)] as number;
  const bytes = new Uint8Array(end);
  for (let i = start; i < end; i++) {
    const byte = vector.bytes[i] as number;
    if (byte >= 0x80) return undefined;
    bytes[i] = byte >= first && byte <= last ? byte + distance : byte;
  }
  return { ...vector, bytes };
}
