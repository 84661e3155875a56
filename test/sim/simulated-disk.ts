/**
 * A disk that keeps what POSIX says it keeps, and not one byte more.
 *
 * - Content of a file survives a crash once the file was synced; a name, once its directory was synced. Syncing a file
 *   does not make its name durable, nor the name of its directory.
 * - What was not synced may survive in any combination: each write whole, as a prefix, as some of its pages, as zeros
 *   or not at all; each change of a name or not. A rename within one directory is all or nothing.
 * - A sync covers what was done before it began, not what was done before it ended.
 * - A failed sync of a file leaves an unknown part of it on the disk and marks the rest clean: a later, successful
 *   sync does not bring it there. The file looks whole until the crash. (Linux since 4.13, ext4, xfs.)
 * - A failed sync of a directory leaves its changes pending: journaling file systems retry them or go read-only.
 * - Inode numbers of removed files are given again at once.
 *
 * Not modelled: symbolic links, renames between directories, several devices, permissions.
 */

const PAGE_BYTES = 4096;

export class SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly path: string;

  constructor(code: string, syscall: string, path: string) {
    super(`${code}: simulated, ${syscall} '${path}'`);
    this.code = code;
    this.syscall = syscall;
    this.path = path;
  }
}

/** A change that a crash may lose. */
export type UnsyncedChange =
  | {
      readonly kind: "write";
      readonly order: number;
      readonly inode: FileInode;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: "names";
      readonly order: number;
      readonly inode: DirectoryInode;
      readonly names: readonly NameChange[];
    };

interface NameChange {
  readonly name: string;
  /** Undefined removes the name. */
  readonly inode: Inode | undefined;
}

/** What a crash makes of one change. Parts of a write are for writes only; for names they count as lost. */
export type Fate =
  | "kept"
  | "lost"
  | "zeros"
  | { readonly prefixBytes: number }
  | { readonly pages: (index: number) => boolean };

/** Decides on each change, in the order in which they were made. */
export type Keep = (change: UnsyncedChange) => Fate;

export interface FileInode {
  readonly kind: "file";
  /** Given again when the inode is gone; a crash that brings it back gives it another one. */
  number: number;
  readonly createdNs: bigint;
  modifiedNs: bigint;
  /** What readers see. */
  content: Uint8Array;
  durable: Uint8Array;
  unsynced: (UnsyncedChange & { kind: "write" })[];
  links: number;
  opened: number;
}

export interface DirectoryInode {
  readonly kind: "directory";
  number: number;
  readonly createdNs: bigint;
  modifiedNs: bigint;
  entries: Map<string, Inode>;
  durable: Map<string, Inode>;
  unsynced: (UnsyncedChange & { kind: "names" })[];
  links: number;
  opened: number;
}

export type Inode = FileInode | DirectoryInode;

function append(content: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const size = Math.max(content.byteLength, offset + bytes.byteLength);
  const grown = new Uint8Array(size);
  grown.set(content);
  grown.set(bytes, offset);
  return grown;
}

function survivingBytes(fate: Fate, bytes: Uint8Array): Uint8Array | undefined {
  if (fate === "kept") return bytes;
  if (fate === "lost") return undefined;
  if (fate === "zeros") return new Uint8Array(bytes.byteLength);
  if ("prefixBytes" in fate) return bytes.subarray(0, fate.prefixBytes);
  const survivors = new Uint8Array(bytes.byteLength);
  for (let start = 0; start < bytes.byteLength; start += PAGE_BYTES) {
    if (fate.pages(start / PAGE_BYTES)) survivors.set(bytes.subarray(start, start + PAGE_BYTES), start);
  }
  return survivors;
}

function applyNames(entries: Map<string, Inode>, names: readonly NameChange[]): void {
  for (const { name, inode } of names) {
    if (inode === undefined) entries.delete(name);
    else entries.set(name, inode);
  }
}

function settleWrite(change: UnsyncedChange & { kind: "write" }, fate: Fate): void {
  const bytes = survivingBytes(fate, change.bytes);
  if (bytes !== undefined) change.inode.durable = append(change.inode.durable, change.offset, bytes);
}

export class SimulatedDisk {
  #order = 0;
  #nextNumber = 2;
  #clockNs = 1_700_000_000_000_000_000n;
  readonly #freeNumbers: number[] = [];
  #root: DirectoryInode;

  constructor() {
    this.#root = this.#newDirectory();
    this.#root.links = 1;
  }

  /** Moves the disk's clock, which stamps files. Never backwards. */
  tick(nowNs: bigint): void {
    this.#clockNs = nowNs > this.#clockNs ? nowNs : this.#clockNs + 1n;
  }

  /** The order number that the next change gets: a sync begun now covers all below it. */
  get mark(): number {
    return this.#order;
  }

  find(path: string): Inode | undefined {
    let inode: Inode | undefined = this.#root;
    for (const segment of path.split("/").filter((each) => each !== "")) {
      if (inode === undefined) return undefined;
      if (inode.kind !== "directory") throw new SystemError("ENOTDIR", "lookup", path);
      inode = inode.entries.get(segment);
    }
    return inode;
  }

  createFile(path: string): FileInode {
    const [parent, name] = this.#place(path, "open");
    if (parent.entries.has(name)) throw new SystemError("EEXIST", "open", path);
    const inode: FileInode = {
      kind: "file",
      number: this.#newNumber(),
      createdNs: this.#clockNs,
      modifiedNs: this.#clockNs,
      content: new Uint8Array(0),
      durable: new Uint8Array(0),
      unsynced: [],
      links: 0,
      opened: 0,
    };
    this.#change(parent, [{ name, inode }]);
    return inode;
  }

  append(inode: FileInode, bytes: Uint8Array): void {
    const offset = inode.content.byteLength;
    const change = { kind: "write" as const, order: this.#order++, inode, offset, bytes: bytes.slice() };
    inode.unsynced.push(change);
    inode.content = append(inode.content, offset, change.bytes);
    inode.modifiedNs = this.#clockNs;
  }

  link(existing: string, path: string): void {
    const inode = this.find(existing);
    if (inode === undefined) throw new SystemError("ENOENT", "link", existing);
    if (inode.kind !== "file") throw new SystemError("EPERM", "link", existing);
    const [parent, name] = this.#place(path, "link");
    if (parent.entries.has(name)) throw new SystemError("EEXIST", "link", path);
    this.#change(parent, [{ name, inode }]);
  }

  rename(from: string, to: string): void {
    const inode = this.find(from);
    if (inode === undefined) throw new SystemError("ENOENT", "rename", from);
    const [parent, name] = this.#place(to, "rename");
    const [source, oldName] = this.#place(from, "rename");
    if (source !== parent) throw new SystemError("ENOTSUP", "rename between directories", to);
    const replaced = parent.entries.get(name);
    if (replaced === inode) return;
    if (replaced?.kind === "directory") throw new SystemError("ENOTEMPTY", "rename", to);
    this.#change(parent, [
      { name: oldName, inode: undefined },
      { name, inode },
    ]);
  }

  unlink(path: string): void {
    const [parent, name] = this.#place(path, "unlink");
    const inode = parent.entries.get(name);
    if (inode === undefined) throw new SystemError("ENOENT", "unlink", path);
    if (inode.kind === "directory") throw new SystemError("EISDIR", "unlink", path);
    this.#change(parent, [{ name, inode: undefined }]);
  }

  mkdir(path: string): void {
    if (this.find(path) === this.#root) throw new SystemError("EEXIST", "mkdir", path);
    const [parent, name] = this.#place(path, "mkdir");
    if (parent.entries.has(name)) throw new SystemError("EEXIST", "mkdir", path);
    this.#change(parent, [{ name, inode: this.#newDirectory() }]);
  }

  rmdir(path: string): void {
    const [parent, name] = this.#place(path, "rmdir");
    const inode = parent.entries.get(name);
    if (inode === undefined) throw new SystemError("ENOENT", "rmdir", path);
    if (inode.kind !== "directory") throw new SystemError("ENOTDIR", "rmdir", path);
    if (inode.entries.size > 0) throw new SystemError("ENOTEMPTY", "rmdir", path);
    this.#change(parent, [{ name, inode: undefined }]);
  }

  /** Makes durable what was done to the inode before `mark`. */
  sync(inode: Inode, mark: number): void {
    if (inode.kind === "file") {
      for (const change of inode.unsynced) if (change.order < mark) settleWrite(change, "kept");
      inode.unsynced = inode.unsynced.filter((change) => change.order >= mark);
    } else {
      for (const change of inode.unsynced) if (change.order < mark) applyNames(inode.durable, change.names);
      inode.unsynced = inode.unsynced.filter((change) => change.order >= mark);
    }
  }

  /** What a sync that reports failure leaves behind. */
  failSync(inode: Inode, keep: Keep): void {
    if (inode.kind === "directory") return;
    for (const change of inode.unsynced) settleWrite(change, keep(change));
    inode.unsynced = [];
  }

  open(inode: Inode): void {
    inode.opened++;
  }

  close(inode: Inode): void {
    inode.opened--;
    this.#retire(inode);
  }

  /** Every change that a crash could lose now, in the order in which they were made. */
  unsynced(): UnsyncedChange[] {
    const found: UnsyncedChange[] = [];
    for (const inode of this.#reachable()) found.push(...inode.unsynced);
    return found.sort((a, b) => a.order - b.order);
  }

  /** Power cut and restart: what was synced is there, of the rest what `keep` says. All handles are void. */
  crash(keep: Keep): void {
    for (const change of this.unsynced()) {
      const fate = keep(change);
      if (change.kind === "write") settleWrite(change, fate);
      else if (fate === "kept") applyNames(change.inode.durable, change.names);
    }
    for (const inode of this.#reachable()) {
      inode.unsynced = [];
      inode.opened = 0;
      inode.links = 0;
      if (inode.kind === "file") inode.content = inode.durable;
      else inode.entries = new Map(inode.durable);
    }
    this.#root.links = 1;
    const taken = new Set<number>();
    this.#freeNumbers.length = 0;
    for (const inode of this.#reachable()) {
      if (taken.has(inode.number)) inode.number = this.#newNumber();
      taken.add(inode.number);
      if (inode.kind === "directory") for (const child of inode.entries.values()) child.links++;
    }
  }

  /** A disk of its own in the same state, for trying out several crashes. No handle is open on it. */
  copy(): SimulatedDisk {
    const copies = new Map<Inode, Inode>();
    for (const inode of this.#reachable()) copies.set(inode, { ...inode, opened: 0 } as Inode);
    const twin = (inode: Inode) => copies.get(inode) as Inode;
    const twins = (entries: Map<string, Inode>) => new Map([...entries].map(([name, inode]) => [name, twin(inode)]));
    for (const inode of copies.values()) {
      if (inode.kind === "file") {
        inode.unsynced = inode.unsynced.map((change) => ({ ...change, inode }));
        continue;
      }
      inode.entries = twins(inode.entries);
      inode.durable = twins(inode.durable);
      inode.unsynced = inode.unsynced.map((change) => ({
        ...change,
        inode,
        names: change.names.map(({ name, inode: named }) => ({ name, inode: named && twin(named) })),
      }));
    }
    const disk = new SimulatedDisk();
    disk.#root = twin(this.#root) as DirectoryInode;
    disk.#order = this.#order;
    disk.#nextNumber = this.#nextNumber;
    disk.#clockNs = this.#clockNs;
    return disk;
  }

  /** Every file below `path` by its path, with what a reader would see: for assertions. */
  tree(path = "/"): Record<string, string> {
    const found: Record<string, string> = {};
    const walk = (inode: Inode, at: string) => {
      if (inode.kind === "file") found[at] = Buffer.from(inode.content).toString("latin1");
      else for (const name of [...inode.entries.keys()].sort()) walk(inode.entries.get(name) as Inode, `${at}/${name}`);
    };
    const start = this.find(path);
    if (start !== undefined) walk(start, path === "/" ? "" : path);
    return found;
  }

  /** All that can be reached now or after some crash. */
  #reachable(): Set<Inode> {
    const found = new Set<Inode>();
    const walk = (inode: Inode | undefined) => {
      if (inode === undefined || found.has(inode)) return;
      found.add(inode);
      if (inode.kind === "file") return;
      for (const child of inode.entries.values()) walk(child);
      for (const child of inode.durable.values()) walk(child);
      for (const change of inode.unsynced) for (const { inode: named } of change.names) walk(named);
    };
    walk(this.#root);
    return found;
  }

  #place(path: string, syscall: string): [DirectoryInode, string] {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    if (Buffer.byteLength(name) > 255) throw new SystemError("ENAMETOOLONG", syscall, path);
    const parent = this.find(path.slice(0, slash));
    if (parent === undefined) throw new SystemError("ENOENT", syscall, path);
    if (parent.kind !== "directory") throw new SystemError("ENOTDIR", syscall, path);
    // A removed directory that somebody still holds takes no new names; here nobody can even find it.
    return [parent, name];
  }

  #change(directory: DirectoryInode, names: readonly NameChange[]): void {
    const before = names.map(({ name }) => directory.entries.get(name));
    applyNames(directory.entries, names);
    for (const { inode } of names) if (inode !== undefined) inode.links++;
    for (const inode of before) if (inode !== undefined) inode.links--;
    for (const inode of before) if (inode !== undefined) this.#retire(inode);
    directory.modifiedNs = this.#clockNs;
    directory.unsynced.push({ kind: "names", order: this.#order++, inode: directory, names });
  }

  #retire(inode: Inode): void {
    if (inode.links === 0 && inode.opened === 0) this.#freeNumbers.push(inode.number);
  }

  #newNumber(): number {
    return this.#freeNumbers.pop() ?? this.#nextNumber++;
  }

  #newDirectory(): DirectoryInode {
    return {
      kind: "directory",
      number: this.#newNumber(),
      createdNs: this.#clockNs,
      modifiedNs: this.#clockNs,
      entries: new Map(),
      durable: new Map(),
      unsynced: [],
      links: 0,
      opened: 0,
    };
  }
}
