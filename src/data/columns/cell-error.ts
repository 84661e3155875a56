/**
 * A value that its column cannot hold: found deep in a builder, told to the caller with row, column, value and type.
 */
import type { DataType } from "apache-arrow";
import { TableError } from "../../support/errors.js";

/** Thrown by builders with the index in their own values; every list on the way up translates it to its own rows. */
export class CellError extends Error {
  override readonly name = "CellError";
  readonly index: number;
  readonly path: readonly string[];
  readonly problem: string;

  constructor(index: number, path: readonly string[], problem: string) {
    super(problem);
    this.index = index;
    this.path = path;
    this.problem = problem;
  }
}

/** The value does not fit the type. */
export function refuse(index: number, value: unknown, type: DataType, hint?: string): never {
  const wanted = hint === undefined ? String(type) : `${String(type)} (${hint})`;
  throw new CellError(index, [], `value ${print(value)} is not ${wanted}`);
}

/** A null where none may be. */
export function refuseNull(index: number): never {
  throw new CellError(
    index,
    [],
    "a value is required: the column is declared as non-nullable but contains null values, or misses one",
  );
}

/** Runs a builder of a child; what it throws is moved to the parent's rows. */
export function withinChild<T>(name: string, parentRow: (index: number) => number, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof CellError)) throw error;
    throw new CellError(parentRow(error.index), [name, ...error.path], error.problem);
  }
}

/** The error for the caller. `firstRow` is the number of the first row of this batch within the whole input. */
export function toTableError(error: CellError, firstRow: number): TableError {
  const row = firstRow + error.index;
  const column = error.path.join(".");
  return new TableError("SCHEMA_MISMATCH", `Row ${row}, column "${column}": ${error.problem}.`, {
    details: { row, column },
  });
}

function print(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `[${value.length} items]`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (typeof value === "object" && value !== null) return "{object}";
  return String(value);
}
