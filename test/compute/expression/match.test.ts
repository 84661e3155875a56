import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileLike, matchLike } from "../../../src/compute/expression/like.js";
import { compileRegexp } from "../../../src/compute/expression/regexp.js";

/** LIKE by the book, exponential in the worst case. */
function naive(pattern: readonly string[], text: readonly string[]): boolean {
  if (pattern.length === 0) return text.length === 0;
  const [head, ...rest] = pattern as [string, ...string[]];
  if (head === "%") return naive(rest, text) || (text.length > 0 && naive(pattern, text.slice(1)));
  if (head === "\\" && rest.length > 0) return text[0] === rest[0] && naive(rest.slice(1), text.slice(1));
  return text.length > 0 && (head === "_" || head === text[0]) && naive(rest, text.slice(1));
}

describe("LIKE", () => {
  const chars = fc.constantFrom("a", "b", "ö", "日", "😀", "%", "_", "\\");

  test("agrees with the definition for every pattern", () => {
    fc.assert(
      fc.property(fc.array(chars, { maxLength: 8 }), fc.array(chars, { maxLength: 10 }), (pattern, text) => {
        const bytes = new TextEncoder().encode(`x${text.join("")}y`);
        const found = matchLike(compileLike(pattern.join(""), "\\"), bytes, 1, bytes.length - 1);
        expect(found).toBe(naive(pattern, text));
      }),
      { numRuns: 2000 },
    );
  });

  test("a hostile pattern costs no more than its length times the text", () => {
    const bytes = new TextEncoder().encode("a".repeat(20_000));
    const pattern = compileLike(`${"%a".repeat(300)}%b`, "\\");
    const started = performance.now();
    expect(matchLike(pattern, bytes, 0, bytes.length)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("a pattern beyond the limit is refused", () => {
    expect(() => compileLike("a".repeat(1025), "\\")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("regular expressions", () => {
  const atom = fc.constantFrom(
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    "\\d",
    "\\w",
    "\\s",
    "(?:ab|b)",
    "(a)",
    "\\.",
    "ö",
    "^",
    "$",
    "\\b",
  );
  const repeat = fc.constantFrom("", "", "*", "+", "?", "{2}", "{1,2}", "*?");
  const piece = fc.tuple(atom, repeat).map(([a, r]) => (/^[\^$]$|^\\b$/.test(a) ? a : a + r));
  const pattern = fc.array(fc.oneof(piece, fc.constant("|")), { maxLength: 6 }).map((pieces) => pieces.join(""));

  test("agree with JavaScript's on what is found", () => {
    const text = fc
      .array(fc.constantFrom("a", "b", "1", " ", ".", "😀", "\n"), { maxLength: 8 })
      .map((t) => t.join(""));
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        expect(compileRegexp(source).test(subject)).toBe(new RegExp(source, "u").test(subject));
      }),
      { numRuns: 2000 },
    );
  });

  test("a pattern that explodes elsewhere is answered at once", () => {
    const started = performance.now();
    expect(compileRegexp("^(a+)+$").test(`${"a".repeat(5000)}b`)).toBe(false);
    expect(compileRegexp("(a|a)*(a|a)*(a|a)*c").test("a".repeat(5000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test.each(["a(?=b)", "(?<=a)b", "(?!a)", "(a)\\1", "[[:alpha:]]", "((a{100}){100}){100}", "(?x)a"])(
    "%s is refused as not supported",
    (source) => {
      expect(() => compileRegexp(source)).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" }));
    },
  );

  test.each(["[", "(", "a)", "*", "a{2,1}", "\\"])("%s is refused as malformed", (source) => {
    expect(() => compileRegexp(source)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
