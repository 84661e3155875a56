/**
 * The syntax of regular expressions, as far as a machine without back-tracking can run it.
 *
 * Refuses look-around, back-references, nested classes and inline flags with NOT_SUPPORTED, malformed patterns with
 * INVALID_ARGUMENT.
 */
import { TableError } from "../../support/errors.js";

/** A test of one code point. */
export type Test = (code: number) => boolean;

export type Tree =
  | { readonly kind: "empty" }
  | { readonly kind: "test"; readonly test: Test }
  | { readonly kind: "assert"; readonly at: "start" | "end" | "lineStart" | "lineEnd" | "word" | "notWord" }
  | { readonly kind: "sequence" | "choice"; readonly items: readonly Tree[] }
  | { readonly kind: "repeat"; readonly item: Tree; readonly min: number; readonly max: number };

function unsupported(pattern: string, what: string): TableError {
  return new TableError(
    "NOT_SUPPORTED",
    `The regular expression ${JSON.stringify(pattern)} uses ${what}, which is not supported.`,
  );
}

const PERL: Readonly<Record<string, RegExp>> = { d: /^\p{Nd}$/u, w: /^[\p{L}\p{M}\p{N}\p{Pc}]$/u, s: /^\s$/u };

/** The same test with its answers for ASCII looked up. */
function tabled(test: Test): Test {
  const ascii = Uint8Array.from({ length: 128 }, (_, code) => (test(code) ? 1 : 0));
  return (code) => (code < 128 ? ascii[code] === 1 : test(code));
}

/** Whether a code point is part of a word, for `\b`. */
export const isWordCode: Test = tabled((code) => (PERL.w as RegExp).test(String.fromCodePoint(code)));

export class PatternParser {
  readonly pattern: string;
  readonly chars: readonly string[];
  private caseless: boolean;
  private readonly dotAll: boolean;
  private readonly lines: boolean;
  private at = 0;
  private depth = 0;

  constructor(pattern: string, flags: string) {
    for (const flag of flags) {
      if (!"ismgc".includes(flag)) throw unsupported(pattern, `the flag ${JSON.stringify(flag)}`);
    }
    this.pattern = pattern;
    this.chars = [...pattern];
    this.caseless = flags.includes("i");
    this.dotAll = flags.includes("s");
    this.lines = flags.includes("m");
  }

  whole(): Tree {
    if (this.pattern.startsWith("(?i)")) {
      this.caseless = true;
      this.at = 4;
    }
    const tree = this.choice();
    if (this.at < this.chars.length) throw this.bad(`unexpected ${JSON.stringify(this.chars[this.at])}`);
    return tree;
  }

  private bad(why: string): TableError {
    return new TableError(
      "INVALID_ARGUMENT",
      `The regular expression ${JSON.stringify(this.pattern)} is not valid: ${why}.`,
    );
  }

  private take(char: string): boolean {
    if (this.chars[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private choice(): Tree {
    if (++this.depth > 64) throw unsupported(this.pattern, "groups more than 64 deep");
    const items = [this.sequence()];
    while (this.take("|")) items.push(this.sequence());
    this.depth--;
    return items.length === 1 ? (items[0] as Tree) : { kind: "choice", items };
  }

  private sequence(): Tree {
    const items: Tree[] = [];
    while (this.at < this.chars.length && this.chars[this.at] !== "|" && this.chars[this.at] !== ")") {
      items.push(this.repeated());
    }
    return { kind: "sequence", items };
  }

  private repeated(): Tree {
    let item = this.atom();
    for (;;) {
      const bounds = this.bounds();
      if (bounds === undefined) return item;
      this.take("?"); // A lazy repetition finds the same texts.
      item = { kind: "repeat", item, min: bounds[0], max: bounds[1] };
    }
  }

  private bounds(): readonly [number, number] | undefined {
    if (this.take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.take("?")) return [0, 1];
    if (this.chars[this.at] !== "{") return undefined;
    const close = this.chars.indexOf("}", this.at);
    const match = /^(\d{1,4})(,(\d{1,4})?)?$/.exec(close < 0 ? "" : this.chars.slice(this.at + 1, close).join(""));
    if (!match) throw this.bad("a repetition must be {n}, {n,} or {n,m} with numbers below 10,000");
    this.at = close + 1;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === undefined ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (max < min) throw this.bad("the bounds of a repetition are reversed");
    return [min, max];
  }

  private atom(): Tree {
    const char = this.chars[this.at++] as string;
    switch (char) {
      case "(":
        return this.group();
      case "[":
        return { kind: "test", test: tabled(this.charClass()) };
      case ".":
        return { kind: "test", test: this.dotAll ? () => true : (code) => code !== 10 };
      case "^":
        return { kind: "assert", at: this.lines ? "lineStart" : "start" };
      case "$":
        return { kind: "assert", at: this.lines ? "lineEnd" : "end" };
      case "\\":
        return this.escaped();
      case "*":
      case "+":
      case "?":
      case "{":
        throw this.bad(`there is nothing to repeat before ${JSON.stringify(char)}`);
      default:
        return { kind: "test", test: this.literal(char) };
    }
  }

  private group(): Tree {
    if (this.take("?")) {
      if (this.take("P") || (this.chars[this.at] === "<" && !"=!".includes(this.chars[this.at + 1] ?? "="))) {
        const close = this.chars.indexOf(">", this.at);
        if (!this.take("<") || close < 0) throw unsupported(this.pattern, "a group of unknown kind");
        this.at = close + 1;
      } else if (!this.take(":")) throw unsupported(this.pattern, "look-around or inline flags");
    }
    const inner = this.choice();
    if (!this.take(")")) throw this.bad("a group is not closed");
    return inner;
  }

  private literal(char: string): Test {
    const code = char.codePointAt(0) as number;
    if (!this.caseless) return (found) => found === code;
    const folds = new Set([char, char.toLowerCase(), char.toUpperCase()].map((text) => text.codePointAt(0)));
    return (found) => folds.has(found);
  }

  private escaped(): Tree {
    const char = this.chars[this.at];
    const asserts = { b: "word", B: "notWord", A: "start", z: "end" } as const;
    if (char !== undefined && char in asserts) {
      this.at++;
      return { kind: "assert", at: asserts[char as keyof typeof asserts] };
    }
    return { kind: "test", test: tabled(this.escapedTest()) };
  }

  private escapedTest(): Test {
    const char = this.chars[this.at++];
    if (char === undefined) throw this.bad("it ends with a backslash");
    const perl = PERL[char.toLowerCase()];
    if (perl !== undefined) {
      const wanted = char === char.toLowerCase();
      return (code) => perl.test(String.fromCodePoint(code)) === wanted;
    }
    const controls: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", a: "\u0007" };
    if (Object.hasOwn(controls, char)) return this.literal(controls[char] as string);
    if (char === "p" || char === "P") return this.property(char === "p");
    if (char === "x" || char === "u") return this.literal(this.hexadecimal(char === "x" ? 2 : 4));
    if (/[\p{L}\p{N}]/u.test(char)) throw unsupported(this.pattern, `\\${char}`);
    return this.literal(char);
  }

  private property(wanted: boolean): Test {
    const close = this.chars.indexOf("}", this.at);
    const braced = this.chars[this.at] === "{" && close > 0;
    const name = braced ? this.chars.slice(this.at + 1, close).join("") : (this.chars[this.at] ?? "");
    this.at = braced ? close + 1 : this.at + 1;
    if (!/^[A-Za-z_]{1,40}$/.test(name)) throw unsupported(this.pattern, "this kind of \\p");
    let expression: RegExp | undefined;
    for (const candidate of [name, `Script=${name}`]) {
      try {
        expression ??= new RegExp(`^\\p{${candidate}}$`, "u");
      } catch {
        // Not a property under this name; the next spelling may be one.
      }
    }
    const found = expression;
    if (found === undefined) throw unsupported(this.pattern, `\\p{${name}}`);
    return (code) => found.test(String.fromCodePoint(code)) === wanted;
  }

  private hexadecimal(size: number): string {
    const close = this.chars.indexOf("}", this.at);
    const braced = this.chars[this.at] === "{" && close > 0;
    const digits = braced ? this.chars.slice(this.at + 1, close) : this.chars.slice(this.at, this.at + size);
    this.at = braced ? close + 1 : this.at + size;
    const code = Number.parseInt(digits.join(""), 16);
    if (!/^[0-9a-fA-F]{1,6}$/.test(digits.join("")) || code > 0x10ffff) throw this.bad("\\x needs hexadecimal digits");
    return String.fromCodePoint(code);
  }

  private charClass(): Test {
    const negated = this.take("^");
    const tests: Test[] = [];
    for (let first = true; first || this.chars[this.at] !== "]"; first = false) {
      if (this.at >= this.chars.length) throw this.bad("a character class is not closed");
      tests.push(this.classItem());
    }
    this.at++;
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  private classItem(): Test {
    const char = this.chars[this.at++] as string;
    if (char === "[") throw unsupported(this.pattern, "a class within a class");
    if (char === "&" && this.chars[this.at] === "&") throw unsupported(this.pattern, "an intersection of classes");
    if (char === "\\" && /[dwspPDWS]/.test(this.chars[this.at] ?? "")) return this.escapedTest();
    const low = char === "\\" ? this.classEscape() : char;
    if (this.chars[this.at] !== "-" || this.chars[this.at + 1] === "]") return this.literal(low);
    this.at++;
    const next = this.chars[this.at++];
    if (next === undefined) throw this.bad("a character class is not closed");
    const high = next === "\\" ? this.classEscape() : next;
    const [from, to] = [low.codePointAt(0) as number, high.codePointAt(0) as number];
    if (to < from) throw this.bad(`the range ${low}-${high} is reversed`);
    const within: Test = (code) => code >= from && code <= to;
    if (!this.caseless) return within;
    return (code) => {
      const text = String.fromCodePoint(code);
      return within(text.toLowerCase().codePointAt(0) as number) || within(text.toUpperCase().codePointAt(0) as number);
    };
  }

  private classEscape(): string {
    const char = this.chars[this.at++];
    if (char === undefined) throw this.bad("it ends with a backslash");
    const controls: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v" };
    if (Object.hasOwn(controls, char)) return controls[char] as string;
    if (char === "x" || char === "u") return this.hexadecimal(char === "x" ? 2 : 4);
    if (/[\p{L}\p{N}]/u.test(char)) throw unsupported(this.pattern, `\\${char} in a class`);
    return char;
  }
}
