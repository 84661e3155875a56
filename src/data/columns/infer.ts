/**
 * The Arrow schema that plain rows stand for, by the rules of LanceDB's Node package: number → Float64, bigint → Int64,
 * string → Utf8, boolean → Bool, Date → Timestamp(ms), Buffer → Binary, typed array → FixedSizeList, array → List or,
 * in vector columns, FixedSizeList<Float32>, object → Struct; all nullable.
 *
 * A column whose rows are all null has no type and is refused: the caller gives a schema.
 */
import {
  Binary,
  Bool,
  type DataType,
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  Schema,
  Struct,
  TimestampMillisecond,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from "apache-arrow";
import { SCHEMA_DEPTH_MAX } from "../../format/schema.js";
import { TableError } from "../../support/errors.js";
import { cellOf, isRecord, keysOf, type Row } from "./rows.js";

export interface InferOptions {
  /** Element type of the columns that hold vectors; "vector" is Float32 when absent. */
  readonly vectorColumns?: Readonly<Record<string, { readonly type: DataType }>>;
  readonly dictionaryEncodeStrings?: boolean;
}

/** What is known on the way down: lists have no names that would lengthen the path. */
interface Walk extends InferOptions {
  readonly lists?: number;
}

/** What is known of one column, or one child of a struct, so far. */
interface Guess {
  type: DataType | undefined;
  children: Map<string, Guess> | undefined;
  firstRow: number;
}

const DEFAULT_VECTORS: Readonly<Record<string, { readonly type: DataType }>> = { vector: { type: new Float32() } };

/** The schema of `rows`; columns in the order in which they first appear. @throws INVALID_ARGUMENT, SCHEMA_MISMATCH */
export function inferSchema(rows: readonly Row[], options: InferOptions = {}): Schema {
  if (rows.length === 0) {
    throw new TableError("INVALID_ARGUMENT", "At least one record or a schema needs to be provided.");
  }
  const columns = new Map<string, Guess>();
  for (let row = 0; row < rows.length; row++) observe(columns, rows[row]!, row, [], options);
  return new Schema(fieldsOf(columns, []));
}

function observe(columns: Map<string, Guess>, record: Row, row: number, path: readonly string[], options: Walk) {
  if (!isRecord(record) && !(record instanceof Map)) {
    throw new TableError("SCHEMA_MISMATCH", `Row ${row} is not an object; rows are objects with one key per column.`, {
      details: { row },
    });
  }
  checkDepth(path, options);
  for (const key of keysOf(record)) {
    let guess = columns.get(key);
    if (guess !== undefined && guess.type !== undefined) continue;
    const value = cellOf(record, key);
    if (value === undefined) continue;
    if (guess === undefined) {
      guess = { type: undefined, children: undefined, firstRow: row };
      columns.set(key, guess);
    }
    if (isRecord(value)) {
      guess.children ??= new Map();
      observe(guess.children, value, row, [...path, key], options);
    } else if (value !== null && guess.children === undefined) {
      guess.type = inferType(value, [...path, key], row, options);
    }
  }
}

function fieldsOf(columns: ReadonlyMap<string, Guess>, path: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (const [name, guess] of columns) {
    if (guess.children !== undefined) {
      const children = fieldsOf(guess.children, [...path, name]);
      if (children.length > 0) fields.push(new Field(name, new Struct(children), true));
      continue;
    }
    if (guess.type === undefined) throw noType([...path, name], guess.firstRow);
    fields.push(new Field(name, guess.type, true));
  }
  return fields;
}

/** Also ends the walk through values that lead back to themselves. */
function checkDepth(path: readonly string[], { lists = 0 }: Walk): void {
  if (path.length + lists <= SCHEMA_DEPTH_MAX) return;
  throw new TableError("INVALID_ARGUMENT", `Column ${path[0]} is nested deeper than ${SCHEMA_DEPTH_MAX} levels.`, {
    details: { column: path[0], depthMax: SCHEMA_DEPTH_MAX },
  });
}

function noType(path: readonly string[], row: number): TableError {
  const column = path.join(".");
  return new TableError(
    "SCHEMA_MISMATCH",
    `Failed to infer data type for field ${column} at row ${row}. Consider providing an explicit schema.`,
    { details: { column, row } },
  );
}

/** The type one value stands for; undefined when it says nothing (an empty array). */
function inferType(value: unknown, path: readonly string[], row: number, options: Walk): DataType | undefined {
  switch (typeof value) {
    case "bigint":
      return new Int64();
    case "number":
      return new Float64();
    case "boolean":
      return new Bool();
    case "string":
      return options.dictionaryEncodeStrings === true ? new Dictionary(new Utf8(), new Int32()) : new Utf8();
    default:
  }
  if (value instanceof Date) return new TimestampMillisecond();
  if (Buffer.isBuffer(value) || value instanceof ArrayBuffer) return new Binary();
  if (ArrayBuffer.isView(value)) {
    const element = elementTypeOf(value);
    if (element === undefined) throw noType(path, row);
    return new FixedSizeList((value as Uint8Array).length, new Field("item", element, true));
  }
  if (Array.isArray(value)) return inferListType(value, path, row, options);
  throw noType(path, row);
}

function inferListType(
  list: readonly unknown[],
  path: readonly string[],
  row: number,
  options: Walk,
): DataType | undefined {
  if (list.length === 0) return undefined;
  const name = path[path.length - 1]!;
  const vectors = options.vectorColumns ?? DEFAULT_VECTORS;
  if (path.length === 1 && Object.hasOwn(vectors, name)) {
    return new FixedSizeList(list.length, new Field("item", vectors[name]!.type, true));
  }
  const sample = list.find((item) => item !== null && item !== undefined);
  if (sample === undefined) return undefined;
  if (typeof sample === "number" && /vector|embedding/i.test(name)) {
    return new FixedSizeList(list.length, new Field("item", new Float32(), true));
  }
  if (isRecord(sample)) {
    const children = new Map<string, Guess>();
    const below = { ...options, lists: (options.lists ?? 0) + 1 };
    for (const item of list) if (isRecord(item)) observe(children, item, row, path, below);
    const fields = fieldsOf(children, path);
    return fields.length === 0 ? undefined : new List(new Field("item", new Struct(fields), true));
  }
  const below = { ...options, lists: (options.lists ?? 0) + 1 };
  checkDepth(path, below);
  const element = inferType(sample, path, row, below);
  return element === undefined ? undefined : new List(new Field("item", element, true));
}

function elementTypeOf(view: ArrayBufferView): DataType | undefined {
  if (view instanceof Float32Array) return new Float32();
  if (view instanceof Float64Array) return new Float64();
  if (view instanceof Uint8Array || view instanceof Uint8ClampedArray) return new Uint8();
  if (view instanceof Uint16Array) return new Uint16();
  if (view instanceof Uint32Array) return new Uint32();
  if (view instanceof Int8Array) return new Int8();
  if (view instanceof Int16Array) return new Int16();
  if (view instanceof Int32Array) return new Int32();
  if (view instanceof BigInt64Array) return new Int64();
  if (view instanceof BigUint64Array) return new Uint64();
  return undefined;
}
