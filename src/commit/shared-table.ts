/**
 * The state that all handles of one table in a process share: the head snapshot, what is known of hint and boundary,
 * deletion vectors by path, what is durable, and how much writers contend.
 */
import { BaseDirectories } from "../format/bases.js";
import type { DeletionVector } from "../format/deletion-vector.js";
import { dataFileName, deletionFileId } from "../format/file-marks.js";
import { checkFileVersion } from "../format/file-version.js";
import { checkReadable } from "../format/flags.js";
import type { Fragment } from "../format/fragment.js";
import { deletionPath, manifestPath } from "../format/layout.js";
import type { Transaction } from "../format/transaction.js";
import type { ObjectStore } from "../store/contract.js";
import { TableError } from "../support/errors.js";
import { Lock } from "../support/lock.js";
import { LruCache } from "../support/lru-cache.js";
import type { Runtime } from "../support/runtime.js";
import { isRetired, newBoundaryMemo, readBoundary } from "./boundary.js";
import { Contention } from "./contention.js";
import { DurablePoint } from "./durable-point.js";
import { HandedLog } from "./handed.js";
import { findHead, type Head, type HintMemo, listVersionNames, refreshHead } from "./head.js";
import { HintWriter } from "./hint-writer.js";
import { LEASE_DEFAULTS, Lease, type LeaseOptions } from "./lease.js";
import { type NamingScheme, readDeletions, readManifest, readTransaction } from "./log.js";
import { TableMeters } from "./meters.js";
import { Snapshot } from "./snapshot.js";
import { headError } from "./unreadable-head.js";

const VECTORS_BYTES_MAX = 64 << 20;
/** What an entry of the cache costs beside its rows, about. */
const VECTOR_ENTRY_BYTES = 256;
/** Vectors that are kept beside those of the head, whatever they weigh: every commit may bring one, and outdate one. */
const OLD_VECTORS_MAX = 256;
const TRANSACTIONS_MAX = 256;
const LOADS_MAX = 16;
/** How long a vacuum that has announced what goes may take until it is gone or put back. */
const RETIRED_WAIT_MS = 5000;
const RETIRED_POLL_MS = 20;
/** In less than this, nobody commits, dies before the hint is written, and is cleaned up after. */
const LATELY_MS = 100;

/** Which line of history of a table this is. */
export interface TableLine {
  /** undefined: the main line. */
  readonly branch: string | undefined;
  /** Where the files lie that its versions inherit. */
  readonly bases: BaseDirectories;
}

export class SharedTable {
  /** For people; that of a branch is `{table}@{branch}`. */
  readonly name: string;
  readonly line: TableLine;
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  /** Held while a version is being published; one publication at a time in a process. */
  readonly publishing: Lock;
  /** What of the table is known to survive a power cut. */
  readonly durable: DurablePoint = new DurablePoint(this);
  readonly contention: Contention;
  /** What versions contain of the writes that processes hand to each other. */
  readonly handed: HandedLog = new HandedLog(this);
  readonly meters = new TableMeters();
  readonly boundary = newBoundaryMemo();
  /** What this process needs of the table, for vacuums to respect. */
  readonly lease: Lease;
  readonly hint: HintMemo = { identity: undefined, version: 0 };
  readonly #vectors = new LruCache<string, DeletionVector>(
    VECTORS_BYTES_MAX,
    ({ sizeBytes }) => VECTOR_ENTRY_BYTES + sizeBytes,
  );
  readonly #transactions = new LruCache<string, Transaction>(TRANSACTIONS_MAX);
  readonly #hintWriter: HintWriter;
  #head: Snapshot | undefined;
  /** The newest version at which another process committed a write of this one. */
  #answered = 0;
  /** When the last look at the head began that found it. */
  #seenMs = Number.NEGATIVE_INFINITY;

  constructor(
    name: string,
    store: ObjectStore,
    runtime: Runtime,
    lease: LeaseOptions = LEASE_DEFAULTS,
    line: TableLine = { branch: undefined, bases: new BaseDirectories(undefined) },
  ) {
    this.name = name;
    this.line = line;
    this.store = store;
    this.runtime = runtime;
    this.contention = new Contention(runtime);
    this.publishing = new Lock("table", name, runtime);
    this.#hintWriter = new HintWriter(store, runtime);
    this.lease = new Lease(this, lease);
  }

  /** The newest snapshot that this process has seen; undefined before the first refresh. */
  get head(): Snapshot | undefined {
    return this.#head;
  }

  /** False when a write of this process was acknowledged, by another one, at a version newer than the known head. */
  get knowsOwnWrites(): boolean {
    return this.#answered <= (this.#head?.version ?? 0);
  }

  /** Notes the version at which another process committed a write of this one. */
  answered(version: number): void {
    this.#answered = version;
  }

  /** A fresh name for a data file. @param extension without the dot */
  readonly nameFile = (extension: string): string => dataFileName(this.runtime, this.lease.mark(), extension);

  /** A fresh number for a deletion file. */
  readonly deletionId = (): bigint => deletionFileId(this.lease.mark());

  /** The head of the table as of now. @throws NOT_FOUND when there is no table, CORRUPT when its head is unreadable */
  async refresh(): Promise<Snapshot> {
    for (let attempt = 0; attempt < LOADS_MAX; attempt++) {
      const known = this.#head;
      const startedMs = this.runtime.monotonicMs();
      const head =
        known === undefined
          ? await findHead(this.store, this.hint)
          : await refreshHead(this.store, known.head, this.hint, this.boundary, this.seen());
      if (head === undefined) {
        this.#head = undefined;
        throw this.#notFound();
      }
      if (known !== undefined && sameHead(known.head, head)) return this.#looked(this.#head ?? known, startedMs);
      const snapshot = await this.#read(head);
      if (snapshot === undefined) continue;
      return this.#looked(this.#swap(known, snapshot), startedMs);
    }
    throw new TableError(
      "UNAVAILABLE",
      `The newest version of table '${this.name}' was removed ${LOADS_MAX} times while it was being read. Try again.`,
    );
  }

  #notFound(): TableError {
    const { branch } = this.line;
    if (branch === undefined) {
      const message = `Table '${this.name}' was not found in ${this.store.display}.`;
      return new TableError("NOT_FOUND", message, { details: { table: this.name } });
    }
    const table = this.name.slice(0, -`@${branch}`.length);
    return new TableError(
      "NOT_FOUND",
      `Branch '${branch}' of table '${table}' was not found: it was deleted, or the table was dropped. branches().list() shows what there is.`,
      { details: { table, branch } },
    );
  }

  /** How long ago this process looked where the head is. */
  seen(): "lately" | "long ago" {
    return this.runtime.monotonicMs() - this.#seenMs < LATELY_MS ? "lately" : "long ago";
  }

  /** True when a head exists at all. */
  async exists(): Promise<boolean> {
    return this.#head !== undefined || (await findHead(this.store, this.hint)) !== undefined;
  }

  /**
   * A version by number.
   * @param waitMs how long to wait for a vacuum to say what becomes of a version that it has announced to go
   * @throws NOT_FOUND
   */
  async open(version: number, waitMs: number = RETIRED_WAIT_MS): Promise<Snapshot> {
    const head = this.#head ?? (await this.refresh());
    if (head.version === version) return head;
    const manifest = await readManifest(this.store, version, head.head.scheme);
    if (manifest === undefined) throw versionNotFound(this.name, version);
    checkReadable(manifest.readerFlags, this.store.display);
    checkFileVersion(manifest, this.store.display);
    const identity = await this.#identityOf(version, head.head.scheme, waitMs);
    this.line.bases.learn(manifest.basePaths);
    return new Snapshot({ version, scheme: head.head.scheme, identity }, manifest);
  }

  /**
   * The file of a version that is not retired. One that is announced to go, but is there, either goes in a moment or
   * came into use just before: then the vacuum puts it back.
   * @throws NOT_FOUND
   */
  async #identityOf(version: number, scheme: NamingScheme, waitMs: number): Promise<string> {
    const startedMs = this.runtime.monotonicMs();
    for (;;) {
      const info = await this.store.head(manifestPath(version, scheme));
      if (info === undefined) throw versionNotFound(this.name, version);
      if (!isRetired(await readBoundary(this.store, this.boundary), version)) return info.identity;
      if (this.runtime.monotonicMs() - startedMs >= waitMs) throw versionNotFound(this.name, version);
      await this.runtime.sleep(RETIRED_POLL_MS);
    }
  }

  /** All versions that exist, oldest first. */
  async versions(): Promise<readonly { readonly version: number; readonly scheme: NamingScheme }[]> {
    return [...(await listVersionNames(this.store))].reverse();
  }

  /** The transaction that made a version; undefined when the version has no record of it. */
  async transaction(snapshot: Snapshot): Promise<Transaction | undefined> {
    const key = `${snapshot.version}:${snapshot.head.identity}`;
    const cached = this.#transactions.get(key);
    if (cached !== undefined) return cached;
    const transaction = await readTransaction(this.store, snapshot.manifest);
    if (transaction !== undefined) this.#transactions.set(key, transaction);
    return transaction;
  }

  /** The rows of a fragment that are gone; undefined when none is. @throws SNAPSHOT_EXPIRED, CORRUPT */
  async deletions(fragment: Fragment): Promise<DeletionVector | undefined> {
    const file = fragment.deletionFile;
    if (file === undefined) return undefined;
    const path = deletionPath(fragment.id, file);
    const cached = this.#vectors.get(path);
    if (cached !== undefined) return cached;
    const vector = await readDeletions(this.store, fragment);
    if (vector !== undefined) this.#vectors.set(path, vector);
    return vector;
  }

  /** Makes a version that this process has just committed the head. */
  committed(snapshot: Snapshot, vectors: ReadonlyMap<string, DeletionVector>, transaction: Transaction): void {
    for (const [path, vector] of vectors) this.#vectors.set(path, vector);
    this.handed.committed(snapshot.version);
    this.#transactions.set(`${snapshot.version}:${snapshot.head.identity}`, transaction);
    if (this.#head === undefined || this.#head.version < snapshot.version) this.#setHead(snapshot);
    this.#hintWriter.note(snapshot.version, manifestPath(snapshot.version, snapshot.head.scheme), this.hint.version);
  }

  /** Forgets the head, so that the next reader finds it anew. */
  forget(): void {
    this.#head = undefined;
    this.#answered = 0;
    this.durable.forget();
  }

  /** Resolves when no background work of this table is under way. */
  async quiet(): Promise<void> {
    await this.#hintWriter.quiet();
    await this.durable.quiet();
  }

  async #read(head: Head): Promise<Snapshot | undefined> {
    const manifest = await readManifest(this.store, head.version, head.scheme).catch((error: unknown) => {
      throw headError(error, this.store, this.name, head.version);
    });
    if (manifest === undefined) return undefined;
    checkReadable(manifest.readerFlags, this.store.display);
    checkFileVersion(manifest, this.store.display);
    this.line.bases.learn(manifest.basePaths);
    const before = this.#head;
    const sameSchema = before !== undefined && equalFields(before, manifest.fields);
    return new Snapshot(head, manifest, sameSchema ? before.schema : undefined);
  }

  /** Swaps the head unless somebody swapped in a newer one meanwhile. */
  #swap(known: Snapshot | undefined, snapshot: Snapshot): Snapshot {
    const current = this.#head;
    if (current !== known && current !== undefined && current.version >= snapshot.version) return current;
    this.#setHead(snapshot);
    return snapshot;
  }

  #looked(snapshot: Snapshot, startedMs: number): Snapshot {
    this.#seenMs = Math.max(this.#seenMs, startedMs);
    this.lease.looked(snapshot.version);
    return snapshot;
  }

  #setHead(snapshot: Snapshot): void {
    this.#head = snapshot;
    this.#vectors.trim(snapshot.manifest.fragments.length + OLD_VECTORS_MAX);
    this.meters.snapshotSwaps++;
  }
}

function sameHead(a: Head, b: Head): boolean {
  return a.version === b.version && a.identity === b.identity;
}

/** True when the fields are those of `before`, node by node, so that its Arrow schema can be shared. */
function equalFields(before: Snapshot, fields: Snapshot["manifest"]["fields"]): boolean {
  const old = before.manifest.fields;
  return (
    old.length === fields.length &&
    before.manifest.schemaMetadata.size === 0 &&
    old.every((a, i) => {
      const b = fields[i];
      return (
        b !== undefined &&
        a.id === b.id &&
        a.parentId === b.parentId &&
        a.name === b.name &&
        a.logicalType === b.logicalType &&
        a.nullable === b.nullable &&
        a.metadata.size === 0 &&
        b.metadata.size === 0
      );
    })
  );
}

function versionNotFound(table: string, version: number): TableError {
  return new TableError(
    "NOT_FOUND",
    `Version ${version} of table '${table}' was not found: it was never made or a cleanup removed it. listVersions() shows what is there.`,
    { details: { table, version } },
  );
}
