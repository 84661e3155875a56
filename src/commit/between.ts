/**
 * What others committed between the version that an intent was computed on and the head, and what that means for it.
 *
 * Each version is judged once: after another lost race, only what came since is looked at.
 */
import { DeletionVector } from "../format/deletion-vector.js";
import { manifestPath } from "../format/layout.js";
import type { Transaction } from "../format/transaction.js";
import type { Winner } from "./commit-result.js";
import { graver, judge, type Verdict } from "./conflicts.js";
import { containsAny, type Request } from "./handed.js";
import { claimedFragments } from "./judgements.js";
import { readMadeBy, readTransaction } from "./log.js";
import type { Intent, Proposal } from "./proposal.js";
import type { SharedTable } from "./shared-table.js";
import type { Snapshot } from "./snapshot.js";

export class Between {
  readonly winners: Winner[] = [];
  readonly #table: SharedTable;
  readonly #base: Snapshot;
  readonly #intent: Intent;
  readonly #requests: readonly Request[];
  #judged: Snapshot;

  constructor(table: SharedTable, base: Snapshot, proposal: Pick<Proposal, "intent" | "requests">) {
    this.#table = table;
    this.#base = base;
    this.#intent = proposal.intent;
    this.#requests = proposal.requests ?? [];
    this.#judged = base;
  }

  /** The newest version that is taken into account. */
  get judged(): Snapshot {
    return this.#judged;
  }

  /** The gravest verdict on everything committed after what was judged last, up to `head`. */
  async judgeUpTo(head: Snapshot): Promise<Verdict> {
    let verdict: Verdict = "compatible";
    if (head === this.#judged) return verdict;
    if (head.version <= this.#judged.version || !(await this.isSameLine(head))) {
      // The table was dropped and made again: what came between cannot be judged.
      return this.#lost(head.version, "table was replaced");
    }
    const vectors = await this.#vectorsAt(head);
    for (let version = this.#judged.version + 1; version <= head.version; version++) {
      const theirs = await this.#transactionOf(version, head);
      if (theirs === undefined) return this.#lost(version, "no transaction record");
      if (containsAny(theirs, this.#requests)) return this.#lost(version, theirs.operation.kind);
      const one = judge({
        mine: this.#intent,
        theirs: theirs.operation,
        base: this.#base.manifest,
        head: head.manifest,
        deletedAtHead: (id) => vectors.get(id),
      });
      this.winners.push({ version, operation: theirs.operation.kind, verdict: one });
      this.#table.meters.met(this.#intent.kind, theirs.operation.kind, one);
      verdict = graver(verdict, one);
    }
    this.#judged = head;
    return verdict;
  }

  /** A table that was dropped and made again has other files under the same version numbers. */
  async isSameLine(head: Snapshot): Promise<boolean> {
    const judged = this.#judged.head;
    const info = await this.#table.store.head(manifestPath(judged.version, head.head.scheme));
    return info !== undefined && info.identity === judged.identity;
  }

  #lost(version: number, operation: string): Verdict {
    this.winners.push({ version, operation, verdict: "retry" });
    return "retry";
  }

  async #transactionOf(version: number, head: Snapshot): Promise<Transaction | undefined> {
    if (version === head.version) return this.#table.transaction(head);
    const madeBy = await readMadeBy(this.#table.store, version, head.head.scheme);
    return madeBy === undefined ? undefined : readTransaction(this.#table.store, madeBy);
  }

  /** Deletion vectors at head of the fragments that the intent claims; absent when the fragment is gone. */
  async #vectorsAt(head: Snapshot): Promise<ReadonlyMap<number, DeletionVector>> {
    const vectors = new Map<number, DeletionVector>();
    for (const id of claimedFragments(this.#intent)) {
      const fragment = head.manifest.fragments.byId(id);
      if (fragment === undefined) continue;
      vectors.set(id, (await this.#table.deletions(fragment)) ?? DeletionVector.empty);
    }
    return vectors;
  }
}
