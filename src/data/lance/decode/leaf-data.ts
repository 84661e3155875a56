/**
 * Arrow columns out of decoded values: plain ones, lists of a fixed size, packed structs, and columns of Arrow's
 * dictionary type, for which the file holds plain values.
 */
import { type Data, type DataType, type Dictionary, Vector } from "apache-arrow";
import { bitmapBytes } from "../../kernels/bits.js";
import { makeColumn } from "../../kernels/column.js";
import { childrenOf, layoutOf } from "../../kernels/layout.js";
import { BatchTooLarge, damaged } from "./damage.js";
import { BytesSink, FixedSink } from "./flat-sinks.js";
import type { ValueSink } from "./sinks.js";

/** Validity of a column's slots, absent when all are valid. */
export interface Slots {
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Uint8Array | undefined;
}

/** Without lists every entry is a slot. */
export function rowSlots(def: Uint16Array, length: number, nullLevel: number): Slots {
  const validity = new Uint8Array(bitmapBytes(length));
  let valid = 0;
  const whole = length & ~7;
  for (let i = 0; i < whole; i += 8) {
    let byte = 0;
    for (let j = 0; j < 8; j++) {
      const bit = def[i + j]! < nullLevel ? 1 : 0;
      byte |= bit << j;
      valid += bit;
    }
    validity[i >>> 3] = byte;
  }
  for (let i = whole; i < length; i++) {
    if (def[i]! >= nullLevel) continue;
    validity[i >>> 3] = validity[i >>> 3]! | (1 << (i & 7));
    valid++;
  }
  const nullCount = length - valid;
  return { length, nullCount, validity: nullCount === 0 ? undefined : validity };
}

/** Offsets in the width that the type has. */
export function toOffsets(type: DataType, offsets: Int32Array): Int32Array | BigInt64Array {
  const layout = layoutOf(type);
  if ((layout.kind !== "list" && layout.kind !== "bytes") || !layout.large) return offsets;
  const wide = new Int32Array(offsets.length * 2);
  for (let i = 0; i < offsets.length; i++) wide[2 * i] = offsets[i]!;
  return new BigInt64Array(wide.buffer);
}

/**
 * The Arrow column of decoded values.
 * @param full the type as the file holds it: a packed struct with all its children
 */
export function leafColumn(type: DataType, full: DataType, values: ValueSink, slots: Slots): Data {
  if (layoutOf(type).kind === "dictionary") return encodeDictionary(type, values, slots);
  switch (values.kind) {
    case "null":
      return makeColumn(type, { length: slots.length, nullCount: slots.length });
    case "fixed":
    case "bits":
      return makeColumn(type, { ...slots, values: values.finish() });
    case "bytes": {
      const offsets = toOffsets(type, values.offsets.subarray(0, slots.length + 1));
      return makeColumn(type, { ...slots, offsets, values: values.finish() });
    }
    case "fixed-list": {
      const child = childrenOf(type)[0]!;
      const items = itemSlots(values.validity?.finish(), slots.length * values.size);
      return makeColumn(type, { ...slots, children: [leafColumn(child.type, child.type, values.child, items)] });
    }
    case "struct": {
      const stored = childrenOf(full);
      const all: Slots = { length: slots.length, nullCount: 0, validity: undefined };
      const children = childrenOf(type).map((child) => {
        const at = stored.findIndex((field) => field.name === child.name);
        const sink = values.children[at];
        if (sink === undefined) damaged(`a packed struct has no child "${child.name}"`);
        return leafColumn(child.type, stored[at]!.type, sink, all);
      });
      return makeColumn(type, { ...slots, children });
    }
  }
}

function itemSlots(validity: Uint8Array | undefined, length: number): Slots {
  if (validity === undefined) return { length, nullCount: 0, validity };
  let valid = 0;
  for (let i = 0; i < length; i++) valid += (validity[i >>> 3]! >>> (i & 7)) & 1;
  return { length, nullCount: length - valid, validity: valid === length ? undefined : validity };
}

/** @throws BatchTooLarge when the distinct values are more than the index type counts */
function encodeDictionary(type: DataType, values: ValueSink, slots: Slots): Data {
  const layout = layoutOf(type);
  if (layout.kind !== "dictionary") damaged("a dictionary column has another type");
  if (values.kind !== "bytes" && values.kind !== "fixed") damaged(`a dictionary of values of kind ${values.kind}`);
  const keys = new Map<string, number>();
  const distinct = values.kind === "bytes" ? new BytesSink(0) : new FixedSink(values.width, 0);
  const indices = new Uint32Array(slots.length);
  const { validity } = slots;
  const bytes = values.bytes;
  for (let i = 0; i < slots.length; i++) {
    if (validity !== undefined && ((validity[i >>> 3]! >>> (i & 7)) & 1) === 0) continue;
    const start = values.kind === "bytes" ? values.offsets[i]! : i * values.width;
    const end = values.kind === "bytes" ? values.offsets[i + 1]! : start + values.width;
    let key = "";
    for (let j = start; j < end; j++) key += String.fromCharCode(bytes[j]!);
    let index = keys.get(key);
    if (index === undefined) {
      index = keys.size;
      keys.set(key, index);
      if (distinct.kind === "bytes") distinct.push(bytes, start, end);
      else distinct.append(bytes.subarray(start, end), 1);
    }
    indices[i] = index;
  }
  // Signed index types count to half of their range.
  if (keys.size > 2 ** (layout.width * 8 - 1)) throw new BatchTooLarge();
  const { dictionary } = type as Dictionary;
  const items: Slots = { length: distinct.length, nullCount: 0, validity: undefined };
  const vector = new Vector([leafColumn(dictionary, dictionary, distinct, items)]);
  return makeColumn(type, { ...slots, values: narrow(indices, layout.width), dictionary: vector });
}

function narrow(indices: Uint32Array, width: number): ArrayBufferView {
  if (width === 1) return Uint8Array.from(indices);
  if (width === 2) return Uint16Array.from(indices);
  if (width === 4) return indices;
  return BigUint64Array.from(indices, BigInt);
}
