/**
 * Decoders for the array encodings of data files 2.0: trees of nullability, lists of fixed size, text, dictionaries,
 * over buffers that can be read in part.
 *
 * Specification: lance-format.md section 7.
 */
import type { ArrayEncoding, Nullable } from "../../../../format/protos/encodings20_pb.js";
import { bitmapBytes, copyBits } from "../../../kernels/bits.js";
import type { ByteReader } from "../byte-reader.js";
import { damaged, unknownEncoding } from "../damage.js";
import { type Ranges, rangesLength } from "../flat-sinks.js";
import type { Shape } from "../shape.js";
import type { StoredBuffer } from "./buffer.js";
import { type ArrayContext, type ArrayDecoder, type ArrayPlace, bufferOf } from "./context.js";
import { dictionaryDecoder } from "./dictionary.js";
import { packedDecoder } from "./packed.js";
import { binaryDecoder, fsstDecoder } from "./text.js";

/** @throws CORRUPT, NOT_SUPPORTED naming the encoding */
export function arrayDecoder(
  encoding: ArrayEncoding | undefined,
  shape: Shape,
  rows: number,
  place: ArrayPlace,
): ArrayDecoder {
  const context: ArrayContext = { ...place, decoder: (inner, kind, count) => arrayDecoder(inner, kind, count, place) };
  const array = encoding?.arrayEncoding;
  switch (array?.case) {
    case "nullable":
      return nullableDecoder(array.value, shape, rows, context);
    case "flat": {
      const buffer = bufferOf(array.value.buffer, array.value.compression?.scheme, context);
      return flatDecoder(buffer, Number(array.value.bitsPerValue), shape, rows);
    }
    case "fixedSizeList": {
      const { dimension, items } = array.value;
      if (shape.kind !== "fixed-list" || shape.size !== dimension) {
        return damaged(`lists of ${dimension} values stand for a value of kind ${shape.kind}`);
      }
      return listDecoder(context.decoder(items, shape.child, rows * dimension), dimension);
    }
    case "binary":
      return binaryDecoder(array.value, shape, rows, context);
    case "fsst":
      return fsstDecoder(array.value, shape, rows, context);
    case "dictionary":
      return dictionaryDecoder(array.value, shape, rows, context);
    case "packedStruct":
      return packedDecoder(array.value, shape, rows, context);
    default:
      return unknownEncoding(`the array encoding ${array?.case ?? "without a name"}`);
  }
}

function nullableDecoder(encoding: Nullable, shape: Shape, rows: number, context: ArrayContext): ArrayDecoder {
  const { nullability } = encoding;
  switch (nullability.case) {
    case "noNulls":
      return context.decoder(nullability.value.values, shape, rows);
    case "allNulls":
      return {
        async load(ranges) {
          const count = rangesLength(ranges);
          return { validity: new Uint8Array(bitmapBytes(count)), append: (sink) => sink.appendEmpty(count) };
        },
      };
    case "someNulls": {
      const values = context.decoder(nullability.value.values, shape, rows);
      const bits = nullability.value.validity?.arrayEncoding;
      if (bits?.case !== "flat" || bits.value.bitsPerValue !== 1n)
        return unknownEncoding("validity other than a bitmap");
      const buffer = bufferOf(bits.value.buffer, bits.value.compression?.scheme, context);
      requireBits(buffer, rows);
      return {
        async load(ranges, reader) {
          const [part, validity] = await Promise.all([values.load(ranges, reader), loadBits(buffer, ranges, reader)]);
          return { validity, append: part.append };
        },
      };
    }
    default:
      return damaged("an array does not say whether it has nulls");
  }
}

function requireBits(buffer: StoredBuffer, rows: number): void {
  if (buffer.sizeBytes !== undefined && buffer.sizeBytes * 8 < rows) damaged("a bitmap is cut short");
}

/** The bits of the rows, side by side. */
async function loadBits(buffer: StoredBuffer, ranges: Ranges, reader: ByteReader): Promise<Uint8Array> {
  const bytes = ranges.map((row, i) => (i % 2 === 0 ? row >>> 3 : bitmapBytes(row)));
  const parts = await buffer.read(bytes, reader);
  const out = new Uint8Array(bitmapBytes(rangesLength(ranges)));
  let to = 0;
  parts.forEach((part, i) => {
    const start = ranges[2 * i]!;
    const count = ranges[2 * i + 1]! - start;
    copyBits(part, start & 7, out, to, count);
    to += count;
  });
  return out;
}

function flatDecoder(buffer: StoredBuffer, bits: number, shape: Shape, rows: number): ArrayDecoder {
  if (shape.kind === "bits") {
    if (bits !== 1) damaged(`a boolean takes ${bits} bits`);
    requireBits(buffer, rows);
    return {
      async load(ranges, reader) {
        const values = await loadBits(buffer, ranges, reader);
        const count = rangesLength(ranges);
        return {
          validity: undefined,
          append(sink) {
            if (sink.kind === "bits") sink.append(values, 0, count);
          },
        };
      },
    };
  }
  if (shape.kind !== "fixed" || shape.width * 8 !== bits)
    damaged(`${bits} bits stand for a value of kind ${shape.kind}`);
  const { width } = shape;
  if (buffer.sizeBytes !== undefined && buffer.sizeBytes < rows * width) damaged("fixed-width values are cut short");
  return {
    async load(ranges, reader) {
      const parts = await buffer.read(
        ranges.map((row) => row * width),
        reader,
      );
      return {
        validity: undefined,
        append(sink) {
          if (sink.kind === "fixed") for (const part of parts) sink.append(part, Math.floor(part.byteLength / width));
        },
      };
    },
  };
}

function listDecoder(items: ArrayDecoder, size: number): ArrayDecoder {
  return {
    async load(ranges, reader) {
      const part = await items.load(
        ranges.map((row) => row * size),
        reader,
      );
      const count = rangesLength(ranges);
      return {
        validity: undefined,
        append(sink) {
          if (sink.kind !== "fixed-list") return;
          sink.appendValidity(part.validity, 0, count);
          part.append(sink.child);
          sink.length += count;
        },
      };
    },
  };
}
