/**
 * Sums, products and their kin over vectors of one type.
 *
 * As in LanceDB, integers wrap at their width, division of integers truncates, and an integer divided by zero is an
 * error; floats follow IEEE 754.
 */
import type { DataType } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import type { ArithmeticOperator } from "./ast.js";
import { decimalType, isFloat, type Kind, kindOf, shapeOf } from "./types.js";
import { type NumberVector, nothing, type Outcome, outcomeOf, type Vector, type WideVector } from "./vector.js";

/** The result type of an operator over two operands of the given (already common) types. */
export function arithmeticType(operator: ArithmeticOperator, left: DataType, right: DataType): DataType {
  if (kindOf(left) !== "decimal") return left;
  const [p1, s1] = [shapeOf(left).precision as number, shapeOf(left).scale as number];
  const [p2, s2] = [shapeOf(right).precision as number, shapeOf(right).scale as number];
  const scale = Math.max(s1, s2);
  switch (operator) {
    case "+":
    case "-":
      return decimalType(Math.max(p1 - s1, p2 - s2) + scale + 1, scale);
    case "*":
      return decimalType(p1 + p2 + 1, s1 + s2);
    case "/": {
      const quotient = Math.min(38, s1 + 4);
      return decimalType(p1 - s1 + s2 + quotient, quotient);
    }
    case "%":
      return decimalType(Math.min(p1 - s1, p2 - s2) + scale, scale);
  }
}

/** `left operator right`. Decimals may differ in scale; all others are of one type. @throws INVALID_ARGUMENT */
export function arithmetic(operator: ArithmeticOperator, left: Vector, right: Vector, type: DataType): Vector {
  const outcome = outcomeOf(left, right);
  if (left.form === "nothing" || right.form === "nothing") return nothing(type, outcome.length);
  const { length, constant, valid } = outcome;
  const head = { type, length, constant, valid } as const;
  const kind = kindOf(type);
  if (left.form === "number") {
    return { ...head, form: "number", values: overNumbers(operator, left, right as NumberVector, outcome, kind) };
  }
  if (kind === "decimal") {
    return {
      ...head,
      form: "wide",
      values: overDecimals(operator, left as WideVector, right as WideVector, outcome, type),
    };
  }
  return { ...head, form: "wide", values: overWords(operator, left as WideVector, right as WideVector, outcome, kind) };
}

export function divisionByZero(): TableError {
  const message =
    "Division by zero: an integer or decimal was divided by 0. Use nullif(divisor, 0) to get NULL instead.";
  return new TableError("INVALID_ARGUMENT", message);
}

function overNumbers(
  operator: ArithmeticOperator,
  left: NumberVector,
  right: NumberVector,
  outcome: Outcome,
  kind: Kind,
): Float64Array {
  const out = new Float64Array(outcome.count);
  const stepA = left.constant ? 0 : 1;
  const stepB = right.constant ? 0 : 1;
  const { valid } = outcome;
  const whole = !isFloat(kind);
  for (let i = 0; i < out.length; i++) {
    const a = left.values[i * stepA] as number;
    const b = right.values[i * stepB] as number;
    if (whole && b === 0 && (operator === "/" || operator === "%")) {
      if (valid === undefined || valid[i] === 1) throw divisionByZero();
      continue;
    }
    out[i] = operateNumbers(operator, a, b, whole);
  }
  return narrow(out, kind);
}

function operateNumbers(operator: ArithmeticOperator, a: number, b: number, whole: boolean): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return whole ? Math.imul(a, b) : a * b;
    case "/":
      return whole ? Math.trunc(a / b) : a / b;
    case "%":
      return a % b;
  }
}

/** Brings exact results back to the width of `kind`, in place: integers wrap, floats round. */
export function narrow(values: Float64Array, kind: Kind): Float64Array {
  switch (kind) {
    case "int8":
      for (let i = 0; i < values.length; i++) values[i] = ((values[i] as number) << 24) >> 24;
      break;
    case "int16":
      for (let i = 0; i < values.length; i++) values[i] = ((values[i] as number) << 16) >> 16;
      break;
    case "int32":
    case "date32":
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) | 0;
      break;
    case "uint8":
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) & 0xff;
      break;
    case "uint16":
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) & 0xffff;
      break;
    case "uint32":
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) >>> 0;
      break;
    case "float32":
    case "float16":
      for (let i = 0; i < values.length; i++) values[i] = Math.fround(values[i] as number);
      break;
    default:
      break;
  }
  return values;
}

function overWords(
  operator: ArithmeticOperator,
  left: WideVector,
  right: WideVector,
  outcome: Outcome,
  kind: Kind,
): BigInt64Array | BigUint64Array {
  const out = kind === "uint64" ? new BigUint64Array(outcome.count) : new BigInt64Array(outcome.count);
  const stepA = left.constant ? 0 : 1;
  const stepB = right.constant ? 0 : 1;
  const { valid } = outcome;
  for (let i = 0; i < out.length; i++) {
    if (valid !== undefined && valid[i] === 0) continue;
    // Storing into 64-bit elements wraps.
    out[i] = operateWide(operator, left.values[i * stepA] as bigint, right.values[i * stepB] as bigint);
  }
  return out;
}

function operateWide(operator: ArithmeticOperator, a: bigint, b: bigint): bigint {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      if (b === 0n) throw divisionByZero();
      return a / b;
    case "%":
      if (b === 0n) throw divisionByZero();
      return a % b;
  }
}

function overDecimals(
  operator: ArithmeticOperator,
  left: WideVector,
  right: WideVector,
  outcome: Outcome,
  type: DataType,
): bigint[] {
  const [s1, s2] = [shapeOf(left.type).scale as number, shapeOf(right.type).scale as number];
  const { precision, scale } = shapeOf(type) as { precision: number; scale: number };
  const same = Math.max(s1, s2);
  const sums = operator === "+" || operator === "-" || operator === "%";
  const upA = 10n ** BigInt(sums ? same - s1 : operator === "/" ? Math.max(0, scale - s1 + s2) : 0);
  const upB = 10n ** BigInt(sums ? same - s2 : 0);
  const limit = 10n ** BigInt(precision);
  const stepA = left.constant ? 0 : 1;
  const stepB = right.constant ? 0 : 1;
  const out: bigint[] = new Array(outcome.count).fill(0n);
  for (let i = 0; i < out.length; i++) {
    if (outcome.valid !== undefined && outcome.valid[i] === 0) continue;
    const value = operateWide(
      operator,
      (left.values[i * stepA] as bigint) * upA,
      (right.values[i * stepB] as bigint) * upB,
    );
    if (value >= limit || value <= -limit) {
      throw new TableError(
        "INVALID_ARGUMENT",
        `A decimal result exceeds ${precision} digits; cast the operands to double.`,
      );
    }
    out[i] = value;
  }
  return out;
}

/** The vector with every sign turned. */
export function negate(input: Vector): Vector {
  if (input.form === "number") {
    const values = input.values.map((value) => -value);
    const kind = kindOf(input.type);
    return { ...input, values: isFloat(kind) ? values : narrow(values, kind) };
  }
  if (input.form !== "wide") return input;
  const { values } = input;
  // Storing into 64-bit elements wraps, so that the least value stays itself.
  return { ...input, values: Array.isArray(values) ? values.map((value) => -value) : negateWords(values) };
}

function negateWords(values: BigInt64Array | BigUint64Array): BigInt64Array {
  const out = new BigInt64Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = -(values[i] as bigint);
  return out;
}
