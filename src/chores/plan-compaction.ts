/**
 * Which neighbouring fragments a compaction rewrites together: small ones and heavily deleted ones. Pure.
 *
 * A task holds neighbours only, so that its rows stay in their order, and only fragments that the same indices cover.
 * What is well shaped is never part of a task, and the result of a task is well shaped or has no small neighbour, so
 * that a second plan is empty.
 */
import type { Fragment } from "../format/fragment.js";

/** Rows of a fragment that nobody needs to merge; native LanceDB aims at the same number. */
export const TARGET_ROWS = 1_048_576;
export const MAX_DELETED_SHARE = 0.1;
export const MAX_BYTES = 256 * 1024 * 1024;

export interface CompactionRules {
  /** A fragment with fewer live rows is small. */
  readonly targetRows: number;
  /** A fragment with a larger share of deleted rows is rewritten for itself, however large it is. */
  readonly maxDeletedShare: number;
  /** Bytes of data files that one task reads, and of memory that it may need. One fragment is never cut. */
  readonly maxBytes: number;
  /**
   * A fragment that holds more than this share of the rows of its run is left out, so that a table that grows by
   * small commits does not copy its large fragments again and again. 1 merges all.
   */
  readonly largestShare: number;
}

export const COMPACTION_DEFAULTS: CompactionRules = {
  targetRows: TARGET_ROWS,
  maxDeletedShare: MAX_DELETED_SHARE,
  maxBytes: MAX_BYTES,
  largestShare: 1,
};

/** Fragments whose live rows, in order, become new fragments in one commit. */
export interface CompactionTask {
  readonly fragments: readonly Fragment[];
  readonly liveRows: number;
  readonly sizeBytes: number;
}

/** Fragments with the same class may be merged; one without a class is left alone. */
export type ClassOf = (fragmentId: number) => string | undefined;

interface Candidate {
  readonly fragment: Fragment;
  readonly liveRows: number;
  readonly sizeBytes: number;
  /** Too many of its rows are deleted. */
  readonly hollow: boolean;
}

/** Bytes of Arrow data that make one data file: a task holds them once as columns and once encoded. */
export function fileBytesOf(rules: CompactionRules): number {
  return rules.maxBytes / 4;
}

/** The tasks that bring `fragments` (ascending ids) into shape, in order. */
export function planCompaction(
  fragments: Iterable<Fragment>,
  rules: CompactionRules,
  classOf: ClassOf = () => "",
): readonly CompactionTask[] {
  const tasks: CompactionTask[] = [];
  let run: Candidate[] = [];
  let runClass: string | undefined;
  const flush = () => {
    for (const part of withoutGiants(run, rules)) tasks.push(...cut(part, rules));
    run = [];
  };
  for (const fragment of fragments) {
    const own = classOf(fragment.id);
    const candidate = own === undefined ? undefined : candidateOf(fragment, rules);
    if (candidate === undefined || own !== runClass) flush();
    runClass = own;
    if (candidate !== undefined) run.push(candidate);
  }
  flush();
  return tasks;
}

/** True when so many rows of the fragment are gone that it is rewritten for that alone. */
export function isHollow(fragment: Fragment, rules: CompactionRules): boolean {
  return (fragment.deletionFile?.deletedRows ?? 0) > rules.maxDeletedShare * fragment.physicalRows;
}

/** A fragment that is small or heavily deleted; undefined for one that is well shaped. */
function candidateOf(fragment: Fragment, rules: CompactionRules): Candidate | undefined {
  const liveRows = fragment.physicalRows - (fragment.deletionFile?.deletedRows ?? 0);
  const sizeBytes = fragment.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const hollow = isHollow(fragment, rules);
  // Half of what a task writes into one file: its own results never count as small, unless they shrink on disk.
  const small = liveRows < rules.targetRows && sizeBytes < fileBytesOf(rules) / 2;
  return small || hollow ? { fragment, liveRows, sizeBytes, hollow } : undefined;
}

/** The parts of a run between fragments that outweigh the rest of it. */
function withoutGiants(run: readonly Candidate[], rules: CompactionRules): readonly (readonly Candidate[])[] {
  if (rules.largestShare >= 1 || run.length < 2) return [run];
  let rows = 0;
  let largest = 0;
  for (const [i, candidate] of run.entries()) {
    rows += candidate.liveRows;
    if (candidate.liveRows > run[largest]!.liveRows) largest = i;
  }
  const giant = run[largest]!;
  if (giant.liveRows <= rules.largestShare * rows) return [run];
  return [...withoutGiants(run.slice(0, largest), rules), [giant], ...withoutGiants(run.slice(largest + 1), rules)];
}

/** Tasks of at most `maxBytes`, each ending where its rows fill a fragment. */
function cut(run: readonly Candidate[], rules: CompactionRules): CompactionTask[] {
  const tasks: CompactionTask[] = [];
  let part: Candidate[] = [];
  let liveRows = 0;
  let sizeBytes = 0;
  const flush = () => {
    const worth = part.length > 1 || part[0]?.hollow === true;
    if (worth) tasks.push({ fragments: part.map((one) => one.fragment), liveRows, sizeBytes });
    part = [];
    liveRows = 0;
    sizeBytes = 0;
  };
  for (const candidate of run) {
    if (sizeBytes + candidate.sizeBytes > rules.maxBytes) flush();
    part.push(candidate);
    liveRows += candidate.liveRows;
    sizeBytes += candidate.sizeBytes;
    if (liveRows >= rules.targetRows) flush();
  }
  flush();
  return tasks;
}
