/**
 * Regular expressions in time linear in the text: a program for a machine that keeps the set of all its states.
 *
 * Knows literals, `.`, classes, `\d \w \s \b`, anchors, groups, `|`, `* + ? {n,m}` (greedy or not) and the flags i, s, m.
 * Refuses look-around, back-references, named classes other than \p{…} and everything else with NOT_SUPPORTED.
 */
import { TableError } from "../../support/errors.js";
import { PATTERN_BYTES_MAX, REGEXP_STEPS_MAX } from "./limits.js";
import { isWordCode, PatternParser, type Test, type Tree } from "./regexp-syntax.js";

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
  const parser = new PatternParser(pattern, flags);
  const program: Step[] = [];
  emit(parser.whole(), program);
  program.push({ op: "match" });
  return { test: (text) => run(program, text) };
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
  return code >= 0 && isWordCode(code);
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
