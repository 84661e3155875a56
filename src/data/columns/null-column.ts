/** Columns without values: what rows read as that were written before a column was added. */
import { type Data, type DataType, type Dictionary, Vector } from "apache-arrow";
import { childrenOf, layoutOf, makeColumn } from "./layout.js";

/** `length` nulls of any type. */
export function nullColumn(type: DataType, length: number): Data {
  const layout = layoutOf(type);
  if (layout.kind === "null") return makeColumn(type, { length, nullCount: length });
  const base = { length, nullCount: length, validity: new Uint8Array((length + 7) >> 3) };
  switch (layout.kind) {
    case "bool":
      return makeColumn(type, { ...base, values: new Uint8Array((length + 7) >> 3) });
    case "fixed":
      return makeColumn(type, { ...base, values: new Uint8Array(length * layout.width) });
    case "bytes":
      return makeColumn(type, { ...base, offsets: zeroOffsets(length, layout.large), values: new Uint8Array(0) });
    case "list":
      return makeColumn(type, { ...base, offsets: zeroOffsets(length, layout.large), children: childNulls(type, 0) });
    case "fixed-list":
      return makeColumn(type, { ...base, children: childNulls(type, length * layout.size) });
    case "struct":
      return makeColumn(type, { ...base, children: childNulls(type, length) });
    case "dictionary": {
      const dictionary = new Vector([nullColumn((type as Dictionary).dictionary as DataType, 0)]);
      return makeColumn(type, { ...base, values: new Uint8Array(length * layout.width), dictionary });
    }
  }
}

function zeroOffsets(length: number, large: boolean): Int32Array | BigInt64Array {
  return large ? new BigInt64Array(length + 1) : new Int32Array(length + 1);
}

function childNulls(type: DataType, length: number): Data[] {
  return childrenOf(type).map((field) => nullColumn(field.type as DataType, length));
}
