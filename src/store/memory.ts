/**
 * The store in memory, for tests and for tables that need not outlive the process. It keeps the same promises as the
 * local store, but for durability, which it has none of.
 */
import { TableError } from "../support/errors.js";
import { type Runtime, systemRuntime } from "../support/runtime.js";
import type {
  Bytes,
  Chunks,
  ListEntry,
  ObjectInfo,
  ObjectStore,
  ReadHandle,
  StagedObject,
  WriteOptions,
} from "./contract.js";
import { checkDirectory, checkPath, compareNames, nameOf, parentOf, temporaryPath } from "./paths.js";
import { checkRange } from "./ranges.js";

/** A fresh, empty store; `name` is for messages only. */
export function memoryStore(name = "", runtime: Runtime = systemRuntime): ObjectStore {
  return new MemoryStore(`memory://${name}`, runtime);
}

interface MemoryObject {
  readonly bytes: Bytes;
  readonly modifiedMs: number;
  readonly identity: string;
}

interface Directory {
  readonly directories: Map<string, Directory>;
  readonly objects: Map<string, MemoryObject>;
}

function emptyDirectory(): Directory {
  return { directories: new Map(), objects: new Map() };
}

function concatenate(chunks: Chunks): Bytes {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

class MemoryStore implements ObjectStore {
  readonly scheme = "memory";
  readonly display: string;
  readonly #runtime: Runtime;
  readonly #root = emptyDirectory();
  #written = 0;

  constructor(display: string, runtime: Runtime) {
    this.display = display;
    this.#runtime = runtime;
  }

  async get(path: string): Promise<Bytes> {
    return this.#existing(path).bytes.slice();
  }

  async open(path: string): Promise<ReadHandle> {
    const { bytes, identity } = this.#existing(path);
    const shown = this.#shown(path);
    let closed = false;
    return {
      path,
      sizeBytes: bytes.byteLength,
      identity,
      async read(start, end, into) {
        if (closed) throw new TableError("CLOSED", `${shown} was closed. Open it again to read from it.`);
        checkRange(shown, start, end, bytes.byteLength);
        if (into === undefined) return bytes.slice(start, end);
        into.set(bytes.subarray(start, end));
        return into;
      },
      async close() {
        closed = true;
      },
    };
  }

  async head(path: string): Promise<ObjectInfo | undefined> {
    const found = this.#find(path);
    if (found === undefined) return undefined;
    return { sizeBytes: found.bytes.byteLength, modifiedMs: found.modifiedMs, identity: found.identity };
  }

  async list(directory: string, options: { readonly after?: string } = {}): Promise<readonly ListEntry[]> {
    checkDirectory(directory);
    const found = this.#directory(directory);
    if (found === undefined) return [];
    const entries: ListEntry[] = [];
    for (const name of found.directories.keys()) entries.push({ name, kind: "directory" });
    for (const name of found.objects.keys()) entries.push({ name, kind: "object" });
    const { after } = options;
    const wanted = after === undefined ? entries : entries.filter(({ name }) => compareNames(name, after) > 0);
    return wanted.sort((a, b) => compareNames(a.name, b.name));
  }

  async write(path: string, chunks: Chunks, _options: WriteOptions): Promise<void> {
    if (this.#isTaken(path)) {
      const shown = this.#shown(path);
      throw new TableError("ALREADY_EXISTS", `Could not write ${shown}: it already exists.`, {
        details: { path: shown },
      });
    }
    this.#put(path, concatenate(chunks));
  }

  async replace(path: string, chunks: Chunks, _options: WriteOptions): Promise<void> {
    checkPath(path);
    if (this.#directory(path) !== undefined) throw this.#inTheWay(path, "a directory");
    this.#put(path, concatenate(chunks));
  }

  async create(path: string, chunks: Chunks, _options: WriteOptions): Promise<"created" | "exists"> {
    if (this.#isTaken(path)) return "exists";
    this.#put(path, concatenate(chunks));
    return "created";
  }

  async stage(path: string, chunks: Chunks, options: WriteOptions): Promise<StagedObject> {
    checkPath(path);
    const temporary = temporaryPath(path, this.#runtime.uuid());
    await this.write(temporary, chunks, options);
    return {
      publish: async (named) => {
        const staged = this.#find(temporary);
        if (staged === undefined) return "fenced";
        const taken = this.#isTaken(path);
        if (!taken) this.#makeDirectory(parentOf(path)).objects.set(nameOf(path), staged);
        if (!taken) named?.();
        await this.delete(temporary);
        return taken ? "exists" : "created";
      },
      discard: () => this.delete(temporary),
    };
  }

  async sync(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#existing(path);
  }

  async delete(path: string): Promise<void> {
    checkPath(path);
    this.#directory(parentOf(path))?.objects.delete(nameOf(path));
  }

  async deleteTree(directory: string): Promise<void> {
    checkPath(directory);
    this.#directory(parentOf(directory))?.directories.delete(nameOf(directory));
  }

  async probe(): Promise<void> {}

  async close(): Promise<void> {}

  #shown(path: string): string {
    return `${this.display}/${path}`;
  }

  #directory(path: string): Directory | undefined {
    let directory: Directory | undefined = this.#root;
    for (const segment of path === "" ? [] : path.split("/")) directory = directory?.directories.get(segment);
    return directory;
  }

  #makeDirectory(path: string): Directory {
    let directory = this.#root;
    for (const segment of path === "" ? [] : path.split("/")) {
      let next = directory.directories.get(segment);
      if (next === undefined) {
        if (directory.objects.has(segment)) throw this.#inTheWay(path, "an object");
        next = emptyDirectory();
        directory.directories.set(segment, next);
      }
      directory = next;
    }
    return directory;
  }

  #find(path: string): MemoryObject | undefined {
    checkPath(path);
    return this.#directory(parentOf(path))?.objects.get(nameOf(path));
  }

  #isTaken(path: string): boolean {
    return this.#find(path) !== undefined || this.#directory(path) !== undefined;
  }

  #inTheWay(path: string, what: string): TableError {
    const shown = this.#shown(path);
    return new TableError("UNAVAILABLE", `Could not write ${shown}: ${what} stands in the way. Remove or rename it.`, {
      details: { path: shown },
    });
  }

  #existing(path: string): MemoryObject {
    const found = this.#find(path);
    if (found !== undefined) return found;
    const shown = this.#shown(path);
    throw new TableError("NOT_FOUND", `Could not read ${shown}: it was not found.`, { details: { path: shown } });
  }

  #put(path: string, bytes: Bytes): void {
    this.#written++;
    const object = { bytes, modifiedMs: this.#runtime.now(), identity: String(this.#written) };
    this.#makeDirectory(parentOf(path)).objects.set(nameOf(path), object);
  }
}
