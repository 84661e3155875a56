/** Unsigned integers of 2.0 pages as numbers: dictionary indices. */
import type { ArrayEncoding } from "../../../../format/protos/encodings20_pb.js";
import { unknownEncoding } from "../damage.js";
import { FixedSink } from "../flat-sinks.js";
import type { ArrayPart } from "./context.js";

/** Bits of plain integers, nullable or not. @throws NOT_SUPPORTED naming another encoding */
export function integerBits(encoding: ArrayEncoding | undefined): number {
  let inner = encoding?.arrayEncoding;
  if (inner?.case === "nullable") {
    const { nullability } = inner.value;
    if (nullability.case === "allNulls") return 8;
    inner = nullability.value?.values?.arrayEncoding;
  }
  const bits = inner?.case === "flat" ? Number(inner.value.bitsPerValue) : 0;
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) {
    return unknownEncoding(`integers encoded as ${inner?.case ?? "nothing"}`);
  }
  return bits;
}

export function decodeIntegers(part: ArrayPart, width: number, count: number): Uint32Array {
  const sink = new FixedSink(width, 0);
  part.append(sink);
  const { bytes } = sink;
  if (width === 1) return Uint32Array.from(bytes.subarray(0, count));
  if (width === 2) return Uint32Array.from(new Uint16Array(bytes.buffer, bytes.byteOffset, count));
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count).slice();
}
