/**
 * What a version needs: every file that its manifest names, data, deletions, row sequences, transaction and indices.
 *
 * A file that the manifest says lies elsewhere counts as well: a branch names the files of the table it came from that
 * way, and names are never used twice.
 */
import { listVersionNames } from "../commit/head.js";
import { readManifest } from "../commit/log.js";
import type { Fragment } from "../format/fragment.js";
import { decodeIndexSection } from "../format/index-section.js";
import { DATA, dataPath, deletionPath, INDICES, TRANSACTIONS } from "../format/layout.js";
import type { Manifest } from "../format/manifest.js";
import type { ObjectStore } from "../store/contract.js";
import { joinPath } from "../store/paths.js";
import { within } from "../store/within.js";

/** Branches inside branches' names; deeper ones cannot be made. */
const BRANCH_DEPTH_MAX = 16;
export const BRANCH_TREES = "tree";

/** Adds the paths that a version needs to `paths`, each with the version; the first one that names a path stays. */
export function addPaths(manifest: Manifest, paths: Map<string, number>): void {
  const add = (path: string) => {
    if (!paths.has(path)) paths.set(path, manifest.version);
  };
  for (const fragment of manifest.fragments) addFragment(fragment, add);
  if (manifest.transactionFile !== "") add(`${TRANSACTIONS}/${manifest.transactionFile}`);
  if (manifest.indexSection === undefined) return;
  const { entries } = decodeIndexSection(manifest.indexSection, `version ${manifest.version}`);
  for (const entry of entries) add(`${INDICES}/${entry.uuid}`);
}

function addFragment(fragment: Fragment, add: (path: string) => void): void {
  for (const file of fragment.files) add(dataPath(file));
  if (fragment.deletionFile !== undefined) add(deletionPath(fragment.id, fragment.deletionFile));
  for (const sequence of [fragment.rowIds, fragment.lastUpdatedVersions, fragment.createdVersions]) {
    if (sequence?.kind !== "external") continue;
    add(sequence.path);
    add(`${DATA}/${sequence.path}`);
  }
}

/** Adds what the branches of a table need of it. @throws CORRUPT */
export async function addBranchPaths(store: ObjectStore, paths: Map<string, number>): Promise<void> {
  for (const directory of await branchDirectories(store, BRANCH_TREES, 0)) {
    const branch = within(store, directory);
    for (const { version, scheme } of await listVersionNames(branch)) {
      const manifest = await readManifest(branch, version, scheme);
      if (manifest !== undefined) addPaths(manifest, paths);
    }
  }
}

async function branchDirectories(store: ObjectStore, directory: string, depth: number): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await store.list(directory)) {
    if (entry.kind !== "directory") continue;
    if (entry.name === "_versions") found.push(directory);
    else if (depth < BRANCH_DEPTH_MAX) {
      found.push(...(await branchDirectories(store, joinPath(directory, entry.name), depth + 1)));
    }
  }
  return found;
}
