/**
 * What the table layer needs of a place that keeps objects, and what it may rely on.
 *
 * Paths are relative to the store's root, "/"-separated, in normal form ("a/b.c"; no "", ".", ".." segment, no
 * leading or trailing slash). A path outside this form is refused with INVALID_ARGUMENT before anything is touched.
 *
 * Failures: a missing object is NOT_FOUND, everything else that the world does (I/O error, full disk, no permission)
 * is UNAVAILABLE with the cause kept. Whether a failed `publish` took effect may be unknown: UNKNOWN_OUTCOME.
 */

/** Bytes that own their buffer from offset 0, so that typed arrays of any width can be laid over them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes to write, in order. The callee never changes or keeps them after its promise settles. */
export type Chunks = readonly Uint8Array[];

export interface ObjectInfo {
  readonly sizeBytes: number;
  /** Wall clock of the place that keeps the object, milliseconds since 1970. */
  readonly modifiedMs: number;
  /**
   * Differs when the object under this path was replaced by another one (inode and times, or ETag); stays the same
   * from the moment an object has its final name.
   */
  readonly identity: string;
}

export interface ListEntry {
  /** Last segment of the path. */
  readonly name: string;
  readonly kind: "object" | "directory";
}

export interface WriteOptions {
  /** True: content and name survive a power cut once the promise resolves. False: no sync at all. */
  readonly durable: boolean;
}

/** Open until it is closed; who opens many at once bounds their number. */
export interface ReadHandle {
  readonly path: string;
  readonly sizeBytes: number;
  /** As in `ObjectInfo`. */
  readonly identity: string;
  /**
   * Bytes [start, end) as a fresh buffer, or in `into`, which has that length.
   * @throws CORRUPT when the object has fewer bytes than that
   */
  read(start: number, end: number, into?: Bytes): Promise<Bytes>;
  close(): Promise<void>;
}

/** An object that is written (and synced, if durable) under a temporary name that no listing of versions shows. */
export interface StagedObject {
  /**
   * Gives the object its final name if and only if nobody has that name: the compare-and-swap.
   * - created: the name is ours; with `durable` the name itself survives a power cut.
   * - exists: somebody (perhaps an earlier, interrupted attempt of ours) has the name.
   * - fenced: the temporary is gone; a vacuum removed it and the target must not be used.
   * @param named called as soon as others see the name, which may not survive a power cut yet
   * @throws UNKNOWN_OUTCOME when the name may or may not have been given (a sync or a reply was lost)
   */
  publish(named?: () => void): Promise<"created" | "exists" | "fenced">;
  /** Removes the temporary, if it is still there. Never touches the final name. */
  discard(): Promise<void>;
}

/** The other end of a connection between two processes. */
export interface Peer {
  /** To be called once, before the next turn of the event loop. Messages come in the order of their sending. */
  listen(onMessage: (message: Uint8Array) => void, onEnd: () => void): void;
  /** What is sent to a peer that is gone is lost. */
  send(message: Uint8Array): void;
  /** Whether the connection keeps this process alive; at first it does not. */
  keepAlive(isNeeded: boolean): void;
  /** Ends the connection after what was sent. */
  close(): void;
}

/** Being reached by a name. */
export interface Host {
  /** False when the name reaches somebody else by now, or nobody. */
  isReached(): Promise<boolean>;
  close(): Promise<void>;
}

/** Where the processes of one machine meet, by absolute paths of the local file system. */
export interface Meeting {
  /** @param id never used before */
  host(path: string, accept: (peer: Peer) => void, id: string, takeOver: boolean): Promise<Host | undefined>;
  join(path: string): Promise<Peer | undefined>;
}

export interface ObjectStore {
  /** "file", "memory", ... */
  readonly scheme: string;
  /** The root for people, for messages. */
  readonly display: string;

  /** The whole object. @throws NOT_FOUND, CORRUPT when it is larger than 1 GiB: `open` it */
  get(path: string): Promise<Bytes>;
  /** Opens for ranged reads; an object deleted meanwhile stays readable where the file system allows it. @throws NOT_FOUND */
  open(path: string): Promise<ReadHandle>;
  head(path: string): Promise<ObjectInfo | undefined>;
  /**
   * The entries directly below `directory` ("" is the root), in ascending byte order of their names; a missing
   * directory has none. `after` leaves out every name up to and including it. Temporaries are listed too, see
   * `temporaryTarget` in paths.ts.
   */
  list(directory: string, options?: { readonly after?: string }): Promise<readonly ListEntry[]>;

  /**
   * Writes an object under a fresh name that no reader knows yet (random ids). Readers may see it half written.
   * Parent directories are made as needed, durably if asked. @throws ALREADY_EXISTS
   */
  write(path: string, chunks: Chunks, options: WriteOptions): Promise<void>;
  /**
   * Replaces the object at once: readers see the old or the new content, never a mix.
   * @throws UNKNOWN_OUTCOME when readers may see the new content, but it may not survive a power cut
   */
  replace(path: string, chunks: Chunks, options: WriteOptions): Promise<void>;
  /** Creates the object with its whole content if the name is free: `stage` and `publish` in one. */
  create(path: string, chunks: Chunks, options: WriteOptions): Promise<"created" | "exists">;
  /** First half of a compare-and-swap, see `StagedObject`. The temporary's name carries the target's name. */
  stage(path: string, chunks: Chunks, options: WriteOptions): Promise<StagedObject>;
  /**
   * Makes objects that others wrote durable, content and name. Missing ones are NOT_FOUND. An object whose sync failed
   * once stays UNAVAILABLE: a later success would prove nothing.
   */
  sync(paths: readonly string[]): Promise<void>;

  /** Removes the object; a missing one is fine. */
  delete(path: string): Promise<void>;
  /**
   * Makes this process the one that `join` reaches by `path`, until the answer is closed. Present only where processes
   * that use the place can reach each other.
   * @param takeOver also when somebody else is reached by it, who then is no longer
   * @returns undefined when somebody else is reached by it, or nobody can be
   */
  host?(path: string, accept: (peer: Peer) => void, takeOver: boolean): Promise<Host | undefined>;
  /** Reaches the process that hosts `path`; undefined when there is none. */
  join?(path: string): Promise<Peer | undefined>;
  /**
   * Removes everything below `directory`, and it: at once for whoever looks, and for good. A missing directory is fine.
   * What is left when it is interrupted has a temporary's name.
   */
  deleteTree(directory: string): Promise<void>;
  /**
   * Removes `directory` if there is nothing in it; who puts something into it at the same moment wins. A missing
   * directory is fine. Present where directories are there without objects.
   */
  deleteEmpty?(directory: string): Promise<void>;

  /**
   * Proves that the place keeps the promises above (exclusive links, sync of directories, ...).
   * @throws FS_UNSUPPORTED naming what is missing
   */
  probe(): Promise<void>;
  close(): Promise<void>;
}
