/**
 * The directories of a local store: making them, keeping to them, and making their names durable.
 *
 * - Containment: a directory is used only after its real path has been found to lie inside the root's. Found once, it
 *   is trusted until it vanishes; who may swap directories while we run has our rights anyway.
 * - Durability: a synced name is worth nothing while the name of its directory is not durable. So a sync of a
 *   directory also syncs the chain above it, once for each directory that was ever seen there.
 * - Concurrent syncs of one directory share one fsync, if it starts after they were asked for.
 */
import { dirname } from "node:path";
import { allOf } from "./all-of.js";
import { linkRefused, systemCode } from "./failures.js";
import type { FileStat, FileSystem } from "./files.js";
import { joinPath, parentOf } from "./paths.js";

interface SyncSlot {
  readonly running: Promise<void>;
  /** Shared by all who came while `running` was under way, and so are not covered by it. */
  next: Promise<void> | undefined;
}

export class Directories {
  readonly #files: FileSystem;
  readonly #root: string;
  readonly #inside = new Set<string>();
  /** Directory → identity of the one whose name is known to be durable. */
  readonly #anchored = new Map<string, string>();
  /** Absolute paths of directories in which we made one. */
  readonly #changed = new Set<string>();
  readonly #syncs = new Map<string, SyncSlot>();

  constructor(files: FileSystem, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /** The system's path of a store path. */
  absolute(path: string): string {
    if (path === "") return this.#root;
    return this.#root.endsWith("/") ? this.#root + path : `${this.#root}/${path}`;
  }

  /** Makes sure that `directory` lies inside the root. @throws CORRUPT, or the system's error (ENOENT) */
  async enter(directory: string): Promise<void> {
    if (this.#inside.has(directory)) return;
    const root = await this.#files.realpath(this.#root);
    const real = await this.#files.realpath(this.absolute(directory));
    if (real !== root && !real.startsWith(root.endsWith("/") ? root : `${root}/`)) {
      throw linkRefused(this.absolute(directory));
    }
    this.#inside.add(directory);
  }

  /** To be called when a directory was found missing: whatever stands there next is looked at again. */
  forget(directory: string): void {
    this.#inside.delete(directory);
  }

  /** Makes the directory and those above it, as far as they are missing. @throws CORRUPT, or the system's error */
  async make(directory: string): Promise<void> {
    await this.#makeRoot(this.#root);
    let path = "";
    for (const segment of directory === "" ? [] : directory.split("/")) {
      path = joinPath(path, segment);
      await this.#makeOne(this.absolute(path));
      this.forget(path);
      await this.enter(path);
    }
  }

  /**
   * Makes the names in `directory` durable, and its own. Covers every name given before the call.
   * @throws the system's error
   */
  sync(directory: string): Promise<void> {
    const slot = this.#syncs.get(directory);
    if (slot === undefined) return this.#startSync(directory);
    slot.next ??= slot.running.then(
      () => this.#startSync(directory),
      () => this.#startSync(directory),
    );
    return slot.next;
  }

  #startSync(directory: string): Promise<void> {
    const slot: SyncSlot = { running: this.#syncNow(directory), next: undefined };
    this.#syncs.set(directory, slot);
    const end = () => {
      if (this.#syncs.get(directory) === slot) this.#syncs.delete(directory);
    };
    slot.running.then(end, end);
    return slot.running;
  }

  async #syncNow(directory: string): Promise<void> {
    const absolute = this.absolute(directory);
    const handle = await this.#files.openDirectory(absolute);
    try {
      const identity = identityOf(await handle.stat());
      if (this.#anchored.get(directory) === identity) return await handle.sync();
      // Side by side: both have to be done before anybody counts on the names, in whatever order.
      await allOf([handle.sync(), directory === "" ? this.#syncAbove() : this.sync(parentOf(directory))]);
      this.#anchored.set(directory, identity);
    } finally {
      await handle.close();
    }
  }

  /** The names that lead to the root, up to the mount point. */
  async #syncAbove(): Promise<void> {
    let path = await this.#files.realpath(this.#root);
    const device = (await this.#files.stat(path))?.device;
    for (let parent = dirname(path); parent !== path; parent = dirname(path)) {
      path = parent;
      if ((await this.#files.stat(path))?.device !== device) return;
      try {
        const handle = await this.#files.openDirectory(path);
        await handle.sync().finally(() => handle.close());
      } catch (error) {
        // A directory that is not ours to open may be passed over when its names are older than this store.
        if (systemCode(error) !== "EACCES" || this.#changed.has(path)) throw error;
      }
    }
  }

  async #makeRoot(absolute: string): Promise<void> {
    const parent = dirname(absolute);
    try {
      await this.#makeOne(absolute);
    } catch (error) {
      if (systemCode(error) !== "ENOENT" || parent === absolute) throw error;
      await this.#makeRoot(parent);
      await this.#makeOne(absolute);
    }
  }

  async #makeOne(absolute: string): Promise<void> {
    try {
      await this.#files.mkdir(absolute);
      this.#changed.add(dirname(absolute));
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }
}

/** What tells a directory from a later one of the same name. */
function identityOf({ device, inode, createdNs }: FileStat): string {
  return `${device}:${inode}:${createdNs}`;
}
