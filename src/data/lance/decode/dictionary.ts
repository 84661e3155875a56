/**
 * Columns of Arrow's dictionary type: the file holds plain values, the column gets distinct values and indices.
 */
import { type Data, type DataType, type Dictionary, Vector } from "apache-arrow";
import { layoutOf, makeColumn } from "../../columns/layout.js";
import { leafColumn, type Slots } from "./assemble.js";
import { BatchTooLarge, damaged } from "./damage.js";
import { BytesSink, FixedSink, type ValueSink } from "./sinks.js";

/** @throws BatchTooLarge when the distinct values are more than the index type counts */
export function encodeDictionary(type: DataType, values: ValueSink, slots: Slots): Data {
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
