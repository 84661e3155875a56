/**
 * The tags and branches of a table, as far as they keep versions of one line of it. One that cannot be read keeps
 * everything: CORRUPT.
 */
import { REFS_TAGS } from "../format/layout.js";
import { decodeTag, tagOfFileName } from "../format/refs.js";
import type { ObjectStore } from "../store/contract.js";
import { joinPath } from "../store/paths.js";
import { isTableError } from "../support/errors.js";
import { readBranches } from "./branch-files.js";

const SUFFIX = ".json";

type Names = ReadonlyMap<number, readonly string[]>;

/** Names of the tags of each version of a line. @param line a branch; undefined: the main line. @throws CORRUPT */
export async function readTags(store: ObjectStore, line: string | undefined): Promise<Names> {
  const names = new Map<number, string[]>();
  for (const { name, kind } of await store.list(REFS_TAGS)) {
    if (kind !== "object" || !name.endsWith(SUFFIX)) continue;
    const path = joinPath(REFS_TAGS, name);
    const bytes = await store.get(path).catch((error: unknown) => {
      if (!isTableError(error, "NOT_FOUND")) throw error;
    });
    if (bytes === undefined) continue;
    const { branch, version } = decodeTag(bytes, path);
    if (branch === line) addName(names, version, tagOfFileName(name) ?? name);
  }
  return names;
}

/** Names of the branches that begin at each version of a line. @throws CORRUPT */
export async function readBranchPoints(store: ObjectStore, line: string | undefined): Promise<Names> {
  const names = new Map<number, string[]>();
  for (const [name, { parentBranch, parentVersion }] of await readBranches(store)) {
    if (parentBranch === line) addName(names, parentVersion, name);
  }
  return names;
}

function addName(names: Map<number, string[]>, version: number, name: string): void {
  names.set(version, [...(names.get(version) ?? []), name]);
}
