/**
 * The lease of this process on one table: what it reads and writes, published for vacuums in other processes.
 *
 * One file for each process and table, written before the first read or write and renewed by a heartbeat that keeps no
 * process alive. Between heartbeats nothing is written, as long as what is held is among what the file says: it names
 * the versions that are read, and covers every version from the head of the last renewal on. What is not covered yet
 * is published first, then the boundary is looked at: a vacuum announces first and looks at the leases then, so at
 * least one of the two sees the other.
 */
import type { FileMark } from "../format/file-marks.js";
import { VERSIONS } from "../format/layout.js";
import { isTableError, TableError } from "../support/errors.js";
import type { Timer } from "../support/runtime.js";
import { type BoundaryMemo, isRetired, readBoundary } from "./boundary.js";
import { encodeLease, type LeaseBody, type LeaseContent, leasePath } from "./lease-file.js";
import { covers, type LeasedTable, LeaseUses, type Use } from "./lease-uses.js";
import type { Hold, Snapshot } from "./snapshot.js";

export interface LeaseOptions {
  /** False: no other process knows of this one; pins count inside the process only. */
  readonly published: boolean;
  readonly ttlMs: number;
}

export const LEASE_DEFAULTS: LeaseOptions = { published: true, ttlMs: 60_000 };
/** Renewals in the life of a lease that nobody renews. */
const BEATS_PER_TTL = 6;
/** Versions that vanish while they are being pinned, in a row. */
const PINS_MAX = 16;
/** Writes of the file that a vacuum or another holder of the same name gets into the way of, in a row. */
const RENEWALS_MAX = 4;

export class Lease {
  readonly published: boolean;
  readonly #table: LeasedTable;
  readonly #options: LeaseOptions;
  /** What the file says, and what it says instead in a moment. */
  #published: LeaseBody | undefined;
  #pending: LeaseBody | undefined;
  readonly #uses: LeaseUses;
  #since = "";
  #renewedMs = 0;
  #renewedAtMs = 0;
  #losses = 0;
  #tainted = false;
  /** True when a power cut leaves the file: whose the files of a writer were has to be known after it. */
  #durable = false;
  #vouchedFor: string | undefined;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;

  constructor(table: LeasedTable, options: LeaseOptions = LEASE_DEFAULTS) {
    this.#table = table;
    this.#options = options;
    this.published = options.published;
    this.#uses = new LeaseUses(table.runtime);
  }

  get holder(): string {
    return this.#uses.holder;
  }

  /** What vacuums of this process have to respect when no file says it. */
  get body(): LeaseBody | undefined {
    return this.#published;
  }

  /** True while a version is held or files are being made. */
  get busy(): boolean {
    return this.#uses.busy;
  }

  /** The mark of the next file that this process makes. */
  mark(): FileMark {
    return this.#uses.mark();
  }

  /** Notes the newest version that a look at the table has shown: what is read from now on is this one or a newer one. */
  looked(version: number): void {
    this.#uses.looked(version);
  }

  /**
   * Holds the version that `find` comes back with: a read needs this version, a write this and all later ones, and the
   * files that it makes. Where the lease cannot be written (full or read-only disk) a read goes on without it.
   * @throws what `find` throws; for a write UNAVAILABLE when the lease cannot be written
   */
  async hold(find: () => Promise<Snapshot>, kind: "read" | "write" = "read"): Promise<Hold> {
    for (let attempt = 0; attempt < PINS_MAX; attempt++) {
      const use = this.#uses.begin(kind);
      try {
        if (attempt > 0) await this.#table.refresh();
        const snapshot = await find();
        use.version = snapshot.version;
        if (this.#covers(use) || (await this.#publish(use))) return this.#held(snapshot, use);
      } catch (error) {
        this.#uses.end(use);
        throw error;
      }
      this.#uses.end(use);
    }
    throw new TableError(
      "UNAVAILABLE",
      `Versions of table '${this.#table.name}' were removed ${PINS_MAX} times while they were being opened. Try again.`,
    );
  }

  /** Holds once more a version that is held. */
  again(snapshot: Snapshot): Hold {
    const use = this.#uses.begin("read");
    use.version = snapshot.version;
    return this.#held(snapshot, use);
  }

  /** From now until the answer is called, files that this process makes may belong to a write under way. */
  begin(): () => void {
    const use = this.#uses.begin("files");
    return () => this.#uses.end(use);
  }

  /** Resolves when others can see the lease, which has to be before the first file is made. @throws UNAVAILABLE */
  async ready(): Promise<void> {
    if (!this.#isFresh() || !this.#durable) await this.renew();
  }

  /** Publishes what is in use now. @throws UNAVAILABLE */
  renew(): Promise<void> {
    this.#queued ??= (this.#running ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        this.#running = this.#queued;
        this.#queued = undefined;
        return this.#write();
      })
      .finally(() => {
        if (this.#queued === undefined) this.#running = undefined;
      });
    return this.#queued;
  }

  /**
   * True when no vacuum took this process for dead since it named these files; the last look before a version is
   * created. Costs nothing while the boundary did not change.
   */
  async vouchesFor(paths: readonly string[], boundary: BoundaryMemo): Promise<boolean> {
    if (!this.#options.published) return true;
    if (boundary.identity !== this.#vouchedFor && this.#published !== undefined) {
      const { holder } = this;
      const isThere = (await this.#table.store.head(leasePath(holder))) !== undefined;
      const counts = isThere && !boundary.boundary.expelled.has(holder);
      if (holder === this.holder && !counts) this.#lose();
      else if (holder === this.holder) this.#vouchedFor = boundary.identity;
    }
    return this.#losses === 0 || paths.every((path) => this.#uses.owns(path));
  }

  /** Notes that files of this process may be left that nobody refers to. */
  taint(): void {
    this.#tainted = true;
  }

  /**
   * Gives the lease back, unless something is still in use: then a heartbeat does so later. A lease whose holder may
   * have left files behind stays, for the next vacuum to see whose they are.
   */
  async end(): Promise<void> {
    // A heartbeat under way would publish anew what is given back.
    await this.#beating;
    await this.#giveBack();
  }

  async #giveBack(): Promise<void> {
    await Promise.allSettled([this.#queued, this.#running]);
    if (this.#uses.busy) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    const body = this.#published;
    const path = leasePath(this.holder);
    const [tainted, settled] = [this.#tainted, this.#uses.sequence];
    this.#lose();
    this.#losses = 0;
    if (body === undefined || !this.#options.published) return;
    if (!tainted) await this.#table.store.delete(path).catch(() => {});
    else if ((await this.#table.store.head(path)) !== undefined) {
      await this.#replace(path, { versions: [], from: undefined, settled, ended: true }, false).catch(() => {});
    }
  }

  /** Publishes what is in use at this moment and nothing that was in use before, for a vacuum of this process. */
  async tidy(): Promise<void> {
    this.#uses.forgetReads();
    await this.#table.refresh();
    await this.renew();
  }

  #held(snapshot: Snapshot, use: Use): Hold {
    return { snapshot, release: () => this.#uses.end(use) };
  }

  /** Publishes first, then looks at the boundary; false when a vacuum has announced that the version goes. */
  async #publish(use: Use): Promise<boolean> {
    this.#uses.remember(use);
    try {
      await this.renew();
    } catch (error) {
      if (use.kind === "write" || isTableError(error, "CORRUPT")) throw error;
    }
    return use.version === undefined || !isRetired(this.#table.boundary.boundary, use.version);
  }

  #covers(use: Use): boolean {
    if (!this.#isFresh() || (use.kind === "write" && !this.#durable)) return false;
    return [this.#published, this.#pending].every((body) => body === undefined || covers(body, use));
  }

  /** False after a pause, by either clock: a vacuum may have taken this process for dead. */
  #isFresh(): boolean {
    if (this.#published === undefined) return false;
    if (!this.#options.published) return true;
    const { runtime } = this.#table;
    const limitMs = this.#options.ttlMs / 2;
    const pauseMs = Math.abs(runtime.now() - this.#renewedAtMs);
    return runtime.monotonicMs() - this.#renewedMs < limitMs && pauseMs < limitMs;
  }

  async #write(): Promise<void> {
    const { runtime, store, boundary } = this.#table;
    if (!this.#options.published) {
      this.#published = this.#uses.body(this.#published);
      this.#durable = true;
      return void (await readBoundary(store, boundary));
    }
    this.#timer ??= this.#beatLater();
    for (let attempt = 1; attempt <= RENEWALS_MAX; attempt++) {
      const [startedMs, startedAtMs] = [runtime.monotonicMs(), runtime.now()];
      try {
        if (!(await this.#writeFile())) continue;
      } catch (error) {
        this.#pending = undefined;
        // A vacuum may have swept the temporary. Whatever happened, what counts is the next attempt.
        if (attempt === RENEWALS_MAX) throw this.#unwritable(error);
        continue;
      }
      if (!(await readBoundary(store, boundary)).expelled.has(this.holder)) {
        this.#renewedMs = startedMs;
        this.#renewedAtMs = startedAtMs;
        return;
      }
      this.#lose();
    }
    throw this.#unwritable(undefined);
  }

  #unwritable(cause: unknown): TableError {
    const why = cause instanceof Error ? cause.message : "Try again.";
    return new TableError(
      "UNAVAILABLE",
      `The lease of this process on table '${this.#table.name}' could not be written in ${RENEWALS_MAX} attempts, so that files in use would not be safe from a cleanup. Nothing was changed. ${why}`,
      cause === undefined ? {} : { cause },
    );
  }

  /** False when the file was gone, or the name belongs to somebody else: then the lease begins anew. */
  async #writeFile(): Promise<boolean> {
    const { store, runtime } = this.#table;
    const path = leasePath(this.holder);
    const isNew = this.#published === undefined;
    if (isNew) this.#since = new Date(runtime.now()).toISOString();
    else if ((await store.head(path)) === undefined) {
      this.#lose();
      return false;
    }
    const body = this.#uses.body(this.#published);
    this.#pending = body;
    // Once is enough: renewals may be lost, the name stays.
    const durable = !this.#durable && this.#uses.writing;
    if (!isNew) await this.#replace(path, body, durable);
    else if ((await store.create(path, [this.#encode(body)], { durable })) === "exists") {
      this.#lose();
      return false;
    }
    if (path !== leasePath(this.holder)) {
      // Lost meanwhile: nobody would renew or remove this file.
      await store.delete(path);
      return false;
    }
    this.#published = body;
    this.#pending = undefined;
    this.#durable ||= durable;
    return true;
  }

  #replace(path: string, body: LeaseBody, durable: boolean): Promise<void> {
    return this.#table.store.replace(path, [this.#encode(body)], { durable });
  }

  #encode(body: LeaseBody): Uint8Array<ArrayBuffer> {
    const { runtime } = this.#table;
    const content: LeaseContent = {
      ...body,
      process: runtime.processes?.self(),
      ttlMs: this.#options.ttlMs,
      since: this.#since,
    };
    return encodeLease(content);
  }

  #beatLater(): Timer {
    return this.#table.runtime.timer(this.#options.ttlMs / BEATS_PER_TTL, () => {
      this.#timer = undefined;
      // A renewal that fails is made up for by the next, or found out by whoever needs the lease.
      this.#beating = this.#beat().catch(() => {});
    });
  }

  async #beat(): Promise<void> {
    try {
      if (this.#uses.idle) return await this.#giveBack();
      const gone = this.#options.published && (await this.#isReplaced());
      if (!gone) await this.renew();
      this.#uses.beat();
    } finally {
      if (this.#published !== undefined || this.#uses.busy) this.#timer ??= this.#beatLater();
    }
  }

  /** True when the table was dropped: a lease must not make its directory again. */
  async #isReplaced(): Promise<boolean> {
    const { store } = this.#table;
    if (this.#published !== undefined) {
      const path = leasePath(this.holder);
      if ((await store.head(path)) !== undefined) return false;
      if (path === leasePath(this.holder)) this.#lose();
    }
    return (await store.list(VERSIONS)).length === 0;
  }

  /** The file is not there any more, or counts for nothing: what comes next is under another name. */
  #lose(): void {
    if (this.#published !== undefined) this.#losses++;
    this.#published = undefined;
    this.#pending = undefined;
    this.#vouchedFor = undefined;
    this.#tainted = false;
    this.#durable = false;
    this.#uses.rename();
  }
}
