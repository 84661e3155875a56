/**
 * Expression and schema to a checked expression: names, types, constants.
 *
 * A literal directly beside a column must fit the column's type (`id = 1.0` is refused for an integer column), as in
 * LanceDB; deeper inside, the operands meet in a common type.
 */
import {
  type DataType,
  DateDay,
  Decimal,
  Float32,
  Int8,
  Int16,
  type Schema,
  Timestamp,
  Uint8,
  Uint16,
  Uint32,
} from "apache-arrow";
import { TableError } from "../../support/errors.js";
import type { Expression, Literal, TypeName } from "./ast.js";
import { isLiteral } from "./ast.js";
import type { BoundExpression, Node } from "./bound.js";
import { callText, type FunctionRecord, findFunction, functionNames } from "./functions.js";
import { ELEMENT } from "./functions-list.js";
import { CONCAT_OPERATOR } from "./functions-text.js";
import { compileLike } from "./like.js";
import { coerceLiteral, literalVector } from "./literal.js";
import { findColumn, findField, nearest } from "./names.js";
import { arithmeticNode, castNode, compareNode, connectNode, fold, inNode, literalNode, notNode } from "./nodes.js";
import { printExpression } from "./print.js";
import { BINARY, BOOL, FLOAT64, INT32, INT64, isNumber, kindOf, typeText, UINT64, UTF8 } from "./types.js";
import { isValid, nothing, textAt } from "./vector.js";

export type { BoundExpression } from "./bound.js";

/** Checks `expression` against `schema`. @throws INVALID_ARGUMENT for unknown names and operands that do not fit */
export function bindExpression(expression: Expression, schema: Schema): BoundExpression {
  const root = new Binder(schema).resolved(expression);
  const columns = new Map<string, readonly string[]>();
  collectColumns(root, columns);
  return { type: root.type, columns: [...columns.values()], root, source: expression };
}

/** The same for a filter, which must be TRUE or FALSE. @throws INVALID_ARGUMENT */
export function bindFilter(expression: Expression, schema: Schema): BoundExpression {
  const bound = bindExpression(expression, schema);
  if (kindOf(bound.type) === "bool") return bound;
  const text = printExpression(expression).slice(0, 200);
  const message = `The filter ${text} does not return a boolean but ${typeText(bound.type)}; compare it with something.`;
  throw new TableError("INVALID_ARGUMENT", message);
}

function collectColumns(node: Node, found: Map<string, readonly string[]>): void {
  if (node.kind === "column") found.set(JSON.stringify(node.path), node.path);
  for (const child of childrenOf(node)) collectColumns(child, found);
}

function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "literal":
    case "column":
      return [];
    case "and":
    case "or":
      return node.terms;
    case "compare":
    case "arithmetic":
      return [node.left, node.right];
    case "call":
      return node.args;
    case "like":
      return "pieces" in node.pattern ? [node.input] : [node.input, node.pattern];
    default:
      return [node.input];
  }
}

const TYPES: Readonly<Record<Exclude<TypeName["name"], "timestamp" | "decimal">, DataType>> = {
  boolean: BOOL,
  tinyint: new Int8(),
  smallint: new Int16(),
  int: INT32,
  bigint: INT64,
  "tinyint unsigned": new Uint8(),
  "smallint unsigned": new Uint16(),
  "int unsigned": new Uint32(),
  "bigint unsigned": UINT64,
  float: new Float32(),
  double: FLOAT64,
  string: UTF8,
  binary: BINARY,
  date: new DateDay(),
};

/** The Arrow type of a type name; a timestamp without digits counts microseconds. */
export function typeOfName(type: TypeName): DataType {
  if (type.name === "timestamp") return new Timestamp((type.args[0] ?? 6) / 3, null);
  if (type.name === "decimal") return new Decimal(type.args[1] as number, type.args[0] as number, 128);
  return TYPES[type.name];
}

function notBoolean(what: string, type: DataType): TableError {
  return new TableError("INVALID_ARGUMENT", `${what} needs a boolean, but this is ${typeText(type)}.`);
}

class Binder {
  readonly schema: Schema;

  constructor(schema: Schema) {
    this.schema = schema;
  }

  /** The node of an expression where literals must fit the columns beside them: the whole, and below AND and OR. */
  resolved(expression: Expression): Node {
    switch (expression.kind) {
      case "and":
      case "or":
        return connectNode(
          expression.kind,
          expression.terms.map((term) => this.boolean(this.resolved(term), expression.kind.toUpperCase())),
        );
      case "compare":
      case "arithmetic":
      case "concat": {
        const [left, right] = this.sides(expression.left, expression.right);
        return this.binary(expression, left, right);
      }
      case "between": {
        const input = this.node(expression.input);
        if (input.kind !== "column") return this.node(expression);
        const low = this.beside(expression.low, input.type);
        return this.between(input, low, this.beside(expression.high, input.type), expression.negated);
      }
      case "in": {
        const input = this.node(expression.input);
        const strict = input.kind === "column" && input.path.length === 1;
        const items = expression.list.map((item) => (strict ? this.beside(item, input.type) : this.node(item)));
        return inNode(input, items, expression.negated);
      }
      default:
        return this.node(expression);
    }
  }

  /** Both operands, a literal beside a column as a value of the column's type. */
  private sides(left: Expression, right: Expression): readonly [Node, Node] {
    const a = isLiteral(left) ? undefined : this.node(left);
    if (a?.kind === "column") {
      const strict = isLiteral(right) || isBinary(right);
      return [a, strict ? this.beside(right, a.type) : this.node(right)];
    }
    const b = this.node(right);
    if (a === undefined && b.kind === "column") return [this.beside(left, b.type), b];
    return [a ?? this.node(left), b];
  }

  /** An operand that stands beside a column of `type`. @throws INVALID_ARGUMENT when a literal in it does not fit */
  private beside(expression: Expression, type: DataType): Node {
    if (isLiteral(expression)) return this.fitted(expression, type);
    if (!isBinary(expression)) return this.node(expression);
    if ("terms" in expression) {
      return connectNode(
        expression.kind,
        expression.terms.map((term) => this.beside(term, type)),
      );
    }
    return this.binary(expression, this.beside(expression.left, type), this.beside(expression.right, type));
  }

  private fitted(literal: Literal, type: DataType): Node {
    const vector = coerceLiteral(literal, type);
    if (vector !== undefined) return literalNode(vector);
    const text = printExpression(literal).slice(0, 100);
    throw new TableError(
      "INVALID_ARGUMENT",
      `Received literal ${text} and could not convert to literal of type '${typeText(type)}'. ` +
        "Write a value of the column's type, or cast explicitly.",
      { details: { type: typeText(type) } },
    );
  }

  private binary(
    expression: Extract<Expression, { kind: "compare" | "arithmetic" | "concat" }>,
    left: Node,
    right: Node,
  ): Node {
    switch (expression.kind) {
      case "compare":
        return compareNode(expression.operator, left, right);
      case "arithmetic":
        return arithmeticNode(expression.operator, left, right);
      case "concat": {
        const texts = [left, right].map((side) => (isNumber(kindOf(side.type)) ? castNode(side, UTF8) : side));
        if (isNumber(kindOf(left.type)) && isNumber(kindOf(right.type))) {
          throw new TableError("INVALID_ARGUMENT", "The operator || joins texts; cast one of the numbers to string.");
        }
        return this.apply("||", CONCAT_OPERATOR, texts);
      }
    }
  }

  private boolean(node: Node, what: string): Node {
    const kind = kindOf(node.type);
    if (kind === "bool") return node;
    if (kind === "null") return literalNode(nothing(BOOL));
    throw notBoolean(what, node.type);
  }

  private between(input: Node, low: Node, high: Node, negated: boolean): Node {
    const within = connectNode("and", [compareNode(">=", input, low), compareNode("<=", input, high)]);
    return negated ? notNode(within) : within;
  }

  private node(expression: Expression): Node {
    if (isLiteral(expression)) return literalNode(literalVector(expression));
    switch (expression.kind) {
      case "column": {
        const field = findColumn(this.schema, expression.name, { exact: expression.exact });
        return { kind: "column", type: field.type as DataType, path: [field.name] };
      }
      case "field":
        return this.field(this.node(expression.input), expression.name);
      case "element":
        return this.apply("element", ELEMENT, [this.node(expression.input), this.node(expression.index)]);
      case "and":
      case "or":
        return connectNode(
          expression.kind,
          expression.terms.map((term) => this.boolean(this.node(term), expression.kind.toUpperCase())),
        );
      case "not":
        return notNode(this.boolean(this.node(expression.input), "NOT"));
      case "negate":
        return this.negate(this.node(expression.input));
      case "compare":
      case "arithmetic":
      case "concat":
        return this.binary(expression, this.node(expression.left), this.node(expression.right));
      case "is":
        return this.is(expression, this.node(expression.input));
      case "in":
        return inNode(
          this.node(expression.input),
          expression.list.map((item) => this.node(item)),
          expression.negated,
        );
      case "between":
        return this.between(
          this.node(expression.input),
          this.node(expression.low),
          this.node(expression.high),
          expression.negated,
        );
      case "like":
        return this.like(expression);
      case "cast":
        return castNode(this.node(expression.input), typeOfName(expression.type), { safe: expression.safe });
      case "call":
        return this.call(expression.name, expression.args);
    }
  }

  private field(input: Node, name: string): Node {
    const { index, type } = findField(input.type, name);
    if (input.kind === "column") return { kind: "column", type, path: [...input.path, name] };
    return fold({ kind: "field", type, input, index }, input);
  }

  private negate(input: Node): Node {
    const kind = kindOf(input.type);
    if (kind !== "decimal" && kind !== "null" && (!isNumber(kind) || kind.startsWith("uint"))) {
      throw new TableError("INVALID_ARGUMENT", `Only signed numbers can be negated, not ${typeText(input.type)}.`);
    }
    return fold({ kind: "negate", type: input.type, input }, input);
  }

  private is(expression: Extract<Expression, { kind: "is" }>, input: Node): Node {
    const { test, negated } = expression;
    if (test === "null") return fold({ kind: "isNull", type: BOOL, input, negated }, input);
    const truth = this.boolean(input, `IS ${test.toUpperCase()}`);
    return fold({ kind: "isTruth", type: BOOL, input: truth, value: test === "true", negated }, truth);
  }

  private like(expression: Extract<Expression, { kind: "like" }>): Node {
    const input = this.node(expression.input);
    const pattern = this.node(expression.pattern);
    for (const side of [input, pattern]) {
      const kind = kindOf(side.type);
      if (kind !== "utf8" && kind !== "null") {
        throw new TableError(
          "INVALID_ARGUMENT",
          `LIKE compares text with a pattern of text, not ${typeText(side.type)}.`,
        );
      }
    }
    const { negated, caseless, escape: mark } = expression;
    const head = { kind: "like", type: BOOL, input, mark, caseless, negated } as const;
    if (pattern.kind !== "literal" || pattern.vector.form !== "bytes" || !isValid(pattern.vector, 0)) {
      return fold({ ...head, pattern }, input, pattern);
    }
    const text = textAt(pattern.vector, 0);
    return fold({ ...head, pattern: compileLike(caseless ? text.toLowerCase() : text, mark) }, input);
  }

  private call(name: string, args: readonly Expression[]): Node {
    if (name === "get_field" && args.length === 2 && args[1]?.kind === "string") {
      return this.field(this.node(args[0] as Expression), args[1].value);
    }
    const record = findFunction(name);
    if (record === undefined) {
      const near = nearest(name, functionNames());
      const hint = near.length === 0 ? "" : ` Did you mean '${near[0]}'?`;
      throw new TableError("INVALID_ARGUMENT", `Invalid function '${name}'.${hint}`, {
        details: { name, nearest: near },
      });
    }
    return this.apply(
      name,
      record,
      args.map((arg) => this.node(arg)),
    );
  }

  private apply(name: string, record: FunctionRecord, args: readonly Node[]): Node {
    const types = args.map((arg) => arg.type);
    const signature = record.resolve(types);
    if (signature === undefined) {
      throw new TableError("INVALID_ARGUMENT", `${callText(name, types)} does not exist; use ${record.usage}.`);
    }
    const cast = args.map((arg, k) => castNode(arg, signature.args[k] as DataType));
    return fold({ kind: "call", type: signature.type, name, kernel: signature.kernel, args: cast }, ...cast);
  }
}

/** Operators whose own literals must fit the column that the whole stands beside. */
function isBinary(
  expression: Expression,
): expression is Extract<Expression, { kind: "compare" | "arithmetic" | "concat" | "and" | "or" }> {
  return ["compare", "arithmetic", "concat", "and", "or"].includes(expression.kind);
}
