/**
 * Names of objects: the normal form of paths, their order, and the names of temporaries.
 *
 * A path that is not in normal form is refused, never repaired: what it would mean depends on who reads it.
 */
import { TableError } from "../support/errors.js";

/** Half a character has no UTF-8 form: two such names would meet in one file. */
const LONE_SURROGATE = /\p{Surrogate}/u;

function isNormalSegment(segment: string): boolean {
  return segment !== "" && segment !== "." && segment !== ".." && !segment.includes("\\") && !segment.includes("\0");
}

/** Refuses what does not name an object below the root. @throws INVALID_ARGUMENT */
export function checkPath(path: string): void {
  if (typeof path === "string" && !LONE_SURROGATE.test(path) && path.split("/").every(isNormalSegment)) return;
  throw new TableError(
    "INVALID_ARGUMENT",
    `The path ${JSON.stringify(path)} is not allowed: use segments joined by single slashes, none of them empty, "." or "..", without backslashes and NUL.`,
    { details: { path } },
  );
}

/** Like `checkPath`, but "" is the root. @throws INVALID_ARGUMENT */
export function checkDirectory(directory: string): void {
  if (directory !== "") checkPath(directory);
}

/** The directory of a path, "" for the root. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** The last segment. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function joinPath(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Negative, zero or positive as the UTF-8 bytes of `a` sort before, with or after those of `b`. */
export function compareNames(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return byteRank(x) - byteRank(y);
  }
  return a.length - b.length;
}

/** UTF-16 sorts surrogates before U+E000 to U+FFFF, UTF-8 sorts the characters they stand for after them. */
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

// The random part comes last, so that a temporary never ends in ".manifest" or ".lance": other readers of the
// directory go by the ending, and clean up by the beginning ".tmp".
const TEMPORARY = /^\.tmp-(.+)-[0-9a-f]{32}$/;

/** The path of a temporary for `path`, in the same directory. `uuid` makes it unlike any other. */
export function temporaryPath(path: string, uuid: string): string {
  return joinPath(parentOf(path), `.tmp-${nameOf(path)}-${uuid.replaceAll("-", "")}`);
}

/** The name that the temporary `name` was to become, or undefined when `name` is not one of our temporaries. */
export function temporaryTarget(name: string): string | undefined {
  return TEMPORARY.exec(name)?.[1];
}
