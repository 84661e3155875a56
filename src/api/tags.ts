/** Tags: names for versions. Made by compare-and-swap, in the files that native LanceDB reads. */
import { readBranch } from "../chores/branch-files.js";
import { branchNotFound, inTurn } from "../chores/branches.js";
import type { Turn } from "../chores/turn.js";
import type { SharedTable } from "../commit/shared-table.js";
import { checkTagName, manifestPath, REFS_TAGS } from "../format/layout.js";
import { decodeTag, encodeTag, type TagContents as TagFile, tagFileName, tagOfFileName } from "../format/refs.js";
import type { ObjectStore } from "../store/contract.js";
import { joinPath } from "../store/paths.js";
import { isTableError, TableError } from "../support/errors.js";
import { shown } from "./arguments.js";
import type { OpenTable } from "./open-table.js";

export interface TagContents {
  readonly version: number;
  /** The branch that the version belongs to; null: the main line. */
  readonly branch: string | null;
  readonly manifestSize: number;
}

/** A version, and the branch that it belongs to; undefined: the main line. */
export interface TaggedVersion {
  readonly branch: string | undefined;
  readonly version: number;
}

/** Bytes of a version's manifest; undefined when there is no such version. */
async function manifestSizeOf(store: ObjectStore, version: number): Promise<number | undefined> {
  for (const scheme of ["v2", "v1"] as const) {
    const info = await store.head(manifestPath(version, scheme));
    if (info !== undefined) return info.sizeBytes;
  }
  return undefined;
}

function tagPath(name: string): string {
  return joinPath(REFS_TAGS, tagFileName(name));
}

/** @throws INVALID_ARGUMENT */
export function checkVersion(version: number): number {
  if (Number.isSafeInteger(version) && version >= 1) return version;
  throw new TableError("INVALID_ARGUMENT", `A version is a whole number from 1 on, not ${shown(version)}.`, {
    details: { version },
  });
}

export class Tags {
  readonly #open: OpenTable;
  readonly #table: SharedTable;
  readonly #checkOpen: () => void;

  /** Made by a table: tags that are created and moved name versions of its branch. */
  constructor(open: OpenTable, checkOpen: () => void) {
    this.#open = open;
    this.#table = open.shared;
    this.#checkOpen = checkOpen;
  }

  /** All tags by name, of the main line and of all branches. */
  async list(): Promise<Record<string, TagContents>> {
    this.#checkOpen();
    const tags: [string, TagContents][] = [];
    for (const entry of await this.#table.store.list(REFS_TAGS)) {
      const name = entry.kind === "object" ? tagOfFileName(entry.name) : undefined;
      if (name === undefined) continue;
      const tag = await readTag(this.#table.store, name);
      if (tag === undefined) continue;
      tags.push([name, { version: tag.version, branch: tag.branch ?? null, manifestSize: tag.manifestSize }]);
    }
    return Object.fromEntries(tags);
  }

  /** @throws NOT_FOUND; CORRUPT when the manifest of the version has another size than the tag noted */
  async getVersion(name: string): Promise<number> {
    this.#checkOpen();
    return (await taggedVersion(this.#open, name)).version;
  }

  /** @throws ALREADY_EXISTS; NOT_FOUND when version or branch do not exist; BUSY while branches are made or removed */
  async create(name: string, version: number): Promise<void> {
    this.#checkOpen();
    checkTagName(name);
    const now = new Date(this.#table.runtime.now()).toISOString();
    const outcome = await this.#held(version, async () => {
      const tag = await this.#tag(version, now, now);
      return this.#table.store.create(tagPath(name), [encodeTag(tag)], { durable: true });
    });
    if (outcome === "exists") {
      throw new TableError("ALREADY_EXISTS", `Tag '${name}' already exists. Use update() to move it.`, {
        details: { tag: name },
      });
    }
  }

  /** Moves a tag. @throws NOT_FOUND for the tag, the version or the branch; BUSY */
  async update(name: string, version: number): Promise<void> {
    this.#checkOpen();
    const old = await getTag(this.#open, name);
    await this.#held(version, async () => {
      const tag = await this.#tag(version, old.createdAt, new Date(this.#table.runtime.now()).toISOString());
      const bytes = encodeTag({ ...tag, metadata: old.metadata });
      await this.#table.store.replace(tagPath(name), [bytes], { durable: true });
    });
  }

  /** @throws NOT_FOUND */
  async delete(name: string): Promise<void> {
    this.#checkOpen();
    await getTag(this.#open, name);
    await this.#table.store.delete(tagPath(name));
  }

  /** Whoever deletes a branch looks for its tags first: nobody makes one meanwhile. @throws BUSY */
  async #held<T>(version: number, task: () => Promise<T>): Promise<T> {
    const { branch, name, settings } = this.#open;
    if (branch === undefined) return this.#pinned(version, task);
    const root = this.#open.lineOf(undefined).shared;
    const tag = async (turn: Turn) => {
      if ((await readBranch(root.store, branch)) === undefined) throw branchNotFound(name, branch);
      return this.#pinned(version, async () => {
        if (await turn.isMine()) return task();
        throw new TableError(
          "BUSY",
          `Another process took over while a version of branch '${branch}' got a tag. Try again.`,
        );
      });
    };
    return this.#open.exclusively(`tag of a version of branch '${branch}'`, () =>
      inTurn(root, settings.timeoutMs, tag),
    );
  }

  /** The version is pinned until the tag is there to keep it. */
  async #pinned<T>(version: number, task: () => Promise<T>): Promise<T> {
    const { release } = await this.#table.lease.hold(() => this.#table.open(checkVersion(version)));
    try {
      return await task();
    } finally {
      release();
    }
  }

  async #tag(version: number, createdAt: string | undefined, updatedAt: string): Promise<TagFile> {
    checkVersion(version);
    const snapshot = await this.#table.open(version);
    const info = await this.#table.store.head(manifestPath(version, snapshot.head.scheme));
    return {
      branch: this.#open.branch,
      version,
      createdAt: createdAt ?? updatedAt,
      updatedAt,
      manifestSize: info?.sizeBytes ?? 0,
      metadata: new Map(),
    };
  }
}

/**
 * The version that a tag names, of whatever branch.
 * @throws NOT_FOUND; CORRUPT when the manifest of the version has another size than the tag noted
 */
export async function taggedVersion(open: OpenTable, name: string): Promise<TaggedVersion> {
  const { branch, version, manifestSize } = await getTag(open, name);
  const size = await manifestSizeOf(open.lineOf(branch).shared.store, version);
  if (size === undefined || manifestSize === 0 || size === manifestSize) return { branch, version };
  const path = tagPath(name);
  throw new TableError(
    "CORRUPT",
    `${path} is damaged at byte 0: it names version ${version} and a manifest of ${manifestSize} bytes, which has ${size}. Delete the tag and create it again.`,
    { details: { path, offset: 0, version, manifestSize, actual: size } },
  );
}

async function getTag(open: OpenTable, name: string): Promise<TagFile> {
  checkTagName(name);
  const tag = await readTag(open.shared.store, name);
  if (tag !== undefined) return tag;
  throw new TableError("NOT_FOUND", `Tag '${name}' was not found in table '${open.name}'.`, { details: { tag: name } });
}

async function readTag(store: ObjectStore, name: string): Promise<TagFile | undefined> {
  try {
    return decodeTag(await store.get(tagPath(name)), tagPath(name));
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}
