/**
 * Compaction: rewrites small and heavily deleted fragments, task by task, each in a commit of its own.
 *
 * Writers always win. A task copies without holding anything that a writer waits for; rows that were deleted or updated
 * meanwhile are deleted from the copy when it is committed, and a task that lost its fragments is planned again.
 */
import { commitProposal } from "../commit/commit.js";
import { DURABILITY_PROPERTY, type Durability } from "../commit/durability.js";
import { explainMissingAtHead } from "../commit/missing-file.js";
import type { SharedTable } from "../commit/shared-table.js";
import type { Snapshot } from "../commit/snapshot.js";
import type { FragmentCodec } from "../data/codec.js";
import { CODECS } from "../data/codecs.js";
import { FileCache } from "../data/file-cache.js";
import { fileVersionOf } from "../format/file-version.js";
import { checkWritable, FLAG_STABLE_ROW_IDS } from "../format/flags.js";
import { isTableError } from "../support/errors.js";
import { pace } from "../support/pace.js";
import { copyLiveRows } from "./compact-copy.js";
import { classesOf } from "./compact-indices.js";
import { withRowLineage } from "./compact-row-ids.js";
import { type CompactionRules, type CompactionTask, fileBytesOf, isHollow, planCompaction } from "./plan-compaction.js";

/** A task is planned again this often in a row, because others rewrote its fragments, before compaction lets it be. */
const LOSSES_MAX = 8;
/** A copy reads every file once: what is known of open files is not worth keeping. */
const CACHE_BYTES = 1 << 18;
/** Milliseconds of work between two turns of the event loop: what a write may have to wait for a copy. */
const SLICE_MS = 0.5;

export interface CompactionContext {
  readonly table: SharedTable;
  readonly codecOf: (snapshot: Snapshot) => FragmentCodec;
  readonly durability: Durability;
  readonly timeoutMs: number;
}

export interface CompactionOptions {
  readonly rules: CompactionRules;
  /** For the transactions that it makes. */
  readonly properties?: ReadonlyMap<string, string>;
  /** Asked before every task; false ends the compaction, and what is committed stays. */
  readonly goesOn?: () => boolean | Promise<boolean>;
}

/** What a compaction did; names are LanceDB's. */
export interface CompactionStats {
  readonly fragmentsRemoved: number;
  readonly fragmentsAdded: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
}

type TaskOutcome = CompactionStats | "lost" | "no gain";

/**
 * Compacts what the table holds now; fragments that come meanwhile are left to the next time.
 * @throws BUSY when other writers win all the time; UNAVAILABLE, CORRUPT, NOT_SUPPORTED. The table is as it was or
 * better after every error.
 */
export async function compact(context: CompactionContext, options: CompactionOptions): Promise<CompactionStats> {
  const { rules } = options;
  const { table } = context;
  let total: CompactionStats = { fragmentsRemoved: 0, fragmentsAdded: 0, filesRemoved: 0, filesAdded: 0 };
  let newest: number | undefined;
  const left = new Set<number>();
  let losses = 0;
  while (losses < LOSSES_MAX && (await (options.goesOn?.() ?? true))) {
    const { snapshot: base, release } = await table.lease.hold(() => table.refresh(), "write");
    try {
      checkWritable(base.manifest.writerFlags, table.store.display);
      newest ??= base.manifest.maxFragmentId ?? -1;
      const task = planTask(base, rules, newest, left);
      if (task === undefined) break;
      const outcome = await runTask(context, base, task, options);
      if (outcome === "no gain") for (const fragment of task.fragments) left.add(fragment.id);
      else if (outcome !== "lost") total = sum(total, outcome);
      losses = outcome === "lost" ? losses + 1 : 0;
    } finally {
      release();
    }
  }
  return total;
}

function planTask(
  base: Snapshot,
  rules: CompactionRules,
  newest: number,
  left: ReadonlySet<number>,
): CompactionTask | undefined {
  const classes = classesOf(base.manifest);
  const classOf = (id: number) => (id > newest || left.has(id) ? undefined : classes(id));
  return planCompaction(base.manifest.fragments, rules, classOf)[0];
}

/** Copies and commits one task. */
async function runTask(
  context: CompactionContext,
  base: Snapshot,
  task: CompactionTask,
  { rules, properties = new Map() }: CompactionOptions,
): Promise<TaskOutcome> {
  const { table } = context;
  try {
    const copy = await copyLiveRows(task.fragments, copyContext(context, base, task, rules));
    if (copy === undefined) return "no gain";
    const stable = (base.manifest.writerFlags & FLAG_STABLE_ROW_IDS) !== 0n;
    const newFragments = stable ? withRowLineage(task.fragments, copy.goneRows, copy.fragments) : copy.fragments;
    const group = { oldFragments: task.fragments, goneRows: copy.goneRows, newFragments };
    const committed = await commitProposal(
      table,
      base,
      {
        intent: { kind: "rewrite", groups: [group] },
        readVersion: base.version,
        staged: Promise.resolve(),
        stagedPaths: copy.paths,
        properties: new Map([...properties, [DURABILITY_PROPERTY, context.durability]]),
      },
      context,
    );
    if (committed.kind === "again") return "lost";
    return {
      fragmentsRemoved: task.fragments.length,
      fragmentsAdded: copy.fragments.length,
      filesRemoved: task.fragments.reduce((files, one) => files + one.files.length + (one.deletionFile ? 1 : 0), 0),
      filesAdded: copy.fragments.length,
    };
  } catch (error) {
    // An overwrite or a restore: what was to be compacted is not there any more.
    if (isTableError(error, "CONFLICT")) return "lost";
    const why = await explainMissingAtHead(table, error);
    if (isTableError(why, "SNAPSHOT_EXPIRED")) return "lost";
    throw why;
  }
}

function copyContext(
  context: CompactionContext,
  base: Snapshot,
  task: CompactionTask,
  rules: CompactionRules,
): Parameters<typeof copyLiveRows>[1] {
  const { table } = context;
  const fileVersion = fileVersionOf(base.manifest);
  const hollow = task.fragments.some((fragment) => isHollow(fragment, rules));
  return {
    store: table.store,
    nameFile: table.nameFile,
    leftover: () => table.lease.taint(),
    cache: new FileCache({ store: table.store, codecs: CODECS, cacheBytesMax: CACHE_BYTES }),
    codec: context.codecOf(base),
    encode: fileVersion === undefined ? {} : { fileVersion },
    schema: base.schema,
    durable: context.durability === "full",
    deletions: (fragment) => table.deletions(fragment),
    pause: () => pace(table.runtime, SLICE_MS),
    fileRows: rules.targetRows,
    fileBytes: fileBytesOf(rules),
    // Wide rows fill files early: as many files as before, at the rate so far, are not worth a commit.
    goesOn: (files, rows) => hollow || Math.ceil((task.liveRows / rows) * files) < task.fragments.length,
  };
}

function sum(a: CompactionStats, b: CompactionStats): CompactionStats {
  return {
    fragmentsRemoved: a.fragmentsRemoved + b.fragmentsRemoved,
    fragmentsAdded: a.fragmentsAdded + b.fragmentsAdded,
    filesRemoved: a.filesRemoved + b.filesRemoved,
    filesAdded: a.filesAdded + b.filesAdded,
  };
}
