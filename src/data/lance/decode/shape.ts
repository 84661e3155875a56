/**
 * The physical shape of a leaf column's values, from its Arrow type, and the sinks that take values of that shape.
 *
 * Lists, structs and maps are no shapes: repetition and definition levels describe them. A struct is a shape only where
 * the file packs it into one column.
 */
import type { DataType, Dictionary } from "apache-arrow";
import { childrenOf, layoutOf } from "../../kernels/layout.js";
import type { Scratch } from "../../scratch.js";
import { damaged, unknownEncoding } from "./damage.js";
import { BitSink, BytesSink, FixedSink } from "./flat-sinks.js";
import { ListSink, NullSink, StructSink, type ValueSink } from "./sinks.js";

export type Shape =
  | { readonly kind: "null" }
  | { readonly kind: "bits" }
  | { readonly kind: "fixed"; readonly width: number }
  | { readonly kind: "bytes" }
  | { readonly kind: "fixed-list"; readonly size: number; readonly child: Shape }
  | { readonly kind: "struct"; readonly children: readonly Shape[] };

/** Bytes of one value that a number in the schema may ask for. */
const VALUE_MAX_BYTES = 64 * 1024 * 1024;

/** @throws NOT_SUPPORTED for types that no leaf column can have */
export function shapeOf(type: DataType): Shape {
  const layout = layoutOf(type);
  switch (layout.kind) {
    case "null":
      return { kind: "null" };
    case "bool":
      return { kind: "bits" };
    case "fixed":
      return { kind: "fixed", width: layout.width };
    case "bytes":
      return { kind: "bytes" };
    case "fixed-list": {
      const shape: Shape = { kind: "fixed-list", size: layout.size, child: shapeOf(childrenOf(type)[0]!.type) };
      if (!(layout.size > 0) || valueBytes(shape) > VALUE_MAX_BYTES) damaged(`lists of ${layout.size} values`);
      return shape;
    }
    case "struct":
      return { kind: "struct", children: childrenOf(type).map((child) => shapeOf(child.type)) };
    case "dictionary":
      return shapeOf((type as Dictionary).dictionary);
    case "list":
      return unknownEncoding(`a list inside of a packed value (${String(type)})`);
  }
}

/** Least bytes that one value takes in memory. */
export function valueBytes(shape: Shape): number {
  switch (shape.kind) {
    case "null":
      return 0;
    case "bits":
      return 1 / 8;
    case "fixed":
      return shape.width;
    case "bytes":
      return 4;
    case "fixed-list":
      return shape.size * valueBytes(shape.child);
    case "struct":
      return shape.children.reduce((sum, child) => sum + valueBytes(child), 0);
  }
}

/** Bytes of one value that is nothing but fixed-width bytes, or lists of a fixed size of such; else 0. */
export function plainBytes(shape: Shape): number {
  if (shape.kind === "fixed") return shape.width;
  return shape.kind === "fixed-list" ? shape.size * plainBytes(shape.child) : 0;
}

/** Room for `count` more values of such a shape: where their bytes go. */
export function extendPlain(sink: ValueSink, count: number): { readonly bytes: Uint8Array; readonly at: number } {
  let inner = sink;
  let values = count;
  while (inner.kind === "fixed-list") {
    inner.appendValidity(undefined, 0, values);
    inner.length += values;
    values *= inner.size;
    inner = inner.child;
  }
  if (inner.kind !== "fixed") return damaged(`fixed-width bytes stand for a value of kind ${inner.kind}`);
  const at = inner.extend(values);
  return { bytes: inner.bytes, at };
}

/**
 * A sink for values of the shape; `capacity` is how many are expected, 0 when that is not known.
 * @param scratch where the values may lie, if they are needed no longer than that
 */
export function sinkFor(shape: Shape, capacity: number, scratch?: Scratch): ValueSink {
  switch (shape.kind) {
    case "null":
      return new NullSink();
    case "bits":
      return new BitSink(capacity);
    case "fixed":
      return new FixedSink(shape.width, capacity, scratch);
    case "bytes":
      return new BytesSink(capacity, scratch);
    case "fixed-list":
      return new ListSink(shape.size, sinkFor(shape.child, capacity * shape.size, scratch));
    case "struct":
      return new StructSink(shape.children.map((child) => sinkFor(child, capacity, scratch)));
  }
}
