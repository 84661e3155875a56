/**
 * Which names and relative paths are allowed: of tables, tags, branches, columns, and of files that a manifest mentions.
 *
 * Allow lists, not block lists. A name that a caller gives is refused with INVALID_ARGUMENT; one that stands in a file
 * is refused with CORRUPT, so that no manifest entry leads outside the table's directory.
 */
import { type ErrorCode, TableError } from "../support/errors.js";

export const BRANCH_TREES = "tree";

/** The longest file name that every file system takes. */
export const NAME_BYTES_MAX = 255;

/** Parts of a branch name between slashes. */
const BRANCH_SEGMENTS_MAX = 16;
/** What lies directly in the directory of a line. */
export const LINE_DIRECTORIES: readonly string[] = [
  "_versions",
  "_transactions",
  "_deletions",
  "_indices",
  "_coord",
  "_refs",
  "data",
];

/** Columns that rows have by themselves; native LanceDB does not open a table that has one of its own. */
const ROW_COLUMNS: readonly string[] = [
  "_rowid",
  "_rowaddr",
  "_rowoffset",
  "_row_created_at_version",
  "_row_last_updated_at_version",
];

const TABLE_SUFFIX = ".lance";
const TABLE_NAME = /^[A-Za-z0-9_.-]+$/;
const TAG_NAME = /^[\p{Alphabetic}\p{N}_.-]+$/u;
// A segment of a path inside the table: no separator of any system, no drive letter, no control character.
const PATH_SEGMENT = /^[^/\\:\p{Cc}]+$/u;

/** The name of a table's directory below the database. @throws INVALID_ARGUMENT */
export function tableDirectory(name: string): string {
  checkTableName(name);
  return `${name}${TABLE_SUFFIX}`;
}

/** The table that an entry of the database directory stands for, if it is one. */
export function tableNameOf(directoryName: string): string | undefined {
  if (!directoryName.endsWith(TABLE_SUFFIX)) return undefined;
  const name = directoryName.slice(0, -TABLE_SUFFIX.length);
  return tableNameProblem(name) === undefined ? name : undefined;
}

/** @throws INVALID_ARGUMENT unless `name` is one file name of letters, digits, `_`, `-` and `.` */
export function checkTableName(name: string): void {
  const problem = tableNameProblem(name);
  if (problem !== undefined) refuse("INVALID_ARGUMENT", `Invalid table name (${quote(name)}): ${problem}.`, { name });
}

/** @throws INVALID_ARGUMENT unless native LanceDB takes `name` as a tag and it is one file name */
export function checkTagName(name: string): void {
  const problem = tagNameProblem(name);
  if (problem !== undefined) refuse("INVALID_ARGUMENT", `Invalid tag name (${quote(name)}): ${problem}.`, { name });
}

/** @throws INVALID_ARGUMENT unless native LanceDB takes `name` as a branch and its directory is in nobody's way */
export function checkBranchName(name: string): void {
  const problem = branchNameProblem(name);
  if (problem !== undefined) refuse("INVALID_ARGUMENT", `Invalid branch name (${quote(name)}): ${problem}.`, { name });
}

/** The directory of a branch below the table's. */
export function branchDirectory(branch: string): string {
  return `${BRANCH_TREES}/${branch}`;
}

/** A name of a top-level column. @throws INVALID_ARGUMENT when it is empty, reserved, too long, or holds `.` or a control character */
export function checkColumnName(name: string): void {
  const problem = columnNameProblem(name);
  if (problem !== undefined) refuse("INVALID_ARGUMENT", `Invalid column name (${quote(name)}): ${problem}.`, { name });
}

/**
 * A path that stands in a manifest: relative, "/"-separated, in normal form.
 * @param what what the path is, for the message
 * @throws CORRUPT
 */
export function checkRelativePath(path: string, what: string): void {
  if (isRelativePath(path)) return;
  refuse(
    "CORRUPT",
    `The ${what} ${quote(path)} is not a plain relative path, so it may lead outside the table. ` +
      "Nothing was read or removed; restore the manifest from a backup or check who wrote it.",
    { path },
  );
}

/** True for a relative, "/"-separated path in normal form. */
export function isRelativePath(path: string): boolean {
  return path.split("/").every(isPlainSegment);
}

function isPlainSegment(segment: string): boolean {
  return (
    segment !== "." && segment !== ".." && PATH_SEGMENT.test(segment) && Buffer.byteLength(segment) <= NAME_BYTES_MAX
  );
}

function tableNameProblem(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "") return "a table name is a string that is not empty";
  if (!TABLE_NAME.test(name)) return "it may hold letters, digits, underscores, hyphens and periods only";
  if (name === "." || name === "..") return "it would lead outside the database";
  if (name.length > NAME_BYTES_MAX - TABLE_SUFFIX.length) return "it is too long for a directory name";
  return undefined;
}

function tagNameProblem(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "") return "a tag name is a string that is not empty";
  if (!TAG_NAME.test(name)) return "it may hold letters, digits, underscores, hyphens and periods only";
  if (name.startsWith(".") || name.endsWith(".") || name.includes("..")) {
    return "it may not begin or end with a period, nor hold two in a row";
  }
  if (name.endsWith(".lock")) return "it may not end with .lock";
  if (encodeURIComponent(name).length > NAME_BYTES_MAX - ".json".length) return "it is too long for a file name";
  return undefined;
}

function branchNameProblem(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "") return "a branch name is a string that is not empty";
  if (name === "main") return "main is the name of the main line";
  const segments = name.split("/");
  if (segments.includes("")) return "slashes stand between parts that are not empty";
  if (!segments.every((segment) => TAG_NAME.test(segment))) {
    return "its parts may hold letters, digits, underscores, hyphens and periods only";
  }
  if (name.includes("..") || segments.some((segment) => segment === "." || segment.startsWith(".tmp"))) {
    return "no part of it may be a single period, begin with .tmp, or hold two periods in a row";
  }
  if (name.endsWith(".lock")) return "it may not end with .lock";
  // Branches lie below each other: `a/data` would lie among the data files of `a`.
  const taken = segments.slice(1).find((segment) => LINE_DIRECTORIES.includes(segment));
  if (taken !== undefined)
    return `${taken} is the name of a directory inside a branch; use another word after the slash`;
  if (segments.length > BRANCH_SEGMENTS_MAX) return `it may have ${BRANCH_SEGMENTS_MAX} parts at most`;
  if (encodeURIComponent(name).length > NAME_BYTES_MAX - ".json".length) return "it is too long for a file name";
  return undefined;
}

function columnNameProblem(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "") return "a column name is a string that is not empty";
  if (/\p{Cc}/u.test(name)) return "it may not hold control characters";
  if (name.includes(".")) return "a top-level column may not hold a period; use a struct column for nesting";
  if (ROW_COLUMNS.includes(name)) return "rows have a column of this name by themselves; choose another one";
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `it may have ${NAME_BYTES_MAX} bytes at most`;
  return undefined;
}

function quote(name: unknown): string {
  if (typeof name === "string") return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
  return typeof name === "object" && name !== null ? "an object" : String(name);
}

function refuse(code: ErrorCode, message: string, details: Record<string, unknown>): never {
  throw new TableError(code, message, { details });
}
