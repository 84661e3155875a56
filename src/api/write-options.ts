/** Options that the writes of a table take. */
import type { OptionKeys } from "./arguments.js";
import type { CommitMetadata } from "./commit-metadata.js";
import type { SqlInput } from "./filter.js";
import type { WriteProgress } from "./results.js";

/** For every write: how long it may wait for its turn, a signal that withdraws it, and what is said of its commit. */
export interface WriteOptions {
  /** Milliseconds; undefined: the connection's default; 0: start at once or fail. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Past the queue, for a caller who is alone. */
  readonly direct?: boolean | undefined;
  /** Kept with the version, as listVersions() shows it. A write with metadata shares its commit with no other. */
  readonly metadata?: CommitMetadata | undefined;
}

export interface AddOptions extends WriteOptions {
  readonly mode?: "append" | "overwrite";
  /** Told after every data file and at the end; what it throws is logged, never rethrown. */
  readonly progress?: (progress: WriteProgress) => void;
}

export interface UpdateOptions extends WriteOptions {
  readonly where?: SqlInput;
}

export const WRITE: OptionKeys<WriteOptions> = { timeoutMs: true, signal: true, direct: true, metadata: true };
export const ADD: OptionKeys<AddOptions> = { ...WRITE, mode: true, progress: true };
export const UPDATE: OptionKeys<UpdateOptions> = { ...WRITE, where: true };
