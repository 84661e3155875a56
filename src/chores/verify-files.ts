/**
 * The files that versions name: there, of the right size, with the right number of rows, and, on demand, every page of
 * every column.
 *
 * Files never change, so each is looked at once, however many versions name it. Those that a branch inherits are looked
 * at where they lie; files in another table's directory are told, not looked at.
 */

import { FileCache, type OpenFile } from "../data/file-cache.js";
import { partsOf, schemaOf } from "../data/held-columns.js";
import { decodeDeletionVector } from "../format/deletion-file.js";
import type { DataFile, DeletionFile, Fragment } from "../format/fragment.js";
import { dataPath, deletionPath } from "../format/layout.js";
import type { TableSchema } from "../format/schema.js";
import type { ObjectStore } from "../store/contract.js";
import { isTableError } from "../support/errors.js";
import { type Finding, type FindingId, finding } from "./findings.js";
import type { VerifySource } from "./verify.js";
import { messageOf, type ReadVersion } from "./verify-manifest.js";

/** Files that are looked at side by side. */
const FILES_AT_ONCE = 8;
const CACHE_BYTES = 16 << 20;
const RESTORE_FILE = "Put the file back from a backup, or call restore() with a version that does not need it.";

export interface FileChecks {
  readonly files: number;
  readonly bytes: number;
}

interface SeenFile {
  readonly sizeBytes: number;
  readonly columns: Set<number>;
  rows: number | undefined;
  readonly isSound: boolean;
}

export class FileVerifier {
  readonly #table: string;
  readonly #store: ObjectStore;
  readonly #deep: boolean;
  readonly #isHere: (base: number) => boolean;
  readonly #cache: FileCache;
  readonly #seen = new Map<string, SeenFile>();
  readonly #deletions = new Map<string, string>();
  #bytes = 0;
  #toldElsewhere = false;

  constructor(
    { table, store, codecs, line }: Pick<VerifySource, "table" | "store" | "codecs" | "line">,
    deep: boolean,
  ) {
    this.#table = table;
    this.#store = store;
    this.#deep = deep;
    this.#isHere = line?.bases.knows ?? (() => false);
    this.#cache = new FileCache({ store, codecs, cacheBytesMax: CACHE_BYTES });
  }

  /** What was looked at so far. */
  get checks(): FileChecks {
    return { files: this.#seen.size + this.#deletions.size, bytes: this.#bytes };
  }

  /** True when a version that was checked names the file. */
  knows(path: string): boolean {
    return this.#seen.has(path) || this.#deletions.has(path);
  }

  /** Looks at the files of one version that no version before has named. */
  async *check(
    of: ReadVersion,
    fragments: readonly Fragment[],
    schema: TableSchema | undefined,
  ): AsyncGenerator<Finding> {
    for (let start = 0; start < fragments.length; start += FILES_AT_ONCE) {
      const some = fragments.slice(start, start + FILES_AT_ONCE);
      const found = await Promise.all(some.map((fragment) => this.#checkFragment(of, fragment, schema)));
      yield* found.flat();
    }
  }

  async #checkFragment(of: ReadVersion, fragment: Fragment, schema: TableSchema | undefined): Promise<Finding[]> {
    const found: Finding[] = [];
    for (const file of fragment.files) {
      if (this.#isElsewhere(file)) found.push(...this.#elsewhere(of, dataPath(file)));
      else found.push(...(await this.#checkData(of, fragment, file, schema)));
    }
    const { deletionFile } = fragment;
    if (deletionFile === undefined) return found;
    if (this.#isElsewhere(deletionFile)) found.push(...this.#elsewhere(of, deletionPath(fragment.id, deletionFile)));
    else found.push(...(await this.#checkDeletions(of, fragment, deletionFile)));
    return found;
  }

  async #checkData(
    of: ReadVersion,
    fragment: Fragment,
    file: DataFile,
    schema: TableSchema | undefined,
  ): Promise<Finding[]> {
    const path = dataPath(file);
    const told = (id: FindingId, message: string) => [
      finding(of.table, id, message, { path, version: of.version, fix: RESTORE_FILE }),
    ];
    let seen = this.#seen.get(path);
    if (seen === undefined) {
      const problem = await this.#presence(of, path, file.sizeBytes);
      seen = { sizeBytes: file.sizeBytes, columns: new Set(), rows: undefined, isSound: problem === undefined };
      this.#seen.set(path, seen);
      if (problem !== undefined) return [problem];
    } else if (seen.sizeBytes !== file.sizeBytes) {
      return told(
        "J008-file-size",
        `Version ${of.version} says ${path} has ${file.sizeBytes} bytes, others say ${seen.sizeBytes}.`,
      );
    }
    if (!seen.isSound || schema === undefined) return [];
    try {
      if (seen.rows === undefined) seen.rows = (await this.#cache.file(file, schema)).reader.rows;
      if (seen.rows !== fragment.physicalRows) {
        const rows = `${path} holds ${seen.rows} rows where fragment ${fragment.id} has ${fragment.physicalRows}`;
        return told("J010-row-count", `${rows} in version ${of.version}.`);
      }
      if (this.#deep) await this.#readColumns(file, schema, seen);
      return [];
    } catch (error) {
      return told(idOf(error), messageOf(error));
    }
  }

  /** Reads every column of a file that was not read for another version. */
  async #readColumns(file: DataFile, schema: TableSchema, seen: SeenFile): Promise<void> {
    const nodes = partsOf([file], schema).flatMap((part) => part.schema.nodes);
    const fresh = nodes.filter((node) => !seen.columns.has(node.id));
    if (fresh.length === 0) return;
    for (const { id } of fresh) seen.columns.add(id);
    const open: OpenFile = await this.#cache.file(file, schema);
    open.bytes.acquire();
    try {
      let rows = 0;
      for await (const batch of open.reader.read({ schema: schemaOf(fresh, schema.arrow) })) rows += batch.numRows;
      this.#bytes += file.sizeBytes;
      if (rows !== seen.rows) throw new Error(`${dataPath(file)} says ${seen.rows} rows, its pages hold ${rows}.`);
    } finally {
      await open.bytes.release();
    }
  }

  async #checkDeletions(of: ReadVersion, fragment: Fragment, file: DeletionFile): Promise<Finding[]> {
    const path = deletionPath(fragment.id, file);
    const told = (id: FindingId, message: string) => [
      finding(of.table, id, message, { path, version: of.version, fix: RESTORE_FILE }),
    ];
    const facts = `${file.deletedRows} of ${fragment.physicalRows}`;
    const known = this.#deletions.get(path);
    if (known === facts) return [];
    this.#deletions.set(path, facts);
    try {
      const bytes = await this.#store.get(path);
      const vector = await decodeDeletionVector(bytes, file.kind, path, fragment.physicalRows);
      if (vector.size === file.deletedRows) return [];
      return told(
        "J011-deletions-damaged",
        `${path} lists ${vector.size} rows where the manifest says ${file.deletedRows}.`,
      );
    } catch (error) {
      if (isTableError(error, "NOT_FOUND")) return [await this.#missing(of, path)].flatMap((one) => one ?? []);
      return told(isTableError(error, "CORRUPT") ? "J011-deletions-damaged" : idOf(error), messageOf(error));
    }
  }

  async #presence(of: ReadVersion, path: string, sizeBytes: number): Promise<Finding | undefined> {
    let info: Awaited<ReturnType<ObjectStore["head"]>>;
    try {
      info = await this.#store.head(path);
    } catch (error) {
      return finding(of.table, idOf(error), messageOf(error), { path, version: of.version, fix: RESTORE_FILE });
    }
    if (info === undefined) return this.#missing(of, path);
    if (sizeBytes === 0 || info.sizeBytes === sizeBytes) return undefined;
    const message = `${path} has ${info.sizeBytes} bytes where version ${of.version} says ${sizeBytes}: it is truncated or was replaced.`;
    return finding(of.table, "J008-file-size", message, { path, version: of.version, fix: RESTORE_FILE });
  }

  /** A file may be gone because a vacuum took the version, too; manifests go first. */
  async #missing(of: ReadVersion, path: string): Promise<Finding | undefined> {
    if ((await this.#store.head(of.path)) === undefined) return undefined;
    const message = `${path}, which version ${of.version} names, does not exist.`;
    return finding(of.table, "J007-file-missing", message, { path, version: of.version, fix: RESTORE_FILE });
  }

  #isElsewhere({ baseId }: DataFile | DeletionFile): boolean {
    return baseId !== undefined && !this.#isHere(baseId);
  }

  #elsewhere(of: ReadVersion, path: string): Finding[] {
    if (this.#toldElsewhere) return [];
    this.#toldElsewhere = true;
    const message = `Files lie in another table's directory (${path} is one) and were not looked at.`;
    return [finding(this.#table, "J030-file-elsewhere", message, { path, version: of.version })];
  }
}

/** What an error of reading a file says of it. @throws the error when it says nothing of the file */
function idOf(error: unknown): FindingId {
  if (isTableError(error, "NOT_SUPPORTED")) return "J005-not-supported";
  if (isTableError(error, "SNAPSHOT_EXPIRED") || isTableError(error, "NOT_FOUND")) return "J007-file-missing";
  // A decoder that trips over bytes without a message of its own has found damage, too.
  if (isTableError(error, "CORRUPT") || !isTableError(error)) return "J009-file-damaged";
  throw error;
}
