/**
 * Removes versions that nothing needs, and the files that no version needs: first it looks, then it announces, then it
 * looks again, then it removes names before content. Killed anywhere it leaves a table that is whole, and the next
 * vacuum finishes.
 *
 * docs/vacuum.md says why each step is where it is; docs/models/commit-vacuum.pml proves it.
 */
import {
  type Boundary,
  COORDINATION,
  isRetired,
  NO_BOUNDARY,
  readBoundary,
  writeBoundary,
} from "../commit/boundary.js";
import { type Head, listVersionNames } from "../commit/head.js";
import { leasePath } from "../commit/lease-file.js";
import { readManifest } from "../commit/log.js";
import type { SharedTable } from "../commit/shared-table.js";
import { DATA_FORMAT_KEY } from "../format/flags.js";
import { DELETIONS, manifestPath, VERSIONS } from "../format/layout.js";
import type { Manifest } from "../format/manifest.js";
import type { ObjectStore } from "../store/contract.js";
import { joinPath, temporaryPath, temporaryTarget } from "../store/paths.js";
import { type Leftover, removeLeftovers } from "./branch-leftovers.js";
import { type Holder, readHolders } from "./holders.js";
import { type Candidate, listCandidates } from "./orphans.js";
import { addBranchPaths, addPaths } from "./reachable.js";
import { readBranchPoints, readTags } from "./refs.js";
import { takeTurn } from "./turn.js";
import {
  type FileFacts,
  judgeFile,
  judgeVersion,
  nextBoundary,
  type Verdict,
  type VersionFacts,
} from "./vacuum-plan.js";

export interface VacuumOptions {
  /** Versions made before this moment go unless something needs them. */
  readonly olderThanMs: number;
  /** Also removes files of unknown makers that are younger than seven days. Never files of our own writers at work. */
  readonly deleteUnverified: boolean;
  /** Removes nothing and reports everything. */
  readonly dryRun: boolean;
  /** How long to wait for another vacuum to end. */
  readonly timeoutMs: number;
}

export interface VacuumResult {
  readonly oldVersionsRemoved: number;
  readonly bytesRemoved: number;
  readonly filesRemoved: number;
  readonly report: VacuumReport;
}

/** For every version and every file that could be removed: what becomes of it, and why. */
export interface VacuumReport {
  readonly versions: readonly (Verdict & { readonly version: number })[];
  readonly files: readonly (Verdict & { readonly path: string; readonly sizeBytes: number })[];
}

const CAME_INTO_USE = "it came into use meanwhile";
/** Manifests that are read, and files that are removed, at once. */
const PARALLEL = 16;

/**
 * Vacuums the table.
 * @throws BUSY while another vacuum runs; CORRUPT when a manifest cannot be read: then nothing is removed; UNAVAILABLE
 */
export async function vacuum(table: SharedTable, options: VacuumOptions): Promise<VacuumResult> {
  const done = table.lease.begin();
  try {
    await table.lease.tidy();
    const turn = options.dryRun ? undefined : await takeTurn(table, "vacuum", options.timeoutMs);
    try {
      // First, so that nothing is kept for them.
      const leftovers = table.line.branch === undefined ? await removeLeftovers(table, options) : [];
      return withLeftovers(await new VacuumRun(table, options).run(), leftovers, options);
    } finally {
      await turn?.giveBack();
    }
  } finally {
    done();
  }
}

function withLeftovers(result: VacuumResult, found: readonly Leftover[], { dryRun }: VacuumOptions): VacuumResult {
  const gone = dryRun ? [] : found.filter((one) => !one.keep);
  return {
    ...result,
    filesRemoved: result.filesRemoved + gone.length,
    bytesRemoved: gone.reduce((sum, one) => sum + one.sizeBytes, result.bytesRemoved),
    report: { ...result.report, files: [...result.report.files, ...found] },
  };
}

interface VersionName {
  readonly version: number;
  readonly scheme: Head["scheme"];
}

class VacuumRun {
  readonly #table: SharedTable;
  readonly #options: VacuumOptions;
  readonly #needed = new Map<string, number>();
  readonly #passed = new Map<string, number>();
  readonly #versions: (Verdict & VersionName)[] = [];
  #onlyOurs = false;
  /** As it was before this vacuum announced anything, and since. */
  #before: Boundary = NO_BOUNDARY;
  #announced: Boundary = NO_BOUNDARY;
  #manifestBytes = 0;

  constructor(table: SharedTable, options: VacuumOptions) {
    this.#table = table;
    this.#options = options;
  }

  async run(): Promise<VacuumResult> {
    const table = this.#table;
    // Files first, then leases, then versions: whatever of these files a writer names meanwhile is seen one way or the
    // other.
    const candidates = await listCandidates(table.store);
    const holders = await readHolders(table, !this.#options.dryRun);
    const asked = mayBeVerified(candidates, holders);
    await this.#lookAtVersions(await this.#versionFacts(holders), asked);
    const files = await this.#judgeFiles(candidates, holders);
    const expired = holders.filter((holder) => holder.state === "expired");
    const dead = holders.filter((holder) => holder.state !== "live");
    const nothing = this.#removed().length === 0 && files.every((file) => file.keep) && dead.length === 0;
    if (this.#options.dryRun || nothing) return this.#result(files, this.#options.dryRun);
    await this.#announce(expired);
    await this.#sweep();
    await this.#lookAgain();
    const doomed = files.filter((file) => !file.keep && !this.#needed.has(file.path));
    await this.#removeVersions();
    await inParallel(doomed, (file) => this.#removeFile(file));
    const removals = dead.length > 0 || doomed.some((file) => file.path.startsWith(`${DELETIONS}/`));
    if (removals && !this.#onlyOurs) await this.#settleRemovals();
    await inParallel(dead, (holder) => table.store.delete(leasePath(holder.holder)));
    const gone = new Set(doomed);
    const kept = (file: FileVerdict) => ({ ...file, keep: true, why: CAME_INTO_USE });
    return this.#result(
      files.map((file) => (file.keep || gone.has(file) ? file : kept(file))),
      false,
    );
  }

  async #versionFacts(holders: readonly Holder[]): Promise<VersionFacts> {
    const { store, boundary, line } = this.#table;
    const tags = await readTags(store, line.branch);
    const branches = await readBranchPoints(store, line.branch);
    await addBranchPaths(store, line.branch, this.#needed);
    const head = (await listVersionNames(store))[0]?.version ?? 0;
    const announced = await readBoundary(store, boundary);
    return { head, olderThanMs: this.#options.olderThanMs, boundary: announced, tags, branches, holders };
  }

  /** Judges every version, and notes what those that stay need, and, where it is asked for, those that go. */
  async #lookAtVersions(facts: VersionFacts, asked: boolean): Promise<void> {
    const names = (await listVersionNames(this.#table.store)).filter((name) => name.version <= facts.head);
    await inParallel(names, async (name) => {
      const manifest = await this.#read(name);
      if (manifest === undefined) return;
      const verdict = judgeVersion(name.version, madeMs(manifest), facts);
      this.#versions.push({ ...name, ...verdict });
      if (verdict.keep) addPaths(manifest, this.#needed);
      else if (asked) addPaths(manifest, this.#passed);
      if (name.version === facts.head) this.#onlyOurs = isOurs(manifest);
    });
    this.#versions.sort((a, b) => a.version - b.version);
  }

  async #judgeFiles(candidates: readonly Candidate[], holders: readonly Holder[]): Promise<FileVerdict[]> {
    const { store, lease, runtime } = this.#table;
    // Both times are given by the place that keeps the files.
    const nowMs = (await store.head(leasePath(lease.holder)))?.modifiedMs ?? runtime.now();
    const facts: FileFacts = {
      needed: this.#needed,
      passed: this.#passed,
      holders: new Map(holders.map((holder) => [holder.holder, holder])),
      onlyOurs: this.#onlyOurs,
      deleteUnverified: this.#options.deleteUnverified,
    };
    const judged: FileVerdict[] = [];
    for (const candidate of candidates) {
      const { sizeBytes, modifiedMs } = await sizeOf(candidate, store);
      const verdict = judgeFile(candidate, facts, nowMs - modifiedMs);
      judged.push({ path: candidate.path, kind: candidate.kind, sizeBytes, ...verdict });
    }
    return judged;
  }

  /** From here on nobody can begin to need what goes, and whoever is expelled cannot commit. */
  async #announce(expired: readonly Holder[]): Promise<void> {
    const { store, boundary, durable } = this.#table;
    const head = await this.#table.refresh();
    // What goes may be all that a power cut would leave of a table whose newest version was never synced.
    await durable.cover(head);
    const kept = this.#versions.filter((one) => one.keep).map((one) => one.version);
    this.#before = await readBoundary(store, boundary);
    this.#announced = nextBoundary(
      this.#before,
      this.#removed().map((one) => one.version),
      kept,
      expired.map((holder) => holder.holder),
    );
    await writeBoundary(store, this.#announced);
  }

  /** Whoever looked at the boundary before it was announced, and has not linked yet, cannot link any more. */
  async #sweep(): Promise<void> {
    const { store } = this.#table;
    for (const directory of [VERSIONS, COORDINATION, DELETIONS]) {
      for (const { name, kind } of await store.list(directory)) {
        if (kind === "object" && temporaryTarget(name) !== undefined) await store.delete(joinPath(directory, name));
      }
    }
  }

  /** What began to be needed before the announcement stays: leases first, then names, then what was committed. */
  async #lookAgain(): Promise<void> {
    const { store } = this.#table;
    const holders = await readHolders(this.#table, false);
    const facts = { ...(await this.#versionFacts(holders)), olderThanMs: Number.POSITIVE_INFINITY };
    const known = new Set(this.#versions.map((one) => one.version));
    const news = (await listVersionNames(store)).filter((name) => !known.has(name.version));
    for (const name of news) this.#versions.push({ ...name, keep: true, why: "it was made meanwhile" });
    const saved = this.#removed().filter((one) => {
      const { boundary, ...rest } = facts;
      return judgeVersion(one.version, 0, { ...rest, boundary: { ...boundary, upTo: 0 } }).keep;
    });
    await inParallel([...news, ...saved], async (name) => {
      const manifest = await this.#read(name);
      if (manifest !== undefined) addPaths(manifest, this.#needed);
    });
    for (const one of saved) {
      this.#versions[this.#versions.indexOf(one)] = { ...one, keep: true, why: CAME_INTO_USE };
    }
    const back = saved.map((one) => one.version).filter((version) => !isRetired(this.#before, version));
    if (back.length === 0) return;
    // Nobody removes these: we have the turn. A tag that was made before the announcement opens what it names.
    await writeBoundary(store, { ...this.#announced, kept: new Set([...this.#announced.kept, ...back]) });
  }

  async #removeVersions(): Promise<void> {
    const { store } = this.#table;
    const removed = this.#removed();
    if (removed.length === 0) return;
    await inParallel(removed, async ({ version, scheme }) => {
      this.#manifestBytes += (await store.head(manifestPath(version, scheme)))?.sizeBytes ?? 0;
      await store.delete(manifestPath(version, scheme));
    });
    // The names are gone for good before content is: no power cut brings a version back without its files.
    const head = await this.#table.refresh();
    await store.sync([manifestPath(head.version, head.head.scheme)]);
  }

  /**
   * Makes durable that deletion files are gone, whoever removed them. Where native writers work too, only the lease of
   * its maker tells whose such a file is: no power cut may bring the file back without the lease.
   */
  async #settleRemovals(): Promise<void> {
    const { store, runtime } = this.#table;
    const path = temporaryPath(`${DELETIONS}/removals`, runtime.uuid());
    await store.write(path, [], { durable: true });
    await store.delete(path);
  }

  async #removeFile({ path, kind }: FileVerdict): Promise<void> {
    if (kind === "directory") await this.#table.store.deleteTree(path);
    else await this.#table.store.delete(path);
  }

  #removed(): readonly (Verdict & VersionName)[] {
    return this.#versions.filter((one) => !one.keep);
  }

  #read({ version, scheme }: VersionName): Promise<Manifest | undefined> {
    return readManifest(this.#table.store, version, scheme);
  }

  #result(files: readonly FileVerdict[], dryRun: boolean): VacuumResult {
    const gone = dryRun ? [] : files.filter((file) => !file.keep);
    return {
      oldVersionsRemoved: dryRun ? 0 : this.#removed().length,
      filesRemoved: gone.length,
      bytesRemoved: gone.reduce((sum, file) => sum + file.sizeBytes, this.#manifestBytes),
      report: {
        versions: this.#versions.map(({ version, keep, why }) => ({ version, keep, why })),
        files: files.map(({ path, sizeBytes, keep, why }) => ({ path, sizeBytes, keep, why })),
      },
    };
  }
}

type FileVerdict = Verdict & { readonly path: string; readonly kind: Candidate["kind"]; readonly sizeBytes: number };

/** True when it matters for a file whether a version that goes needed it: then no write under way made it. */
function mayBeVerified(candidates: readonly Candidate[], holders: readonly Holder[]): boolean {
  const known = new Set(holders.map((holder) => holder.holder));
  return candidates.some(
    ({ maker, mark }) => maker === "foreign" || (maker === "perhaps" && mark !== undefined && !known.has(mark.holder)),
  );
}

function madeMs({ timestamp }: Manifest): number {
  return Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6);
}

/** Bytes and newest time of a file, or of all files of a directory; of nothing: as if it were made in the future. */
async function sizeOf({ path, kind }: Candidate, store: ObjectStore) {
  const names = kind === "object" ? [path] : (await store.list(path)).map(({ name }) => joinPath(path, name));
  let sizeBytes = 0;
  let modifiedMs = names.length === 0 ? Number.POSITIVE_INFINITY : 0;
  for (const name of names) {
    const info = await store.head(name);
    sizeBytes += info?.sizeBytes ?? 0;
    modifiedMs = Math.max(modifiedMs, info?.modifiedMs ?? 0);
  }
  return { sizeBytes, modifiedMs };
}

/** True when the version's flags keep native writers away. */
function isOurs(manifest: Manifest): boolean {
  const format = manifest.config.get(DATA_FORMAT_KEY);
  return format !== undefined && format !== "lance";
}

async function inParallel<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += PARALLEL) {
    await Promise.all(items.slice(start, start + PARALLEL).map(task));
  }
}
