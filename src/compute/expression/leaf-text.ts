/** Loops that find texts and binary values by their bytes, without making strings. */
import type { Data } from "apache-arrow";
import type { ItemSet } from "./bound.js";
import { equalsAt, type LikePattern, matchLike } from "./like.js";
import { hasBytes } from "./node.js";
import { newRowList } from "./row-list.js";

export interface BytesTest {
  readonly needle: Uint8Array;
  /** Where the value must carry the needle: at its start, at its end, or be it. */
  readonly anchor: "start" | "end" | "both";
  readonly negated: boolean;
}

/** Rows whose value is, starts with or ends with the needle; NULL rows are not looked at. */
export function selectLiteral(data: Data, test: BytesTest, candidates: Uint32Array | undefined): Uint32Array {
  const { needle, anchor } = test;
  const offsets = data.valueOffsets as Int32Array;
  const bytes = data.values as Uint8Array;
  const length = candidates?.length ?? data.length;
  const out = newRowList(length);
  const size = needle.length;
  const exact = anchor === "both";
  const fromEnd = anchor === "end";
  const wanted = !test.negated;
  const last = needle[size - 1];
  let count = 0;
  for (let k = 0; k < length; k++) {
    const row = candidates === undefined ? k : (candidates[k] as number);
    const start = offsets[row] as number;
    const end = offsets[row + 1] as number;
    const at = fromEnd ? end - size : start;
    // Texts of one column often differ at their ends.
    const fits = (exact ? end - start === size : end - start >= size) && (size === 0 || bytes[at + size - 1] === last);
    if ((fits && equalsAt(bytes, at, needle)) === wanted) out[count++] = row;
  }
  return out.subarray(0, count);
}

/** Rows whose text matches a LIKE pattern. */
export function selectPattern(
  data: Data,
  pattern: LikePattern,
  negated: boolean,
  candidates: Uint32Array | undefined,
): Uint32Array {
  const offsets = data.valueOffsets as Int32Array;
  const bytes = data.values as Uint8Array;
  const length = candidates?.length ?? data.length;
  const out = newRowList(length);
  let count = 0;
  for (let k = 0; k < length; k++) {
    const row = candidates === undefined ? k : (candidates[k] as number);
    if (matchLike(pattern, bytes, offsets[row] as number, offsets[row + 1] as number) !== negated) out[count++] = row;
  }
  return out.subarray(0, count);
}

/** Rows whose value is one of a set. */
export function selectTexts(
  data: Data,
  set: ItemSet,
  negated: boolean,
  candidates: Uint32Array | undefined,
): Uint32Array {
  const offsets = data.valueOffsets as Int32Array;
  const bytes = data.values as Uint8Array;
  const length = candidates?.length ?? data.length;
  const out = newRowList(length);
  let count = 0;
  for (let k = 0; k < length; k++) {
    const row = candidates === undefined ? k : (candidates[k] as number);
    if (hasBytes(set, bytes, offsets[row] as number, offsets[row + 1] as number) !== negated) out[count++] = row;
  }
  return out.subarray(0, count);
}
