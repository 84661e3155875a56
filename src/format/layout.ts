/**
 * Where everything lies inside a table's directory, and how version numbers become file names.
 *
 * All paths are relative to the table's directory. Layout: lance-format table specification, "Directory layout".
 * Names of temporaries (`.tmp…`, `…#1`), the hint and detached versions (`d…`) are no versions.
 */
import { INHERITED } from "../store/line-view.js";
import { assert } from "../support/errors.js";
import type { DataFile, DeletionFile } from "./fragment.js";
import { BRANCH_TREES } from "./names.js";

export {
  BRANCH_TREES,
  branchDirectory,
  checkBranchName,
  checkColumnName,
  checkRelativePath,
  checkTableName,
  checkTagName,
  LINE_DIRECTORIES,
  tableDirectory,
  tableNameOf,
} from "./names.js";

export const VERSIONS = "_versions";
export const TRANSACTIONS = "_transactions";
export const DELETIONS = "_deletions";
export const DATA = "data";
export const INDICES = "_indices";
const REFS = "_refs";
export const REFS_TAGS = `${REFS}/tags`;
export const REFS_BRANCHES = `${REFS}/branches`;
/** First parts of the paths that all lines of a table share. */
export const SHARED_BY_LINES: readonly string[] = [REFS, BRANCH_TREES];
export const HINT_PATH = `${VERSIONS}/latest_version_hint.json`;

/** v1: the version as it is; v2: counted down from 2^64 - 1, so that the newest comes first in a listing. */
export type NamingScheme = "v1" | "v2";

const MANIFEST_SUFFIX = ".manifest";
const V2_DIGITS = 20;
const U64_MAX = 2n ** 64n - 1n;

/** File name of a version's manifest inside `_versions`. */
export function manifestName(version: number, scheme: NamingScheme): string {
  assert(Number.isSafeInteger(version) && version >= 0, "a version is a safe integer, 0 or more");
  const digits = scheme === "v1" ? String(version) : (U64_MAX - BigInt(version)).toString().padStart(V2_DIGITS, "0");
  return digits + MANIFEST_SUFFIX;
}

/** The version that a name inside `_versions` stands for; undefined for every name that is not a version's own. */
export function parseManifestName(
  name: string,
): { readonly version: number; readonly scheme: NamingScheme } | undefined {
  const match = /^([0-9]{1,20})\.manifest$/.exec(name);
  if (match === null) return undefined;
  const digits = match[1] as string;
  const scheme = digits.length === V2_DIGITS ? "v2" : "v1";
  const version = scheme === "v1" ? Number(digits) : Number(U64_MAX - BigInt(digits));
  // Only the one spelling that manifestName prints is a version: no leading zeros, nothing above 2^64 - 1.
  if (!Number.isSafeInteger(version) || version < 0 || manifestName(version, scheme) !== name) return undefined;
  return { version, scheme };
}

/** Path of a version's manifest. */
export function manifestPath(version: number, scheme: NamingScheme): string {
  return `${VERSIONS}/${manifestName(version, scheme)}`;
}

/** File name of a transaction inside `_transactions`. */
export function transactionName(readVersion: number, uuid: string): string {
  return `${readVersion}-${uuid}.txn`;
}

/** Path of a fragment's deletion file; it follows from the numbers that the manifest keeps. */
export function deletionPath(fragmentId: number, file: DeletionFile): string {
  const extension = file.kind === "arrow" ? "arrow" : "bin";
  return inherited(file.baseId, `${DELETIONS}/${fragmentId}-${file.readVersion}-${file.id}.${extension}`);
}

/** Path of a data file. */
export function dataPath(file: Pick<DataFile, "path" | "baseId">): string {
  return inherited(file.baseId, `${DATA}/${file.path}`);
}

/** A path in the directory of another line of the table, by the number that the manifest gives to that directory. */
export function inherited(baseId: number | undefined, path: string): string {
  return baseId === undefined ? path : `${INHERITED}/${baseId}/${path}`;
}
