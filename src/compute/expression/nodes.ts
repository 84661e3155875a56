/** Makers of bound nodes: they cast operands to where they meet, push NOT inwards and compute constants at once. */
import { type DataType, Duration } from "apache-arrow";
import { assert, TableError } from "../../support/errors.js";
import { arithmeticType } from "./arithmetic.js";
import type { ArithmeticOperator, CompareOperator } from "./ast.js";
import type { ItemSet, Node } from "./bound.js";
import { canCast } from "./cast.js";
import { evaluateNode, latin1 } from "./node.js";
import {
  asDecimal,
  BOOL,
  commonNumber,
  commonType,
  INT32,
  INT64,
  isInteger,
  isNumber,
  kindOf,
  shapeOf,
  typeText,
  valueType,
} from "./types.js";
import { isValid, type Vector } from "./vector.js";

const NOT_OPERATOR: Readonly<Record<CompareOperator, CompareOperator>> = {
  "=": "!=",
  "!=": "=",
  "<": ">=",
  ">=": "<",
  ">": "<=",
  "<=": ">",
};

/** Constants have no columns to ask for. */
const NO_COLUMNS = {
  length: 1,
  column(): Vector {
    assert(false, "a constant reads no columns");
  },
};

export function literalNode(vector: Vector): Node {
  return { kind: "literal", type: vector.type, vector };
}

/** The node itself, or its value when all that it reads is constant. */
export function fold(node: Node, ...inputs: readonly Node[]): Node {
  if (inputs.some((input) => input.kind !== "literal")) return node;
  const vector = evaluateNode(node, NO_COLUMNS);
  return literalNode({ ...vector, type: node.type, constant: true } as Vector);
}

/** `node` as a value of `type`. @throws INVALID_ARGUMENT when there is no such cast */
export function castNode(node: Node, type: DataType, options: { readonly safe: boolean } = { safe: false }): Node {
  if (typeText(valueType(node.type)) === typeText(type)) return node;
  if (!canCast(node.type, type)) {
    throw new TableError("INVALID_ARGUMENT", `A ${typeText(node.type)} cannot be cast to ${typeText(type)}.`);
  }
  return fold({ kind: "cast", type, input: node, safe: options.safe }, node);
}

/** A comparison of two values, where they meet. @throws INVALID_ARGUMENT */
export function compareNode(operator: CompareOperator, left: Node, right: Node): Node {
  const uncast = withoutCast(left, right);
  if (uncast !== undefined) return compareNode(operator, uncast, right);
  const type = meeting(left, right);
  if (type === undefined) {
    const message = `Cannot compare ${typeText(left.type)} with ${typeText(right.type)}; cast one of them.`;
    throw new TableError("INVALID_ARGUMENT", message);
  }
  const [a, b] = [castNode(left, type), castNode(right, type)];
  return fold({ kind: "compare", type: BOOL, operator, left: a, right: b }, a, b);
}

/** A cast integer beside an integer constant that it could be itself: compared uncast, what does not fit is no error. */
function withoutCast(left: Node, right: Node): Node | undefined {
  if (left.kind !== "cast" || right.kind !== "literal") return undefined;
  const { input } = left;
  if (![input, left, right].every((node) => isInteger(kindOf(node.type)))) return undefined;
  const probe = evaluateNode({ kind: "cast", type: input.type, input: right, safe: true }, NO_COLUMNS);
  return isValid(probe, 0) ? input : undefined;
}

/** An integer constant that fits the other side's integers is compared there: same answer, no cast of the column. */
function meeting(left: Node, right: Node): DataType | undefined {
  if (left.kind === "literal" && right.kind !== "literal") return meeting(right, left);
  const [a, b] = [kindOf(left.type), kindOf(right.type)];
  if (right.kind === "literal" && isInteger(a) && isInteger(b) && a !== b) {
    const probe = evaluateNode({ kind: "cast", type: left.type, input: right, safe: true }, NO_COLUMNS);
    if (isValid(probe, 0)) return left.type;
  }
  return commonType(left.type, right.type);
}

/** @throws INVALID_ARGUMENT for operands that have no such operator */
export function arithmeticNode(operator: ArithmeticOperator, left: Node, right: Node): Node {
  const times = timeArithmetic(operator, left, right);
  if (times !== undefined) return times;
  const [a, b] = [valueType(left.type), valueType(right.type)];
  const [kindA, kindB] = [kindOf(a), kindOf(b)];
  const number = kindA === "null" ? b : kindB === "null" ? a : commonNumber(a, b);
  if (number === undefined || !(isNumber(kindOf(number)) || kindOf(number) === "decimal")) {
    const message = `Cannot compute ${typeText(left.type)} ${operator} ${typeText(right.type)}; only numbers have this operator.`;
    throw new TableError("INVALID_ARGUMENT", message);
  }
  const decimals = kindOf(number) === "decimal" && kindA !== "null" && kindB !== "null";
  const [typeA, typeB] = decimals ? [ownDecimal(a, number, kindB), ownDecimal(b, number, kindA)] : [number, number];
  const [x, y] = [castNode(left, typeA), castNode(right, typeB)];
  return fold({ kind: "arithmetic", type: arithmeticType(operator, typeA, typeB), operator, left: x, right: y }, x, y);
}

/** Decimals keep their own scales; integers that only meet as decimals take the common one. */
function ownDecimal(type: DataType, common: DataType, otherKind: string): DataType {
  return kindOf(type) === "decimal" || otherKind === "decimal" ? asDecimal(type) : common;
}

/** Days to and from a date, and the distance of two dates or instants. */
function timeArithmetic(operator: ArithmeticOperator, left: Node, right: Node): Node | undefined {
  const [a, b] = [kindOf(left.type), kindOf(right.type)];
  const plusMinus = operator === "+" || operator === "-";
  if (!plusMinus) return undefined;
  if (a === "date32" && isInteger(b)) {
    const days = castNode(right, INT32);
    return fold({ kind: "arithmetic", type: left.type, operator, left, right: days }, left, days);
  }
  if (b === "date32" && isInteger(a) && operator === "+") return timeArithmetic(operator, right, left);
  if (a === "date32" && b === "date32" && operator === "-") {
    return arithmeticNode(operator, castNode(castNode(left, INT32), INT64), castNode(castNode(right, INT32), INT64));
  }
  if (a === "timestamp" && b === "timestamp" && operator === "-") {
    const common = commonType(left.type, right.type) as DataType;
    const [x, y] = [castNode(left, common), castNode(right, common)];
    return fold(
      { kind: "arithmetic", type: new Duration(shapeOf(common).unit as number), operator, left: x, right: y },
      x,
      y,
    );
  }
  return undefined;
}

/** The opposite truth; NULL stays NULL. */
export function notNode(node: Node): Node {
  switch (node.kind) {
    case "compare":
      return { ...node, operator: NOT_OPERATOR[node.operator] };
    case "isNull":
    case "isTruth":
    case "in":
    case "like":
      return { ...node, negated: !node.negated };
    case "not":
      return node.input;
    case "and":
    case "or":
      return { ...node, kind: node.kind === "and" ? "or" : "and", terms: node.terms.map(notNode) };
    default:
      return fold({ kind: "not", type: BOOL, input: node }, node);
  }
}

export function connectNode(kind: "and" | "or", terms: readonly Node[]): Node {
  return fold({ kind, type: BOOL, terms }, ...terms);
}

/** `input [NOT] IN (items)`. @throws INVALID_ARGUMENT */
export function inNode(input: Node, items: readonly Node[], negated: boolean): Node {
  let type: DataType | undefined = valueType(input.type);
  for (const item of items) type = type && commonType(type, item.type);
  const kind = type && kindOf(type);
  if (type === undefined || kind === undefined) {
    const others = [...new Set(items.map((item) => typeText(item.type)))].join(", ");
    throw new TableError(
      "INVALID_ARGUMENT",
      `Cannot look for ${typeText(input.type)} among ${others}; cast the items.`,
    );
  }
  const common = type;
  const cast = items.map((item) => castNode(item, common));
  const hashed = !["bool", "list", "struct", "null", "other"].includes(kind);
  if (!hashed || cast.some((item) => item.kind !== "literal")) {
    const any = connectNode(
      "or",
      cast.map((item) => compareNode("=", input, item)),
    );
    return negated ? notNode(any) : any;
  }
  const vectors = cast.map((item) => (item as Extract<Node, { kind: "literal" }>).vector);
  const live = vectors.filter((vector) => isValid(vector, 0));
  const left = castNode(input, common);
  const hasNull = live.length < vectors.length;
  return fold({ kind: "in", type: BOOL, input: left, set: itemSet(live), hasNull, negated }, left);
}

/** Lists up to this long are compared item by item rather than hashed. */
const NEEDLES_MAX = 4;

function itemSet(vectors: readonly Vector[]): ItemSet {
  const numbers = new Set<number>();
  const wides = new Set<bigint>();
  const texts = new Set<string>();
  const needles: Uint8Array[] = [];
  for (const vector of vectors) {
    if (vector.form === "number") numbers.add(vector.values[0] as number);
    else if (vector.form === "wide") wides.add(vector.values[0] as bigint);
    else if (vector.form === "bytes") {
      texts.add(latin1(vector.bytes, vector.offsets[0] as number, vector.offsets[1] as number));
      needles.push(vector.bytes.subarray(vector.offsets[0], vector.offsets[1]));
    }
  }
  return needles.length > 0 && needles.length <= NEEDLES_MAX
    ? { numbers, wides, texts, needles }
    : { numbers, wides, texts };
}
