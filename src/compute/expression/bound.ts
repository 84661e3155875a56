/** A checked expression: every name resolved, every operand of the type its operator takes, constants computed. */
import type { DataType } from "apache-arrow";
import type { ArithmeticOperator, CompareOperator, Expression } from "./ast.js";
import type { LikePattern } from "./like.js";
import type { Vector } from "./vector.js";

export interface BoundExpression {
  /** The type of the values; of a bare column exactly the column's. */
  readonly type: DataType;
  /** The paths of the columns it reads, top-level name first, without duplicates. */
  readonly columns: readonly (readonly string[])[];
  readonly root: Node;
  /** What was bound, for a thread that has to bind it again. */
  readonly source: Expression;
}

/** The constant items of an IN list. */
export interface ItemSet {
  readonly numbers?: ReadonlySet<number>;
  readonly wides?: ReadonlySet<bigint>;
  /** Bytes as one character each. */
  readonly texts?: ReadonlySet<string>;
  /** The same texts as bytes when they are few. */
  readonly needles?: readonly Uint8Array[];
}

/** What a function computes; `functions.ts` lists them. */
export type Kernel = (args: readonly Vector[], type: DataType, length: number) => Vector;

export type Node =
  | { readonly kind: "literal"; readonly type: DataType; readonly vector: Vector }
  | { readonly kind: "column"; readonly type: DataType; readonly path: readonly string[] }
  | { readonly kind: "field"; readonly type: DataType; readonly input: Node; readonly index: number }
  | { readonly kind: "and" | "or"; readonly type: DataType; readonly terms: readonly Node[] }
  | { readonly kind: "not" | "negate"; readonly type: DataType; readonly input: Node }
  | {
      readonly kind: "compare";
      readonly type: DataType;
      readonly operator: CompareOperator;
      readonly left: Node;
      readonly right: Node;
    }
  | {
      readonly kind: "arithmetic";
      readonly type: DataType;
      readonly operator: ArithmeticOperator;
      readonly left: Node;
      readonly right: Node;
    }
  | { readonly kind: "isNull"; readonly type: DataType; readonly input: Node; readonly negated: boolean }
  /** IS TRUE or IS FALSE: never NULL. */
  | {
      readonly kind: "isTruth";
      readonly type: DataType;
      readonly input: Node;
      readonly value: boolean;
      readonly negated: boolean;
    }
  | {
      readonly kind: "in";
      readonly type: DataType;
      readonly input: Node;
      readonly set: ItemSet;
      /** NULL is among the items: whatever is not found is unknown. */
      readonly hasNull: boolean;
      readonly negated: boolean;
    }
  | {
      readonly kind: "like";
      readonly type: DataType;
      readonly input: Node;
      /** Compiled when the pattern is constant. */
      readonly pattern: LikePattern | Node;
      readonly mark: string;
      readonly caseless: boolean;
      readonly negated: boolean;
    }
  | { readonly kind: "cast"; readonly type: DataType; readonly input: Node; readonly safe: boolean }
  | {
      readonly kind: "call";
      readonly type: DataType;
      readonly name: string;
      readonly kernel: Kernel;
      readonly args: readonly Node[];
    };

export function isPattern(pattern: LikePattern | Node): pattern is LikePattern {
  return "pieces" in pattern;
}
