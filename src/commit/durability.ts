/**
 * Which commits say that they, and all that they inherit, survive a power cut.
 *
 * A commit with full durability says so in its transaction properties; whoever builds on a version that does not say
 * so (native LanceDB never syncs) syncs that version's files first.
 */
import { dataPath, deletionPath, manifestPath } from "../format/layout.js";
import type { Transaction } from "../format/transaction.js";
import type { Snapshot } from "./snapshot.js";

export const DURABILITY_PROPERTY = "joust.durability";

/** True when the version made by this transaction, with everything it inherits, is on disk for good. */
export function isDurable(transaction: Transaction | undefined): boolean {
  return transaction?.properties.get(DURABILITY_PROPERTY) === "full";
}

/** Every file that a version needs, its manifest included. */
export function inheritedPaths(snapshot: Snapshot): readonly string[] {
  const paths = [manifestPath(snapshot.version, snapshot.head.scheme)];
  for (const fragment of snapshot.manifest.fragments) {
    for (const file of fragment.files) if (file.baseId === undefined) paths.push(dataPath(file));
    if (fragment.deletionFile !== undefined) paths.push(deletionPath(fragment.id, fragment.deletionFile));
  }
  return paths;
}
