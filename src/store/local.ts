/**
 * The store on a local file system: objects are files below one directory.
 *
 * - The compare-and-swap is `link()`: the temporary is complete and synced before its final name exists.
 * - After a failed sync a file is never trusted or synced again, because the kernel may call lost pages clean: it is
 *   removed, and the caller writes its bytes anew under another name.
 * - An error of `link` or `rename` is not believed: the file under the final name tells whether it took effect.
 * - Symbolic links below the root are refused.
 */
import { resolve } from "node:path";
import { Semaphore } from "async-mutex";
import { type Runtime, systemRuntime } from "../support/runtime.js";
import { allOf } from "./all-of.js";
import type {
  Bytes,
  Chunks,
  ListEntry,
  Meeting,
  ObjectInfo,
  ObjectStore,
  ReadHandle,
  StagedObject,
  WriteOptions,
} from "./contract.js";
import { Directories } from "./directories.js";
import {
  alreadyExists,
  distrusted,
  isMissing,
  linkRefused,
  notFound,
  systemCode,
  toStoreError,
  unknownOutcome,
  vanished,
} from "./failures.js";
import { type FileHandle, type FileStat, type FileSystem, nodeFiles } from "./files.js";
import { localMeeting, meetingIn } from "./local-meeting.js";
import { whoseIs } from "./local-names.js";
import { LocalReadHandle, listDirectory, notAnObject, readRange, toInfo } from "./local-read.js";
import { removeIfEmpty, removeTree } from "./local-tree.js";
import { checkDirectory, checkPath, parentOf, temporaryPath } from "./paths.js";
import { probeFiles } from "./probe.js";
import { checkWhole } from "./ranges.js";

export interface LocalStoreOptions {
  readonly files?: FileSystem;
  /** Absent with `files` of one's own: processes that use the directory do not reach each other. */
  readonly meeting?: Meeting;
  readonly runtime?: Runtime;
}

/** A store in the directory `root`, which is made when the first object is written. */
export function localStore(root: string, options: LocalStoreOptions = {}): ObjectStore {
  const meeting = options.meeting ?? (options.files === undefined ? localMeeting : undefined);
  return new LocalStore(resolve(root), options.files ?? nodeFiles, options.runtime ?? systemRuntime, meeting);
}

/** Descriptors that operations under way may hold at once; open `ReadHandle`s are their holders' to bound. */
const OPEN_FILES_MAX = 128;
/** A directory may be removed again while we make it. */
const ATTEMPTS_MAX = 8;

class LocalStore implements ObjectStore {
  readonly scheme = "file";
  readonly display: string;
  readonly #files: FileSystem;
  readonly #runtime: Runtime;
  readonly #directories: Directories;
  readonly #descriptors = new Semaphore(OPEN_FILES_MAX);
  /** Paths that failed a sync of ours and still hold the same file. */
  readonly #distrusted = new Set<string>();

  readonly host?: NonNullable<ObjectStore["host"]>;
  readonly join?: NonNullable<ObjectStore["join"]>;

  constructor(root: string, files: FileSystem, runtime: Runtime, meeting: Meeting | undefined) {
    this.display = root;
    this.#files = files;
    this.#runtime = runtime;
    this.#directories = new Directories(files, root);
    if (meeting !== undefined) Object.assign(this, meetingIn(this.#directories, meeting, runtime));
  }

  async get(path: string): Promise<Bytes> {
    return this.#withOpen(path, "read", async (handle, stat, absolute) => {
      checkWhole(absolute, stat.sizeBytes);
      return readRange(handle, absolute, 0, stat.sizeBytes);
    });
  }

  async open(path: string): Promise<ReadHandle> {
    checkPath(path);
    const absolute = this.#directories.absolute(path);
    try {
      await this.#directories.enter(parentOf(path));
      const handle = await this.#files.openRead(absolute);
      try {
        const stat = await handle.stat();
        if (stat.kind !== "file") throw notAnObject(absolute);
        return new LocalReadHandle(path, absolute, handle, toInfo(stat));
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw isMissing(error) ? notFound(error, "open", absolute) : toStoreError(error, "open", absolute);
    }
  }

  async head(path: string): Promise<ObjectInfo | undefined> {
    checkPath(path);
    const absolute = this.#directories.absolute(path);
    try {
      await this.#directories.enter(parentOf(path));
      const stat = await this.#files.stat(absolute);
      if (stat?.kind === "link") throw linkRefused(absolute);
      if (stat?.kind !== "file") return undefined;
      return toInfo(stat);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw toStoreError(error, "look at", absolute);
    }
  }

  async list(directory: string, options: { readonly after?: string } = {}): Promise<readonly ListEntry[]> {
    checkDirectory(directory);
    return listDirectory(this.#files, this.#directories, directory, options.after);
  }

  async write(path: string, chunks: Chunks, options: WriteOptions): Promise<void> {
    checkPath(path);
    await this.#fill(path, chunks, { file: options.durable, name: options.durable });
  }

  async replace(path: string, chunks: Chunks, options: WriteOptions): Promise<void> {
    checkPath(path);
    const temporary = temporaryPath(path, this.#runtime.uuid());
    const stat = await this.#fill(temporary, chunks, { file: options.durable, name: false });
    const from = this.#directories.absolute(temporary);
    const to = this.#directories.absolute(path);
    try {
      await this.#files.rename(from, to);
    } catch (error) {
      const outcome = await whoseIs(this.#files, to, stat);
      if (outcome === "unknown") throw unknownOutcome(to, "Replacing an object failed", error);
      if (outcome === "not-ours") {
        await this.#removeQuietly(from);
        throw toStoreError(error, "replace", to);
      }
    }
    this.#distrusted.delete(path);
    if (options.durable) await this.#syncName(path, "The object was replaced, but could not be made durable");
  }

  async create(path: string, chunks: Chunks, options: WriteOptions): Promise<"created" | "exists"> {
    const staged = await this.stage(path, chunks, options);
    const outcome = await staged.publish();
    if (outcome !== "fenced") return outcome;
    throw vanished(this.#directories.absolute(path));
  }

  async stage(path: string, chunks: Chunks, options: WriteOptions): Promise<StagedObject> {
    checkPath(path);
    const temporary = temporaryPath(path, this.#runtime.uuid());
    const stat = await this.#fill(temporary, chunks, { file: options.durable, name: false });
    return {
      publish: (named) => this.#publish(temporary, path, stat, options.durable, named),
      discard: () => this.delete(temporary),
    };
  }

  async sync(paths: readonly string[]): Promise<void> {
    for (const path of paths) checkPath(path);
    const parents = new Set(paths.map(parentOf));
    await allOf([
      ...paths.map((path) => this.#syncContent(path)),
      ...[...parents].map((parent) => this.#syncDirectory(parent)),
    ]);
  }

  async delete(path: string): Promise<void> {
    checkPath(path);
    const absolute = this.#directories.absolute(path);
    try {
      await this.#directories.enter(parentOf(path));
      await this.#files.unlink(absolute);
    } catch (error) {
      // A directory of that name is no object either.
      if (!isMissing(error) && systemCode(error) !== "EISDIR") throw toStoreError(error, "delete", absolute);
    }
    this.#distrusted.delete(path);
  }

  /** The tree gets a temporary name first, so that nobody sees half of it, also when we die in between. */
  async deleteTree(directory: string): Promise<void> {
    checkPath(directory);
    const parent = parentOf(directory);
    const absolute = this.#directories.absolute(directory);
    const doomed = this.#directories.absolute(temporaryPath(directory, this.#runtime.uuid()));
    try {
      await this.#directories.enter(directory);
      if ((await this.#files.stat(absolute))?.kind !== "directory") return;
      await this.#files.rename(absolute, doomed);
      this.#directories.forget(directory);
      await this.#directories.sync(parent);
      await removeTree(this.#files, doomed);
    } catch (error) {
      this.#directories.forget(directory);
      if (!isMissing(error)) throw toStoreError(error, "delete", absolute);
    }
  }

  deleteEmpty(directory: string): Promise<void> {
    return removeIfEmpty(this.#files, this.#directories, directory);
  }

  async probe(): Promise<void> {
    try {
      await this.#directories.make("");
      await probeFiles(this.#files, this.display, this.#runtime);
    } catch (error) {
      throw toStoreError(error, "try the file system at", this.display);
    }
  }

  async close(): Promise<void> {}

  async #publish(temporary: string, path: string, stat: FileStat, durable: boolean, named?: () => void) {
    const from = this.#directories.absolute(temporary);
    const to = this.#directories.absolute(path);
    try {
      await this.#files.link(from, to);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return "fenced";
      const outcome = await whoseIs(this.#files, to, stat);
      if (outcome === "unknown") throw unknownOutcome(to, "Giving an object its name failed", error);
      if (outcome === "not-ours") {
        await this.#removeQuietly(from);
        if (systemCode(error) === "EEXIST") return "exists";
        throw toStoreError(error, "create", to);
      }
    }
    named?.();
    const removal = this.#removeQuietly(from);
    if (durable) await this.#syncName(path, "The name was given, but could not be made durable");
    await removal;
    return "created";
  }

  async #syncName(path: string, sentence: string): Promise<void> {
    try {
      await this.#directories.sync(parentOf(path));
    } catch (error) {
      throw unknownOutcome(this.#directories.absolute(path), sentence, error);
    }
  }

  /** Writes a new file. When it rejects, the file is gone again (if the system lets us). */
  #fill(path: string, chunks: Chunks, sync: { file: boolean; name: boolean }): Promise<FileStat> {
    return this.#descriptors.runExclusive(async () => {
      const absolute = this.#directories.absolute(path);
      let handle: FileHandle | undefined;
      try {
        handle = await this.#openNew(path);
        try {
          await handle.write(chunks);
          const stat = await handle.stat();
          const waits: Promise<void>[] = [];
          if (sync.file) waits.push(handle.sync());
          if (sync.name) waits.push(this.#directories.sync(parentOf(path)));
          await allOf(waits);
          return stat;
        } finally {
          // A file system may report only here that it lost what was written.
          await handle.close();
        }
      } catch (error) {
        if (handle !== undefined) await this.#removeQuietly(absolute);
        throw systemCode(error) === "EEXIST" ? alreadyExists(absolute, error) : toStoreError(error, "write", absolute);
      }
    });
  }

  async #openNew(path: string): Promise<FileHandle> {
    const parent = parentOf(path);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#directories.enter(parent);
        return await this.#files.openNew(this.#directories.absolute(path));
      } catch (error) {
        if (systemCode(error) !== "ENOENT" || attempt === ATTEMPTS_MAX) throw error;
        try {
          await this.#directories.make(parent);
        } catch (failure) {
          if (systemCode(failure) !== "ENOENT") throw failure;
        }
      }
    }
  }

  async #syncContent(path: string): Promise<void> {
    await this.#withOpen(path, "sync", async (handle, _stat, absolute) => {
      if (this.#distrusted.has(path)) throw distrusted(absolute);
      try {
        await handle.sync();
      } catch (error) {
        this.#distrusted.add(path);
        throw error;
      }
    });
  }

  async #syncDirectory(directory: string): Promise<void> {
    try {
      await this.#directories.sync(directory);
    } catch (error) {
      throw toStoreError(error, "sync", this.#directories.absolute(directory));
    }
  }

  #withOpen<T>(
    path: string,
    action: string,
    use: (handle: FileHandle, stat: FileStat, absolute: string) => Promise<T>,
  ): Promise<T> {
    checkPath(path);
    return this.#descriptors.runExclusive(async () => {
      const absolute = this.#directories.absolute(path);
      try {
        await this.#directories.enter(parentOf(path));
        const handle = await this.#files.openRead(absolute);
        try {
          const stat = await handle.stat();
          if (stat.kind !== "file") throw notAnObject(absolute);
          return await use(handle, stat, absolute);
        } finally {
          await handle.close();
        }
      } catch (error) {
        throw isMissing(error) ? notFound(error, action, absolute) : toStoreError(error, action, absolute);
      }
    });
  }

  /** For temporaries and files nobody knows of: one that cannot be removed now is garbage for a vacuum. */
  async #removeQuietly(absolute: string): Promise<void> {
    await this.#files.unlink(absolute).catch(() => {});
  }
}
