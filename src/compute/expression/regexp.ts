/**
 * Regular expressions in time linear in the text: a program for a machine that keeps the set of all its states.
 *
 * Knows literals, `.`, classes, `\d \w \s \b`, anchors, groups, `|`, `* + ? {n,m}` (greedy or not) and the flags i, s, m.
 * Refuses look-around, back-references, named classes other than \p{…} and everything else with NOT_SUPPORTED.
 */
import { TableError } from "../../support/errors.js";
import { PATTERN_BYTES_MAX, REGEXP_STEPS_MAX } from "./limits.js";

/** A test of one code point. */
type Test = (code: number) => boolean;

type Tree =
  | { readonly kind: "empty" }
  | { readonly kind: "test"; readonly test: Test }
  | { readonly kind: "assert"; readonly at: "start" | "end" | "lineStart" | "lineEnd" | "word" | "notWord" }
  | { readonly kind: "sequence" | "choice"; readonly items: readonly Tree[] }
  | { readonly kind: "repeat"; readonly item: Tree; readonly min: number; readonly max: number };

type Step =
  | { readonly op: "test"; readonly test: Test }
  | { readonly op: "split"; a: number; b: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "assert"; readonly at: Extract<Tree, { kind: "assert" }>["at"] }
  | { readonly op: "match" };

export interface Matcher {
  /** Whether the pattern is found anywhere in the text. */
  test(text: string): boolean;
}

/** @throws INVALID_ARGUMENT for a malformed pattern, NOT_SUPPORTED for syntax that has no linear-time matcher here */
export function compileRegexp(pattern: string, flags = ""): Matcher {
  if (Buffer.byteLength(pattern) > PATTERN_BYTES_MAX) {
    throw new TableError("INVALID_ARGUMENT", `A regular expression may have at most ${PATTERN_BYTES_MAX} bytes.`);
  }
  const known = new Set(["i", "s", "m", "g", "c"]);
  for (const flag of flags) if (!known.has(flag)) throw unsupported(pattern, `the flag ${JSON.stringify(flag)}`);
  const parser = new PatternParser(pattern, flags);
  const program: Step[] = [];
  emit(parser.whole(), program);
  program.push({ op: "match" });
  return { test: (text) => run(program, text) };
}

function unsupported(pattern: string, what: string): TableError {
  return new TableError(
    "NOT_SUPPORTED",
    `The regular expression ${JSON.stringify(pattern)} uses ${what}, which is not supported.`,
  );
}

const PERL: Readonly<Record<string, RegExp>> = { d: /^\p{Nd}$/u, w: /^[\p{L}\p{M}\p{N}\p{Pc}]$/u, s: /^\s$/u };

class PatternParser {
  readonly pattern: string;
  readonly chars: readonly string[];
  private caseless: boolean;
  private readonly dotAll: boolean;
  private readonly lines: boolean;
  private at = 0;
  private depth = 0;

  constructor(pattern: string, flags: string) {
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
        return { kind: "test", test: this.charClass() };
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
    return { kind: "test", test: this.escapedTest() };
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

/** Appends the steps of `tree`; repetitions with bounds are written out. */
function emit(tree: Tree, program: Step[]): void {
  if (program.length > REGEXP_STEPS_MAX) {
    throw new TableError("NOT_SUPPORTED", `A regular expression may unroll to at most ${REGEXP_STEPS_MAX} steps.`);
  }
  switch (tree.kind) {
    case "empty":
      return;
    case "test":
      program.push({ op: "test", test: tree.test });
      return;
    case "assert":
      program.push({ op: "assert", at: tree.at });
      return;
    case "sequence":
      for (const item of tree.items) emit(item, program);
      return;
    case "choice":
      emitChoice(tree.items, program);
      return;
    case "repeat":
      emitRepeat(tree, program);
      return;
  }
}

function emitChoice(items: readonly Tree[], program: Step[]): void {
  const jumps: { to: number }[] = [];
  items.forEach((item, k) => {
    if (k === items.length - 1) {
      emit(item, program);
      return;
    }
    const split = { op: "split" as const, a: program.length + 1, b: 0 };
    program.push(split);
    emit(item, program);
    const jump = { op: "jump" as const, to: 0 };
    program.push(jump);
    jumps.push(jump);
    split.b = program.length;
  });
  for (const jump of jumps) jump.to = program.length;
}

function emitRepeat(tree: Extract<Tree, { kind: "repeat" }>, program: Step[]): void {
  for (let k = 0; k < tree.min; k++) emit(tree.item, program);
  if (tree.max === Number.POSITIVE_INFINITY) {
    const split = { op: "split" as const, a: program.length + 1, b: 0 };
    const start = program.length;
    program.push(split);
    emit(tree.item, program);
    program.push({ op: "jump", to: start });
    split.b = program.length;
    return;
  }
  const splits: { b: number }[] = [];
  for (let k = tree.min; k < tree.max; k++) {
    const split = { op: "split" as const, a: program.length + 1, b: 0 };
    program.push(split);
    splits.push(split);
    emit(tree.item, program);
  }
  for (const split of splits) split.b = program.length;
}

/** Runs all states side by side over the code points: at most one visit per state and place. */
function run(program: readonly Step[], text: string): boolean {
  const seen = new Int32Array(program.length).fill(-1);
  let states: number[] = [];
  let before = -1;
  for (let at = 0; ; ) {
    const code = at < text.length ? (text.codePointAt(at) as number) : -1;
    if (addState(program, 0, states, seen, at, before, code)) return true;
    if (code < 0) return false;
    const next: number[] = [];
    const step = at + (code > 0xffff ? 2 : 1);
    const after = step < text.length ? (text.codePointAt(step) as number) : -1;
    for (const state of states) {
      const found = program[state] as Extract<Step, { op: "test" }>;
      if (found.test(code) && addState(program, state + 1, next, seen, step, code, after)) return true;
    }
    states = next;
    before = code;
    at = step;
  }
}

/** Adds a state and all that it leads to without a character; true when one of them is the end of the pattern. */
function addState(
  program: readonly Step[],
  start: number,
  states: number[],
  seen: Int32Array,
  at: number,
  before: number,
  after: number,
): boolean {
  const stack = [start];
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    if (seen[state] === at) continue;
    seen[state] = at;
    const step = program[state] as Step;
    if (step.op === "match") return true;
    if (step.op === "test") states.push(state);
    else if (step.op === "jump") stack.push(step.to);
    else if (step.op === "split") stack.push(step.b, step.a);
    else if (holds(step.at, before, after)) stack.push(state + 1);
  }
  return false;
}

function isWord(code: number): boolean {
  return code >= 0 && (PERL.w as RegExp).test(String.fromCodePoint(code));
}

function holds(at: Extract<Tree, { kind: "assert" }>["at"], before: number, after: number): boolean {
  switch (at) {
    case "start":
      return before < 0;
    case "end":
      return after < 0;
    case "lineStart":
      return before < 0 || before === 10;
    case "lineEnd":
      return after < 0 || after === 10;
    case "word":
      return isWord(before) !== isWord(after);
    case "notWord":
      return isWord(before) === isWord(after);
  }
}
