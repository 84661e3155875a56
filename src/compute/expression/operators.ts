/** The operators of the language: how tightly they bind and what they make of their operands. */
import type { ArithmeticOperator, CompareOperator, Expression } from "./ast.js";

/** How tightly operators bind; the numbers are only an order. */
export const BIND = { or: 1, and: 2, not: 3, is: 4, like: 5, compare: 6, add: 7, multiply: 8, cast: 9 } as const;

export const SYMBOLS: ReadonlyMap<string, { readonly bind: number; readonly build: InfixBuilder }> = new Map([
  ["=", { bind: BIND.compare, build: comparison("=") }],
  ["==", { bind: BIND.compare, build: comparison("=") }],
  ["!=", { bind: BIND.compare, build: comparison("!=") }],
  ["<>", { bind: BIND.compare, build: comparison("!=") }],
  ["<", { bind: BIND.compare, build: comparison("<") }],
  ["<=", { bind: BIND.compare, build: comparison("<=") }],
  [">", { bind: BIND.compare, build: comparison(">") }],
  [">=", { bind: BIND.compare, build: comparison(">=") }],
  ["+", { bind: BIND.add, build: arithmetic("+") }],
  ["-", { bind: BIND.add, build: arithmetic("-") }],
  ["*", { bind: BIND.multiply, build: arithmetic("*") }],
  ["/", { bind: BIND.multiply, build: arithmetic("/") }],
  ["%", { bind: BIND.multiply, build: arithmetic("%") }],
  ["||", { bind: BIND.multiply, build: (left, right) => ({ kind: "concat", left, right }) }],
]);

/** Words that cannot be a bare column name, because the dialect's host grammar gives them a meaning. */
export const RESERVED: ReadonlySet<string> = new Set(
  "and or not in is between like ilike escape case when then else end interval exists select from where group order limit union having similar rlike regexp distinct xor".split(
    " ",
  ),
);

type InfixBuilder = (left: Expression, right: Expression) => Expression;

function comparison(operator: CompareOperator): InfixBuilder {
  return (left, right) => ({ kind: "compare", operator, left, right });
}

function arithmetic(operator: ArithmeticOperator): InfixBuilder {
  return (left, right) => ({ kind: "arithmetic", operator, left, right });
}
