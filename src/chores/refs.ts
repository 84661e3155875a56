/** The tags and branches of a table, as far as they keep versions. One that cannot be read keeps everything: CORRUPT. */
import { REFS_BRANCHES, REFS_TAGS } from "../format/layout.js";
import { decodeBranch, decodeTag } from "../format/refs.js";
import type { Bytes, ObjectStore } from "../store/contract.js";
import { joinPath } from "../store/paths.js";
import { isTableError } from "../support/errors.js";

const SUFFIX = ".json";

/** Names of the tags of each version of the main branch. @throws CORRUPT */
export async function readTags(store: ObjectStore): Promise<ReadonlyMap<number, readonly string[]>> {
  return namesByVersion(store, REFS_TAGS, (bytes, path) => {
    const { branch, version } = decodeTag(bytes, path);
    return branch === undefined ? version : undefined;
  });
}

/** Names of the branches that begin at each version of the main branch. @throws CORRUPT */
export async function readBranchPoints(store: ObjectStore): Promise<ReadonlyMap<number, readonly string[]>> {
  return namesByVersion(store, REFS_BRANCHES, (bytes, path) => {
    const { parentBranch, parentVersion } = decodeBranch(bytes, path);
    return parentBranch === undefined ? parentVersion : undefined;
  });
}

async function namesByVersion(
  store: ObjectStore,
  directory: string,
  versionOf: (bytes: Bytes, path: string) => number | undefined,
): Promise<ReadonlyMap<number, readonly string[]>> {
  const names = new Map<number, string[]>();
  for (const { name, kind } of await store.list(directory)) {
    if (kind !== "object" || !name.endsWith(SUFFIX)) continue;
    const path = joinPath(directory, name);
    const bytes = await store.get(path).catch((error: unknown) => {
      if (!isTableError(error, "NOT_FOUND")) throw error;
    });
    const version = bytes === undefined ? undefined : versionOf(bytes, path);
    if (version === undefined) continue;
    const title = name.slice(0, -SUFFIX.length).replaceAll("%2F", "/");
    names.set(version, [...(names.get(version) ?? []), title]);
  }
  return names;
}
