/**
 * Safe access to rows: plain objects, objects with a null prototype, class instances, Arrow's row proxies and Maps.
 *
 * Column names are data: "constructor" or "__proto__" reads what the row itself holds, never what every object inherits.
 */

/** One row: column name → value. */
export type Row = Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>;

/** True for an object that stands for named values: not an array, date, buffer, map, set, vector, ... */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  if (value instanceof Date || value instanceof RegExp || value instanceof Map || value instanceof Set) return false;
  const { get, toArray } = value as { readonly get?: unknown; readonly toArray?: unknown };
  const isVector = typeof get === "function" && typeof toArray === "function";
  return !(value instanceof ArrayBuffer) && !isVector;
}

/** The names of the values that a row holds itself. */
export function keysOf(row: Row): Iterable<string> {
  return row instanceof Map ? row.keys() : Object.keys(row);
}

/** The value of one column; undefined when the row does not hold it. */
export function cellOf(row: Row, name: string): unknown {
  if (row instanceof Map) return row.get(name);
  const record = row as Readonly<Record<string, unknown>>;
  return name in Object.prototype && !Object.hasOwn(record, name) ? undefined : record[name];
}

/** One column of many rows; undefined where a row is null or does not hold it. */
export function pluck(rows: ArrayLike<unknown>, name: string): unknown[] {
  const length = rows.length;
  const out = new Array<unknown>(length);
  if (name in Object.prototype) {
    for (let i = 0; i < length; i++) out[i] = rows[i] == null ? undefined : cellOf(rows[i] as Row, name);
    return out;
  }
  for (let i = 0; i < length; i++) {
    const row = rows[i] as Record<string, unknown> | Map<string, unknown> | null | undefined;
    out[i] = row == null ? undefined : row instanceof Map ? row.get(name) : row[name];
  }
  return out;
}

/** The first key, with its row, that is not among `known` and holds a value. */
export function findUnknownKey(
  rows: ArrayLike<unknown>,
  known: ReadonlySet<string>,
): { readonly row: number; readonly key: string } | undefined {
  for (let row = 0; row < rows.length; row++) {
    const record = rows[row];
    if (record == null) continue;
    if (record instanceof Map) {
      for (const [key, value] of record) if (!known.has(key) && value !== undefined) return { row, key };
      continue;
    }
    for (const key in record as Record<string, unknown>) {
      if (known.has(key) || !Object.hasOwn(record as object, key)) continue;
      if ((record as Record<string, unknown>)[key] !== undefined) return { row, key };
    }
  }
  return undefined;
}
