/** The file-system port of one simulated process: every call waits for its turn, then acts on the shared disk. */
import type { FileHandle, FileStat, FileSystem } from "../../src/store/files.js";
import type { Chance } from "./chance.js";
import type { SimulatedProcess } from "./process.js";
import { type FileInode, type Inode, type SimulatedDisk, SystemError } from "./simulated-disk.js";

function statOf(inode: Inode): FileStat {
  return {
    kind: inode.kind,
    device: "1",
    inode: String(inode.number),
    sizeBytes: inode.kind === "file" ? inode.content.byteLength : PAGE_BYTES,
    modifiedNs: inode.modifiedNs,
    createdNs: inode.createdNs,
  };
}

const PAGE_BYTES = 4096;

class SimulatedHandle implements FileHandle {
  readonly #process: SimulatedProcess;
  readonly #disk: SimulatedDisk;
  readonly #inode: Inode;
  readonly #path: string;
  readonly #chance: Chance;
  #open = true;
  #forget: () => void = () => {};

  constructor(process: SimulatedProcess, disk: SimulatedDisk, inode: Inode, path: string, chance: Chance) {
    this.#process = process;
    this.#disk = disk;
    this.#inode = inode;
    this.#path = path;
    this.#chance = chance;
    disk.open(inode);
    process.openFiles++;
    this.#forget = process.atDeath(() => this.release());
  }

  stat(): Promise<FileStat> {
    return this.#process.call("stat", this.#path, { apply: () => statOf(this.#use()) });
  }

  write(chunks: readonly Uint8Array[]): Promise<void> {
    // What the kernel has not taken yet may still change under it; the caller must not.
    const half = () => {
      const bytes = Buffer.concat(chunks);
      this.#disk.append(this.#file("write"), bytes.subarray(0, bytes.byteLength >> 1));
    };
    return this.#process.call("write", this.#path, {
      apply: () => this.#disk.append(this.#file("write"), Buffer.concat(chunks)),
      applyHalf: half,
      applyFailure: half,
    });
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#process.call("read", this.#path, {
      apply: () => {
        const found = this.#file("read").content.subarray(position, position + into.byteLength);
        into.set(found);
        return found.byteLength;
      },
    });
  }

  sync(): Promise<void> {
    const { mark } = this.#disk;
    return this.#process.call("sync", this.#path, {
      apply: () => this.#disk.sync(this.#use(), mark),
      applyFailure: () => this.#disk.failSync(this.#use(), () => (this.#chance.flip() ? "kept" : "lost")),
    });
  }

  close(): Promise<void> {
    // The descriptor is given back whatever the call reports.
    const release = () => this.release();
    return this.#process.call("close", this.#path, {
      apply: () => {
        this.#use();
        release();
      },
      applyFailure: release,
    });
  }

  #use(): Inode {
    if (!this.#open) throw new SystemError("EBADF", "use of a closed descriptor", this.#path);
    return this.#inode;
  }

  #file(syscall: string): FileInode {
    const inode = this.#use();
    if (inode.kind !== "file") throw new SystemError("EISDIR", syscall, this.#path);
    return inode;
  }

  /** Gives the descriptor back without a call. */
  release(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#forget();
    this.#process.openFiles--;
    this.#disk.close(this.#inode);
  }
}

export function simulatedFiles(disk: SimulatedDisk, process: SimulatedProcess, chance: Chance): FileSystem {
  const existing = (path: string, syscall: string): Inode => {
    const inode = disk.find(path);
    if (inode === undefined) throw new SystemError("ENOENT", syscall, path);
    return inode;
  };
  const handle = (inode: Inode, path: string) => new SimulatedHandle(process, disk, inode, path, chance);
  const undo = (opened: SimulatedHandle) => opened.release();
  return {
    openRead: (path) => process.call("openRead", path, { apply: () => handle(existing(path, "open"), path), undo }),
    openNew: (path) => process.call("openNew", path, { apply: () => handle(disk.createFile(path), path), undo }),
    openDirectory: (path) =>
      process.call("openDirectory", path, {
        apply: () => {
          const inode = existing(path, "open");
          if (inode.kind !== "directory") throw new SystemError("ENOTDIR", "open", path);
          return handle(inode, path);
        },
        undo,
      }),
    stat: (path) =>
      process.call("statPath", path, {
        apply: () => {
          const inode = disk.find(path);
          return inode && statOf(inode);
        },
      }),
    link: (from, to) => process.call("link", `${from} ${to}`, { apply: () => disk.link(from, to) }),
    rename: (from, to) => process.call("rename", `${from} ${to}`, { apply: () => disk.rename(from, to) }),
    unlink: (path) => process.call("unlink", path, { apply: () => disk.unlink(path) }),
    mkdir: (path) => process.call("mkdir", path, { apply: () => disk.mkdir(path) }),
    rmdir: (path) => process.call("rmdir", path, { apply: () => disk.rmdir(path) }),
    readdir: (path) =>
      process.call("readdir", path, {
        apply: () => {
          const inode = existing(path, "scandir");
          if (inode.kind !== "directory") throw new SystemError("ENOTDIR", "scandir", path);
          return [...inode.entries].map(([name, entry]) => ({ name, kind: entry.kind }));
        },
      }),
    realpath: (path) =>
      process.call("realpath", path, {
        apply: () => {
          existing(path, "realpath");
          return path;
        },
      }),
  };
}
