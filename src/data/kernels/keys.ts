/**
 * Keys of rows as text, for joining by value: equal text if and only if the values are equal.
 *
 * A null makes no key. -0 equals 0 and NaN equals NaN, as in SQL engines that group by floats.
 */
import type { Data, DataType, RecordBatch } from "apache-arrow";
import { assert, TableError } from "../../support/errors.js";
import { offsetsOf, validityOf, valuesOf } from "./column.js";
import { layoutOf, strideOf } from "./layout.js";

/** Reads the key of one row; undefined when one of its columns is null. */
export type KeyReader = (row: number) => string | undefined;

const FLOAT_TYPE_ID = 3;
const decoder = new TextDecoder("latin1");

/** A reader of the keys made of the columns `names`, in that order. @throws INVALID_ARGUMENT for nested columns */
export function keyReader(batch: RecordBatch, names: readonly string[]): KeyReader {
  const readers = names.map((name) => {
    const at = batch.schema.fields.findIndex((field) => field.name === name);
    assert(at >= 0, "a key column is in the batch");
    return columnReader(batch.data.children[at] as Data, name);
  });
  const [single] = readers;
  if (single !== undefined && readers.length === 1) return single;
  return (row) => {
    let key = "";
    for (const read of readers) {
      const part = read(row);
      if (part === undefined) return undefined;
      key += `${part.length}:${part}`;
    }
    return key;
  };
}

function columnReader(data: Data, name: string): KeyReader {
  const read = valueReader(data, name);
  const validity = validityOf(data);
  if (validity === undefined) return data.type.typeId === 1 ? () => undefined : read;
  const { offset } = data;
  return (row) => ((validity[(offset + row) >> 3]! >> ((offset + row) & 7)) & 1 ? read(row) : undefined);
}

function valueReader(data: Data, name: string): KeyReader {
  const { offset, type } = data;
  switch (layoutOf(type).kind) {
    case "bool": {
      const bits = valuesOf(data) as Uint8Array;
      return (row) => ((bits[(offset + row) >> 3]! >> ((offset + row) & 7)) & 1 ? "t" : "f");
    }
    case "fixed":
      return fixedReader(data, type);
    case "bytes":
      return bytesReader(data);
    case "dictionary": {
      const words = data.dictionary?.data[0];
      assert(words !== undefined && data.dictionary?.data.length === 1, "a dictionary is one chunk");
      const read = columnReader(words, name);
      const codes = valuesOf(data);
      return (row) => read(Number(codes[row]));
    }
    default:
      throw new TableError(
        "INVALID_ARGUMENT",
        `Column '${name}' of type ${type} cannot be a key; use numbers, text, bytes, dates or booleans.`,
        { details: { column: name } },
      );
  }
}

/** Values of a fixed-width column already start at the first row (Arrow slices them); text and bits do not. */
function fixedReader(data: Data, type: DataType): KeyReader {
  const values = valuesOf(data);
  const stride = strideOf(type);
  if (stride > 1) return (row) => values.subarray(row * stride, (row + 1) * stride).join(",");
  if (type.typeId === FLOAT_TYPE_ID && !(values instanceof Uint16Array)) {
    return (row) => String((values[row] as number) + 0);
  }
  return (row) => String(values[row]);
}

function bytesReader(data: Data): KeyReader {
  const bytes = valuesOf(data) as Uint8Array;
  const offsets = offsetsOf(data);
  return (row) => decoder.decode(bytes.subarray(Number(offsets[row]), Number(offsets[row + 1])));
}
