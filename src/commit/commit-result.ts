/** What a commit is asked for and what it answers. */
import type { Verdict } from "./conflicts.js";
import type { Turn } from "./contention.js";
import type { Durability } from "./durability.js";
import type { Snapshot } from "./snapshot.js";

export interface CommitOptions {
  readonly durability: Durability;
  /** A commit that may be rebased keeps trying for this long, milliseconds, then BUSY. */
  readonly timeoutMs: number;
  /** The turn that the caller has; without it, the commit waits for its own. */
  readonly turn?: Turn | undefined;
}

/** `again`: the operation has to be computed again, on a newer version; nothing of it is left on disk. */
export type CommitResult =
  | { readonly kind: "committed"; readonly snapshot: Snapshot; readonly attempts: number; readonly rebases: number }
  | { readonly kind: "again"; readonly winners: readonly Winner[] };

/** An operation that was committed between my read version and my attempt. */
export interface Winner {
  readonly version: number;
  readonly operation: string;
  readonly verdict: Verdict;
}
