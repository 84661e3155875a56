/**
 * The commit loop: judge what came between, express the proposal on the head, stage the manifest, publish, look again.
 *
 * Data is written once; a lost race costs a read of the winner's manifest and one new manifest. A failed publication
 * may have succeeded: the loop looks for its own transaction id before it calls an ambiguous outcome anything.
 */
import { manifestPath } from "../format/layout.js";
import { encodeManifest, type Manifest } from "../format/manifest.js";
import { encodeTransaction, type Transaction } from "../format/transaction.js";
import { isTableError, type TableError } from "../support/errors.js";
import { Between } from "./between.js";
import { busy, conflict, unknownOutcome } from "./commit-errors.js";
import type { CommitOptions, CommitResult } from "./commit-result.js";
import { type Expressed, express } from "./express.js";
import { type Guard, publishVersion, readMadeBy, readTransaction, type StagedVersion, stageVersion } from "./log.js";
import { lookAgain } from "./look-again.js";
import { nextManifest } from "./next-manifest.js";
import type { Proposal } from "./proposal.js";
import type { SharedTable } from "./shared-table.js";
import { Snapshot } from "./snapshot.js";

/** The version that was committed; what the judgement asks of the caller; undefined when the race was lost. */
type Outcome = Snapshot | "retry" | "fail" | undefined;

interface Attempt {
  readonly transaction: Transaction;
  readonly manifest: Manifest;
  readonly expressed: Expressed;
  readonly staged: StagedVersion;
}

/**
 * Commits `proposal`, computed on `base`, on top of whatever is the head by then.
 * @throws CONFLICT when only the caller can decide; BUSY after `timeoutMs`; UNKNOWN_OUTCOME when the answer cannot be
 * known; after every other error nothing of the proposal is visible or left on disk
 */
export async function commitProposal(
  table: SharedTable,
  base: Snapshot,
  proposal: Proposal,
  options: CommitOptions,
): Promise<CommitResult> {
  const run = new CommitRun(table, base, proposal, options);
  try {
    const result = await run.loop();
    if (result.kind === "again") await run.discard();
    return result;
  } catch (error) {
    if (isTableError(error, "UNKNOWN_OUTCOME")) table.lease.taint();
    else await run.discard();
    throw error;
  }
}

class CommitRun {
  readonly #table: SharedTable;
  readonly #base: Snapshot;
  readonly #proposal: Proposal;
  readonly #options: CommitOptions;
  readonly #uuid: string;
  readonly #durable: boolean;
  readonly #between: Between;
  readonly #deletionPaths: string[] = [];
  #attempts = 0;
  /** A vacuum took this process for dead: what is staged may be gone. */
  #expelled = false;
  #rebases = 0;
  /** When the last race was found lost, and when its winner was known; undefined before the first loss. */
  #lostMs: number | undefined;
  #readMs = 0;
  #turnMs = 0;

  constructor(table: SharedTable, base: Snapshot, proposal: Proposal, options: CommitOptions) {
    this.#table = table;
    this.#base = base;
    this.#between = new Between(table, base, proposal);
    this.#proposal = proposal;
    this.#options = options;
    this.#uuid = table.runtime.uuid();
    this.#durable = options.durability === "full";
  }

  async loop(): Promise<CommitResult> {
    const { runtime } = this.#table;
    const startedMs = runtime.monotonicMs();
    let head = this.#base;
    for (;;) {
      const { kind } = this.#proposal.intent;
      const leftMs = Math.max(0, this.#options.timeoutMs - (runtime.monotonicMs() - startedMs));
      const outcome = await this.#table.publishing.runExclusive(kind, () => this.#inTurn(head, leftMs), leftMs);
      if (outcome === "retry") return { kind: "again", winners: this.#between.winners };
      if (outcome === "fail") throw this.#conflict();
      if (outcome !== undefined) {
        this.#table.contention.won(outcome.version, this.#attempts - 1, runtime.monotonicMs() - this.#turnMs);
        return { kind: "committed", snapshot: outcome, attempts: this.#attempts, rebases: this.#rebases };
      }
      if (this.#expelled) return { kind: "again", winners: this.#between.winners };
      if (runtime.monotonicMs() - startedMs > this.#options.timeoutMs) {
        throw busy(this.#table.name, this.#attempts, this.#options.timeoutMs);
      }
      await this.#table.contention.beforeRetry(this.#attempts);
      this.#table.meters.lostRaces++;
      head = await this.#newest();
    }
  }

  /** Removes what was staged. Only after a definite failure. */
  async discard(): Promise<void> {
    await this.#proposal.staged.catch(() => {});
    const paths = [...this.#proposal.stagedPaths, ...this.#deletionPaths];
    await Promise.all(paths.map((path) => this.#table.store.delete(path).catch(() => this.#table.lease.taint())));
  }

  /** One attempt on `from`; where others wait meanwhile, as many on the newest head as it takes to win. */
  async #inTurn(from: Snapshot, timeoutMs: number): Promise<Outcome> {
    const { contention, meters, runtime } = this.#table;
    const untilMs = runtime.monotonicMs() + timeoutMs;
    const turn = this.#options.turn ?? (await contention.turn());
    try {
      let head = turn.isExclusive ? await this.#newest() : from;
      for (;;) {
        const outcome = await this.#attemptOn(head, () => turn.end());
        if (outcome !== undefined || !turn.isExclusive || this.#expelled) return outcome;
        if (runtime.monotonicMs() > untilMs) return undefined;
        meters.lostRaces++;
        head = await this.#newest();
      }
    } finally {
      turn.end();
    }
  }

  /** The head, after others are known or expected to have committed. */
  async #newest(): Promise<Snapshot> {
    const { runtime } = this.#table;
    this.#lostMs = runtime.monotonicMs();
    const head = await this.#table.refresh();
    this.#readMs = runtime.monotonicMs();
    if (head === this.#between.judged) this.#lostMs = undefined;
    return head;
  }

  /**
   * One attempt on `from`, or on a newer head that this process has learned of while the commit waited for its turn.
   * If that is old too, the name is taken and nothing is lost but a link; undefined then.
   */
  async #attemptOn(from: Snapshot, named: () => void): Promise<Outcome> {
    this.#attempts++;
    this.#turnMs = this.#table.runtime.monotonicMs();
    const known = this.#table.head;
    const head = known !== undefined && known.version > from.version ? known : from;
    const verdict = await this.#between.judgeUpTo(head);
    if (verdict === "retry" || verdict === "fail") return verdict;
    if (verdict === "rebase") this.#rebases++;
    return this.#attempt(head, named);
  }

  /** One attempt on one head; undefined when the race was lost for certain. */
  async #attempt(head: Snapshot, named: () => void): Promise<Snapshot | undefined> {
    const attempt = await this.#stage(head);
    let outcome: Awaited<ReturnType<typeof publishVersion>>;
    try {
      const paths = [...this.#proposal.stagedPaths, ...attempt.expressed.paths];
      const guard: Guard = async (boundary) => {
        // A table that was made anew since has other files; one that is made anew from here on takes the temporary along.
        return (await this.#between.isSameLine(head)) && (await this.#table.lease.vouchesFor(paths, boundary));
      };
      outcome = await publishVersion(this.#table.store, attempt.staged, this.#table.boundary, guard, named);
      if (outcome === "expelled") this.#expelled = true;
    } catch (error) {
      await this.#settleUnknown(error, attempt, head);
      outcome = "exists";
    }
    // From here on the version may be there: an error says nothing about the outcome and must remove nothing.
    try {
      if (outcome === "created") return await this.#confirm(attempt, head);
      if (outcome === "exists" && (await this.#isMine(attempt.staged.version, head))) {
        return await this.#confirm(attempt, head);
      }
    } catch (error) {
      throw isTableError(error, "UNKNOWN_OUTCOME") ? error : this.#unknown(attempt.staged.version, error);
    }
    await this.#discardAttempt(attempt);
    return undefined;
  }

  /** Everything that can be on disk before the name is: manifest, deletion files, data files, inherited files. */
  async #stage(head: Snapshot): Promise<Attempt> {
    const { store, runtime } = this.#table;
    const { intent } = this.#proposal;
    const expressed = await express(this.#proposal, {
      store,
      deletionId: this.#table.deletionId,
      durable: this.#durable,
      head: head.manifest,
      deletions: (fragment) => this.#table.deletions(fragment),
    });
    this.#deletionPaths.push(...expressed.paths);
    const transaction: Transaction = {
      readVersion: this.#base.version,
      uuid: this.#uuid,
      tag: "",
      properties: this.#proposal.properties,
      operation: expressed.operation,
    };
    const restored = intent.kind === "restore" ? (await this.#table.open(intent.version)).manifest : undefined;
    const manifest = nextManifest(head.manifest, expressed.operation, {
      nowMs: runtime.now(),
      transaction: encodeTransaction(transaction),
      ...(restored === undefined ? {} : { restored }),
      ...(intent.kind === "overwrite" ? { dataFormat: intent.dataFormat } : {}),
    });
    const target = { version: manifest.version, scheme: head.head.scheme };
    const chunks = encodeManifest(manifest);
    this.#recordResolution();
    const staging = stageVersion(store, target, chunks, this.#durable);
    try {
      await settleAll([staging, this.#proposal.staged, expressed.written, this.#syncInherited(head)]);
    } catch (error) {
      await staging.then((staged) => staged.object.discard()).catch(() => {});
      throw error;
    }
    return { transaction, manifest, expressed, staged: await staging };
  }

  #recordResolution(): void {
    if (this.#lostMs === undefined) return;
    const { meters, runtime } = this.#table;
    meters.resolutionDisk.record(this.#readMs - this.#lostMs);
    meters.resolutions.record(runtime.monotonicMs() - this.#readMs);
    this.#lostMs = undefined;
  }

  /** A durable commit makes durable what it stands on (native LanceDB never syncs). */
  async #syncInherited(head: Snapshot): Promise<void> {
    if (this.#durable) await this.#table.durable.cover(head);
  }

  async #isMine(version: number, head: Snapshot): Promise<boolean> {
    const madeBy = await readMadeBy(this.#table.store, version, head.head.scheme);
    if (madeBy === undefined) return false;
    return (await readTransaction(this.#table.store, madeBy))?.uuid === this.#uuid;
  }

  /** The look after the link: a gap between the own version and the head means that the commit is not part of it. */
  async #confirm(attempt: Attempt, head: Snapshot): Promise<Snapshot | undefined> {
    const { version } = attempt.manifest;
    const { scheme } = head.head;
    const look = await lookAgain(this.#table, version, scheme);
    if (look.kind === "unknown") throw this.#unknown(version, undefined);
    if (look.kind === "lost") {
      await this.#table.store.delete(manifestPath(version, scheme));
      await this.#discardAttempt(attempt);
      return undefined;
    }
    if (look.kind === "passed") return this.#passed(attempt, head);
    const snapshot = new Snapshot(
      { version, scheme, identity: look.identity },
      attempt.manifest,
      this.#schemaOf(attempt, head),
    );
    this.#table.committed(snapshot, attempt.expressed.vectors, attempt.transaction);
    if (this.#durable) this.#table.durable.reached(snapshot);
    if (this.#options.durability === "async") this.#table.durable.coverBehind(snapshot);
    return snapshot;
  }

  /** Committed, but a vacuum has passed since: the head has to be found anew. */
  #passed(attempt: Attempt, head: Snapshot): Snapshot {
    this.#table.forget();
    const gone = { version: attempt.manifest.version, scheme: head.head.scheme, identity: "" };
    return new Snapshot(gone, attempt.manifest, this.#schemaOf(attempt, head));
  }

  #schemaOf(attempt: Attempt, head: Snapshot): Snapshot["schema"] | undefined {
    return attempt.manifest.fields === head.manifest.fields ? head.schema : undefined;
  }

  async #discardAttempt(attempt: Attempt): Promise<void> {
    await Promise.all([
      attempt.staged.object.discard().catch(() => {}),
      ...attempt.expressed.paths.map((path) => this.#table.store.delete(path).catch(() => this.#table.lease.taint())),
    ]);
  }

  /** After an ambiguous publication: returns when it is certain that the name is somebody else's; throws otherwise. */
  async #settleUnknown(error: unknown, attempt: Attempt, head: Snapshot): Promise<void> {
    if (!isTableError(error, "UNKNOWN_OUTCOME")) {
      await this.#discardAttempt(attempt);
      throw error;
    }
    const { version } = attempt.staged;
    const madeBy = await readMadeBy(this.#table.store, version, head.head.scheme).catch(() => undefined);
    if (madeBy === undefined) throw this.#unknown(version, error);
    const theirs = await readTransaction(this.#table.store, madeBy).catch(() => undefined);
    if (theirs === undefined || theirs.uuid === this.#uuid) throw this.#unknown(version, error);
  }

  #conflict(): TableError {
    const { intent } = this.#proposal;
    return conflict(this.#table.name, intent.kind, this.#base.version, this.#between.winners, this.#attempts);
  }

  #unknown(version: number, cause: unknown): TableError {
    return unknownOutcome(this.#table.name, version, this.#uuid, cause);
  }
}

/** Waits until every promise has settled, so that nothing is still being written when a failure is handled. */
async function settleAll(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(promises)) if (one.status === "rejected") throw one.reason;
}
