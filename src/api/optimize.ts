/** `optimize()`: compaction and cleanup as LanceDB's, with bounds that a caller may set. */
import { type CompactionStats, compact } from "../chores/compact.js";
import { COMPACTION_DEFAULTS, type CompactionRules } from "../chores/plan-compaction.js";
import { type VacuumReport, vacuum } from "../chores/vacuum.js";
import { TableError } from "../support/errors.js";
import { atLeast, type OptionKeys, optionsOf, shown } from "./arguments.js";
import { type CommitMetadata, checkMetadata } from "./commit-metadata.js";
import type { OpenTable } from "./open-table.js";

export interface OptimizeOptions {
  /** Fragments with fewer rows are merged with their neighbours. Default 1,048,576. */
  readonly targetRowsPerFragment?: number;
  /** A fragment with a larger share of deleted rows is rewritten. Default 0.1. */
  readonly maxDeletedShare?: number;
  /** Bytes that one step reads and that it may hold in memory. Default 256 MB. */
  readonly maxBytes?: number;
  /** Versions made before this moment go, unless a tag, a branch or a reader needs them. Default: seven days ago. */
  readonly cleanupOlderThan?: Date;
  /** Also removes files younger than seven days that no version ever named and that no writer of this kind made. */
  readonly deleteUnverified?: boolean;
  /** Kept with the versions that a compaction makes, as listVersions() shows it. A cleanup makes none. */
  readonly metadata?: CommitMetadata;
  /** Changes nothing, and reports what a cleanup would remove, what not, and why. */
  readonly dryRun?: boolean;
}

/** What `optimize()` did; names are LanceDB's. */
export interface OptimizeStats {
  readonly compaction: CompactionStats;
  readonly prune: { readonly bytesRemoved: number; readonly oldVersionsRemoved: number };
  /** With `dryRun` only. */
  readonly report?: VacuumReport;
}

const OPTIMIZE: OptionKeys<OptimizeOptions> = {
  targetRowsPerFragment: true,
  maxDeletedShare: true,
  maxBytes: true,
  cleanupOlderThan: true,
  deleteUnverified: true,
  metadata: true,
  dryRun: true,
};
const RETENTION_MS = 7 * 86_400_000;

/**
 * Compacts a table and removes what nothing needs any more; readers and writers go on meanwhile and always win.
 * @throws INVALID_ARGUMENT, BUSY, UNAVAILABLE, CORRUPT
 */
export async function optimizeTable(open: OpenTable, given: OptimizeOptions): Promise<OptimizeStats> {
  const options = optionsOf(given, "The options of optimize()", OPTIMIZE);
  const rules = rulesOf(options);
  const { dryRun = false, deleteUnverified = false, cleanupOlderThan } = options;
  const { runtime, timeoutMs } = open.settings;
  const olderThanMs = cleanupOlderThan === undefined ? runtime.now() - RETENTION_MS : timeOf(cleanupOlderThan);
  const properties = checkMetadata(options.metadata) ?? new Map();
  const compaction = dryRun ? NOTHING_COMPACTED : await compact(open.compaction(), { rules, properties });
  const vacuumed = await vacuum(open.shared, { olderThanMs, deleteUnverified, dryRun, timeoutMs });
  const { bytesRemoved, oldVersionsRemoved, report } = vacuumed;
  return { compaction, prune: { bytesRemoved, oldVersionsRemoved }, ...(dryRun ? { report } : {}) };
}

const NOTHING_COMPACTED: CompactionStats = { fragmentsRemoved: 0, fragmentsAdded: 0, filesRemoved: 0, filesAdded: 0 };

function timeOf(date: unknown): number {
  const ms = date instanceof Date ? date.getTime() : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new TableError("INVALID_ARGUMENT", `cleanupOlderThan is ${shown(date)}; it has to be a valid Date.`);
}

function rulesOf(options: OptimizeOptions): CompactionRules {
  const rules = {
    ...COMPACTION_DEFAULTS,
    targetRows: options.targetRowsPerFragment ?? COMPACTION_DEFAULTS.targetRows,
    maxDeletedShare: options.maxDeletedShare ?? COMPACTION_DEFAULTS.maxDeletedShare,
    maxBytes: options.maxBytes ?? COMPACTION_DEFAULTS.maxBytes,
  };
  atLeast(1, rules.targetRows, "targetRowsPerFragment");
  atLeast(0, rules.maxDeletedShare, "maxDeletedShare");
  atLeast(1 << 20, rules.maxBytes, "maxBytes");
  if (Number.isInteger(rules.targetRows)) return rules;
  throw new TableError(
    "INVALID_ARGUMENT",
    `targetRowsPerFragment is ${rules.targetRows}; it has to be a whole number.`,
  );
}
