/** The rows where a filter is TRUE: the common shapes straight over Arrow's buffers, all others by evaluation. */
import type { RecordBatch } from "apache-arrow";
import type { BoundExpression, Node } from "./bound.js";
import { BatchFrame } from "./frame.js";
import { scanLeaf } from "./leaf.js";
import { evaluateNode } from "./node.js";
import { newRowList, withRowLists } from "./row-list.js";

/**
 * Ascending numbers of the rows of `batch` where the filter is TRUE, among `candidates` (ascending) when given.
 * @throws INVALID_ARGUMENT when a row that must be looked at cannot be computed
 */
export function selectRows(expression: BoundExpression, batch: RecordBatch, candidates?: Uint32Array): Uint32Array {
  return withRowLists(() => select(expression.root, batch, candidates));
}

function select(node: Node, batch: RecordBatch, candidates: Uint32Array | undefined): Uint32Array {
  if (candidates?.length === 0 || batch.numRows === 0) return new Uint32Array(0);
  if (node.kind === "and") {
    let rows = candidates;
    for (const term of node.terms) rows = select(term, batch, rows);
    return rows ?? allRows(batch.numRows);
  }
  if (node.kind === "or") return selectAny(node.terms, batch, candidates);
  return scanLeaf(node, batch, candidates) ?? selectByValue(node, batch, candidates);
}

/** Later terms see only the rows that no earlier one took. */
function selectAny(terms: readonly Node[], batch: RecordBatch, candidates: Uint32Array | undefined): Uint32Array {
  let rest = candidates;
  let taken: Uint32Array = new Uint32Array(0);
  for (const term of terms) {
    const found = select(term, batch, rest);
    if (found.length === 0) continue;
    taken = merge(taken, found);
    rest = without(rest ?? allRows(batch.numRows), found);
    if (rest.length === 0) break;
  }
  return taken;
}

function selectByValue(node: Node, batch: RecordBatch, candidates: Uint32Array | undefined): Uint32Array {
  const vector = evaluateNode(node, new BatchFrame(batch, candidates));
  const length = candidates?.length ?? batch.numRows;
  if (vector.form !== "truth") return new Uint32Array(0);
  const { values, valid } = vector;
  if (vector.constant) {
    const yes = values[0] === 1 && (valid === undefined || valid[0] === 1);
    return yes ? (candidates ?? allRows(length)) : new Uint32Array(0);
  }
  const out = newRowList(length);
  let count = 0;
  for (let k = 0; k < length; k++) {
    if (values[k] === 1 && (valid === undefined || valid[k] === 1)) {
      out[count++] = candidates === undefined ? k : (candidates[k] as number);
    }
  }
  return out.subarray(0, count);
}

export function allRows(length: number): Uint32Array {
  const rows = newRowList(length);
  for (let i = 0; i < length; i++) rows[i] = i;
  return rows;
}

/** Two ascending lists without common members as one. */
function merge(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length === 0) return b;
  const out = newRowList(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let k = 0; k < out.length; k++) {
    const takeA = j >= b.length || (i < a.length && (a[i] as number) < (b[j] as number));
    out[k] = (takeA ? a[i++] : b[j++]) as number;
  }
  return out;
}

/** The members of ascending `all` that are not in its ascending subset `some`, which is not empty. */
function without(all: Uint32Array, some: Uint32Array): Uint32Array {
  const out = newRowList(all.length - some.length);
  const last = some.length - 1;
  let j = 0;
  let write = 0;
  for (let i = 0; i < all.length && write < out.length; i++) {
    const isGone = Number(all[i] === some[Math.min(j, last)]);
    out[write] = all[i] as number;
    write += 1 - isGone;
    j += isGone;
  }
  return out;
}
