/**
 * The expression language as a value: what `parse.ts` makes of text and `bind.ts` checks against a schema.
 *
 * Chains of AND and OR are one node, so that a long filter is wide, not deep.
 */

/** A type as SQL names it. `args` are precision and scale of decimal, or the digits of timestamp. */
export interface TypeName {
  readonly name: SqlTypeName;
  readonly args: readonly number[];
}

export const SQL_TYPE_NAMES = [
  "boolean",
  "tinyint",
  "smallint",
  "int",
  "bigint",
  "tinyint unsigned",
  "smallint unsigned",
  "int unsigned",
  "bigint unsigned",
  "float",
  "double",
  "string",
  "binary",
  "date",
  "timestamp",
  "decimal",
] as const;

export type SqlTypeName = (typeof SQL_TYPE_NAMES)[number];

export type CompareOperator = "=" | "!=" | "<" | "<=" | ">" | ">=";
export type ArithmeticOperator = "+" | "-" | "*" | "/" | "%";

/** A constant. An `instant` only comes from a bound `Date` (milliseconds since 1970, UTC). */
export type Literal =
  | { readonly kind: "null" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "instant"; readonly value: number }
  | { readonly kind: "array"; readonly items: readonly Literal[] };

export type Expression =
  | Literal
  /** A top-level column; `exact` when the name was quoted, otherwise letter case does not matter. */
  | { readonly kind: "column"; readonly name: string; readonly exact: boolean }
  | { readonly kind: "field"; readonly input: Expression; readonly name: string }
  /** The n-th item of a list, counted from 1; negative from the end. */
  | { readonly kind: "element"; readonly input: Expression; readonly index: Expression }
  | { readonly kind: "and" | "or"; readonly terms: readonly Expression[] }
  | { readonly kind: "not" | "negate"; readonly input: Expression }
  | {
      readonly kind: "compare";
      readonly operator: CompareOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "arithmetic";
      readonly operator: ArithmeticOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "concat"; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: "is";
      readonly test: "null" | "true" | "false";
      readonly negated: boolean;
      readonly input: Expression;
    }
  | { readonly kind: "in"; readonly negated: boolean; readonly input: Expression; readonly list: readonly Expression[] }
  | {
      readonly kind: "between";
      readonly negated: boolean;
      readonly input: Expression;
      readonly low: Expression;
      readonly high: Expression;
    }
  | {
      readonly kind: "like";
      readonly negated: boolean;
      readonly caseless: boolean;
      readonly input: Expression;
      readonly pattern: Expression;
      /** Exactly one character; a backslash unless ESCAPE says otherwise. */
      readonly escape: string;
    }
  /** `safe` is TRY_CAST: NULL instead of an error. */
  | { readonly kind: "cast"; readonly input: Expression; readonly type: TypeName; readonly safe: boolean }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] };

const LITERAL_KINDS: ReadonlySet<string> = new Set([
  "null",
  "boolean",
  "integer",
  "float",
  "string",
  "bytes",
  "instant",
  "array",
]);

export function isLiteral(expression: Expression): expression is Literal {
  return LITERAL_KINDS.has(expression.kind);
}
