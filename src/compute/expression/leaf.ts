/**
 * Tests of one column against constants, straight over Arrow's buffers.
 *
 * A comparison of numbers becomes "inside (or outside) a closed range", so that one loop per physical type serves all
 * operators; rows that are NULL are struck from the hits afterwards. Returns undefined for every other shape.
 */
import { type Data, type DataType, type RecordBatch, Type } from "apache-arrow";
import type { CompareOperator } from "./ast.js";
import { isPattern, type Node } from "./bound.js";
import { columnData } from "./frame.js";
import { type Range, selectNumbers, selectWords, selectWordsIn } from "./leaf-range.js";
import { selectLiteral, selectPattern, selectTexts } from "./leaf-text.js";
import { words64 } from "./read.js";
import { newRowList } from "./row-list.js";
import { kindOf } from "./types.js";
import { isValid, type Vector } from "./vector.js";

/** Rows of `batch` (or of `candidates`) where a simple test is TRUE, ascending; undefined when it is not simple. */
export function scanLeaf(node: Node, batch: RecordBatch, candidates: Uint32Array | undefined): Uint32Array | undefined {
  switch (node.kind) {
    case "column":
      return scanBoolean(columnData(batch, node.path), 1, candidates);
    case "not":
      if (node.input.kind !== "column") return undefined;
      return scanBoolean(columnData(batch, node.input.path), 0, candidates);
    case "isNull":
      if (node.input.kind !== "column") return undefined;
      return scanNull(columnData(batch, node.input.path), node.negated, candidates);
    case "compare":
      return scanCompare(node, batch, candidates);
    case "in":
      return scanIn(node, batch, candidates);
    case "like":
      return scanLike(node, batch, candidates);
    default:
      return undefined;
  }
}

/** The rows of `hits` that are not NULL. Overwrites `hits`. */
function dropNulls(hits: Uint32Array, data: Data): Uint32Array {
  const bits = data.nullBitmap;
  if (data.nullCount === 0 || !bits || bits.length === 0) return hits;
  const { offset } = data;
  let count = 0;
  for (let k = 0; k < hits.length; k++) {
    const row = hits[k] as number;
    const at = offset + row;
    hits[count] = row;
    count += ((bits[at >> 3] as number) >> (at & 7)) & 1;
  }
  return hits.subarray(0, count);
}

function scanBoolean(data: Data, wanted: 0 | 1, candidates: Uint32Array | undefined): Uint32Array | undefined {
  if (data.typeId !== Type.Bool) return undefined;
  return dropNulls(selectBits(data.values as Uint8Array, data.offset, data.length, wanted, candidates), data);
}

function selectBits(
  bits: Uint8Array,
  offset: number,
  rows: number,
  wanted: 0 | 1,
  candidates: Uint32Array | undefined,
): Uint32Array {
  const length = candidates?.length ?? rows;
  const out = newRowList(length);
  let count = 0;
  for (let k = 0; k < length; k++) {
    const row = candidates === undefined ? k : (candidates[k] as number);
    const at = offset + row;
    out[count] = row;
    count += Number((((bits[at >> 3] as number) >> (at & 7)) & 1) === wanted);
  }
  return out.subarray(0, count);
}

function scanNull(data: Data, negated: boolean, candidates: Uint32Array | undefined): Uint32Array | undefined {
  if (data.typeId === Type.Null || data.typeId === Type.Dictionary) return undefined;
  const bits = data.nullBitmap;
  if (data.nullCount > 0 && bits && bits.length > 0) {
    return selectBits(bits, data.offset, data.length, negated ? 1 : 0, candidates);
  }
  if (!negated) return new Uint32Array(0);
  return candidates ?? Uint32Array.from({ length: data.length }, (_, i) => i);
}

const MIRROR: Readonly<Record<CompareOperator, CompareOperator>> = {
  "=": "=",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

function scanCompare(
  node: Extract<Node, { kind: "compare" }>,
  batch: RecordBatch,
  candidates: Uint32Array | undefined,
): Uint32Array | undefined {
  const mirrored = node.left.kind === "literal";
  const [column, literal] = mirrored ? [node.right, node.left] : [node.left, node.right];
  if (column.kind !== "column" || literal.kind !== "literal") return undefined;
  if (!isValid(literal.vector, 0)) return new Uint32Array(0);
  const operator = mirrored ? MIRROR[node.operator] : node.operator;
  const data = columnData(batch, column.path);
  const hits = scanValues(data, operator, literal.vector, candidates);
  return hits && dropNulls(hits, data);
}

function scanValues(
  data: Data,
  operator: CompareOperator,
  literal: Vector,
  candidates: Uint32Array | undefined,
): Uint32Array | undefined {
  const values: unknown = data.values;
  if (literal.form === "bytes") {
    if ((operator !== "=" && operator !== "!=") || !(data.valueOffsets instanceof Int32Array)) return undefined;
    const needle = literal.bytes.subarray(literal.offsets[0], literal.offsets[1]);
    return selectLiteral(data, { needle, anchor: "both", negated: operator === "!=" }, candidates);
  }
  if (literal.form === "truth") {
    if (data.typeId !== Type.Bool || (operator !== "=" && operator !== "!=")) return undefined;
    const wanted = (literal.values[0] as number) ^ (operator === "=" ? 0 : 1);
    return selectBits(values as Uint8Array, data.offset, data.length, wanted as 0 | 1, candidates);
  }
  const kind = kindOf(data.type as DataType);
  if (data.typeId === Type.Dictionary || kind === "float16" || kind === "decimal") return undefined;
  if (literal.form === "number") {
    const value = literal.values[0] as number;
    return Number.isNaN(value) ? undefined : selectNumbers(data, rangeOf(operator, value, 0), candidates);
  }
  if (literal.form !== "wide") return undefined;
  const value = Number(literal.values[0]);
  // Up to here every whole number is a double of its own, so that comparing doubles is exact.
  if (!Number.isSafeInteger(value)) return undefined;
  return selectWords(words64(data), data.length, rangeOf(operator, value, 1), kind === "uint64", candidates);
}

/** The closed range that an operator accepts; `step` is the distance of neighbours, 0 for floats. */
function rangeOf(operator: CompareOperator, value: number, step: 0 | 1): Range {
  const low = Number.NEGATIVE_INFINITY;
  switch (operator) {
    case "=":
      return { low: value, high: value, outside: false };
    case "!=":
      return { low: value, high: value, outside: true };
    case "<=":
      return { low, high: value, outside: false };
    // Greater is whatever is not less or equal: NaN, too.
    case ">":
      return { low, high: value, outside: true };
    case "<":
      return { low, high: below(value, step), outside: false };
    case ">=":
      return { low, high: below(value, step), outside: true };
  }
}

const FLOAT = new Float64Array(1);
const FLOAT_BITS = new BigInt64Array(FLOAT.buffer);

/** The greatest number below `value`. */
function below(value: number, step: 0 | 1): number {
  if (step === 1) return value - 1;
  if (value === Number.NEGATIVE_INFINITY) return Number.NaN;
  if (value === 0) return -Number.MIN_VALUE;
  FLOAT[0] = value;
  FLOAT_BITS[0] = (FLOAT_BITS[0] as bigint) + (value > 0 ? -1n : 1n);
  return FLOAT[0] as number;
}

function scanIn(
  node: Extract<Node, { kind: "in" }>,
  batch: RecordBatch,
  candidates: Uint32Array | undefined,
): Uint32Array | undefined {
  if (node.input.kind !== "column") return undefined;
  const data = columnData(batch, node.input.path);
  const { set, negated } = node;
  const wides = isWide(data) ? set.wides : undefined;
  const texts = data.valueOffsets instanceof Int32Array && kindOf(data.type as DataType) !== "list";
  if (wides === undefined && !texts) return undefined;
  // What is not found is unknown when NULL is among the items.
  if (negated && node.hasNull) return new Uint32Array(0);
  if (wides !== undefined)
    return dropNulls(selectWordsIn(words64(data), data.length, wides, negated, candidates), data);
  return dropNulls(selectTexts(data, set, negated, candidates), data);
}

/** True for a column of 64-bit integers. */
function isWide(data: Data): boolean {
  const values: unknown = data.values;
  return data.typeId !== Type.Dictionary && (values instanceof BigInt64Array || values instanceof BigUint64Array);
}

function scanLike(
  node: Extract<Node, { kind: "like" }>,
  batch: RecordBatch,
  candidates: Uint32Array | undefined,
): Uint32Array | undefined {
  if (node.input.kind !== "column" || node.caseless || !isPattern(node.pattern)) return undefined;
  const data = columnData(batch, node.input.path);
  if (!(data.valueOffsets instanceof Int32Array) || data.typeId !== Type.Utf8) return undefined;
  const { literal, openStart, openEnd } = node.pattern;
  if (literal !== undefined && !(openStart && openEnd)) {
    const anchor = openStart ? "end" : openEnd ? "start" : "both";
    return dropNulls(selectLiteral(data, { needle: literal, anchor, negated: node.negated }, candidates), data);
  }
  return dropNulls(selectPattern(data, node.pattern, node.negated, candidates), data);
}
