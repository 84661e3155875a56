import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Expression, Literal } from "../../../src/compute/expression/ast.js";
import { SQL_TYPE_NAMES } from "../../../src/compute/expression/ast.js";
import { parseExpression, parseTemplate } from "../../../src/compute/expression/parse.js";
import { printExpression } from "../../../src/compute/expression/print.js";
import { TableError } from "../../../src/support/errors.js";
import { randomFilter } from "./filters.js";

function failure(run: () => unknown): TableError {
  try {
    run();
  } catch (error) {
    if (error instanceof TableError) return error;
    throw error;
  }
  throw new Error("expected a TableError");
}

const tag = (parts: TemplateStringsArray, ...values: unknown[]) => parseTemplate([...parts], values);

describe("errors of the parser", () => {
  test("show the text with a caret under the place and say what was expected", () => {
    const error = failure(() => parseExpression("id = 1 AND"));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.details.position).toBe(10);
    expect(error.message).toBe(
      "The expression is not valid: expected a value, a column or (, found the end of the text.\n" +
        "  id = 1 AND\n            ^",
    );
  });

  test("point into the right line of a long text", () => {
    const error = failure(() => parseExpression(`a = 1 OR\n${"b = 2 OR ".repeat(20)}= 3`));
    const [, shown, caret] = error.message.split("\n") as [string, string, string];
    expect(shown[caret.indexOf("^")]).toBe("=");
    expect(shown).toMatch(/^ {2}…/);
  });

  test.each([
    ["id = $1", 5],
    ["id = ?", 5],
    ["id = 0x1", 6],
    ["s = 'abc", 4],
    ["s IN ()", 6],
    ["CASE WHEN a THEN b END", 0],
    ["a = INTERVAL '1 day'", 4],
    ["x = (SELECT 1)", 5],
    ["a = 1 b", 6],
    ["a /* b", 2],
    ["a = x'0'", 4],
    ["", 0],
  ])("%s is refused at position %i", (text, position) => {
    expect(failure(() => parseExpression(text)).details.position).toBe(position);
  });
});

describe("limits", () => {
  test.each([
    ["text", `s = '${"a".repeat(100_000)}'`],
    ["nesting of parentheses", `${"(".repeat(100)}1${")".repeat(100)}`],
    ["chains of operators", Array(200).fill("1").join(" + ")],
    ["chains of NOT", `${"NOT ".repeat(100)}b`],
    ["field accesses", `a${".b".repeat(100)}`],
    ["terms", Array(5001).fill("b").join(" OR ")],
  ])("too much %s is refused without recursion running out", (_, text) => {
    expect(failure(() => parseExpression(text)).code).toBe("INVALID_ARGUMENT");
  });

  test("a list of more bound values than allowed is refused", () => {
    const many = Array.from({ length: 100_001 }, (_, i) => i);
    expect(failure(() => tag`id IN ${many}`).code).toBe("INVALID_ARGUMENT");
    expect(tag`id IN ${many.slice(1)}`.kind).toBe("in");
  });

  test("a wide filter within the limits is taken", () => {
    const parsed = parseExpression(Array(1000).fill("b").join(" OR "));
    expect(parsed.kind === "or" && parsed.terms.length).toBe(1000);
    expect(parseExpression(`id IN (${Array.from({ length: 9000 }, (_, i) => i).join(", ")})`).kind).toBe("in");
  });
});

describe("bound values", () => {
  test("become literals of their own kind", () => {
    const parsed = tag`f(${null}, ${true}, ${5}, ${1.5}, ${-0}, ${7n}, ${"it's"}, ${new Uint8Array([1])}, ${new Date(5)})`;
    expect(parsed.kind === "call" && parsed.args).toEqual([
      { kind: "null" },
      { kind: "boolean", value: true },
      { kind: "integer", value: 5n },
      { kind: "float", value: 1.5 },
      { kind: "float", value: -0 },
      { kind: "integer", value: 7n },
      { kind: "string", value: "it's" },
      { kind: "bytes", value: new Uint8Array([1]) },
      { kind: "instant", value: 5 },
    ]);
  });

  test("hostile text stays a value and cannot close or open anything", () => {
    const hostile = "' OR 1 = 1 --";
    expect(tag`s = ${hostile}`).toEqual({
      kind: "compare",
      operator: "=",
      left: { kind: "column", name: "s", exact: false },
      right: { kind: "string", value: hostile },
    });
    expect(failure(() => tag`s = '${hostile}'`).code).toBe("INVALID_ARGUMENT");
    expect(failure(() => parseExpression(`s = $${"{1}"}`)).code).toBe("INVALID_ARGUMENT");
  });

  test("IN takes a bound array, and nothing is in an empty one", () => {
    const some = tag`id IN ${[1, 2n]}`;
    expect(some.kind === "in" && some.list).toEqual([
      { kind: "integer", value: 1n },
      { kind: "integer", value: 2n },
    ]);
    expect(tag`id IN ${[]}`).toEqual({ kind: "boolean", value: false });
    expect(tag`id NOT IN ${[]}`).toEqual({ kind: "boolean", value: true });
  });

  test.each([[undefined], [{}], [() => 1], [Symbol("x")], [2n ** 64n], [new Date(Number.NaN)], [[[1]]]])(
    "a value of another kind is refused: %s",
    (value) => {
      expect(failure(() => parseTemplate(["id = ", ""], [value])).code).toBe("INVALID_ARGUMENT");
    },
  );
});

describe("printing", () => {
  const literal: fc.Arbitrary<Literal> = fc.oneof(
    fc.constant<Literal>({ kind: "null" }),
    fc.boolean().map((value): Literal => ({ kind: "boolean", value })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map((value): Literal => ({ kind: "integer", value })),
    fc.double({ noNaN: true }).map((value): Literal => ({ kind: "float", value })),
    fc.string({ unit: "grapheme" }).map((value): Literal => ({ kind: "string", value })),
    fc.uint8Array().map((value): Literal => ({ kind: "bytes", value: Uint8Array.from(value) })),
  );
  const name = fc.constantFrom("a", "fooBar", "x1", "date", "timestamp");
  const quoted = fc.string({ minLength: 1, maxLength: 5, unit: "grapheme" });
  const type = fc.oneof(
    fc.constantFrom(...SQL_TYPE_NAMES.filter((sql) => sql !== "decimal")).map((sql) => ({ name: sql, args: [] })),
    fc.constant({ name: "decimal" as const, args: [10, 2] }),
    fc.constant({ name: "timestamp" as const, args: [9] }),
  );

  const { expression } = fc.letrec<{ expression: Expression }>((tie) => {
    const inner = tie("expression");
    const terms = fc.array(inner, { minLength: 2, maxLength: 3 });
    return {
      expression: fc.oneof(
        { maxDepth: 4 },
        literal,
        fc.record({ kind: fc.constant("column" as const), name, exact: fc.constant(false) }),
        fc.record({ kind: fc.constant("column" as const), name: quoted, exact: fc.constant(true) }),
        fc.record({ kind: fc.constant("array" as const), items: fc.array(literal, { maxLength: 3 }) }),
        fc.record({ kind: fc.constant("field" as const), input: inner, name: quoted }),
        fc.record({
          kind: fc.constant("element" as const),
          input: inner,
          index: inner.filter((index) => index.kind !== "string"),
        }),
        fc.record({ kind: fc.constantFrom("and" as const, "or" as const), terms }),
        fc.record({ kind: fc.constantFrom("not" as const, "negate" as const), input: inner }),
        fc.record({
          kind: fc.constant("compare" as const),
          operator: fc.constantFrom("=" as const, "!=" as const, "<" as const, ">=" as const),
          left: inner,
          right: inner,
        }),
        fc.record({
          kind: fc.constant("arithmetic" as const),
          operator: fc.constantFrom("+" as const, "-" as const, "*" as const, "%" as const),
          left: inner,
          right: inner,
        }),
        fc.record({ kind: fc.constant("concat" as const), left: inner, right: inner }),
        fc.record({
          kind: fc.constant("is" as const),
          test: fc.constantFrom("null" as const, "true" as const, "false" as const),
          negated: fc.boolean(),
          input: inner,
        }),
        fc.record({
          kind: fc.constant("in" as const),
          negated: fc.boolean(),
          input: inner,
          list: fc.array(inner, { minLength: 1, maxLength: 3 }),
        }),
        fc.record({
          kind: fc.constant("between" as const),
          negated: fc.boolean(),
          input: inner,
          low: inner,
          high: inner,
        }),
        fc.record({
          kind: fc.constant("like" as const),
          negated: fc.boolean(),
          caseless: fc.boolean(),
          input: inner,
          pattern: inner,
          escape: fc.constantFrom("\\", "!", "'"),
        }),
        fc.record({ kind: fc.constant("cast" as const), input: inner, type, safe: fc.boolean() }),
        fc.record({
          kind: fc.constant("call" as const),
          name: fc.constantFrom("lower", "coalesce"),
          args: fc.array(inner, { maxLength: 3 }),
        }),
      ),
    };
  });

  test("parses back to the same expression", () => {
    fc.assert(
      fc.property(expression, (tree) => {
        expect(parseExpression(printExpression(tree))).toEqual(tree);
      }),
      { numRuns: 500 },
    );
  });

  test("of what was parsed is stable", () => {
    fc.assert(
      fc.property(randomFilter, (filter) => {
        const printed = printExpression(parseExpression(filter));
        expect(printExpression(parseExpression(printed))).toBe(printed);
      }),
    );
  });

  test("no text makes the parser throw anything but its own error", () => {
    const piece = fc.constantFrom(
      ..."a b 1 'x' \"y\" ` ( ) [ ] , . ; :: || = <> - + % NOT AND IN IS NULL LIKE CAST AS x' /* --".split(" "),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), (pieces) => {
        try {
          parseExpression(pieces.join(" "));
        } catch (error) {
          expect(error).toBeInstanceOf(TableError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
