/**
 * Comparison of two vectors of one type.
 *
 * Numbers follow LanceDB: NaN equals NaN and is greater than every other number; -0 equals 0. Text and binary compare
 * by bytes, lists item by item, structs field by field.
 */
import { assert } from "../../support/errors.js";
import type { CompareOperator } from "./ast.js";
import { BOOL } from "./types.js";
import {
  type BytesVector,
  isValid,
  type NumberVector,
  nothing,
  outcomeOf,
  type TruthVector,
  truth,
  type Vector,
  type WideVector,
} from "./vector.js";

/** Which outcomes of a three-way comparison satisfy an operator: bit 0 less, bit 1 equal, bit 2 greater. */
const ACCEPTS: Readonly<Record<CompareOperator, number>> = {
  "<": 0b001,
  "<=": 0b011,
  "=": 0b010,
  "!=": 0b101,
  ">=": 0b110,
  ">": 0b100,
};

/** TRUE, FALSE or NULL per row. Both vectors must be of the same type. */
export function compareVectors(operator: CompareOperator, left: Vector, right: Vector): Vector {
  const outcome = outcomeOf(left, right);
  if (left.form === "nothing" || right.form === "nothing") return nothing(BOOL, outcome.length);
  assert(left.form === right.form, "compared vectors have one form");
  const accepts = ACCEPTS[operator];
  const out = new Uint8Array(outcome.count);
  if (left.form === "number") compareNumbers(left, right as NumberVector, accepts, out);
  else if (left.form === "wide") compareWide(left, right as WideVector, accepts, out);
  else if (left.form === "bytes") compareBytesColumns(left, right as BytesVector, accepts, out);
  else {
    for (let i = 0; i < out.length; i++) out[i] = (accepts >> (orderRows(left, i, right, i) + 1)) & 1;
  }
  return truth(out, outcome, BOOL);
}

function compareNumbers(left: NumberVector, right: NumberVector, accepts: number, out: Uint8Array): void {
  const a = left.values;
  const b = right.values;
  const stepA = left.constant ? 0 : 1;
  const stepB = right.constant ? 0 : 1;
  for (let i = 0; i < out.length; i++) {
    out[i] = (accepts >> (orderNumbers(a[i * stepA] as number, b[i * stepB] as number) + 1)) & 1;
  }
}

function compareWide(left: WideVector, right: WideVector, accepts: number, out: Uint8Array): void {
  const stepA = left.constant ? 0 : 1;
  const stepB = right.constant ? 0 : 1;
  for (let i = 0; i < out.length; i++) {
    const a = left.values[i * stepA] as bigint;
    const b = right.values[i * stepB] as bigint;
    out[i] = (accepts >> (a < b ? 0 : a > b ? 2 : 1)) & 1;
  }
}

function compareBytesColumns(left: BytesVector, right: BytesVector, accepts: number, out: Uint8Array): void {
  const stepA = left.constant ? 0 : 1;
  const stepB = right.constant ? 0 : 1;
  for (let i = 0; i < out.length; i++) {
    out[i] = (accepts >> (orderBytes(left, i * stepA, right, i * stepB) + 1)) & 1;
  }
}

/** -1, 0 or 1; NaN is the greatest and equals itself. */
export function orderNumbers(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0);
}

function orderBytes(left: BytesVector, i: number, right: BytesVector, j: number): number {
  const startA = left.offsets[i] as number;
  const startB = right.offsets[j] as number;
  const sizeA = (left.offsets[i + 1] as number) - startA;
  const sizeB = (right.offsets[j + 1] as number) - startB;
  const size = Math.min(sizeA, sizeB);
  for (let k = 0; k < size; k++) {
    const difference = (left.bytes[startA + k] as number) - (right.bytes[startB + k] as number);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return sizeA < sizeB ? -1 : sizeA > sizeB ? 1 : 0;
}

/** Three-way order of one element of each vector; NULL sorts first and equals NULL. Used within lists and structs. */
export function orderElements(left: Vector, i: number, right: Vector, j: number): number {
  const validA = isValid(left, i);
  const validB = isValid(right, j);
  if (!validA || !validB) return (validA ? 1 : 0) - (validB ? 1 : 0);
  return orderRows(left, i, right, j);
}

function orderRows(left: Vector, row: number, right: Vector, otherRow: number): number {
  const i = left.constant ? 0 : row;
  const j = right.constant ? 0 : otherRow;
  switch (left.form) {
    case "nothing":
      return 0;
    case "number":
      return orderNumbers(left.values[i] as number, (right as NumberVector).values[j] as number);
    case "wide": {
      const [a, b] = [left.values[i] as bigint, (right as WideVector).values[j] as bigint];
      return a < b ? -1 : a > b ? 1 : 0;
    }
    case "truth":
      return (left.values[i] as number) - ((right as TruthVector).values[j] as number);
    case "bytes":
      return orderBytes(left, i, right as BytesVector, j);
    case "list": {
      const other = right as typeof left;
      let [a, b] = [left.offsets[i] as number, other.offsets[j] as number];
      const [endA, endB] = [left.offsets[i + 1] as number, other.offsets[j + 1] as number];
      for (; a < endA && b < endB; a++, b++) {
        const order = orderElements(left.child, a, other.child, b);
        if (order !== 0) return order;
      }
      return (a < endA ? 1 : 0) - (b < endB ? 1 : 0);
    }
    case "struct": {
      const other = right as typeof left;
      for (let k = 0; k < left.children.length; k++) {
        const order = orderElements(left.children[k] as Vector, i, other.children[k] as Vector, j);
        if (order !== 0) return order;
      }
      return 0;
    }
  }
}
