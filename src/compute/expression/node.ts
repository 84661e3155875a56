/**
 * The value of a bound expression's nodes, column by column.
 *
 * Logic is three-valued: FALSE AND NULL is FALSE, TRUE OR NULL is TRUE, everything else that touches NULL is NULL.
 */
import type { DataType } from "apache-arrow";
import { arithmetic, negate } from "./arithmetic.js";
import { type ItemSet, isPattern, type Node } from "./bound.js";
import { castVector } from "./cast.js";
import { compareVectors } from "./compare.js";
import type { Frame } from "./frame.js";
import { compileLike, equalsAt, type LikePattern, matchLike } from "./like.js";
import { BOOL, kindOf } from "./types.js";
import {
  type BytesVector,
  mapAscii,
  nothing,
  outcomeOf,
  physicalLength,
  stretch,
  type TruthVector,
  textAt,
  textVector,
  truth,
  type Vector,
} from "./vector.js";

/** The value of a node for every row of the frame; constants stay one element. */
export function evaluateNode(node: Node, frame: Frame): Vector {
  switch (node.kind) {
    case "literal":
      return stretch(node.vector, frame.length);
    case "column":
      return frame.column(node.path);
    case "field":
      return fieldOf(evaluateNode(node.input, frame), node.index, node.type);
    case "and":
    case "or":
      return connect(node.kind, node.terms, frame);
    case "not":
      return invert(evaluateNode(node.input, frame));
    case "negate":
      return negate(evaluateNode(node.input, frame));
    case "compare":
      return compareVectors(node.operator, evaluateNode(node.left, frame), evaluateNode(node.right, frame));
    case "arithmetic":
      return arithmetic(node.operator, evaluateNode(node.left, frame), evaluateNode(node.right, frame), node.type);
    case "isNull":
      return isNull(evaluateNode(node.input, frame), node.negated);
    case "isTruth":
      return isTruth(evaluateNode(node.input, frame), node.value, node.negated);
    case "in":
      return isIn(evaluateNode(node.input, frame), node);
    case "like":
      return like(node, frame);
    case "cast":
      return castVector(evaluateNode(node.input, frame), node.type, { safe: node.safe });
    case "call":
      return node.kernel(
        node.args.map((arg) => evaluateNode(arg, frame)),
        node.type,
        frame.length,
      );
  }
}

function fieldOf(input: Vector, index: number, type: DataType): Vector {
  if (input.form !== "struct") return nothing(type, input.length);
  const child = input.children[index] as Vector;
  if (input.valid === undefined) return child;
  const merged = outcomeOf({ ...input, form: "nothing" === child.form ? child.form : input.form } as Vector, child);
  return child.form === "nothing" ? child : { ...child, valid: merged.valid };
}

/** AND and OR with three values: an absorbing value wins over NULL. */
function connect(kind: "and" | "or", terms: readonly Node[], frame: Frame): Vector {
  const absorbing = kind === "or" ? 1 : 0;
  const count = frame.length;
  // 0 and 1 are the values, 2 is NULL.
  const state = new Uint8Array(count).fill(1 - absorbing);
  for (const term of terms) {
    const vector = evaluateNode(term, frame);
    if (vector.form !== "truth") {
      for (let i = 0; i < count; i++) if (state[i] !== absorbing) state[i] = 2;
      continue;
    }
    const step = vector.constant ? 0 : 1;
    const { values, valid } = vector;
    for (let i = 0; i < count; i++) {
      const at = i * step;
      if (valid !== undefined && valid[at] === 0) {
        if (state[i] !== absorbing) state[i] = 2;
      } else if (values[at] === absorbing) state[i] = absorbing;
    }
  }
  const valid = state.includes(2) ? state.map((value) => (value === 2 ? 0 : 1)) : undefined;
  const values = valid === undefined ? state : state.map((value) => value & 1);
  return { form: "truth", type: BOOL, length: count, constant: false, values, valid };
}

function invert(input: Vector): Vector {
  if (input.form !== "truth") return nothing(BOOL, input.length);
  return { ...input, values: input.values.map((value) => value ^ 1) };
}

function plain(values: Uint8Array, input: Vector): TruthVector {
  return { form: "truth", type: BOOL, length: input.length, constant: input.constant, values, valid: undefined };
}

function isNull(input: Vector, negated: boolean): Vector {
  const whenValid = negated ? 1 : 0;
  const count = physicalLength(input);
  if (input.form === "nothing") return plain(new Uint8Array([negated ? 0 : 1]), input);
  if (input.valid === undefined) return plain(new Uint8Array(count).fill(whenValid), input);
  return plain(
    input.valid.map((valid) => (valid === 1 ? whenValid : 1 - whenValid)),
    input,
  );
}

function isTruth(input: Vector, value: boolean, negated: boolean): Vector {
  if (input.form !== "truth") return plain(new Uint8Array([negated ? 1 : 0]), nothing(BOOL, input.length));
  const wanted = value ? 1 : 0;
  const out = input.values.map((found, i) => {
    const yes = found === wanted && (input.valid === undefined || input.valid[i] === 1);
    return yes !== negated ? 1 : 0;
  });
  return plain(out, input);
}

function isIn(input: Vector, node: Extract<Node, { kind: "in" }>): Vector {
  if (input.form === "nothing") return nothing(BOOL, input.length);
  const count = physicalLength(input);
  const found = new Uint8Array(count);
  membership(input, node.set, found);
  const values = node.negated ? found.map((value) => value ^ 1) : found;
  let { valid } = input;
  if (node.hasNull)
    valid = found.map((yes, i) => (yes === 1 && (input.valid === undefined || input.valid[i] === 1) ? 1 : 0));
  return { form: "truth", type: BOOL, length: input.length, constant: input.constant, values, valid };
}

function membership(input: Vector, set: ItemSet, found: Uint8Array): void {
  if (input.form === "number") {
    for (let i = 0; i < found.length; i++) found[i] = set.numbers?.has(input.values[i] as number) ? 1 : 0;
  } else if (input.form === "wide") {
    for (let i = 0; i < found.length; i++) found[i] = set.wides?.has(input.values[i] as bigint) ? 1 : 0;
  } else if (input.form === "bytes") {
    for (let i = 0; i < found.length; i++) {
      found[i] = hasBytes(set, input.bytes, input.offsets[i] as number, input.offsets[i + 1] as number) ? 1 : 0;
    }
  }
}

/** Whether bytes[start .. end] is one of the texts of the set. */
export function hasBytes(set: ItemSet, bytes: Uint8Array, start: number, end: number): boolean {
  if (set.needles !== undefined) {
    for (const needle of set.needles) {
      if (needle.length === end - start && equalsAt(bytes, start, needle)) return true;
    }
    return false;
  }
  return set.texts?.has(latin1(bytes, start, end)) ?? false;
}

export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

function like(node: Extract<Node, { kind: "like" }>, frame: Frame): Vector {
  const input = foldCase(evaluateNode(node.input, frame), node.caseless);
  const compiled = isPattern(node.pattern) ? node.pattern : undefined;
  const patterns = compiled === undefined ? evaluateNode(node.pattern as Node, frame) : undefined;
  const outcome = patterns === undefined ? outcomeOf(input) : outcomeOf(input, patterns);
  if (input.form !== "bytes") return nothing(BOOL, outcome.length);
  if (patterns !== undefined && patterns.form !== "bytes") return nothing(BOOL, outcome.length);
  const out = new Uint8Array(outcome.count);
  const yes = node.negated ? 0 : 1;
  const step = input.constant ? 0 : 1;
  let last: { text: string; pattern: LikePattern } | undefined;
  for (let i = 0; i < out.length; i++) {
    if (outcome.valid !== undefined && outcome.valid[i] === 0) continue;
    let pattern = compiled;
    if (pattern === undefined) {
      const text = textAt(patterns as BytesVector, i);
      const folded = node.caseless ? text.toLowerCase() : text;
      if (last?.text !== folded) last = { text: folded, pattern: compileLike(folded, node.mark) };
      pattern = last.pattern;
    }
    const at = i * step;
    const matched = matchLike(pattern, input.bytes, input.offsets[at] as number, input.offsets[at + 1] as number);
    out[i] = matched ? yes : 1 - yes;
  }
  return truth(out, outcome, BOOL);
}

function foldCase(input: Vector, caseless: boolean): Vector {
  if (!caseless || input.form !== "bytes" || kindOf(input.type) !== "utf8") return input;
  const ascii = mapAscii(input, 65, 90, 32);
  if (ascii !== undefined) return ascii;
  const texts: (string | undefined)[] = [];
  for (let i = 0; i < physicalLength(input); i++) {
    texts.push(input.valid === undefined || input.valid[i] === 1 ? textAt(input, i).toLowerCase() : undefined);
  }
  return textVector(texts, input.type, input);
}
