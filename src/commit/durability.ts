/**
 * Which commits say that they, and all that they inherit, survive a power cut.
 *
 * A commit with full durability says so in its transaction properties; whoever builds on a version that does not say
 * so (native LanceDB never syncs) syncs what that version has and the last durable one had not.
 */
import { dataPath, deletionPath, manifestPath } from "../format/layout.js";
import type { Transaction } from "../format/transaction.js";
import type { Snapshot } from "./snapshot.js";

/** How safe an acknowledged commit is: synced; not synced at all; synced after the acknowledgement. */
export type Durability = "full" | "relaxed" | "async";

export const DURABILITY_PROPERTY = "joust.durability";

/** True when the version made by this transaction, with everything it inherits, is on disk for good. */
export function isDurable(transaction: Transaction | undefined): boolean {
  return transaction?.properties.get(DURABILITY_PROPERTY) === "full";
}

/** The files of `head`, its manifest included, that `durable` does not have; all of them without it. */
export function newPaths(durable: Snapshot | undefined, head: Snapshot): readonly string[] {
  const paths = [manifestPath(head.version, head.head.scheme)];
  const before = durable?.manifest.fragments;
  for (const fragment of head.manifest.fragments) {
    const old = before?.byId(fragment.id);
    if (old === fragment) continue;
    const known = new Set(old?.files.map(dataPath));
    for (const file of fragment.files) {
      const path = dataPath(file);
      if (!known.has(path)) paths.push(path);
    }
    if (fragment.deletionFile === undefined) continue;
    const path = deletionPath(fragment.id, fragment.deletionFile);
    const same = old?.deletionFile !== undefined && deletionPath(fragment.id, old.deletionFile) === path;
    if (!same) paths.push(path);
  }
  return paths;
}
