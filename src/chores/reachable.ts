/**
 * What a version needs: every file that its manifest names, data, deletions, row sequences, transaction and indices.
 *
 * Files are told by their names alone, wherever the manifest says they lie: a branch names the files of the line that it
 * was forked from that way, and names are never used twice.
 */
import { listVersionNames } from "../commit/head.js";
import { readManifest } from "../commit/log.js";
import type { Fragment } from "../format/fragment.js";
import { decodeIndexSection } from "../format/index-section.js";
import { branchDirectory, DATA, dataPath, deletionPath, INDICES, TRANSACTIONS } from "../format/layout.js";
import type { Manifest } from "../format/manifest.js";
import type { ObjectStore } from "../store/contract.js";
import { within } from "../store/within.js";
import { isTableError } from "../support/errors.js";
import { branchDirectories, branchNames } from "./branch-files.js";

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
  for (const { path } of fragment.files) add(dataPath({ path }));
  if (fragment.deletionFile !== undefined) {
    const { baseId: _, ...file } = fragment.deletionFile;
    add(deletionPath(fragment.id, file));
  }
  for (const sequence of [fragment.rowIds, fragment.lastUpdatedVersions, fragment.createdVersions]) {
    if (sequence?.kind !== "external") continue;
    add(sequence.path);
    add(`${DATA}/${sequence.path}`);
  }
}

/**
 * Adds what the other lines of a table may need of one line: all branches but this one. The main line never needs files
 * of a branch.
 * @param line the branch whose files are asked for; undefined: the main line
 * @throws CORRUPT
 */
export async function addBranchPaths(
  store: ObjectStore,
  line: string | undefined,
  paths: Map<string, number>,
): Promise<void> {
  for (const name of await branchDirectories(store)) {
    if (name === line) continue;
    const branch = within(store, branchDirectory(name));
    for (const { version, scheme } of await listVersionNames(branch)) {
      const manifest = await readManifest(branch, version, scheme).catch(async (error: unknown) => {
        // A branch that has no reference by now never was one, so that nobody needs what a power cut tore.
        if (!isTableError(error, "CORRUPT") || (await branchNames(store)).includes(name)) throw error;
      });
      if (manifest !== undefined) addPaths(manifest, paths);
    }
  }
}
