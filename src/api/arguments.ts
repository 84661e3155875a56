/**
 * What callers pass who have no types to help them: each check says which argument is wrong, and what it has to be.
 *
 * Options of another type or name are refused and never passed over: `update(values, "id = 1")` would change every row,
 * and `add(rows, { mod: "overwrite" })` would append.
 */
import { TableError } from "../support/errors.js";

/** All options of a call: those of `T`, and with `Also` those that LanceDB documents for it and that do nothing here. */
export type OptionKeys<T, Also extends string = never> = Readonly<Record<keyof T | Also, true | Unbuilt>>;

/** An option of LanceDB's that is refused unless it is null: what to do instead. */
export interface Unbuilt {
  readonly instead: string;
}

/** Vectors are made before rows are added. */
export const NO_EMBEDDINGS: Unbuilt = { instead: "compute the vectors and add them as a column." };

/** The options of a call; none for an absent argument. @throws INVALID_ARGUMENT unless it is an object of known options */
export function optionsOf<T extends object>(
  options: T | null | undefined,
  name: string,
  keys: OptionKeys<T>,
): Partial<T> {
  return checkKeys(entriesOf(options, name), name, keys);
}

/** An object whose keys anybody may choose; empty when absent. @throws INVALID_ARGUMENT unless it is an object */
export function entriesOf<T extends object>(options: T | null | undefined, name: string): Partial<T> {
  if (options === undefined || options === null) return {};
  if (typeof options === "object" && !Array.isArray(options)) return options;
  throw wrong(name, options, "an object of options");
}

/**
 * The object itself.
 * @throws INVALID_ARGUMENT for a key that is not known, unless its value is undefined; NOT_SUPPORTED for what is not built
 */
export function checkKeys<T extends object>(
  object: T,
  name: string,
  keys: Readonly<Record<string, true | Unbuilt>>,
): T {
  const entries = Object.entries(object);
  const unknown = entries.find(([key, value]) => value !== undefined && !Object.hasOwn(keys, key))?.[0];
  if (unknown === undefined) {
    for (const [key, value] of entries) {
      const known = keys[key];
      if (value != null && typeof known === "object") throw unbuilt(name, key, known);
    }
    return object;
  }
  throw new TableError(
    "INVALID_ARGUMENT",
    `${name}: there is no option ${shown(unknown)}. There are: ${Object.keys(keys).sort().join(", ")}.`,
    { details: { option: unknown } },
  );
}

function unbuilt(name: string, option: string, { instead }: Unbuilt): TableError {
  return new TableError("NOT_SUPPORTED", `${name}: ${option} is not supported: ${instead}`, { details: { option } });
}

/** @throws INVALID_ARGUMENT unless `values` is an array that is not empty */
export function listOf<T>(values: readonly T[], name: string): readonly T[] {
  if (!Array.isArray(values)) throw wrong(name, values, "an array");
  if (values.length > 0) return values;
  throw new TableError("INVALID_ARGUMENT", `${name} needs at least one entry.`, { details: { option: name } });
}

/** The numbers of an array of any kind. @throws INVALID_ARGUMENT for something else */
export function numbersOf<T>(values: Iterable<T>, name: string): readonly T[] {
  if (Array.isArray(values) || (ArrayBuffer.isView(values) && Symbol.iterator in values)) return [...values];
  throw wrong(name, values, "an array of numbers");
}

/** @throws INVALID_ARGUMENT unless `value` is an object */
export function objectOf<T extends object>(value: T, name: string): T {
  if (typeof value === "object" && value !== null) return value;
  throw wrong(name, value, "an object");
}

/** @throws INVALID_ARGUMENT unless `value` is text */
export function textOf(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw wrong(name, value, "text");
}

/** @throws INVALID_ARGUMENT unless `value` is a number, NaN among them */
export function numberOf(value: unknown, name: string): number {
  if (typeof value === "number") return value;
  throw wrong(name, value, "a number");
}

/** @throws INVALID_ARGUMENT */
export function yesOrNo(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw wrong(name, value, "true or false");
}

/** @throws INVALID_ARGUMENT unless `value` is a number of at least `least` */
export function atLeast(least: number, value: unknown, name: string): number {
  if (typeof value === "number" && value >= least) return value;
  throw wrong(name, value, `a number of at least ${least}`);
}

/** How long a call may take and what may end it. @throws INVALID_ARGUMENT */
export function checkLimits({ timeoutMs, signal }: { readonly timeoutMs?: unknown; readonly signal?: unknown }): void {
  if (timeoutMs !== undefined) atLeast(0, timeoutMs, "timeoutMs");
  const listens = (signal as Partial<AbortSignal> | null | undefined)?.addEventListener;
  if (signal !== undefined && typeof listens !== "function") throw wrong("signal", signal, "an AbortSignal");
}

/** A value for a message, whatever it is. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid Date" : value.toISOString();
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function wrong(name: string, value: unknown, what: string): TableError {
  return new TableError("INVALID_ARGUMENT", `${name} is ${shown(value)}; it has to be ${what}.`, {
    details: { option: name },
  });
}
