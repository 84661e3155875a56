/**
 * Arrow data as columns, without copies, from any supported version of apache-arrow.
 *
 * Types are told apart by their number, never by class, so that data built by another copy of Arrow works too.
 */
import type { Data, DataType } from "apache-arrow";
import { TableError, unreachable } from "../../../support/errors.js";
import { countBits } from "../../kernels/bits.js";
import { layoutOf } from "../../kernels/layout.js";
import {
  type Column,
  type DictionaryColumn,
  type FixedColumn,
  nullColumn,
  type Validity,
  type VectorColumn,
} from "./column.js";
import { rowValidity } from "./dictionary.js";
import { concatColumns } from "./slices.js";

type Common = { readonly length: number; readonly validity: Validity };

/** Rows of one Arrow column. @throws NOT_SUPPORTED for a type that Lance files do not hold, naming `path`. */
export function readColumn(data: Data, path: string, length: number = data.length): Column {
  const validity = readValidity(data, length);
  const common = { length, validity };
  const layout = layoutOf(data.type);
  switch (layout.kind) {
    case "null":
      return nullColumn(length);
    case "bool":
      return { kind: "bit", ...common, bits: { bytes: bytesOf(data.values), offset: data.offset } };
    case "fixed": {
      const { width } = layout;
      return { kind: "fixed", ...common, width, bytes: exactly(bytesOf(data.values), length * width) };
    }
    case "bytes": {
      const offsetWidth = layout.large ? 8 : 4;
      return { kind: "variable", ...common, offsetWidth, offsets: offsetsOf(data, path), bytes: bytesOf(data.values) };
    }
    case "list":
      return { kind: "list", ...common, offsets: offsetsOf(data, path), items: readColumn(data.children[0]!, path) };
    case "struct":
      return {
        kind: "struct",
        ...common,
        children: data.children.map((child, i) => readColumn(child, `${path}.${data.type.children[i]!.name}`, length)),
      };
    case "fixed-list":
      return readVector(data, path, common, layout.size);
    case "dictionary":
      return readDictionary(data, path, common, layout.width);
    default:
      return unreachable(layout);
  }
}

function readVector(data: Data, path: string, common: Common, dimension: number): VectorColumn {
  const items = readColumn(data.children[0]!, path, common.length * dimension);
  if (items.kind !== "fixed" && items.kind !== "bit" && items.kind !== "vector") throw notSupported(path, data.type);
  return { kind: "vector", ...common, dimension, items };
}

function readDictionary(data: Data, path: string, common: Common, width: number): DictionaryColumn {
  const { length } = common;
  const vector = data.dictionary!;
  const parts = vector.data.map((part) => readColumn(part, path));
  const items = parts.length === 1 ? parts[0]! : concatColumns(parts);
  if (items.kind !== "fixed" && items.kind !== "variable") throw notSupported(path, data.type);
  const bytes = bytesOf(data.values).subarray(0, length * width);
  const indices: FixedColumn = { kind: "fixed", length, validity: undefined, width, bytes };
  const validity = rowValidity(indices, common.validity, items);
  return { kind: "dictionary", length, validity, indices, identity: vector.data[0]!, items };
}

/** Counts by itself: apache-arrow's own count of a slice's nulls may run past the end of its bitmap. */
function readValidity(data: Data, length: number): Validity {
  const bytes = data.nullBitmap;
  if (!bytes || bytes.length === 0 || countBits(bytes, data.offset, length) === length) return undefined;
  return { bytes, offset: data.offset };
}

/** Items of null vectors at the end may have no bytes in Arrow; in files they do. */
function exactly(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  if (bytes.length >= sizeBytes) return bytes.subarray(0, sizeBytes);
  const padded = new Uint8Array(sizeBytes);
  padded.set(bytes);
  return padded;
}

function bytesOf(values: ArrayBufferView | undefined): Uint8Array {
  if (!values) return new Uint8Array(0);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function offsetsOf(data: Data, path: string): Int32Array {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array | undefined;
  if (!offsets || offsets.length === 0) return new Int32Array(1);
  if (offsets.BYTES_PER_ELEMENT === 4) return (offsets as Int32Array).subarray(0, data.length + 1);
  const narrow = new Int32Array(data.length + 1);
  for (let i = 0; i <= data.length; i++) {
    const value = Number(offsets[i]!);
    if (value > 0x7fffffff) {
      throw new TableError("NOT_SUPPORTED", `Column "${path}" holds 2 GiB or more in one batch; pass smaller batches.`);
    }
    narrow[i] = value;
  }
  return narrow;
}

function notSupported(path: string, type: DataType): TableError {
  return new TableError(
    "NOT_SUPPORTED",
    `Column "${path}" has type ${String(type)}, which Lance data files do not hold; cast it or leave it out.`,
    { details: { path } },
  );
}
