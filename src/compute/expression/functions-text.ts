/** Functions over text. Lengths and places count code points, as in LanceDB. */
import type { DataType } from "apache-arrow";
import { castToText } from "./cast-text.js";
import type { FunctionRecord } from "./functions.js";
import { equalsAt, indexOfBytes } from "./like.js";
import { compileRegexp, type Matcher } from "./regexp.js";
import { BOOL, INT32, INT64, isInteger, kindOf, UTF8 } from "./types.js";
import {
  type BytesVector,
  isValid,
  mapAscii,
  nothing,
  outcomeOf,
  textAt,
  textVector,
  truth,
  type Vector,
} from "./vector.js";

function isText(type: DataType | undefined): boolean {
  return type !== undefined && (kindOf(type) === "utf8" || kindOf(type) === "null");
}

/** Texts to text, row by row; NULL when any argument is. */
function toText(usage: string, least: number, most: number, one: (...texts: string[]) => string): FunctionRecord {
  return {
    usage,
    resolve(types) {
      if (types.length < least || types.length > most || !types.every(isText)) return undefined;
      const kernel = (args: readonly Vector[], type: DataType, length: number): Vector => {
        const outcome = outcomeOf(...args);
        if (args.some((arg) => arg.form !== "bytes")) return nothing(type, length);
        const out: (string | undefined)[] = [];
        for (let i = 0; i < outcome.count; i++) {
          const live = outcome.valid === undefined || outcome.valid[i] === 1;
          out.push(live ? one(...args.map((arg) => textAt(arg as BytesVector, i))) : undefined);
        }
        return textVector(out, type, outcome);
      };
      return { args: types.map(() => UTF8), type: UTF8, kernel };
    },
  };
}

/** `lower` and `upper`: at once for ASCII, by code points for the rest. */
function caseChange(
  name: string,
  ascii: readonly [number, number, number],
  one: (text: string) => string,
): FunctionRecord {
  const slow = toText(`${name}(text)`, 1, 1, one);
  return {
    usage: slow.usage,
    resolve(types) {
      const signature = slow.resolve(types);
      if (signature === undefined) return undefined;
      const kernel = (args: readonly Vector[], type: DataType, length: number): Vector => {
        const fast = args[0]?.form === "bytes" ? mapAscii(args[0], ...ascii) : undefined;
        return fast === undefined ? signature.kernel(args, type, length) : { ...fast, type };
      };
      return { ...signature, kernel };
    },
  };
}

/** A whole number per text. */
function toCount(usage: string, one: (vector: BytesVector, at: number) => number, loose: boolean): FunctionRecord {
  return {
    usage,
    resolve(types) {
      const [first] = types;
      if (types.length !== 1 || first === undefined) return undefined;
      // LanceDB takes the length of a number as of its text.
      if (!isText(first) && !(loose && isInteger(kindOf(first)))) return undefined;
      const kernel = ([value]: readonly Vector[], type: DataType, length: number): Vector => {
        if (value?.form !== "bytes") return nothing(type, length);
        const outcome = outcomeOf(value);
        const values = new Float64Array(outcome.count);
        for (let i = 0; i < values.length; i++) values[i] = one(value, i);
        return { form: "number", type, length, constant: value.constant, valid: value.valid, values };
      };
      return { args: [UTF8], type: INT32, kernel };
    },
  };
}

/** TRUE or FALSE for two texts, over their bytes. */
function toTruth(
  usage: string,
  one: (bytes: Uint8Array, start: number, end: number, needle: Uint8Array) => boolean,
): FunctionRecord {
  return {
    usage,
    resolve(types) {
      if (types.length !== 2 || !types.every(isText)) return undefined;
      const kernel = ([text, part]: readonly Vector[], _type: DataType, length: number): Vector => {
        if (text?.form !== "bytes" || part?.form !== "bytes") return nothing(BOOL, length);
        const outcome = outcomeOf(text, part);
        const out = new Uint8Array(outcome.count);
        const [stepA, stepB] = [text.constant ? 0 : 1, part.constant ? 0 : 1];
        for (let i = 0; i < out.length; i++) {
          const [a, b] = [i * stepA, i * stepB];
          const needle = part.bytes.subarray(part.offsets[b], part.offsets[b + 1]);
          out[i] = one(text.bytes, text.offsets[a] as number, text.offsets[a + 1] as number, needle) ? 1 : 0;
        }
        return truth(out, outcome, BOOL);
      };
      return { args: [UTF8, UTF8], type: BOOL, kernel };
    },
  };
}

function codePoints(vector: BytesVector, i: number): number {
  let count = 0;
  for (let at = vector.offsets[i] as number; at < (vector.offsets[i + 1] as number); at++) {
    if (((vector.bytes[at] as number) & 0xc0) !== 0x80) count++;
  }
  return count;
}

function byteCount(vector: BytesVector, i: number): number {
  return (vector.offsets[i + 1] as number) - (vector.offsets[i] as number);
}

function trimmer(sides: "both" | "start" | "end"): (text: string, chars?: string) => string {
  return (text, chars = " ") => {
    const set = new Set(chars);
    const points = [...text];
    let from = 0;
    let to = points.length;
    if (sides !== "end") while (from < to && set.has(points[from] as string)) from++;
    if (sides !== "start") while (to > from && set.has(points[to - 1] as string)) to--;
    return points.slice(from, to).join("");
  };
}

/** `left` and `right`: n code points, or all but n when negative. */
function side(name: string, one: (points: readonly string[], n: number) => readonly string[]): FunctionRecord {
  return {
    usage: `${name}(text, count)`,
    resolve(types) {
      const [text, count] = types;
      if (types.length !== 2 || !isText(text) || count === undefined || !isInteger(kindOf(count))) return undefined;
      const kernel = ([value, many]: readonly Vector[], type: DataType, length: number): Vector => {
        if (value?.form !== "bytes" || many?.form !== "wide") return nothing(type, length);
        const outcome = outcomeOf(value, many);
        const out: (string | undefined)[] = [];
        for (let i = 0; i < outcome.count; i++) {
          const live = outcome.valid === undefined || outcome.valid[i] === 1;
          const n = Number(many.values[many.constant ? 0 : i]);
          out.push(live ? one([...textAt(value, i)], n).join("") : undefined);
        }
        return textVector(out, type, outcome);
      };
      return { args: [UTF8, INT64], type: UTF8, kernel };
    },
  };
}

/** Whether a regular expression is found; with `total`, FALSE instead of NULL. */
function regexp(name: string, total: boolean): FunctionRecord {
  return {
    usage: `${name}(text, pattern[, flags])`,
    resolve(types) {
      if (types.length < 2 || types.length > 3 || !types.every(isText)) return undefined;
      const kernel = (args: readonly Vector[], _type: DataType, length: number): Vector =>
        findPattern(args, length, total);
      return { args: types.map(() => UTF8), type: BOOL, kernel };
    },
  };
}

function findPattern(args: readonly Vector[], length: number, total: boolean): Vector {
  const outcome = outcomeOf(...args);
  if (args.some((arg) => arg.form !== "bytes")) {
    if (!total) return nothing(BOOL, length);
    return truth(new Uint8Array(1), { length, constant: true, count: 1, valid: undefined }, BOOL);
  }
  const [text, pattern, flags] = args as readonly [BytesVector, BytesVector, BytesVector?];
  const out = new Uint8Array(outcome.count);
  let known: { readonly key: string; readonly matcher: Matcher } | undefined;
  for (let i = 0; i < out.length; i++) {
    if (outcome.valid !== undefined && outcome.valid[i] === 0) continue;
    if (known === undefined || !pattern.constant || flags?.constant === false) {
      const source = textAt(pattern, i);
      const key = `${flags === undefined ? "" : textAt(flags, i)}/${source}`;
      if (known?.key !== key) {
        known = { key, matcher: compileRegexp(source, flags === undefined ? "" : textAt(flags, i)) };
      }
    }
    out[i] = known.matcher.test(textAt(text, i)) ? 1 : 0;
  }
  return truth(out, total ? { ...outcome, valid: undefined } : outcome, BOOL);
}

/** The text of all arguments in one; NULL counts as nothing. */
function concat(args: readonly Vector[], type: DataType): Vector {
  const outcome = outcomeOf(...args);
  const texts = args.map((arg) => castToText(arg, UTF8));
  const out: string[] = [];
  for (let i = 0; i < outcome.count; i++) {
    let joined = "";
    for (const text of texts) if (text.form === "bytes" && isValid(text, i)) joined += textAt(text, i);
    out.push(joined);
  }
  return textVector(out, type, outcome);
}

const trimBoth = toText("btrim(text[, characters])", 1, 2, trimmer("both"));
const length = toCount("length(text)", codePoints, true);
const position = {
  usage: "strpos(text, part)",
  resolve(types) {
    if (types.length !== 2 || !types.every(isText)) return undefined;
    const kernel = ([text, part]: readonly Vector[], type: DataType, rows: number): Vector => {
      if (text?.form !== "bytes" || part?.form !== "bytes") return nothing(type, rows);
      const outcome = outcomeOf(text, part);
      const values = new Float64Array(outcome.count);
      for (let i = 0; i < values.length; i++) {
        const whole = textAt(text, i);
        const at = whole.indexOf(textAt(part, i));
        values[i] = at < 0 ? 0 : [...whole.slice(0, at)].length + 1;
      }
      return { form: "number", type, length: rows, constant: outcome.constant, valid: outcome.valid, values };
    };
    return { args: [UTF8, UTF8], type: INT32, kernel };
  },
} satisfies FunctionRecord;

/** `||`: unlike `concat`, NULL with anything is NULL. */
export const CONCAT_OPERATOR = toText("text || text", 2, 2, (a, b) => a + b);

export const TEXT_FUNCTIONS: Readonly<Record<string, FunctionRecord>> = {
  contains: toTruth(
    "contains(text, part)",
    (bytes, start, end, needle) => indexOfBytes(bytes, start, end, needle) >= 0,
  ),
  starts_with: toTruth(
    "starts_with(text, part)",
    (bytes, start, end, needle) => end - start >= needle.length && equalsAt(bytes, start, needle),
  ),
  ends_with: toTruth(
    "ends_with(text, part)",
    (bytes, start, end, needle) => end - start >= needle.length && equalsAt(bytes, end - needle.length, needle),
  ),
  length,
  char_length: length,
  character_length: length,
  octet_length: toCount("octet_length(text)", byteCount, true),
  bit_length: toCount("bit_length(text)", (vector, i) => byteCount(vector, i) * 8, true),
  lower: caseChange("lower", [65, 90, 32], (text) => text.toLowerCase()),
  upper: caseChange("upper", [97, 122, -32], (text) => text.toUpperCase()),
  trim: trimBoth,
  btrim: trimBoth,
  ltrim: toText("ltrim(text[, characters])", 1, 2, trimmer("start")),
  rtrim: toText("rtrim(text[, characters])", 1, 2, trimmer("end")),
  replace: toText("replace(text, part, other)", 3, 3, (text, part, other) =>
    part === "" ? text : text.replaceAll(part as string, () => other as string),
  ),
  reverse: toText("reverse(text)", 1, 1, (text) => [...text].reverse().join("")),
  left: side("left", (points, n) => points.slice(0, n)),
  right: side("right", (points, n) => (n === 0 ? [] : points.slice(-n))),
  strpos: position,
  concat: {
    usage: "concat(value, …)",
    resolve(types) {
      if (types.length === 0 || !types.every((type) => isText(type) || isInteger(kindOf(type)))) return undefined;
      return { args: types, type: UTF8, kernel: concat };
    },
  },
  regexp_like: regexp("regexp_like", false),
  regexp_match: regexp("regexp_match", true),
};
