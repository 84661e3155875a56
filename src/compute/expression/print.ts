/**
 * Expression to text: canonical SQL that parses back to the same expression.
 *
 * Two literals have no text of their own and print as the cast that makes them: NaN, and an instant.
 */
import { unreachable } from "../../support/errors.js";
import type { Expression, Literal, TypeName } from "./ast.js";
import { isLiteral } from "./ast.js";

/** Canonical SQL. Operands that are not single values are put in parentheses. */
export function printExpression(expression: Expression): string {
  if (isLiteral(expression)) return printLiteral(expression);
  switch (expression.kind) {
    case "column":
      return expression.exact ? quoteName(expression.name) : expression.name;
    case "field":
      return `${owner(expression.input)}.${quoteName(expression.name)}`;
    case "element":
      return `${owner(expression.input)}[${printExpression(expression.index)}]`;
    case "and":
    case "or":
      return expression.terms.map(operand).join(` ${expression.kind.toUpperCase()} `);
    case "not":
      return `NOT ${operand(expression.input)}`;
    case "negate":
      return `-(${printExpression(expression.input)})`;
    case "compare":
    case "arithmetic":
      return `${operand(expression.left)} ${expression.operator} ${operand(expression.right)}`;
    case "concat":
      return `${operand(expression.left)} || ${operand(expression.right)}`;
    case "is":
      return `${operand(expression.input)} IS ${not(expression)}${expression.test.toUpperCase()}`;
    case "in":
      return `${operand(expression.input)} ${not(expression)}IN (${expression.list.map(printExpression).join(", ")})`;
    case "between":
      return `${operand(expression.input)} ${not(expression)}BETWEEN ${operand(expression.low)} AND ${operand(expression.high)}`;
    case "like":
      return printLike(expression);
    case "cast":
      return `${expression.safe ? "TRY_CAST" : "CAST"}(${printExpression(expression.input)} AS ${printType(expression.type)})`;
    case "call":
      return `${expression.name}(${expression.args.map(printExpression).join(", ")})`;
    default:
      return unreachable(expression);
  }
}

function not(expression: { readonly negated: boolean }): string {
  return expression.negated ? "NOT " : "";
}

function printLike(expression: Extract<Expression, { kind: "like" }>): string {
  const word = expression.caseless ? "ILIKE" : "LIKE";
  const ending = expression.escape === "\\" ? "" : ` ESCAPE ${quoteString(expression.escape)}`;
  return `${operand(expression.input)} ${not(expression)}${word} ${operand(expression.pattern)}${ending}`;
}

function operand(expression: Expression): string {
  const text = printExpression(expression);
  const single =
    expression.kind === "column" ||
    expression.kind === "field" ||
    expression.kind === "element" ||
    expression.kind === "cast" ||
    expression.kind === "call" ||
    (isLiteral(expression) && !text.startsWith("-"));
  return single ? text : `(${text})`;
}

/** What a field or an item is taken of; a number would swallow the dot. */
function owner(expression: Expression): string {
  return isLiteral(expression) ? `(${printLiteral(expression)})` : operand(expression);
}

function printType(type: TypeName): string {
  return type.args.length === 0 ? type.name : `${type.name}(${type.args.join(", ")})`;
}

function printLiteral(literal: Literal): string {
  switch (literal.kind) {
    case "null":
      return "NULL";
    case "boolean":
      return literal.value ? "TRUE" : "FALSE";
    case "integer":
      return String(literal.value);
    case "float":
      return printFloat(literal.value);
    case "string":
      return quoteString(literal.value);
    case "bytes":
      return `x'${Buffer.from(literal.value).toString("hex")}'`;
    case "instant":
      return `timestamp(3) '${new Date(literal.value).toISOString()}'`;
    case "array":
      return `[${literal.items.map(printLiteral).join(", ")}]`;
    default:
      return unreachable(literal);
  }
}

function printFloat(value: number): string {
  if (Number.isNaN(value)) return "CAST('NaN' AS double)";
  if (!Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function quoteString(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}
