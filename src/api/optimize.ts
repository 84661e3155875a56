/** `optimize()`: compaction as LanceDB's, with bounds that a caller may set. */
import { type CompactionStats, compact } from "../chores/compact.js";
import { COMPACTION_DEFAULTS, type CompactionRules } from "../chores/plan-compaction.js";
import { TableError } from "../support/errors.js";
import type { OpenTable } from "./open-table.js";
import { atLeast } from "./options.js";

export interface OptimizeOptions {
  /** Fragments with fewer rows are merged with their neighbours. Default 1,048,576. */
  readonly targetRowsPerFragment?: number;
  /** A fragment with a larger share of deleted rows is rewritten. Default 0.1. */
  readonly maxDeletedShare?: number;
  /** Bytes that one step reads and that it may hold in memory. Default 256 MB. */
  readonly maxBytes?: number;
}

/** What `optimize()` did; names are LanceDB's. */
export interface OptimizeStats {
  readonly compaction: CompactionStats;
  readonly prune: { readonly bytesRemoved: number; readonly oldVersionsRemoved: number };
}

/** Compacts a table; writers go on meanwhile and always win. @throws INVALID_ARGUMENT, BUSY, UNAVAILABLE, CORRUPT */
export async function optimizeTable(open: OpenTable, options: OptimizeOptions): Promise<OptimizeStats> {
  const rules = rulesOf(options);
  const compaction = await compact(open.compaction(), { rules });
  return { compaction, prune: { bytesRemoved: 0, oldVersionsRemoved: 0 } };
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
