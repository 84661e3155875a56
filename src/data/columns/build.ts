/**
 * Rows to record batches of a given schema: one pass per column straight into typed arrays.
 *
 * Refuses what does not fit exactly: unknown columns, missing values of columns that are not nullable, values of
 * another type, integers out of range, vectors of another length.
 */
import { type Data, type DataType, type Dictionary, Field, type RecordBatch, type Schema, Vector } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { makeBatch } from "../kernels/batches.js";
import { makeColumn, type Offsets } from "../kernels/column.js";
import { childrenOf, layoutOf, TYPE_ID } from "../kernels/layout.js";
import { buildBytes } from "./bytes.js";
import { CellError, refuse, refuseNull, toTableError, withinChild } from "./cell-error.js";
import { buildFixed } from "./numbers.js";
import { findUnknownKey, isRecord, pluck, type Row } from "./rows.js";

export interface BuildOptions {
  /** Most rows of one batch; 2^20 when absent. */
  readonly batchRows?: number;
  /** The number of the first row within the caller's input, for messages. */
  readonly firstRow?: number;
}

const BATCH_ROWS = 1 << 20;

/**
 * The rows as batches of `schema`. Missing values of nullable columns become null.
 * @throws SCHEMA_MISMATCH naming row, column, value and expected type
 */
export function buildBatches(rows: readonly Row[], schema: Schema, options: BuildOptions = {}): RecordBatch[] {
  const batchRows = options.batchRows ?? BATCH_ROWS;
  const firstRow = options.firstRow ?? 0;
  checkKeys(rows, schema, firstRow);
  if (rows.length <= batchRows) return rows.length === 0 ? [] : [buildBatch(rows, schema, firstRow)];
  const batches: RecordBatch[] = [];
  for (let start = 0; start < rows.length; start += batchRows) {
    batches.push(buildBatch(rows.slice(start, start + batchRows), schema, firstRow + start));
  }
  return batches;
}

function checkKeys(rows: readonly Row[], schema: Schema, firstRow: number): void {
  const known = new Set<string>();
  for (const field of schema.fields) known.add(field.name);
  for (let i = 0; i < rows.length; i++) {
    if (typeof rows[i] !== "object" || rows[i] === null || Array.isArray(rows[i])) {
      throw new TableError("SCHEMA_MISMATCH", `Row ${firstRow + i} is not an object with one key per column.`, {
        details: { row: firstRow + i },
      });
    }
  }
  const unknown = findUnknownKey(rows, known);
  if (unknown === undefined) return;
  const row = firstRow + unknown.row;
  throw new TableError(
    "SCHEMA_MISMATCH",
    `Found field not in schema: ${unknown.key} at row ${row}. The columns are ${[...known].join(", ")}.`,
    { details: { row, column: unknown.key } },
  );
}

function buildBatch(rows: readonly Row[], schema: Schema, firstRow: number): RecordBatch {
  try {
    const columns = schema.fields.map((field) =>
      withinChild(field.name, sameRow, () => buildColumn(field, pluck(rows, field.name), rows.length)),
    );
    return makeBatch(schema, columns, rows.length);
  } catch (error) {
    if (error instanceof CellError) throw toTableError(error, firstRow);
    throw error;
  }
}

const sameRow = (index: number) => index;

interface Nulls {
  readonly count: number;
  readonly validity: Uint8Array | undefined;
}

const NO_NULLS: Nulls = { count: 0, validity: undefined };

function findNulls(values: ArrayLike<unknown>, length: number, nullable: boolean): Nulls {
  let first = 0;
  while (first < length && values[first] != null) first++;
  if (first === length) return NO_NULLS;
  if (!nullable) refuseNull(first);
  const validity = new Uint8Array((length + 7) >> 3);
  let present = 0;
  for (let i = 0; i < length; i++) {
    if (values[i] == null) continue;
    validity[i >> 3]! |= 1 << (i & 7);
    present++;
  }
  return { count: length - present, validity };
}

/** One column out of plain values. @throws CellError */
export function buildColumn(field: Field, values: ArrayLike<unknown>, length: number): Data {
  const type = field.type as DataType;
  const layout = layoutOf(type);
  if (layout.kind === "null") return buildNulls(type, values, length);
  const nulls = findNulls(values, length, field.nullable);
  const base = { length, nullCount: nulls.count, validity: nulls.validity };
  switch (layout.kind) {
    case "fixed":
      return makeColumn(type, { ...base, values: buildFixed(type, values, length) });
    case "bytes":
      return makeColumn(type, { ...base, ...buildBytes(type, values, length, layout.large) });
    case "bool":
      return makeColumn(type, { ...base, values: buildBools(type, values, length) });
    case "list":
      return makeColumn(type, { ...base, ...buildLists(type, values, length, layout.large) });
    case "fixed-list":
      return makeColumn(type, { ...base, children: [buildVectors(type, values, length, layout.size)] });
    case "struct":
      return makeColumn(type, { ...base, children: buildStructs(type, values, length, nulls) });
    case "dictionary":
      return makeColumn(type, { ...base, ...buildDictionary(type as Dictionary, values, length) });
  }
}

function buildNulls(type: DataType, values: ArrayLike<unknown>, length: number): Data {
  for (let i = 0; i < length; i++) if (values[i] != null) refuse(i, values[i], type);
  return makeColumn(type, { length, nullCount: length });
}

function buildBools(type: DataType, values: ArrayLike<unknown>, length: number): Uint8Array {
  const bits = new Uint8Array((length + 7) >> 3);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value === true) bits[i >> 3]! |= 1 << (i & 7);
    else if (value !== false && value != null) refuse(i, value, type, "true or false");
  }
  return bits;
}

/** The items of a list value: an array, a typed array, an Arrow vector, a Map or plain object for map columns. */
function itemsOf(value: unknown, type: DataType, index: number): ArrayLike<unknown> {
  if (Array.isArray(value)) return value;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return value as Uint8Array;
  if ((type.typeId as number) === TYPE_ID.map) {
    const entries = value instanceof Map ? value : isRecord(value) ? Object.entries(value) : undefined;
    if (entries !== undefined)
      return Array.from(entries as Iterable<[unknown, unknown]>, ([key, item]) => ({ key, value: item }));
  }
  if (typeof value === "object" && value !== null && Symbol.iterator in value) {
    return Array.from(value as Iterable<unknown>);
  }
  return refuse(index, value, type, "an array");
}

function buildLists(type: DataType, values: ArrayLike<unknown>, length: number, large: boolean) {
  const starts = new Int32Array(length + 1);
  const items: unknown[] = [];
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value != null) {
      const list = itemsOf(value, type, i);
      for (let k = 0; k < list.length; k++) items.push(list[k]);
      if (items.length > 0x7fffffff) refuse(i, value, type, "fewer than 2^31 items in one batch");
    }
    starts[i + 1] = items.length;
  }
  const child = childrenOf(type)[0]!;
  const entries = (type.typeId as number) === TYPE_ID.map ? mapEntries(child, items) : items;
  const children = [
    withinChild(
      child.name,
      (k) => rowOfItem(starts, k),
      () => buildColumn(child, entries, items.length),
    ),
  ];
  const offsets: Offsets = large ? BigInt64Array.from(starts, BigInt) : starts;
  return { offsets, children };
}

/** Map columns take pairs as well as objects; whatever the schema calls the two children. */
function mapEntries(child: Field, items: readonly unknown[]): unknown[] {
  const [key, value] = childrenOf(child.type as DataType);
  return items.map((item) => {
    const pair = item as {
      readonly key?: unknown;
      readonly value?: unknown;
      readonly 0?: unknown;
      readonly 1?: unknown;
    };
    const [k, v] = Array.isArray(item) ? [pair[0], pair[1]] : [pair?.key, pair?.value];
    return new Map([
      [key!.name, k],
      [value!.name, v],
    ]);
  });
}

function rowOfItem(starts: Int32Array, item: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= item) low = middle;
    else high = middle;
  }
  return low;
}

function buildVectors(type: DataType, values: ArrayLike<unknown>, length: number, size: number): Data {
  const child = childrenOf(type)[0]!;
  const direct = copyVectors(type, child.type as DataType, values, length, size);
  if (direct !== undefined)
    return makeColumn(child.type as DataType, { length: length * size, nullCount: 0, values: direct });
  const items = new Array<unknown>(length * size).fill(undefined);
  for (let i = 0; i < length; i++) {
    if (values[i] == null) continue;
    const list = itemsOf(values[i], type, i);
    if (list.length !== size) refuse(i, values[i], type, `${size} items, not ${list.length}`);
    for (let k = 0; k < size; k++) items[i * size + k] = list[k];
  }
  return withinChild(
    child.name,
    (k) => Math.floor(k / size),
    () => buildColumn(lenient(child, values), items, length * size),
  );
}

/** Float vectors, the common case: typed arrays are copied whole, arrays number by number. */
function copyVectors(
  type: DataType,
  element: DataType,
  values: ArrayLike<unknown>,
  length: number,
  size: number,
): Float32Array | Float64Array | undefined {
  // Vectors of vectors name the array of their innermost items.
  if ((element.typeId as number) !== TYPE_ID.float) return undefined;
  const ArrayClass = element.ArrayType as Float32ArrayConstructor | Float64ArrayConstructor;
  if (ArrayClass !== Float32Array && ArrayClass !== Float64Array) return undefined;
  const out = new ArrayClass(length * size);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const at = i * size;
    if (value instanceof Float32Array || value instanceof Float64Array) {
      if (value.length !== size) refuse(i, value, type, `${size} items, not ${value.length}`);
      out.set(value, at);
      continue;
    }
    if (!Array.isArray(value) || value.length !== size) return undefined;
    for (let k = 0; k < size; k++) {
      const item = value[k];
      if (typeof item !== "number") return undefined;
      out[at + k] = item;
    }
  }
  return out;
}

/** Children of null parents hold nothing, also where the child itself may not be null. */
function lenient(child: Field, parents: ArrayLike<unknown>): Field {
  if (child.nullable) return child;
  for (let i = 0; i < parents.length; i++) {
    if (parents[i] == null) return new Field(child.name, child.type, true, child.metadata);
  }
  return child;
}

function buildStructs(type: DataType, values: ArrayLike<unknown>, length: number, nulls: Nulls): Data[] {
  const fields = childrenOf(type);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value != null && !isRecord(value) && !(value instanceof Map)) refuse(i, value, type, "an object");
  }
  const known = new Set(fields.map((field) => field.name));
  const unknown = findUnknownKey(values, known);
  if (unknown !== undefined) {
    throw new CellError(unknown.row, [unknown.key], `there is no such field; the fields are ${[...known].join(", ")}`);
  }
  return fields.map((field) =>
    withinChild(field.name, sameRow, () => {
      const items = pluck(values, field.name);
      if (!field.nullable && nulls.count > 0) {
        for (let i = 0; i < length; i++) if (values[i] != null && items[i] == null) refuseNull(i);
      }
      return buildColumn(lenient(field, values), items, length);
    }),
  );
}

const INDEX_MAX = { 1: 0x7f, 2: 0x7fff, 4: 0x7fffffff, 8: 0x7fffffff } as const;

function buildDictionary(type: Dictionary, values: ArrayLike<unknown>, length: number) {
  const width = (type.indices.bitWidth >> 3) as keyof typeof INDEX_MAX;
  const places = new Map<unknown, number>();
  const distinct: unknown[] = [];
  const indices = new Array<unknown>(length);
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (value == null) continue;
    const key = value instanceof Date ? value.getTime() : value;
    let place = places.get(key);
    if (place === undefined) {
      place = distinct.length;
      if (place > INDEX_MAX[width]) refuse(i, value, type, "fewer distinct values than the index type can number");
      places.set(key, place);
      distinct.push(value);
    }
    indices[i] = place;
  }
  const valueField = new Field("value", type.dictionary as DataType, true);
  const dictionary = new Vector([buildColumn(valueField, distinct, distinct.length)]);
  return { values: buildFixed(type.indices, indices, length), dictionary };
}
