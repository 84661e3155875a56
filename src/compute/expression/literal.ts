/** Constants as vectors of one element, and which constants LanceDB lets stand beside a column of which type. */
import { type DataType, Timestamp } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import type { Literal } from "./ast.js";
import { castVector } from "./cast.js";
import { concatVectors } from "./concat.js";
import { fitDecimal, fitFloat, fitInteger } from "./fit.js";
import {
  BINARY,
  BOOL,
  FLOAT64,
  INT64,
  isFloat,
  isInteger,
  kindOf,
  listOf,
  NULL,
  shapeOf,
  typeText,
  UINT64,
  UTF8,
} from "./types.js";
import { encodeText, nothing, type Vector } from "./vector.js";

const ONE = { length: 1, constant: true, valid: undefined } as const;
const INSTANT = new Timestamp(1, null);

/** The literal as a constant of its own type. @throws INVALID_ARGUMENT for an array of several types */
export function literalVector(literal: Literal): Vector {
  switch (literal.kind) {
    case "null":
      return nothing(NULL);
    case "boolean":
      return { ...ONE, form: "truth", type: BOOL, values: Uint8Array.of(literal.value ? 1 : 0) };
    case "integer":
      if (literal.value > 2n ** 63n - 1n)
        return { ...ONE, form: "wide", type: UINT64, values: BigUint64Array.of(literal.value) };
      return { ...ONE, form: "wide", type: INT64, values: BigInt64Array.of(literal.value) };
    case "float":
      return { ...ONE, form: "number", type: FLOAT64, values: Float64Array.of(literal.value) };
    case "string":
      return bytesVector(encodeText(literal.value), UTF8);
    case "bytes":
      return bytesVector(literal.value, BINARY);
    case "instant":
      return { ...ONE, form: "wide", type: INSTANT, values: BigInt64Array.of(BigInt(Math.trunc(literal.value))) };
    case "array":
      return arrayVector(literal.items);
  }
}

function bytesVector(bytes: Uint8Array, type: DataType): Vector {
  return { ...ONE, form: "bytes", type, bytes, offsets: Int32Array.of(0, bytes.length) };
}

/** A list whose first item that is not NULL decides the type of all. */
function arrayVector(items: readonly Literal[]): Vector {
  const first = items.find((item) => item.kind !== "null");
  const type = first === undefined ? NULL : literalVector(first).type;
  const vectors = items.map((item) => {
    const vector = coerceLiteral(item, type);
    if (vector !== undefined) return { ...vector, constant: false } as Vector;
    throw new TableError(
      "INVALID_ARGUMENT",
      `Array expressions must have a consistent datatype: the first item is ${typeText(type)}, another is ${item.kind}.`,
    );
  });
  const child = vectors.length === 0 ? nothing(type, 0) : concatVectors(vectors);
  return { ...ONE, form: "list", type: listOf(type), offsets: Int32Array.of(0, items.length), child };
}

/** The literal as a constant of `type`, or undefined when LanceDB does not take it beside such a column. */
export function coerceLiteral(literal: Literal, type: DataType): Vector | undefined {
  const kind = kindOf(type);
  switch (literal.kind) {
    case "null":
      return nothing(type);
    case "boolean":
      return kind === "bool" ? literalVector(literal) : undefined;
    case "integer":
      return coerceInteger(literal.value, type);
    case "float":
      if (kind !== "float32" && kind !== "float64") return undefined;
      return { ...ONE, form: "number", type, values: Float64Array.of(fitFloat(literal.value, kind)) };
    case "string":
      return kind === "utf8" ? { ...literalVector(literal), type } : undefined;
    case "bytes":
      return kind === "binary" ? { ...literalVector(literal), type } : undefined;
    case "instant":
      return coerceInstant(literal.value, type);
    case "array":
      return coerceArray(literal, type);
  }
}

function coerceInteger(value: bigint, type: DataType): Vector | undefined {
  const kind = kindOf(type);
  if (kind === "float32" || kind === "float64") {
    return { ...ONE, form: "number", type, values: Float64Array.of(fitFloat(Number(value), kind)) };
  }
  if (kind === "decimal") {
    const unscaled = fitDecimal(value * 10n ** BigInt(shapeOf(type).scale as number), type);
    return unscaled === undefined ? undefined : { ...ONE, form: "wide", type, values: [unscaled] };
  }
  if (isFloat(kind) || !isInteger(kind)) return undefined;
  const fitted = fitInteger(value, kind);
  if (fitted === undefined) return undefined;
  if (typeof fitted === "number") return { ...ONE, form: "number", type, values: Float64Array.of(fitted) };
  const values = kind === "uint64" ? BigUint64Array.of(fitted) : BigInt64Array.of(fitted);
  return { ...ONE, form: "wide", type, values };
}

/** A bound Date is an instant, whatever zone the column shows its instants in. */
function coerceInstant(value: number, type: DataType): Vector | undefined {
  const instant = literalVector({ kind: "instant", value });
  if (kindOf(type) !== "timestamp") return ["date32", "date64", "utf8"].includes(kindOf(type)) ? instant : undefined;
  const plain = castVector(instant, new Timestamp(shapeOf(type).unit as number, null), { safe: false });
  return { ...plain, type };
}

function coerceArray(literal: Extract<Literal, { kind: "array" }>, type: DataType): Vector | undefined {
  if (kindOf(type) !== "list") return undefined;
  try {
    return castVector(literalVector(literal), type, { safe: false });
  } catch (error) {
    if (error instanceof TableError) return undefined;
    throw error;
  }
}
