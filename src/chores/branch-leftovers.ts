/**
 * Removes what branches have left behind that were not finished, or whose removal was interrupted: directories that are
 * not empty, and to which there is no reference. What another program made may be the beginning of a branch: it stays
 * for as long as files of unknown makers do.
 */
import type { SharedTable } from "../commit/shared-table.js";
import { branchDirectory, VERSIONS } from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import { joinPath } from "../store/paths.js";
import { isTableError } from "../support/errors.js";
import { branchDirectories, branchNames, readBranch, removeBranchFiles } from "./branch-files.js";
import { inTurn, isForeign, sweepReference } from "./branches.js";
import { UNVERIFIED_DAYS, type Verdict } from "./vacuum-plan.js";

export interface Leftover extends Verdict {
  /** A directory. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface LeftoverOptions {
  readonly deleteUnverified: boolean;
  readonly dryRun: boolean;
}

const DAY_MS = 86_400_000;
/** Making a branch takes a few milliseconds. */
const TURN_TIMEOUT_MS = 1000;

/** Branches that have a directory with something in it and no reference. */
export async function unfinishedBranches(store: ObjectStore): Promise<readonly string[]> {
  const directories = await branchDirectories(store);
  const known = new Set(await branchNames(store));
  return directories.filter((name) => !known.has(name));
}

/** Looks at every unfinished branch, and removes those that nobody is making. @param root the main line */
export async function removeLeftovers(root: SharedTable, options: LeftoverOptions): Promise<readonly Leftover[]> {
  const { store } = root;
  if ((await unfinishedBranches(store)).length === 0) return [];
  const look = async () => {
    const found: Leftover[] = [];
    for (const name of await unfinishedBranches(store)) {
      const leftover = await judge(root, name, options.deleteUnverified);
      if (!leftover.keep && !options.dryRun) {
        await sweepReference(store, name);
        // A maker that was taken for dead may have finished it at the last moment.
        if ((await readBranch(store, name)) !== undefined) continue;
        await removeBranchFiles(store, name);
      }
      found.push(leftover);
    }
    return found;
  };
  if (options.dryRun) return look();
  try {
    return await inTurn(root, TURN_TIMEOUT_MS, look);
  } catch (error) {
    // Somebody is making a branch at the moment; the next vacuum comes by.
    if (isTableError(error, "BUSY")) return [];
    throw error;
  }
}

async function judge({ store, runtime }: SharedTable, name: string, deleteUnverified: boolean): Promise<Leftover> {
  const directory = branchDirectory(name);
  const { sizeBytes, modifiedMs } = await measure(store, joinPath(directory, VERSIONS));
  const told = (keep: boolean, why: string) => ({ path: directory, sizeBytes, keep, why });
  if (!(await isForeign(store, name))) return told(false, "no branch has this directory, and nobody is making it");
  if (deleteUnverified) return told(false, "no branch has this directory, and unverified files were to be deleted");
  if (runtime.now() - modifiedMs > UNVERIFIED_DAYS * DAY_MS) {
    return told(false, `no branch has this directory, and it is older than ${UNVERIFIED_DAYS} days`);
  }
  return told(true, `another program may be making branch '${name}': it is younger than ${UNVERIFIED_DAYS} days`);
}

async function measure(store: ObjectStore, directory: string) {
  let sizeBytes = 0;
  let modifiedMs = 0;
  for (const { name } of await store.list(directory)) {
    const info = await store.head(joinPath(directory, name));
    sizeBytes += info?.sizeBytes ?? 0;
    modifiedMs = Math.max(modifiedMs, info?.modifiedMs ?? 0);
  }
  return { sizeBytes, modifiedMs };
}
