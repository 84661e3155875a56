/**
 * LIKE and ILIKE over UTF-8 bytes, in time linear in the text for every pattern.
 *
 * `%` is any run, `_` one code point. The pattern is cut at its `%` into pieces that are found left to right, the
 * earliest place first; that never needs a second try.
 */
import { TableError } from "../../support/errors.js";
import { PATTERN_BYTES_MAX } from "./limits.js";
import { encodeText } from "./vector.js";

/** A code point as bytes, or -1 for `_`. */
type Piece = readonly (Uint8Array | -1)[];

export interface LikePattern {
  readonly pieces: readonly Piece[];
  /** Set when the pattern is text with at most one `%` at either end: the text, as bytes. */
  readonly literal: Uint8Array | undefined;
  readonly openStart: boolean;
  readonly openEnd: boolean;
}

/** @throws INVALID_ARGUMENT when the pattern is longer than allowed */
export function compileLike(pattern: string, mark: string): LikePattern {
  if (Buffer.byteLength(pattern) > PATTERN_BYTES_MAX) {
    const message = `A LIKE pattern may have at most ${PATTERN_BYTES_MAX} bytes.`;
    throw new TableError("INVALID_ARGUMENT", message, { details: { limitBytes: PATTERN_BYTES_MAX } });
  }
  const pieces: (Uint8Array | -1)[][] = [[]];
  const chars = [...pattern];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] as string;
    const last = pieces[pieces.length - 1] as (Uint8Array | -1)[];
    if (char === mark && i + 1 < chars.length) last.push(encodeText(chars[++i] as string));
    else if (char === "%") pieces.push([]);
    else last.push(char === "_" ? -1 : encodeText(char));
  }
  const openStart = pieces.length > 1 && pieces[0]?.length === 0;
  const openEnd = pieces.length > 1 && pieces[pieces.length - 1]?.length === 0;
  const solid = pieces.filter((piece) => piece.length > 0);
  const plain = solid.length <= 1 && pieces.length - solid.length === (openStart ? 1 : 0) + (openEnd ? 1 : 0);
  const only = solid[0] ?? [];
  const literal = plain && !only.includes(-1) ? joined(only as readonly Uint8Array[]) : undefined;
  return { pieces, literal, openStart, openEnd };
}

function joined(codes: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(codes.flatMap((code) => [...code]));
}

/** Whether bytes[start .. end] matches. */
export function matchLike(pattern: LikePattern, bytes: Uint8Array, start: number, end: number): boolean {
  const { literal, pieces } = pattern;
  if (literal !== undefined) return matchLiteral(pattern, literal, bytes, start, end);
  const last = pieces.length - 1;
  let at = matchPiece(pieces[0] as Piece, bytes, start, end);
  if (at < 0) return false;
  if (last === 0) return at === end;
  for (let k = 1; k < last; k++) {
    at = findPiece(pieces[k] as Piece, bytes, at, end);
    if (at < 0) return false;
  }
  const tail = pieces[last] as Piece;
  const from = backUp(tail, bytes, at, end);
  return from >= 0 && matchPiece(tail, bytes, from, end) === end;
}

function matchLiteral(
  pattern: LikePattern,
  literal: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  const size = literal.length;
  if (end - start < size) return false;
  if (pattern.openStart && pattern.openEnd) return indexOfBytes(bytes, start, end, literal) >= 0;
  if (!pattern.openStart && !pattern.openEnd && end - start !== size) return false;
  return equalsAt(bytes, pattern.openStart ? end - size : start, literal);
}

export function equalsAt(bytes: Uint8Array, start: number, needle: Uint8Array): boolean {
  for (let k = 0; k < needle.length; k++) if (bytes[start + k] !== needle[k]) return false;
  return true;
}

/** The place of `needle` in bytes[start .. end], or -1. */
export function indexOfBytes(bytes: Uint8Array, start: number, end: number, needle: Uint8Array): number {
  const { length } = needle;
  if (length === 0) return start;
  // Long texts go to Buffer's search, which does not degrade on repetitive needles.
  if (end - start > 64) {
    const found = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).indexOf(needle);
    return found < 0 ? -1 : start + found;
  }
  const first = needle[0] as number;
  for (let at = start; at <= end - length; at++) {
    if (bytes[at] === first && equalsAt(bytes, at, needle)) return at;
  }
  return -1;
}

/** The end of `piece` matched exactly at `at`, or -1. */
function matchPiece(piece: Piece, bytes: Uint8Array, at: number, end: number): number {
  let here = at;
  for (const code of piece) {
    if (here >= end) return -1;
    if (code === -1) {
      here++;
      while (here < end && ((bytes[here] as number) & 0xc0) === 0x80) here++;
    } else {
      if (here + code.length > end || !equalsAt(bytes, here, code)) return -1;
      here += code.length;
    }
  }
  return here;
}

/** The end of the first place of `piece` at or after `from`, or -1. At most pattern length steps per code point. */
function findPiece(piece: Piece, bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at <= end; at++) {
    if (at < end && ((bytes[at] as number) & 0xc0) === 0x80) continue;
    const stop = matchPiece(piece, bytes, at, end);
    if (stop >= 0) return stop;
  }
  return -1;
}

/** Where `piece` must start to end at `end`: as many code points back as it has; -1 when that is before `from`. */
function backUp(piece: Piece, bytes: Uint8Array, from: number, end: number): number {
  let at = end;
  for (let k = 0; k < piece.length; k++) {
    if (at <= from) return -1;
    at--;
    while (at > from && ((bytes[at] as number) & 0xc0) === 0x80) at--;
  }
  return at;
}
