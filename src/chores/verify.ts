/**
 * Holds one table to what its versions promise: the chain of versions, every manifest, every file that one names, and
 * what stands around them. Reads only; sees the disk, not the caches of this process.
 *
 * Never throws for what it finds. Writers and vacuums may be at work: what they remove meanwhile is no finding.
 */
import { listVersionNames } from "../commit/head.js";
import { type NamingScheme, readTransaction } from "../commit/log.js";
import type { TableLine } from "../commit/shared-table.js";
import type { FragmentCodec } from "../data/codec.js";
import { checkReadable } from "../format/flags.js";
import { decodeIndexSection } from "../format/index-section.js";
import { INDICES, inherited, manifestPath, TRANSACTIONS } from "../format/layout.js";
import { decodeManifest, type Manifest } from "../format/manifest.js";
import type { ObjectStore } from "../store/contract.js";
import { isTableError } from "../support/errors.js";
import { type Finding, finding } from "./findings.js";
import { FileVerifier } from "./verify-files.js";
import {
  checkFragments,
  checkManifest,
  checkSchema,
  damageOf,
  messageOf,
  type ReadVersion,
} from "./verify-manifest.js";
import {
  checkBoundary,
  checkBranches,
  checkHint,
  checkNames,
  checkTags,
  checkTemporaries,
  listFiles,
  neededByBranches,
} from "./verify-refs.js";

/** The table to look at, by its own store. */
export interface VerifySource {
  readonly table: string;
  readonly store: ObjectStore;
  readonly codecs: readonly FragmentCodec[];
  /** undefined: the main line. */
  readonly line?: TableLine;
  /** What a person types, or calls, to have the newest version moved aside. */
  readonly repair: string;
}

export interface VerifyOptions {
  /** Also read every page of every column of every version. */
  readonly deep?: boolean;
  /** Told after every version. */
  readonly progress?: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  readonly table: string;
  readonly versionsDone: number;
  readonly versionsTotal: number;
  readonly filesDone: number;
  /** Of columns that were read; 0 unless deep. */
  readonly bytesRead: number;
}

interface VersionName {
  readonly version: number;
  readonly scheme: NamingScheme;
}

/** Missing versions between two that are there, told one by one up to this many. */
const GAPS_TOLD_MAX = 16;
const PATHS_TOLD_MAX = 3;

/** All findings of a table, as they are made: newest version first, then what stands around. */
export async function* verifyTable(source: VerifySource, options: VerifyOptions = {}): AsyncGenerator<Finding> {
  const { table, store } = source;
  const present = await listFiles(store);
  const names = await listVersionNames(store);
  const head = names[0]?.version;
  if (head === undefined) {
    yield finding(table, "J020-no-version", `${store.display} has no version: it is no table, or its creation failed.`);
    return;
  }
  const boundary = await checkBoundary(table, store);
  if (typeof boundary === "object") yield boundary;
  yield* checkNames(table, store);
  yield* checkGaps(source, names, typeof boundary === "object" ? head : boundary);
  const files = new FileVerifier(source, options.deep ?? false);
  const versions = new VersionVerifier(source, files);
  for (const [done, name] of names.entries()) {
    yield* versions.check(name);
    const { files: filesDone, bytes: bytesRead } = files.checks;
    options.progress?.({ table, versionsDone: done + 1, versionsTotal: names.length, filesDone, bytesRead });
  }
  yield* checkHint(table, store, head);
  const branch = source.line?.branch;
  yield* checkTags(table, store, branch);
  if (branch === undefined) yield* checkBranches(table, store);
  yield* checkTemporaries(table, store, branch);
  const needed = await neededByBranches(store, branch);
  if (versions.allRead && needed !== undefined) {
    yield* unreferenced(
      table,
      present.filter((path) => !needed.has(path)),
      files,
    );
  }
}

async function* checkGaps(
  source: VerifySource,
  names: readonly VersionName[],
  retired: number,
): AsyncGenerator<Finding> {
  const { table, store } = source;
  let told = 0;
  for (let i = 1; i < names.length; i++) {
    const above = names[i - 1]!;
    for (let missing = above.version - 1; missing > names[i]!.version; missing--) {
      if (missing <= retired || ++told > GAPS_TOLD_MAX) return;
      const path = manifestPath(missing, above.scheme);
      // It may have come while the names were listed.
      if ((await store.head(path)) !== undefined) continue;
      const message = `Version ${missing} is missing between ${names[i]!.version} and ${above.version}, and no vacuum retired it.`;
      const fix = "Put its manifest back from a backup. If a cleanup of native LanceDB removed it, nothing is lost.";
      yield finding(table, "J003-version-gap", message, { path, version: missing, fix });
    }
  }
}

/** Checks versions from the newest down. */
class VersionVerifier {
  readonly #source: VerifySource;
  readonly #files: FileVerifier;
  readonly #transactions = new Map<string, number>();
  /** False until a version could be read: those above are the unreadable head. */
  #headFound = false;
  #allRead = true;

  constructor(source: VerifySource, files: FileVerifier) {
    this.#source = source;
    this.#files = files;
  }

  /** True while every version could be read, so that what none of them names is named by nobody. */
  get allRead(): boolean {
    return this.#allRead;
  }

  async *check({ version, scheme }: VersionName): AsyncGenerator<Finding> {
    const { table, store } = this.#source;
    const path = manifestPath(version, scheme);
    let bytes: Uint8Array;
    let manifest: Manifest;
    try {
      bytes = await store.get(path);
      manifest = decodeManifest(bytes, path);
      checkReadable(manifest.readerFlags, path);
      this.#source.line?.bases.learn(manifest.basePaths);
    } catch (error) {
      if (isTableError(error, "NOT_FOUND")) return;
      if (!isTableError(error, "CORRUPT") && !isTableError(error, "NOT_SUPPORTED")) throw error;
      yield this.#unreadable(error, path, version);
      return;
    }
    const isHead = !this.#headFound;
    this.#headFound = true;
    const of = { table, version, path, manifest };
    const { fragments, found } = checkFragments(of);
    if (found.some(({ id }) => id === "J002-manifest-unreadable" || id === "J013-path-outside")) this.#allRead = false;
    yield* checkManifest(of, bytes);
    yield* found;
    yield* this.#checkTransaction(of);
    const schema = checkSchema(of);
    if ("id" in schema) yield schema;
    yield* this.#files.check(of, fragments, "id" in schema ? undefined : schema);
    if (isHead) yield* checkIndices(of, store);
  }

  #unreadable(error: Error, path: string, version: number): Finding {
    const { table, repair } = this.#source;
    this.#allRead = false;
    const id = damageOf(error);
    if (this.#headFound || id === "J005-not-supported") {
      const fix = id === "J005-not-supported" ? "Use a newer version of this package." : "Put it back from a backup.";
      return finding(table, id, error.message, { path, version, fix });
    }
    const message = `The newest version, ${version}, cannot be read, so the table cannot be opened: ${error.message}`;
    const fix = `Put the file back from a backup, or run ${repair}: it moves the file aside, and the version before becomes the newest.`;
    return finding(table, "J001-head-unreadable", message, { path, version, fix });
  }

  async *#checkTransaction(of: ReadVersion): AsyncGenerator<Finding> {
    const { table, store } = this.#source;
    const { manifest, version } = of;
    const path = manifest.transaction === undefined ? `${TRANSACTIONS}/${manifest.transactionFile}` : of.path;
    try {
      const transaction = await readTransaction(store, manifest);
      if (transaction === undefined) {
        if ((await store.head(of.path)) === undefined) return;
        const message = `Version ${version} has no record of what it changed; writers beside it have to start over.`;
        yield finding(table, "J006-transaction-missing", message, { path: of.path, version });
        return;
      }
      if (transaction.operation.kind !== "clone" && transaction.readVersion >= version) {
        const message = `The transaction of version ${version} says that it was made on version ${transaction.readVersion}.`;
        yield finding(table, "J019-transaction-damaged", message, { path, version });
      }
      const twin = this.#transactions.get(transaction.uuid);
      this.#transactions.set(transaction.uuid, version);
      if (twin === undefined) return;
      const message = `Versions ${version} and ${twin} were made by the same transaction, ${transaction.uuid}.`;
      yield finding(table, "J017-transaction-twice", message, { path, version: twin });
    } catch (error) {
      if (!isTableError(error, "CORRUPT")) throw error;
      yield finding(table, "J019-transaction-damaged", error.message, { path, version });
    }
  }
}

async function* checkIndices(of: ReadVersion, store: ObjectStore): AsyncGenerator<Finding> {
  const { table, version, path, manifest } = of;
  if (manifest.indexSection === undefined) return;
  try {
    for (const { uuid, name, baseId } of decodeIndexSection(manifest.indexSection, path).entries) {
      const place = inherited(baseId, `${INDICES}/${uuid}`);
      if ((await store.list(place)).length > 0) continue;
      const message = `${place}, the files of index ${name}, does not exist.`;
      yield finding(table, "J007-file-missing", message, { path: place, version, fix: "Build the index again." });
    }
  } catch (error) {
    if (!isTableError(error, "CORRUPT")) throw error;
    yield finding(table, "J002-manifest-unreadable", messageOf(error), { path, version });
  }
}

function* unreferenced(table: string, present: readonly string[], files: FileVerifier): Generator<Finding> {
  const loose = present.filter((path) => !files.knows(path));
  if (loose.length === 0) return;
  const some = loose.slice(0, PATHS_TOLD_MAX).join(", ") + (loose.length > PATHS_TOLD_MAX ? ", …" : "");
  const message = `No version names ${loose.length} file${loose.length === 1 ? "" : "s"} (${some}): left of writes that did not end, or of writes under way.`;
  yield finding(table, "J028-files-unreferenced", message, {
    fix: "A vacuum removes them when their writers are gone.",
  });
}
