/** Packed structs of data files 2.0: fixed-width children side by side, row by row. */
import type { ArrayEncoding, PackedStruct } from "../../../../format/protos/encodings20_pb.js";
import { damaged, unknownEncoding } from "../damage.js";
import { packedWidth, unpackRows } from "../packed-rows.js";
import type { Shape } from "../shape.js";
import { type ArrayContext, type ArrayDecoder, bufferOf } from "./context.js";

export function packedDecoder(encoding: PackedStruct, shape: Shape, rows: number, context: ArrayContext): ArrayDecoder {
  if (shape.kind !== "struct" || shape.children.length !== encoding.inner.length) {
    return damaged("a packed struct has other children");
  }
  const widths = shape.children.map((child, i) => packedWidth(child, childBits(encoding.inner[i]!)));
  const stride = widths.reduce((sum, width) => sum + width, 0);
  const buffer = bufferOf(encoding.buffer, undefined, context);
  if (buffer.sizeBytes !== undefined && buffer.sizeBytes < rows * stride) damaged("packed rows are cut short");
  return {
    async load(ranges, reader) {
      const parts = await buffer.read(
        ranges.map((row) => row * stride),
        reader,
      );
      return {
        validity: undefined,
        append(sink) {
          if (sink.kind !== "struct") return;
          for (const part of parts) {
            const count = part.byteLength / stride;
            unpackRows(part, count, stride, widths, sink.children);
            sink.length += count;
          }
        },
      };
    },
  };
}

function childBits(encoding: ArrayEncoding): number {
  const inner = encoding.arrayEncoding;
  if (inner.case === "flat") return Number(inner.value.bitsPerValue);
  if (inner.case === "fixedSizeList" && inner.value.items !== undefined) {
    return inner.value.dimension * childBits(inner.value.items);
  }
  if (inner.case === "nullable" && inner.value.nullability.case === "noNulls") {
    const { values } = inner.value.nullability.value;
    if (values !== undefined) return childBits(values);
  }
  return unknownEncoding(`a packed child encoded as ${inner.case ?? "nothing"}`);
}
