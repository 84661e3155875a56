/**
 * The directories and references of branches, as they lie on disk; what a branch that was never finished, or whose
 * removal was interrupted, has left behind.
 */
import { BRANCH_TREES, branchDirectory, LINE_DIRECTORIES, REFS_BRANCHES, VERSIONS } from "../format/layout.js";
import { type BranchContents, branchFileName, branchOfFileName, decodeBranch } from "../format/refs.js";
import type { ObjectStore } from "../store/contract.js";
import { joinPath, parentOf, temporaryTarget } from "../store/paths.js";
import { isTableError } from "../support/errors.js";

/** Parts of branch names between slashes, in directories that are looked for. */
const DEPTH_MAX = 16;

export function branchRefPath(branch: string): string {
  return joinPath(REFS_BRANCHES, branchFileName(branch));
}

/** What is known of a branch; undefined when there is none of the name. @throws CORRUPT */
export async function readBranch(store: ObjectStore, branch: string): Promise<BranchContents | undefined> {
  const path = branchRefPath(branch);
  try {
    return decodeBranch(await store.get(path), path);
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Names of all branches, without a look at what they are. */
export async function branchNames(store: ObjectStore): Promise<readonly string[]> {
  const entries = await store.list(REFS_BRANCHES);
  return entries.flatMap(({ name, kind }) => (kind === "object" ? (branchOfFileName(name) ?? []) : []));
}

/** All branches by name. @throws CORRUPT */
export async function readBranches(store: ObjectStore): Promise<ReadonlyMap<string, BranchContents>> {
  const found = new Map<string, BranchContents>();
  for (const name of await branchNames(store)) {
    const branch = await readBranch(store, name);
    if (branch !== undefined) found.set(name, branch);
  }
  return found;
}

/** Branches that have a directory with something in it, whether there is a reference to them or not. */
export async function branchDirectories(store: ObjectStore): Promise<readonly string[]> {
  const found = new Set(await walk(store, "", 0));
  // Native LanceDB takes names under which a branch lies inside a directory of another one.
  for (const name of await branchNames(store)) found.add(name);
  return [...found];
}

async function walk(store: ObjectStore, branch: string, depth: number): Promise<string[]> {
  const directory = branch === "" ? BRANCH_TREES : branchDirectory(branch);
  const found = new Set<string>();
  for (const { name, kind } of await store.list(directory)) {
    if (kind !== "directory") continue;
    // What an interrupted removal left bears the name of a temporary.
    const target = temporaryTarget(name) ?? name;
    if (branch !== "" && LINE_DIRECTORIES.includes(target)) found.add(branch);
    else if (target === name && depth < DEPTH_MAX) {
      for (const one of await walk(store, joinPath(branch, name), depth + 1)) found.add(one);
    }
  }
  return [...found];
}

/**
 * Removes what lies in the directory of a branch, but not the branches below it. Versions go first and at once, with
 * every temporary: a writer that has not linked its manifest cannot do so any more.
 */
export async function removeBranchFiles(store: ObjectStore, branch: string): Promise<void> {
  const directory = branchDirectory(branch);
  const others = await branchNames(store);
  const isOthers = (name: string) => others.some((other) => `${other}/`.startsWith(`${branch}/${name}/`));
  const remove = async (name: string) => {
    if (!isOthers(name)) await store.deleteTree(joinPath(directory, name));
  };
  await remove(VERSIONS);
  for (const { name, kind } of await store.list(directory)) {
    const target = temporaryTarget(name) ?? name;
    if (kind === "directory" && LINE_DIRECTORIES.includes(target)) await remove(name);
  }
  // A branch below this one, or below a part of its name, keeps what leads to it.
  for (let rest = directory; rest !== ""; rest = parentOf(rest)) await store.deleteEmpty?.(rest);
}
