/**
 * Reading files of the local store. Reads no further than the file was long when it was opened, and allocates nothing
 * that the file cannot fill.
 */
import { TableError } from "../support/errors.js";
import type { Bytes, ListEntry, ObjectInfo, ReadHandle } from "./contract.js";
import type { Directories } from "./directories.js";
import { isMissing, toStoreError } from "./failures.js";
import type { FileHandle, FileStat, FileSystem } from "./files.js";
import { compareNames } from "./paths.js";
import { allocateBytes, checkRange, tooShort } from "./ranges.js";

/** Ranged reads of one open file; the holder closes it. */
export class LocalReadHandle implements ReadHandle {
  readonly path: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readonly #absolute: string;
  readonly #handle: FileHandle;
  #closed = false;

  constructor(path: string, absolute: string, handle: FileHandle, { sizeBytes, identity }: ObjectInfo) {
    this.path = path;
    this.#absolute = absolute;
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
    this.identity = identity;
  }

  async read(start: number, end: number, into?: Bytes): Promise<Bytes> {
    if (this.#closed) throw new TableError("CLOSED", `${this.#absolute} was closed. Open it again to read from it.`);
    checkRange(this.#absolute, start, end, this.sizeBytes);
    try {
      return await readRange(this.#handle, this.#absolute, start, end, into);
    } catch (error) {
      throw toStoreError(error, "read", this.#absolute);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#handle.close();
    } catch {
      // Nothing was written through it, and the descriptor is given back all the same.
    }
  }
}

/** The bytes [start, end) of an open file, which is named `absolute` in errors. @throws CORRUPT when it is shorter */
export async function readRange(
  handle: FileHandle,
  absolute: string,
  start: number,
  end: number,
  into?: Bytes,
): Promise<Bytes> {
  const bytes = into ?? allocateBytes(end - start);
  const count = await handle.read(bytes, start);
  if (count < bytes.byteLength) throw tooShort(absolute, start + count, end);
  return bytes;
}

export function notAnObject(absolute: string): TableError {
  return new TableError("NOT_FOUND", `${absolute} was not found: there is a directory or a device of that name.`, {
    details: { path: absolute },
  });
}

export function toInfo(stat: FileStat): ObjectInfo {
  return {
    sizeBytes: stat.sizeBytes,
    modifiedMs: Number(stat.modifiedNs / 1_000_000n),
    // Not the time of the last change of the inode: that moves when the temporary's name is removed.
    identity: `${stat.device}:${stat.inode}:${stat.modifiedNs}:${stat.sizeBytes}`,
  };
}

/** The entries of a directory behind the name `after`, in byte order; a missing directory has none. */
export async function listDirectory(
  files: FileSystem,
  directories: Directories,
  directory: string,
  after: string | undefined,
): Promise<readonly ListEntry[]> {
  const absolute = directories.absolute(directory);
  try {
    await directories.enter(directory);
    const found: ListEntry[] = [];
    for (const { name, kind } of await files.readdir(absolute)) {
      if (after !== undefined && compareNames(name, after) <= 0) continue;
      found.push({ name, kind: kind === "directory" ? "directory" : "object" });
    }
    return found.sort((a, b) => compareNames(a.name, b.name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw toStoreError(error, "list", absolute);
  }
}
