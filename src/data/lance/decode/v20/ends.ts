/**
 * Tables of end positions of 2.0 pages: for each row where it ends in the bytes or items; a NULL row has a constant
 * added to where it would end. Text and lists share the form. Specification: lance-format.md 7.2.
 */
import type { ArrayEncoding } from "../../../../format/protos/encodings20_pb.js";
import type { ByteReader } from "../byte-reader.js";
import { aligned } from "../chunk-values.js";
import { damaged, unknownEncoding } from "../damage.js";
import type { Ranges } from "../flat-sinks.js";
import { type ArrayPlace, bufferOf } from "./context.js";

/** The rows of one range. */
export interface EndRun {
  /** Where the range begins, then where each row ends. */
  readonly ends: Float64Array;
  /** Rows of the run that are NULL. */
  readonly nulls: readonly number[];
}

export interface EndTable {
  /** One run for each range. */
  load(ranges: Ranges, reader: ByteReader): Promise<EndRun[]>;
}

const WIDTH = 8;

/** @throws CORRUPT, NOT_SUPPORTED naming an encoding other than plain 64-bit numbers */
export function endTable(
  encoding: ArrayEncoding | undefined,
  adjustment: bigint,
  rows: number,
  context: ArrayPlace,
): EndTable {
  let inner = encoding?.arrayEncoding;
  if (inner?.case === "nullable" && inner.value.nullability.case === "noNulls") {
    inner = inner.value.nullability.value.values?.arrayEncoding;
  }
  if (inner?.case !== "flat" || inner.value.bitsPerValue !== 64n) {
    return unknownEncoding(`end positions encoded as ${inner?.case ?? "nothing"}`);
  }
  const buffer = bufferOf(inner.value.buffer, inner.value.compression?.scheme, context);
  if (buffer.sizeBytes !== undefined && buffer.sizeBytes < rows * WIDTH) damaged("end positions are cut short");
  const limit = adjustment === 0n ? Number.POSITIVE_INFINITY : Number(adjustment);
  return {
    async load(ranges, reader) {
      // The row before a range says where the range begins.
      const bytes = ranges.map((row, i) => (i % 2 === 0 ? Math.max(0, row - 1) : row) * WIDTH);
      // Ranges next to each other would overlap by a row, so each is read on its own.
      const parts = await Promise.all(toPairs(bytes).map((pair) => buffer.read(pair, reader)));
      return parts.map(([part], i) => toRun(part!, ranges[2 * i]! > 0, limit));
    },
  };
}

function toPairs(bytes: readonly number[]): number[][] {
  const pairs: number[][] = [];
  for (let i = 0; i < bytes.length; i += 2) pairs.push([bytes[i]!, bytes[i + 1]!]);
  return pairs;
}

function toRun(bytes: Uint8Array, hasBefore: boolean, limit: number): EndRun {
  const source = aligned(bytes, 4);
  const words = new Uint32Array(source.buffer, source.byteOffset, source.byteLength >>> 2);
  const count = words.length / 2;
  const ends = new Float64Array(hasBefore ? count : count + 1);
  const nulls: number[] = [];
  let to = hasBefore ? 0 : 1;
  for (let i = 0; i < count; i++, to++) {
    let end = words[2 * i]! + words[2 * i + 1]! * 2 ** 32;
    if (end >= limit) {
      end -= limit;
      if (to > 0) nulls.push(to - 1);
    }
    if (end >= limit || (to > 0 && end < ends[to - 1]!)) damaged("end positions are out of order");
    ends[to] = end;
  }
  return { ends, nulls };
}
