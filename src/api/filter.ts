/**
 * Filters and expressions as callers give them: text in LanceDB's dialect, or a template with bound values that are
 * never read as text.
 */
import type { Expression } from "../compute/expression/ast.js";
import { parseExpression, parseTemplate } from "../compute/expression/parse.js";
import { printExpression } from "../compute/expression/print.js";
import { TableError } from "../support/errors.js";

/** An expression with bound values, made by the `sql` tag. */
export class SqlFragment {
  readonly expression: Expression;

  constructor(expression: Expression) {
    this.expression = expression;
  }

  /** Canonical text, with the values as literals. */
  toString(): string {
    return printExpression(this.expression);
  }
}

/** What a method accepts as filter or expression. */
export type SqlInput = string | SqlFragment;

/**
 * Binds values into an expression: sql`name = ${userText} AND id IN ${ids}`. Values are null, boolean, number, bigint,
 * string, Date, Uint8Array, or arrays of these.
 * @throws INVALID_ARGUMENT with the place marked when the text does not parse
 */
export function sql(parts: TemplateStringsArray, ...values: readonly unknown[]): SqlFragment {
  return new SqlFragment(parseTemplate(parts, values));
}

/** @throws INVALID_ARGUMENT */
export function parseSql(input: SqlInput, what: string): Expression {
  if (typeof input === "string") return parseExpression(input);
  if (input instanceof SqlFragment) return input.expression;
  throw new TableError("INVALID_ARGUMENT", `${what} has to be text or an sql\`…\` template, not ${typeof input}.`);
}

/** A plain value as an expression. */
export function literal(value: unknown): Expression {
  return parseTemplate(["", ""], [value]);
}

/** The filter as text for records and plans. */
export function sqlText(input: SqlInput): string {
  return String(input);
}
