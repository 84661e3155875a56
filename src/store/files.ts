/**
 * The few calls of a POSIX file system that the local store is built on, as a port, and Node's implementation of it.
 *
 * Errors are the system's own (`code` is ENOENT, EEXIST, ENOSPC, ...): their meaning is the local store's business.
 * A call that usually ends within a few microseconds (names, sizes, small reads and writes through the page cache) is
 * made on the calling thread, because a trip through the thread pool costs twenty times as much. What may wait for the
 * device (sync, renaming, which may begin to write what it names, and reading, writing, removal and listing of what is
 * large) goes to the pool.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  read,
  readdir,
  readdirSync,
  readSync,
  realpathSync,
  rename,
  rmdirSync,
  unlink,
  unlinkSync,
  writev,
  writevSync,
} from "node:fs";
import { promisify } from "node:util";

export type FileKind = "file" | "directory" | "link" | "other";

export interface FileStat {
  readonly kind: FileKind;
  /** The file system that holds it. */
  readonly device: string;
  /** Same for all names of one file on one device; a removed file's number may be given again. */
  readonly inode: string;
  readonly sizeBytes: number;
  readonly modifiedNs: bigint;
  /** When the inode came to be; 0 where the system does not know. */
  readonly createdNs: bigint;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

export interface FileHandle {
  stat(): Promise<FileStat>;
  /** Appends all of the chunks, in order, or rejects; after a rejection any prefix of them may be there. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Fills `into` from `position`; resolves to the number of bytes, fewer than asked only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** fsync: everything written so far survives a power cut; for a directory, the names in it. */
  sync(): Promise<void>;
  /** Gives the descriptor back, also when it rejects. */
  close(): Promise<void>;
}

/** Absolute paths. Nothing here follows a symbolic link in the last segment, but `openDirectory` and `realpath`. */
export interface FileSystem {
  openRead(path: string): Promise<FileHandle>;
  /** Creates a file that only the owner may read and write. Rejects with EEXIST. */
  openNew(path: string): Promise<FileHandle>;
  /** For `sync` and `stat` only. */
  openDirectory(path: string): Promise<FileHandle>;
  /** Undefined when there is nothing of that name. */
  stat(path: string): Promise<FileStat | undefined>;
  /** A second name for a file. Rejects with EEXIST when the name is taken: the compare-and-swap. */
  link(existing: string, name: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** One level. Rejects with EEXIST. */
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  /** In no particular order. */
  readdir(path: string): Promise<readonly DirectoryEntry[]>;
  realpath(path: string): Promise<string>;
}

/** Above this a copy to or from the page cache takes longer than the trip to the thread pool. */
const INLINE_BYTES = 64 * 1024;
/** A directory of one block, or of a few names where the system counts otherwise. */
const INLINE_DIRECTORY_BYTES = 4096;
/** The system takes no more buffers than this in one call. */
const CHUNKS_PER_CALL = 1024;
/** The system moves no more bytes than this in one call. */
const BYTES_PER_CALL = 1 << 30;

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
// Windows has none of these flags: there, links below the root are found by `realpath` and `stat` alone.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
// Without it, opening a pipe that somebody put into the directory would wait for a writer for ever.
const NO_WAIT = constants.O_NONBLOCK ?? 0;
const DIRECTORY_ONLY = constants.O_DIRECTORY ?? 0;

const fsyncAsync = promisify(fsync);
const readdirAsync = promisify(readdir);
const renameAsync = promisify(rename);
const unlinkAsync = promisify(unlink);

/** What both `Stats` and `Dirent` say about themselves. */
interface Kinded {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function kindOf(entry: Kinded): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "link" : "other";
}

interface SystemStats extends Kinded {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly birthtimeNs: bigint;
}

function toStat(stats: SystemStats): FileStat {
  return {
    kind: kindOf(stats),
    device: String(stats.dev),
    inode: String(stats.ino),
    sizeBytes: Number(stats.size),
    modifiedNs: stats.mtimeNs,
    createdNs: stats.birthtimeNs,
  };
}

function readAsync(descriptor: number, into: Uint8Array, offset: number, length: number, position: number) {
  return new Promise<number>((resolve, reject) => {
    read(descriptor, into, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function writevAsync(descriptor: number, chunks: Uint8Array[]) {
  return new Promise<number>((resolve, reject) => {
    writev(descriptor, chunks, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** What is left of `chunks` after their first `written` bytes. */
function withoutPrefix(chunks: readonly Uint8Array[], written: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = written;
  for (const chunk of chunks) {
    if (skip >= chunk.byteLength) skip -= chunk.byteLength;
    else {
      left.push(skip === 0 ? chunk : chunk.subarray(skip));
      skip = 0;
    }
  }
  return left;
}

/** A read that is slower than this waited for the device. */
const CACHED_BYTES_PER_MS = 1_000_000;
/** Reads that go to the pool after one that waited. */
const POOLED_READS = 32;

/** Tells whether the next large read is likely to come from the page cache, by how long the last ones took. */
class ReadPace {
  #pooled = 0;

  isQuick(): boolean {
    if (this.#pooled === 0) return true;
    this.#pooled--;
    return false;
  }

  timed(read: () => number): number {
    const start = performance.now();
    const count = read();
    if ((performance.now() - start) * CACHED_BYTES_PER_MS > count) this.#pooled = POOLED_READS;
    return count;
  }
}

class NodeHandle implements FileHandle {
  readonly #descriptor: number;
  readonly #pace: ReadPace | undefined;

  /** @param pace when large reads are made on the calling thread, too */
  constructor(descriptor: number, pace?: ReadPace) {
    this.#descriptor = descriptor;
    this.#pace = pace;
  }

  async stat(): Promise<FileStat> {
    return toStat(fstatSync(this.#descriptor, { bigint: true }));
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    let left = withoutPrefix(chunks, 0);
    let leftBytes = left.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    while (leftBytes > 0) {
      const part = left.length > CHUNKS_PER_CALL ? left.slice(0, CHUNKS_PER_CALL) : left;
      const inline = leftBytes <= INLINE_BYTES;
      const written = inline ? writevSync(this.#descriptor, part) : await writevAsync(this.#descriptor, part);
      if (written === 0) throw Object.assign(new Error("The system wrote no byte of a write."), { code: "EIO" });
      left = withoutPrefix(left, written);
      leftBytes -= written;
    }
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < into.byteLength) {
      const length = Math.min(into.byteLength - filled, BYTES_PER_CALL);
      const at = position + filled;
      let count: number;
      if (length <= INLINE_BYTES) count = readSync(this.#descriptor, into, filled, length, at);
      else if (this.#pace?.isQuick() === true) {
        count = this.#pace.timed(() => readSync(this.#descriptor, into, filled, length, at));
      } else count = await readAsync(this.#descriptor, into, filled, length, at);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  sync(): Promise<void> {
    return fsyncAsync(this.#descriptor);
  }

  async close(): Promise<void> {
    closeSync(this.#descriptor);
  }
}

function openForReading(path: string): number {
  return openSync(path, constants.O_RDONLY | NO_FOLLOW | NO_WAIT);
}

/** The file system of this machine. */
export const nodeFiles: FileSystem = {
  async openRead(path) {
    return new NodeHandle(openForReading(path));
  },
  async openNew(path) {
    return new NodeHandle(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, FILE_MODE));
  },
  async openDirectory(path) {
    return new NodeHandle(openSync(path, constants.O_RDONLY | DIRECTORY_ONLY));
  },
  async stat(path) {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? undefined : toStat(stats);
  },
  async link(existing, name) {
    linkSync(existing, name);
  },
  rename: (from, to) => renameAsync(from, to),
  async unlink(path) {
    const sizeBytes = lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (sizeBytes > INLINE_BYTES) await unlinkAsync(path);
    else unlinkSync(path);
  },
  async mkdir(path) {
    mkdirSync(path, { mode: DIRECTORY_MODE });
  },
  async rmdir(path) {
    rmdirSync(path);
  },
  async readdir(path) {
    const inline = (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) <= INLINE_DIRECTORY_BYTES;
    const entries = inline
      ? readdirSync(path, { withFileTypes: true })
      : await readdirAsync(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  async realpath(path) {
    return realpathSync.native(path);
  },
};

/**
 * The same for a thread that does nothing but read and compute: what the page cache has comes into its own processor's
 * cache at once, as long as reads do not wait for the device.
 */
export function readerFiles(): FileSystem {
  const pace = new ReadPace();
  return {
    ...nodeFiles,
    async openRead(path) {
      return new NodeHandle(openForReading(path), pace);
    },
  };
}
