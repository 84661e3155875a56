/**
 * Makes and removes branches. One process at a time does so on a table.
 *
 * A branch is there when its reference is: first its first version gets its name, then the reference is created by
 * compare-and-swap. Killed in between, a branch leaves a directory that no reader knows, and that the next maker of the
 * name or the next vacuum removes. A maker that slept until it was taken for dead finds its temporaries gone.
 */
import { cloneManifest } from "../commit/clone.js";
import { DURABILITY_PROPERTY, type Durability } from "../commit/durability.js";
import { listVersionNames } from "../commit/head.js";
import { publishVersion, readManifest, stageVersion } from "../commit/log.js";
import type { SharedTable } from "../commit/shared-table.js";
import type { Snapshot } from "../commit/snapshot.js";
import {
  branchDirectory,
  LINE_DIRECTORIES,
  manifestPath,
  REFS_BRANCHES,
  REFS_TAGS,
  VERSIONS,
} from "../format/layout.js";
import { encodeManifest } from "../format/manifest.js";
import { type BranchContents, branchFileName, decodeTag, encodeBranch, tagOfFileName } from "../format/refs.js";
import { encodeTransaction, type Transaction } from "../format/transaction.js";
import type { ObjectStore, StagedObject } from "../store/contract.js";
import { joinPath, temporaryPath, temporaryTarget } from "../store/paths.js";
import { within } from "../store/within.js";
import { isTableError, TableError } from "../support/errors.js";
import { branchNames, branchRefPath, readBranch, readBranches, removeBranchFiles } from "./branch-files.js";
import { readHolders } from "./holders.js";
import { type Turn, takeTurn } from "./turn.js";

export interface BranchRequest {
  /** The main line of the table. */
  readonly root: SharedTable;
  /** The line that does not exist yet. */
  readonly target: SharedTable;
  readonly name: string;
  /** The line that it is forked from. */
  readonly parent: SharedTable;
  /** undefined: its newest version. */
  readonly version: number | undefined;
  readonly durability: Durability;
  /** How long to wait for others who make or remove branches. */
  readonly timeoutMs: number;
}

/**
 * Forks a branch from a version: nothing is copied.
 * @throws ALREADY_EXISTS, NOT_FOUND for the version, BUSY, UNAVAILABLE, UNKNOWN_OUTCOME
 */
export async function createBranch(request: BranchRequest): Promise<void> {
  const { root, parent, version } = request;
  const find = () => (version === undefined ? parent.refresh() : parent.open(version));
  const { snapshot, release } = await parent.lease.hold(find);
  try {
    await inTurn(root, request.timeoutMs, async (turn) => {
      await clearName(root.store, request.name);
      if (request.durability === "full") await parent.durable.cover(snapshot);
      await new BranchMaking(request, snapshot, turn).run();
    });
  } finally {
    release();
  }
}

/**
 * Removes a branch and gives back its space. Files of the main line that only it needed go with the next vacuum.
 * @param close ends what this process does with the branch
 * @throws NOT_FOUND; CONFLICT while branches or tags stand on it; BUSY while somebody reads or writes it; UNAVAILABLE
 */
export async function deleteBranch(
  request: Pick<BranchRequest, "root" | "target" | "name" | "timeoutMs">,
  close: () => Promise<void>,
): Promise<void> {
  const { root, target, name } = request;
  await inTurn(root, request.timeoutMs, async () => {
    if ((await readBranch(root.store, name)) === undefined) throw branchNotFound(root.name, name);
    // Whoever makes a tag holds the version until it is there.
    await refuseInUse(target, name);
    await refuseReferred(root.store, name);
    await close();
    await root.store.delete(branchRefPath(name));
    await settleRemoval(root);
    await removeBranchFiles(root.store, name);
  });
}

export function branchNotFound(table: string, branch: string): TableError {
  return new TableError(
    "NOT_FOUND",
    `Branch '${branch}' was not found in table '${table}'. branches().list() shows what there is.`,
    { details: { table, branch } },
  );
}

/** Runs `action` while no other process makes or removes branches of the table. @throws BUSY */
export async function inTurn<T>(root: SharedTable, timeoutMs: number, action: (turn: Turn) => Promise<T>): Promise<T> {
  const ended = root.lease.begin();
  try {
    await root.refresh();
    await root.lease.renew();
    const turn = await takeTurn(root, "branch", timeoutMs);
    try {
      return await action(turn);
    } finally {
      await turn.giveBack();
    }
  } finally {
    ended();
  }
}

/** Nobody who began to make the branch can give it its reference any more, unless it is there already. */
export async function sweepReference(store: ObjectStore, name: string): Promise<void> {
  const file = branchFileName(name);
  for (const entry of await store.list(REFS_BRANCHES)) {
    if (temporaryTarget(entry.name) === file) await store.delete(joinPath(REFS_BRANCHES, entry.name));
  }
}

/** Makes sure that there is no such branch, and that nobody who began to make it can still do so. */
async function clearName(store: ObjectStore, name: string): Promise<void> {
  await sweepReference(store, name);
  if ((await readBranch(store, name)) !== undefined) throw alreadyExists(name);
  if (await isForeign(store, name)) {
    throw new TableError(
      "ALREADY_EXISTS",
      `Branch '${name}' is being made by another program, or was not finished: it has versions and no reference. If ` +
        "that program is gone, optimize({ deleteUnverified: true }) on the main line removes them; or take another name.",
      { details: { branch: name } },
    );
  }
  await removeBranchFiles(store, name);
}

function alreadyExists(name: string): TableError {
  return new TableError(
    "ALREADY_EXISTS",
    `Branch '${name}' already exists. Use branches().checkout('${name}'), or delete it first.`,
    { details: { branch: name } },
  );
}

/** The making of one branch, after it has the turn. */
class BranchMaking {
  readonly #request: BranchRequest;
  readonly #from: Snapshot;
  readonly #turn: Turn;

  constructor(request: BranchRequest, from: Snapshot, turn: Turn) {
    this.#request = request;
    this.#from = from;
    this.#turn = turn;
  }

  async run(): Promise<void> {
    const { root, target, name, durability } = this.#request;
    const durable = durability === "full";
    const { version, head } = this.#from;
    const staged: StagedObject[] = [];
    let named = false;
    try {
      const manifest = await stageVersion(target.store, { version, scheme: head.scheme }, this.#manifest(), durable);
      staged.push(manifest.object);
      const contents = await this.#contents();
      const reference = await root.store.stage(branchRefPath(name), [encodeBranch(contents)], { durable });
      staged.push(reference);
      // Whoever takes the turn over removes what is staged before it makes anything, so that one look is enough.
      if (!(await this.#turn.isMine())) throw overtaken(name);
      if ((await publishVersion(target.store, manifest, target.boundary)) !== "created") throw overtaken(name);
      named = true;
      const outcome = await reference.publish();
      if (outcome === "fenced") throw overtaken(name);
      if (outcome === "exists" && !(await this.#isOurs(contents))) throw alreadyExists(name);
    } catch (error) {
      if (!isTableError(error, "UNKNOWN_OUTCOME")) await this.#undo(staged, named);
      throw error;
    }
  }

  #manifest(): Uint8Array[] {
    const { parent, name, durability, root } = this.#request;
    const { version, manifest } = this.#from;
    const parentBranch = parent.line.branch;
    const parentPath = parent.store.display;
    const transaction: Transaction = {
      readVersion: version,
      uuid: root.runtime.uuid(),
      tag: "",
      properties: new Map([[DURABILITY_PROPERTY, durability]]),
      operation: {
        kind: "clone",
        isShallow: true,
        ...(parentBranch === undefined ? {} : { refName: parentBranch }),
        refVersion: version,
        refPath: parentPath,
        branchName: name,
      },
    };
    const cloned = cloneManifest(manifest, {
      nowMs: root.runtime.now(),
      branch: name,
      parentBranch,
      parentPath,
      transaction: encodeTransaction(transaction),
    });
    return encodeManifest(cloned);
  }

  async #contents(): Promise<BranchContents> {
    const { parent, root } = this.#request;
    const { version, head } = this.#from;
    const { branch } = parent.line;
    const info = await parent.store.head(manifestPath(version, head.scheme));
    const above = branch === undefined ? undefined : await readBranch(root.store, branch);
    if (branch !== undefined && above === undefined) throw branchNotFound(root.name, branch);
    return {
      parentBranch: branch,
      parentVersion: version,
      versionMapping: [...(above?.versionMapping ?? []), [version, root.runtime.uuid().replaceAll("-", "")]],
      createAt: Math.floor(root.runtime.now() / 1000),
      manifestSize: info?.sizeBytes ?? 0,
      metadata: new Map(),
    };
  }

  async #isOurs(contents: BranchContents): Promise<boolean> {
    const there = await readBranch(this.#request.root.store, this.#request.name);
    return there?.versionMapping.at(-1)?.[1] === contents.versionMapping.at(-1)?.[1];
  }

  async #undo(staged: readonly StagedObject[], named: boolean): Promise<void> {
    const { target } = this.#request;
    await Promise.all(staged.map((one) => one.discard().catch(() => {})));
    // Whoever took the turn over has removed it, and may have made the same version anew.
    if (!named || !(await this.#turn.isMine().catch(() => false))) return;
    await target.store.delete(manifestPath(this.#from.version, this.#from.head.scheme)).catch(() => {});
  }
}

function overtaken(name: string): TableError {
  return new TableError(
    "BUSY",
    `Another process took over while branch '${name}' was being made, because this one was taken for dead. Nothing was made; try again.`,
    { details: { branch: name } },
  );
}

/** True when a program of another kind may be making the branch, or has died doing so. */
export async function isForeign(store: ObjectStore, branch: string): Promise<boolean> {
  const line = within(store, branchDirectory(branch));
  for (const { name, kind } of await line.list(VERSIONS)) {
    if (kind === "object" && name.startsWith(".tmp") && temporaryTarget(name) === undefined) return true;
  }
  for (const { version, scheme } of await listVersionNames(line)) {
    try {
      const manifest = await readManifest(line, version, scheme);
      if (manifest !== undefined && manifest.writerVersion?.library !== "joust") return true;
    } catch (error) {
      if (!isTableError(error, "CORRUPT") && !isTableError(error, "NOT_SUPPORTED")) throw error;
      return true;
    }
  }
  return false;
}

/** What stands on a branch keeps it. */
async function refuseReferred(store: ObjectStore, name: string): Promise<void> {
  const refuse = (who: string, what: string, others: readonly string[]) =>
    new TableError(
      "CONFLICT",
      `Branch '${name}' cannot be deleted: ${what} '${others.join("', '")}'. Delete ${who} first.`,
      { details: { branch: name, referredBy: [...others] } },
    );
  const branches = [...(await readBranches(store))].filter(([, one]) => one.parentBranch === name);
  if (branches.length > 0) {
    const names = branches.map(([child]) => child);
    throw refuse("these branches", "it is the origin of branch", names);
  }
  const tags: string[] = [];
  for (const entry of await store.list(REFS_TAGS)) {
    if (entry.kind !== "object" || !entry.name.endsWith(".json")) continue;
    const path = joinPath(REFS_TAGS, entry.name);
    const bytes = await store.get(path).catch((error: unknown) => {
      if (!isTableError(error, "NOT_FOUND")) throw error;
    });
    if (bytes !== undefined && decodeTag(bytes, path).branch === name)
      tags.push(tagOfFileName(entry.name) ?? entry.name);
  }
  if (tags.length > 0) throw refuse("or move these tags", "versions of it are named by tag", tags);
  // Only native LanceDB makes such branches.
  const inside = (await branchNames(store)).filter((other) =>
    LINE_DIRECTORIES.some((directory) => `${other}/`.startsWith(`${name}/${directory}/`)),
  );
  if (inside.length > 0) throw refuse("these branches", "inside its directories lies branch", inside);
}

/** Handles that show a version of the branch, here or in another process, keep it. */
async function refuseInUse(target: SharedTable, name: string): Promise<void> {
  const refuse = (who: string, holder: string) =>
    new TableError(
      "BUSY",
      `Branch '${name}' cannot be deleted: ${who} is reading or writing it, or was so moments ago. Close the handles and queries on it and try again.`,
      { details: { branch: name, holder } },
    );
  if (target.lease.busy) throw refuse("this process", target.lease.holder);
  for (const { holder, state, content } of await readHolders(target, true)) {
    if (holder === target.lease.holder || state !== "live") continue;
    if (content !== undefined && content.versions.length === 0 && content.from === undefined) continue;
    const process = content?.process;
    throw refuse(process === undefined ? `process ${holder}` : `process ${process.pid} of ${process.host}`, holder);
  }
}

/** No power cut brings the reference back without the files that it stands for. */
async function settleRemoval({ store, runtime }: SharedTable): Promise<void> {
  const path = temporaryPath(`${REFS_BRANCHES}/removals`, runtime.uuid());
  await store.write(path, [], { durable: true });
  await store.delete(path);
}
