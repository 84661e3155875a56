/** What stands around the versions: hint, tags and branches, the retired boundary, and what nobody needs any more. */
import { COORDINATION, newBoundaryMemo, readBoundary } from "../commit/boundary.js";
import { listVersionNames } from "../commit/head.js";
import { decodeHint } from "../format/hint.js";
import {
  branchDirectory,
  DATA,
  DELETIONS,
  HINT_PATH,
  manifestPath,
  parseManifestName,
  REFS_BRANCHES,
  REFS_TAGS,
  TRANSACTIONS,
  VERSIONS,
} from "../format/layout.js";
import { branchOfFileName, decodeBranch, decodeTag, tagOfFileName } from "../format/refs.js";
import type { ObjectStore } from "../store/contract.js";
import { joinPath, nameOf, temporaryTarget } from "../store/paths.js";
import { within } from "../store/within.js";
import { isTableError } from "../support/errors.js";
import { branchNames } from "./branch-files.js";
import { unfinishedBranches } from "./branch-leftovers.js";
import { type Finding, finding } from "./findings.js";
import { addBranchPaths } from "./reachable.js";
import { messageOf } from "./verify-manifest.js";

/** A reader probes this many names above the hint before it lists; writers let the hint lag by less. */
const HINT_LAG_MAX = 32;
const SUFFIX = ".json";
/** Directories in which writers put temporaries. */
const PLACES = ["", VERSIONS, TRANSACTIONS, DATA, DELETIONS, COORDINATION];

/** @param head the newest version that has a name */
export async function* checkHint(table: string, store: ObjectStore, head: number): AsyncGenerator<Finding> {
  let bytes: Uint8Array;
  try {
    bytes = await store.get(HINT_PATH);
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return;
    if (!isTableError(error, "CORRUPT")) throw error;
    yield finding(table, "J021-hint-wrong", messageOf(error), { path: HINT_PATH });
    return;
  }
  const hinted = decodeHint(bytes);
  const fix = "doctor --fix writes it anew.";
  if (hinted === undefined) {
    yield finding(table, "J021-hint-wrong", "The hint names no version; readers list all versions instead.", {
      path: HINT_PATH,
      fix,
    });
  } else if (hinted > head && (await manifestSize(store, hinted)) === undefined) {
    const message = `The hint names version ${hinted}, the newest one is ${head}; readers list all versions instead.`;
    yield finding(table, "J021-hint-wrong", message, { path: HINT_PATH, version: hinted, fix });
  } else if (hinted + HINT_LAG_MAX < head) {
    const message = `The hint names version ${hinted}, the newest one is ${head}; a new reader has to look further.`;
    yield finding(table, "J022-hint-behind", message, { path: HINT_PATH, version: hinted, fix });
  }
}

/** The boundary of names that vacuums have retired; 0 when there is none, a finding when it cannot be read. */
export async function checkBoundary(table: string, store: ObjectStore): Promise<number | Finding> {
  const memo = newBoundaryMemo();
  try {
    return (await readBoundary(store, memo)).upTo;
  } catch (error) {
    if (!isTableError(error, "CORRUPT")) throw error;
    const fix = "Put the file back from a backup. Without it, no commit can be made safely.";
    return finding(table, "J025-boundary-unreadable", messageOf(error), { path: String(error.details.path), fix });
  }
}

/** @param line the branch whose tags are looked at; undefined: the main line, and tags of branches that are not there */
export async function* checkTags(table: string, store: ObjectStore, line: string | undefined): AsyncGenerator<Finding> {
  const branches = new Set(await branchNames(store));
  for await (const { name, path, bytes, failure } of references(store, REFS_TAGS)) {
    try {
      if (failure !== undefined) throw failure;
      const tag = decodeTag(bytes, path);
      if (line === undefined && tag.branch !== undefined && !branches.has(tag.branch)) {
        const message = `Tag ${name} names a version of branch ${tag.branch}, which does not exist.`;
        yield finding(table, "J024-reference-dangling", message, { path, fix: "Move it with update(), or delete it." });
      }
      if (tag.branch !== line) continue;
      const size = await manifestSize(store, tag.version);
      if (size !== undefined) {
        if (tag.manifestSize === 0 || tag.manifestSize === size) continue;
        const message = `Tag ${name} names version ${tag.version} and a manifest of ${tag.manifestSize} bytes, which has ${size}.`;
        const fix = "Delete the tag and create it again.";
        yield finding(table, "J023-reference-unreadable", message, { path, version: tag.version, fix });
        continue;
      }
      const message = `Tag ${name} names version ${tag.version}, which does not exist.`;
      const fix = "Move it with update(), or delete it.";
      yield finding(table, "J024-reference-dangling", message, { path, version: tag.version, fix });
    } catch (error) {
      if (!isTableError(error, "CORRUPT")) throw error;
      const fix = "Delete the tag and create it again.";
      yield finding(table, "J023-reference-unreadable", messageOf(error), { path, fix });
    }
  }
}

/** The references to branches, and directories of branches that nothing refers to. */
export async function* checkBranches(table: string, store: ObjectStore): AsyncGenerator<Finding> {
  for await (const { path, bytes, failure } of references(store, REFS_BRANCHES)) {
    const name = branchOfFileName(nameOf(path));
    try {
      if (failure !== undefined) throw failure;
      decodeBranch(bytes, path);
      if (name === undefined) {
        const message = `${path} has a name that no branch can have; nothing reads it.`;
        yield finding(table, "J023-reference-unreadable", message, { path, fix: "Remove the file." });
        continue;
      }
      if ((await listVersionNames(within(store, branchDirectory(name)))).length > 0) continue;
      const message = `Branch ${name} has no version.`;
      yield finding(table, "J024-reference-dangling", message, { path, fix: "Delete it with branches().delete()." });
    } catch (error) {
      if (!isTableError(error, "CORRUPT")) throw error;
      yield finding(table, "J023-reference-unreadable", messageOf(error), { path });
    }
  }
  for (const name of await unfinishedBranches(store)) {
    const path = branchDirectory(name);
    const message = `${path} belongs to no branch: left of one that was not finished, or is being made or removed.`;
    yield finding(table, "J028-files-unreferenced", message, {
      path,
      fix: "A vacuum removes it when nobody is making the branch.",
    });
  }
}

/** Temporaries in any of the line's directories: of a writer that died, or of one at work. */
export async function* checkTemporaries(
  table: string,
  store: ObjectStore,
  line: string | undefined,
): AsyncGenerator<Finding> {
  for (const place of line === undefined ? [...PLACES, REFS_TAGS, REFS_BRANCHES] : PLACES) {
    for (const { name } of await store.list(place)) {
      if (temporaryTarget(name) === undefined) continue;
      const path = joinPath(place, name);
      yield finding(table, "J026-temporary-left", `${path} is left of a write that did not end, or is one at work.`, {
        path,
        fix: "doctor --fix removes it when no writer is there.",
      });
    }
  }
}

/** Names among the manifests that are neither a version nor anything else that belongs there. */
export async function* checkNames(table: string, store: ObjectStore): AsyncGenerator<Finding> {
  for (const { name, kind } of await store.list(VERSIONS)) {
    if (kind === "object" && parseManifestName(name) !== undefined) continue;
    const path = joinPath(VERSIONS, name);
    if (path === HINT_PATH || temporaryTarget(name) !== undefined) continue;
    // Temporaries of native writers, and versions that are on no line of history.
    if (name.startsWith(".tmp") || name.includes("#") || /^d\d+\.manifest$/.test(name)) continue;
    yield finding(table, "J029-name-unknown", `${path} is no version; nothing reads it.`, { path });
  }
}

/** Files that other lines of the table may need of this one; undefined when that cannot be told. */
export async function neededByBranches(
  store: ObjectStore,
  line: string | undefined,
): Promise<ReadonlyMap<string, number> | undefined> {
  const paths = new Map<string, number>();
  try {
    await addBranchPaths(store, line, paths);
    return paths;
  } catch (error) {
    if (isTableError(error, "CORRUPT") || isTableError(error, "NOT_SUPPORTED")) return undefined;
    throw error;
  }
}

/** Data and deletion files that are there now. */
export async function listFiles(store: ObjectStore): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const place of [DATA, DELETIONS]) {
    for (const { name, kind } of await store.list(place)) {
      if (kind === "object" && !name.startsWith(".tmp")) paths.push(joinPath(place, name));
    }
  }
  return paths;
}

/** Bytes of a version's manifest; undefined when there is no such version. */
async function manifestSize(store: ObjectStore, version: number): Promise<number | undefined> {
  for (const scheme of ["v2", "v1"] as const) {
    const info = await store.head(manifestPath(version, scheme));
    if (info !== undefined) return info.sizeBytes;
  }
  return undefined;
}

interface Reference {
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly failure?: unknown;
}

async function* references(store: ObjectStore, directory: string): AsyncGenerator<Reference> {
  for (const entry of await store.list(directory)) {
    if (entry.kind !== "object" || !entry.name.endsWith(SUFFIX)) continue;
    const path = joinPath(directory, entry.name);
    const name = tagOfFileName(entry.name) ?? entry.name;
    try {
      yield { name, path, bytes: await store.get(path) };
    } catch (failure) {
      if (!isTableError(failure, "NOT_FOUND")) yield { name, path, bytes: new Uint8Array(), failure };
    }
  }
}
