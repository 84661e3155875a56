/**
 * What a process does with a table at the moment, and what its lease has to say for it.
 */
import { type FileMark, markOfDataFile, markOfDeletionFile, newHolder } from "../format/file-marks.js";
import { DATA } from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import { nameOf } from "../store/paths.js";
import type { Runtime } from "../support/runtime.js";
import type { BoundaryMemo } from "./boundary.js";
import type { LeaseBody } from "./lease-file.js";
import type { Snapshot } from "./snapshot.js";

/** What a lease has to know of its table. */
export interface LeasedTable {
  readonly name: string;
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly boundary: BoundaryMemo;
  refresh(): Promise<Snapshot>;
}

/** Work that needs the lease: a version that is read, a version that is built upon, or only files being written. */
export interface Use {
  readonly kind: "read" | "write" | "files";
  /** undefined until it is known. */
  version: number | undefined;
  /** The sequence that the first file of the write may have. */
  firstSequence: number;
}

export class LeaseUses {
  readonly #runtime: Runtime;
  readonly #uses = new Set<Use>();
  #holder: string;
  #sequence = 0;
  /** Versions read since the last heartbeat: whoever read one once may read it again. */
  #recent = new Set<number>();
  #looked: number | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#holder = newHolder(runtime);
  }

  get holder(): string {
    return this.#holder;
  }

  /** Files made so far. */
  get sequence(): number {
    return this.#sequence;
  }

  /** True when something needs the lease now. */
  get busy(): boolean {
    return this.#uses.size > 0;
  }

  /** True when files are being made now. */
  get writing(): boolean {
    return [...this.#uses].some((use) => use.kind !== "read");
  }

  /** True when nothing needed the lease since the last heartbeat. */
  get idle(): boolean {
    return !this.busy && this.#recent.size === 0 && this.#looked === undefined;
  }

  mark(): FileMark {
    return { holder: this.#holder, sequence: this.#sequence++ };
  }

  /** True when the file was made under the name that the holder has now. */
  owns(path: string): boolean {
    const name = nameOf(path);
    const mark = path.startsWith(`${DATA}/`) ? markOfDataFile(name) : markOfDeletionFile(name);
    return mark?.holder === this.#holder;
  }

  looked(version: number): void {
    this.#looked = version;
  }

  begin(kind: Use["kind"]): Use {
    const use: Use = { kind, version: undefined, firstSequence: this.#sequence };
    this.#uses.add(use);
    return use;
  }

  /** Notes a version that the lease did not say yet. */
  remember(use: Use): void {
    if (use.kind === "read" && use.version !== undefined) this.#recent.add(use.version);
  }

  /** Twice is the same as once. */
  end(use: Use): void {
    this.#uses.delete(use);
  }

  /** Forgets what was needed earlier. */
  forgetReads(): void {
    this.#recent = new Set();
  }

  /** A heartbeat: only what comes from now on counts as needed lately. */
  beat(): void {
    this.#recent = new Set();
    this.#looked = undefined;
  }

  /** Takes another name: files made from now on are not those of the old one. */
  rename(): void {
    this.#holder = newHolder(this.#runtime);
    this.#sequence = 0;
    for (const use of this.#uses) use.firstSequence = 0;
  }

  /** What the lease has to say. @param published what it says now */
  body(published: LeaseBody | undefined): LeaseBody {
    const versions = new Set(this.#recent);
    let from = this.#looked;
    let settled = this.#sequence;
    for (const use of this.#uses) {
      if (use.kind === "read") {
        if (use.version !== undefined) versions.add(use.version);
        continue;
      }
      settled = Math.min(settled, use.firstSequence);
      if (use.kind === "files") continue;
      // A write that is looking for what to build on finds a version that is covered already.
      const first = use.version ?? published?.from;
      if (first !== undefined) from = Math.min(from ?? first, first);
    }
    return { versions: [...versions].sort((a, b) => a - b), from, settled, ended: false };
  }
}

/** True when whoever respects what a lease says leaves alone what the use needs. */
export function covers(body: LeaseBody, use: Use): boolean {
  if (use.version === undefined) return false;
  if (body.from !== undefined && use.version >= body.from) return true;
  return use.kind === "read" && body.versions.includes(use.version);
}
