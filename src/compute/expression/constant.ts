/** Numbers as text and bound values, as literals. */
import type { Expression, Literal } from "./ast.js";
import { LIST_ITEMS_MAX } from "./limits.js";

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** Whole numbers that fit 64 bits stay exact; all others are double precision, as in LanceDB. */
export function numberLiteral(text: string): Literal {
  if (/^\d+$/.test(text) && text.length <= 20) {
    const value = BigInt(text);
    if (value <= UINT64_MAX) return { kind: "integer", value };
  }
  return { kind: "float", value: Number(text) };
}

export function negativeNumber(input: Expression): Expression {
  if (input.kind === "integer") {
    if (input.value <= INT64_MAX + 1n) return { kind: "integer", value: -input.value };
    return { kind: "float", value: -Number(input.value) };
  }
  if (input.kind === "float") return { kind: "float", value: -input.value };
  return { kind: "negate", input };
}

/** The literal of a bound value, or undefined when it is of no known kind. */
export function literalOf(value: unknown): Literal | undefined {
  if (value === null) return { kind: "null" };
  switch (typeof value) {
    case "boolean":
      return { kind: "boolean", value };
    case "string":
      return { kind: "string", value };
    case "bigint":
      return value >= -INT64_MAX - 1n && value <= UINT64_MAX ? { kind: "integer", value } : undefined;
    case "number":
      // A whole number must fit integer columns too; a float column takes it just as well.
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? { kind: "integer", value: BigInt(value) }
        : { kind: "float", value };
    default:
      break;
  }
  if (value instanceof Uint8Array) return { kind: "bytes", value: Uint8Array.from(value) };
  if (Object.prototype.toString.call(value) === "[object Date]") {
    const instant = (value as Date).getTime();
    return Number.isNaN(instant) ? undefined : { kind: "instant", value: instant };
  }
  if (!Array.isArray(value) || value.length > LIST_ITEMS_MAX) return undefined;
  const items: Literal[] = [];
  for (const item of value) {
    const literal = Array.isArray(item) ? undefined : literalOf(item);
    if (literal === undefined) return undefined;
    items.push(literal);
  }
  return { kind: "array", items };
}
