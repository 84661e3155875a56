/**
 * Tags and branches: small JSON files that name a version.
 *
 * Format: lance-format table specification, "Tags and branches".
 */
import { isRelativePath } from "./names.js";
import { corrupt } from "./wire.js";

export interface TagContents {
  /** undefined: the main branch. */
  readonly branch: string | undefined;
  readonly version: number;
  /** RFC 3339 in UTC; undefined when an older writer made the tag. */
  readonly createdAt: string | undefined;
  readonly updatedAt: string | undefined;
  /** Size of the version's manifest file. */
  readonly manifestSize: number;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface BranchContents {
  /** undefined: the main branch. */
  readonly parentBranch: string | undefined;
  readonly parentVersion: number;
  /** Where the line of history forked, from the root: version and id of each fork. */
  readonly versionMapping: readonly (readonly [version: number, id: string])[];
  /** Seconds since 1970. */
  readonly createAt: number;
  readonly manifestSize: number;
  readonly metadata: ReadonlyMap<string, string>;
}

const REF_BYTES_MAX = 1024 * 1024;

export function encodeTag(tag: TagContents): Uint8Array<ArrayBuffer> {
  return encode({
    branch: tag.branch ?? null,
    version: tag.version,
    ...(tag.createdAt === undefined ? {} : { createdAt: tag.createdAt }),
    ...(tag.updatedAt === undefined ? {} : { updatedAt: tag.updatedAt }),
    manifestSize: tag.manifestSize,
    metadata: Object.fromEntries(tag.metadata),
  });
}

/** @throws CORRUPT */
export function decodeTag(bytes: Uint8Array, path: string): TagContents {
  const object = parseObject(bytes, path);
  return {
    branch: optionalText(object, "branch", path),
    version: wholeNumber(object, "version", path),
    createdAt: optionalText(object, "createdAt", path),
    updatedAt: optionalText(object, "updatedAt", path),
    manifestSize: wholeNumber(object, "manifestSize", path),
    metadata: textMap(object, "metadata", path),
  };
}

export function encodeBranch(branch: BranchContents): Uint8Array<ArrayBuffer> {
  return encode({
    parentBranch: branch.parentBranch ?? null,
    identifier: { version_mapping: branch.versionMapping },
    parentVersion: branch.parentVersion,
    createAt: branch.createAt,
    manifestSize: branch.manifestSize,
    metadata: Object.fromEntries(branch.metadata),
  });
}

/** @throws CORRUPT */
export function decodeBranch(bytes: Uint8Array, path: string): BranchContents {
  const object = parseObject(bytes, path);
  return {
    parentBranch: optionalText(object, "parentBranch", path),
    parentVersion: wholeNumber(object, "parentVersion", path),
    versionMapping: versionMapping(object.get("identifier"), path),
    createAt: wholeNumber(object, "createAt", path),
    manifestSize: wholeNumber(object, "manifestSize", path),
    metadata: textMap(object, "metadata", path),
  };
}

const SUFFIX = ".json";

/** File name of a branch's file: the name as in a URL, with "/" as %2F. */
export function branchFileName(branch: string): string {
  return encodeURIComponent(branch) + SUFFIX;
}

/** File name of a tag's file: letters beyond ASCII as in a URL. */
export function tagFileName(tag: string): string {
  return encodeURIComponent(tag) + SUFFIX;
}

/** The tag that a file below `_refs/tags` stands for; undefined for a name that no tag can have. */
export function tagOfFileName(fileName: string): string | undefined {
  const name = branchOfFileName(fileName);
  return name === undefined || tagFileName(name) !== fileName || name.includes("/") ? undefined : name;
}

/** The branch that a file below `_refs/branches` stands for; undefined for a name that no branch can have. */
export function branchOfFileName(fileName: string): string | undefined {
  if (!fileName.endsWith(SUFFIX) || fileName.startsWith(".tmp")) return undefined;
  try {
    const name = decodeURIComponent(fileName.slice(0, -SUFFIX.length));
    return isRelativePath(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value, undefined, 2));
}

/** An object as a map, so that no key of the file ever names a property. */
function parseObject(bytes: Uint8Array, path: string): ReadonlyMap<string, unknown> {
  if (bytes.length > REF_BYTES_MAX) throw corrupt(path, REF_BYTES_MAX, "the file is too long");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw corrupt(path, 0, "it is no JSON", cause);
  }
  return entriesOf(value) ?? fail(path, "it is no JSON object");
}

function entriesOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}

function optionalText(object: ReadonlyMap<string, unknown>, key: string, path: string): string | undefined {
  const value = object.get(key) ?? undefined;
  return value === undefined || typeof value === "string" ? value : fail(path, `${key} is no text`);
}

function wholeNumber(object: ReadonlyMap<string, unknown>, key: string, path: string): number {
  const value = object.get(key);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? value
    : fail(path, `${key} is no whole number`);
}

function textMap(object: ReadonlyMap<string, unknown>, key: string, path: string): ReadonlyMap<string, string> {
  const entries = [...(entriesOf(object.get(key) ?? {}) ?? fail(path, `${key} is no object`))];
  return new Map(
    entries.map(([name, value]) => [name, typeof value === "string" ? value : fail(path, `${key} holds no text`)]),
  );
}

function versionMapping(identifier: unknown, path: string): [number, string][] {
  const mapping = entriesOf(identifier ?? {})?.get("version_mapping") ?? [];
  if (!Array.isArray(mapping)) return fail(path, "version_mapping is no list");
  return mapping.map((pair: unknown) => {
    const [version, id] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (Number.isSafeInteger(version) && typeof id === "string") return [version as number, id];
    return fail(path, "version_mapping holds no pair of version and id");
  });
}

function fail(path: string, problem: string): never {
  throw corrupt(path, 0, problem);
}
