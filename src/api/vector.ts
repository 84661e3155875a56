/** Query vectors as callers give them. */
import { TableError } from "../support/errors.js";

export type Vector = Float32Array | Float64Array | Uint8Array | readonly number[];
/** A vector, or a promise of one. */
export type IntoVector = Vector | Promise<Vector>;
/** Several vectors, searched for one by one. */
export type MultiVector = readonly IntoVector[];

export function isMultiVector(value: IntoVector | MultiVector): value is MultiVector {
  return Array.isArray(value) && value.length > 0 && typeof value[0] === "object";
}

/** Numbers only. @throws INVALID_ARGUMENT */
export async function resolveVector(vector: IntoVector): Promise<Float64Array> {
  const given = await vector;
  if (!Array.isArray(given) && !ArrayBuffer.isView(given)) {
    throw new TableError("INVALID_ARGUMENT", `A query vector is an array of numbers, not ${typeof given}.`);
  }
  const values = Float64Array.from(given as ArrayLike<number>);
  if (values.length === 0) throw new TableError("INVALID_ARGUMENT", "A query vector has at least one number.");
  if (values.some((value) => Number.isNaN(value))) {
    throw new TableError("INVALID_ARGUMENT", "A query vector holds numbers only; one of them is NaN or no number.");
  }
  return values;
}
