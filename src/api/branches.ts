/** Branches: writable lines of history beside the main one, in the form that native LanceDB reads and writes. */

import { readBranch, readBranches } from "../chores/branch-files.js";
import { branchNotFound, createBranch, deleteBranch } from "../chores/branches.js";
import { checkBranchName } from "../format/layout.js";
import { isTableError, TableError } from "../support/errors.js";
import { textOf } from "./arguments.js";
import type { OpenTable } from "./open-table.js";
import type { Surroundings } from "./operable-table.js";
import type { Table } from "./table.js";
import { checkVersion, taggedVersion } from "./tags.js";
import { notSupported } from "./unbuilt.js";

export interface BranchContents {
  /** null: the main line. */
  readonly parentBranch: string | null;
  /** The version that the branch was forked from. */
  readonly parentVersion: number;
  /** Bytes of that version's manifest. */
  readonly manifestSize: number;
}

/** The name of the main line, where a branch is asked for. */
export const MAIN = "main";

interface Origin {
  readonly line: OpenTable;
  readonly version: number | undefined;
}

export class Branches {
  readonly #open: OpenTable;
  readonly #handle: (line: OpenTable) => Table;
  readonly #checkOpen: () => void;

  /** Made by a table. @param of makes handles, and refuses when the table is closed */
  constructor(open: OpenTable, of: Pick<Surroundings, "handle" | "checkOpen">) {
    this.#open = open;
    this.#handle = (line) => of.handle(line);
    this.#checkOpen = () => of.checkOpen();
  }

  /** All branches by name; the main line is not among them. @throws CLOSED, CORRUPT */
  async list(): Promise<Record<string, BranchContents>> {
    this.#checkOpen();
    const found = await readBranches(this.#root.shared.store);
    return Object.fromEntries(
      [...found].map(([name, { parentBranch, parentVersion, manifestSize }]) => [
        name,
        { parentBranch: parentBranch ?? null, parentVersion, manifestSize },
      ]),
    );
  }

  /**
   * Forks a branch without copying anything, and gives a handle that reads and writes it.
   * @param name parts of letters, digits, `_`, `-` and `.`, with slashes between them
   * @param fromRef a branch, a tag, or a version of the main line. Default: the main line
   * @param fromVersion a version of the branch `fromRef`. Default: its newest one
   * @throws ALREADY_EXISTS, NOT_FOUND for branch or version, INVALID_ARGUMENT for a name that cannot be one, BUSY,
   * UNAVAILABLE, UNKNOWN_OUTCOME
   */
  async create(name: string, fromRef?: string | number | null, fromVersion?: number | null): Promise<Table> {
    this.#checkOpen();
    checkBranchName(name);
    const { line, version } = await this.#origin(fromRef ?? MAIN, fromVersion ?? undefined);
    const target = this.#open.lineOf(name);
    const { durability, timeoutMs } = this.#open.settings;
    const root = this.#root.shared;
    await this.#open.exclusively(`creation of branch '${name}'`, async () => {
      await createBranch({ root, parent: line.shared, target: target.shared, name, version, durability, timeoutMs });
      target.shared.forget();
    });
    return this.#handle(target);
  }

  /**
   * A handle of a branch, or of the main line by the name `main`; with `version` it shows that one and refuses writes.
   * @throws NOT_FOUND
   */
  async checkout(name: string, version?: number | null): Promise<Table> {
    this.#checkOpen();
    const line = await openLine(this.#open, name);
    if (version === undefined || version === null) {
      await line.shared.refresh();
      return this.#handle(line);
    }
    const table = this.#handle(line);
    await table.checkout(checkVersion(version));
    return table;
  }

  /**
   * Removes a branch with its versions, and the files that are its own. Handles that still show it fail from then on.
   * @throws NOT_FOUND; CONFLICT while a branch or a tag stands on it; BUSY while somebody reads or writes it
   */
  async delete(name: string): Promise<void> {
    this.#checkOpen();
    checkBranchName(name);
    const target = this.#open.lineOf(name);
    const { timeoutMs } = this.#open.settings;
    const root = this.#root.shared;
    await this.#open.exclusively(`removal of branch '${name}'`, async () => {
      await deleteBranch({ root, target: target.shared, name, timeoutMs }, () => target.idle());
      target.shared.forget();
    });
  }

  diff(_fromBranch: string): Promise<never> {
    return notSupported("diff", "branches are compared by LanceDB's service only; query both and compare the rows.");
  }

  cherryPick(_fromBranch: string, _dryRun?: boolean): Promise<never> {
    return notSupported("cherryPick", "LanceDB's service alone does it; merge the rows with mergeInsert().");
  }

  get #root(): OpenTable {
    return this.#open.lineOf(undefined);
  }

  async #origin(ref: string | number, version: number | undefined): Promise<Origin> {
    if (version !== undefined) checkVersion(version);
    if (typeof ref !== "number") textOf(ref, "The origin of a branch");
    if (typeof ref === "number") {
      if (version === undefined) return { line: this.#root, version: checkVersion(ref) };
      throw new TableError(
        "INVALID_ARGUMENT",
        "create() takes one version: name the branch, and its version after it.",
      );
    }
    if (ref === MAIN || (await readBranch(this.#root.shared.store, ref)) !== undefined) {
      return { line: await openLine(this.#open, ref), version };
    }
    if (version !== undefined) throw branchNotFound(this.#open.name, ref);
    const tag = await taggedVersion(this.#open, ref).catch((error: unknown) => {
      const none = isTableError(error, "NOT_FOUND") || isTableError(error, "INVALID_ARGUMENT");
      throw none ? branchNotFound(this.#open.name, ref) : error;
    });
    return { line: this.#open.lineOf(tag.branch), version: tag.version };
  }
}

/** A line of the table that exists, by its name. @throws NOT_FOUND, INVALID_ARGUMENT */
export async function openLine(open: OpenTable, name: string): Promise<OpenTable> {
  const root = open.lineOf(undefined);
  if (name === MAIN) return root;
  if (typeof name !== "string" || name === "") {
    throw new TableError("INVALID_ARGUMENT", "A branch name is a string that is not empty.");
  }
  if ((await readBranch(root.shared.store, name)) === undefined) throw branchNotFound(open.name, name);
  return open.lineOf(name);
}
