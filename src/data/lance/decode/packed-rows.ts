/**
 * Rows of fixed-width children side by side, taken apart into one sink per child.
 *
 * Specification: lance-format.md 10.8.
 */
import { damaged, unknownEncoding } from "./damage.js";
import type { Shape } from "./shape.js";
import type { ValueSink } from "./sinks.js";

/** Bytes of a packed struct's child per row; lists of fixed-width values count as one wide value. */
export function packedWidth(shape: Shape, bits: number): number {
  let width = 1;
  let inner = shape;
  while (inner.kind === "fixed-list") {
    width *= inner.size;
    inner = inner.child;
  }
  if (inner.kind !== "fixed") return unknownEncoding(`a packed struct with a child of kind ${inner.kind}`);
  width *= inner.width;
  if (width * 8 !== bits) damaged(`a packed child of ${width} bytes takes ${bits} bits`);
  return width;
}

/** Takes rows of side-by-side children apart. */
export function unpackRows(
  source: Uint8Array,
  count: number,
  stride: number,
  widths: readonly number[],
  sinks: readonly ValueSink[],
): void {
  if (source.byteLength < count * stride) damaged("packed rows are cut short");
  let first = 0;
  sinks.forEach((sink, i) => {
    const width = widths[i]!;
    const child = new Uint8Array(count * width);
    for (let row = 0, from = first, to = 0; row < count; row++, from += stride) {
      for (let j = 0; j < width; j++) child[to++] = source[from + j]!;
    }
    appendFixed(sink, child, count);
    first += width;
  });
}

/** Appends fixed-width values to a sink of fixed values, or of lists of such. */
export function appendFixed(sink: ValueSink, source: Uint8Array, count: number): void {
  if (sink.kind === "fixed") sink.append(source, count);
  else if (sink.kind === "bits") sink.append(source, 0, count);
  else if (sink.kind === "fixed-list") {
    sink.appendValidity(undefined, 0, count);
    appendFixed(sink.child, source, count * sink.size);
    sink.length += count;
  } else damaged(`fixed-width bytes stand for a value of kind ${sink.kind}`);
}
