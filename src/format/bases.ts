/**
 * Where inherited files lie: the base paths of manifests, as directories below the table's own.
 *
 * Manifests hold absolute paths, which go stale when a database is moved. A branch inherits only from lines of its own
 * table, so that the last part of such a path says enough. Other tables' directories are refused: no manifest leads
 * outside the table (shallow clones).
 */
import { TableError } from "../support/errors.js";
import type { BasePath } from "./manifest-parts.js";
import { BRANCH_TREES, isRelativePath } from "./names.js";

/** What the manifests of one line say of their bases; the number of a base means the same in all of them. */
export class BaseDirectories {
  readonly #root: string | undefined;
  readonly #directories = new Map<number, string>();
  readonly #elsewhere = new Map<number, string>();

  /** @param root for a branch, the directory of its table as the store displays it; the main line inherits nothing */
  constructor(root: string | undefined) {
    this.#root = root;
  }

  /** Takes in what a manifest says. */
  learn(paths: readonly BasePath[]): void {
    for (const { id, path, isDatasetRoot } of paths) {
      const known = isDatasetRoot && this.#root !== undefined ? directoryBelow(path, this.#root) : undefined;
      if (known === undefined) this.#elsewhere.set(id, path);
      else this.#directories.set(id, known);
    }
  }

  /** True when the files of a base lie in this table. */
  readonly knows = (base: number): boolean => this.#directories.has(base);

  /** @param path the file that is looked for, for the message. @throws NOT_SUPPORTED */
  readonly directoryOf = (base: number, path: string): string => {
    const directory = this.#directories.get(base);
    if (directory !== undefined) return directory;
    const where = this.#elsewhere.get(base) ?? "a place that no manifest names";
    throw new TableError(
      "NOT_SUPPORTED",
      `The file ${path} lies in another table's directory, ${where} (a shallow clone); read it with native LanceDB.`,
      { details: { path, baseId: base, directory: where } },
    );
  };
}

/** "" for the table's own directory, `tree/…` for a branch in it, undefined for every other path. */
function directoryBelow(path: string, root: string): string | undefined {
  const segments = path.replace(/\/+$/, "").split("/");
  const here = root.split("/");
  if (here.every((segment, i) => segments[i] === segment)) return lineDirectory(segments.slice(here.length));
  // The database was moved. From the left, because a branch may be named like the directory of its table.
  const name = here.at(-1);
  for (let at = 0; at < segments.length; at++) {
    const directory = segments[at] === name ? lineDirectory(segments.slice(at + 1)) : undefined;
    if (directory !== undefined) return directory;
  }
  return undefined;
}

/** A path below a table as the directory of one of its lines, if it is one. */
function lineDirectory(segments: readonly string[]): string | undefined {
  if (segments.length === 0) return "";
  const directory = segments.join("/");
  return segments[0] === BRANCH_TREES && segments.length > 1 && isRelativePath(directory) ? directory : undefined;
}
