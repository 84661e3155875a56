/**
 * The cells of the verdict table that have to look closer: each a pure predicate with the sentence that documents it.
 *
 * Judgements look at manifests, transactions and deletion vectors, never at rows.
 */
import type { DeletionVector } from "../format/deletion-vector.js";
import { FLAG_STABLE_ROW_IDS } from "../format/flags.js";
import type { Fragment } from "../format/fragment.js";
import type { Manifest } from "../format/manifest.js";
import type { Operation, UpdateMap } from "../format/operation.js";
import { type Intent, type RowSets, stagedFieldIds } from "./proposal.js";

/**
 * - compatible: commit as it is on the newer version
 * - rebase: express the same change on the newer version (merge deletion vectors, carry deletions over)
 * - retry: run the whole operation again on the newer version
 * - fail: only the caller can decide
 */
export type Verdict = "compatible" | "rebase" | "retry" | "fail";

/** What a judgement may look at. */
export interface ConflictView {
  readonly mine: Intent;
  readonly theirs: Operation;
  /** The version that my operation was computed on. */
  readonly base: Manifest;
  readonly head: Manifest;
  /** The deletion vector of a fragment at head; undefined when the fragment is no longer there. */
  readonly deletedAtHead: (fragmentId: number) => DeletionVector | undefined;
}

export interface Judgement {
  /** One sentence for docs/conflicts.md. */
  readonly rule: string;
  /** What the judgement can answer. */
  readonly verdicts: readonly Verdict[];
  readonly judge: (view: ConflictView) => Verdict;
}

/** Ids of the fragments whose rows or files another operation changed or removed. */
function touchedFragments(operation: Operation): readonly number[] {
  switch (operation.kind) {
    case "delete":
      return [...operation.updatedFragments.map((f) => f.id), ...operation.deletedFragmentIds];
    case "update":
      return [...operation.updatedFragments.map((f) => f.id), ...operation.removedFragmentIds];
    case "rewrite":
      return operation.groups.flatMap((group) => group.oldFragments.map((f) => f.id));
    case "data_replacement":
      return operation.replacements.map((r) => r.fragmentId);
    default:
      return [];
  }
}

/** Ids of the fragments that my intent changes or replaces. */
export function claimedFragments(intent: Intent): readonly number[] {
  switch (intent.kind) {
    case "delete":
    case "update":
      return [...intent.rows.keys()];
    case "rewrite":
      return intent.groups.flatMap((group) => group.oldFragments.map((f) => f.id));
    default:
      return [];
  }
}

function overlap(view: ConflictView): readonly number[] {
  const mine = new Set(claimedFragments(view.mine));
  return touchedFragments(view.theirs).filter((id) => mine.has(id));
}

/** True when a fragment still has the data files that it had in the version I read. */
function sameFiles(before: Fragment | undefined, after: Fragment | undefined): boolean {
  if (before === undefined || after === undefined || before.files.length !== after.files.length) return false;
  return before.files.every((file, i) => {
    const other = after.files[i];
    return other !== undefined && other.path === file.path && other.fields.join() === file.fields.join();
  });
}

function judgeRows(view: ConflictView, rows: RowSets): Verdict {
  let verdict: Verdict = "compatible";
  for (const id of overlap(view)) {
    if (!sameFiles(view.base.fragments.byId(id), view.head.fragments.byId(id))) return "retry";
    const gone = view.deletedAtHead(id);
    const mine = rows.get(id);
    if (gone === undefined || mine === undefined || gone.intersects(mine)) return "retry";
    verdict = "rebase";
  }
  return verdict;
}

function rowsOf(intent: Intent): RowSets {
  return intent.kind === "delete" || intent.kind === "update" ? intent.rows : new Map();
}

function addsRows(operation: Operation): boolean {
  if (operation.kind === "append") return operation.fragments.length > 0;
  return operation.kind === "update" && operation.newFragments.length > 0;
}

function judgeKeys(view: ConflictView): Verdict {
  return view.mine.kind === "update" && view.mine.insertsByKey && addsRows(view.theirs) ? "retry" : "compatible";
}

function judgeLiveFields(view: ConflictView): Verdict {
  const { mine, theirs } = view;
  if ((theirs.kind === "merge" || theirs.kind === "project") && !theirs.preservesNullability) {
    const nullable = new Map(view.base.fields.map((f) => [f.id, f.nullable]));
    const tightened = view.head.fields.some((f) => !f.nullable && nullable.get(f.id) !== false);
    if (tightened) return "retry";
  }
  const added = mine.kind === "append" ? mine.fragments : mine.kind === "update" ? mine.newFragments : [];
  const live = new Set(view.head.fields.map((f) => f.id));
  for (const id of stagedFieldIds(added)) if (!live.has(id)) return "retry";
  return "compatible";
}

function judgeIndex(view: ConflictView): Verdict {
  const { mine, theirs, head } = view;
  if (mine.kind !== "rewrite" || theirs.kind !== "create_index") return "retry";
  const stable = (head.writerFlags & FLAG_STABLE_ROW_IDS) !== 0n;
  for (const { fragmentIds } of theirs.newIndices) {
    if (fragmentIds === undefined) return "retry";
    const covered = new Set(fragmentIds);
    for (const { oldFragments } of mine.groups) {
      const count = oldFragments.filter((fragment) => covered.has(fragment.id)).length;
      if (count > 0 && !(stable && count === oldFragments.length)) return "retry";
    }
  }
  return "compatible";
}

function changesMetadata({ schemaMetadata, fieldMetadata, old }: Operation & { kind: "update_config" }): boolean {
  const before = old !== undefined && (old.schemaMetadata.size > 0 || old.fieldMetadata.size > 0);
  return schemaMetadata !== undefined || fieldMetadata.size > 0 || before;
}

function keysOf(map: UpdateMap | undefined): readonly string[] {
  return map === undefined ? [] : map.entries.map((entry) => entry.key);
}

function shareKeys(a: UpdateMap | undefined, b: UpdateMap | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const keys = new Set(keysOf(a));
  return a.replace || b.replace || keysOf(b).some((key) => keys.has(key));
}

function judgeKeysOfConfig(view: ConflictView): Verdict {
  const { mine, theirs } = view;
  if (mine.kind !== "update_config") return "fail";
  if (theirs.kind === "overwrite") {
    const touchesSchema = mine.schemaMetadata !== undefined || mine.fieldMetadata !== undefined;
    const shared = keysOf(mine.config).some((key) => theirs.configUpserts.has(key));
    return touchesSchema || shared ? "fail" : "compatible";
  }
  if (theirs.kind !== "update_config") return "fail";
  if (theirs.old !== undefined) return "fail";
  const fields = [...(mine.fieldMetadata?.keys() ?? [])];
  const shared =
    shareKeys(mine.config, theirs.config) ||
    shareKeys(mine.tableMetadata, theirs.tableMetadata) ||
    shareKeys(mine.schemaMetadata, theirs.schemaMetadata) ||
    fields.some((id) => theirs.fieldMetadata?.has(id));
  return shared ? "fail" : "compatible";
}

/** Every judgement that a cell may name. */
export const judgements = {
  sameRows: {
    rule: "Compatible without a shared fragment; rebase when the shared fragments kept their files and none of my rows is gone; retry otherwise.",
    verdicts: ["compatible", "rebase", "retry"],
    judge: (view) => judgeRows(view, rowsOf(view.mine)),
  },
  sameRowsOrKeys: {
    rule: "As sameRows; and retry when my new rows depend on absent keys and the other operation added rows.",
    verdicts: ["compatible", "rebase", "retry"],
    judge: (view) => (judgeKeys(view) === "retry" ? "retry" : judgeRows(view, rowsOf(view.mine))),
  },
  absentKeys: {
    rule: "Retry when my new rows depend on absent keys and the other operation added rows; compatible otherwise.",
    verdicts: ["compatible", "retry"],
    judge: judgeKeys,
  },
  sameFragments: {
    rule: "Compatible when the fragments are disjoint; retry otherwise.",
    verdicts: ["compatible", "retry"],
    judge: (view) => (overlap(view).length === 0 ? "compatible" : "retry"),
  },
  carryDeletions: {
    rule: "Compatible when the fragments are disjoint; rebase by carrying the new deletions over to the rewritten rows, also when the last row of a fragment was deleted; retry when a fragment got other files.",
    verdicts: ["compatible", "rebase", "retry"],
    judge: (view) => {
      const shared = overlap(view);
      // Whoever else can make a fragment vanish (a rewrite, an overwrite) is judged by a cell of its own.
      const kept = shared.every((id) => {
        const after = view.head.fragments.byId(id);
        return after === undefined || sameFiles(view.base.fragments.byId(id), after);
      });
      return shared.length === 0 ? "compatible" : kept ? "rebase" : "retry";
    },
  },
  rewrittenIndex: {
    rule: "Compatible when no new index covers a fragment that I rewrite, or, with stable row ids, when every new index covers all or none of the fragments that are rewritten together; retry otherwise.",
    verdicts: ["compatible", "retry"],
    judge: judgeIndex,
  },
  liveFields: {
    rule: "Compatible when every column I staged is still in the schema and no column became non-nullable; retry otherwise.",
    verdicts: ["compatible", "retry"],
    judge: judgeLiveFields,
  },
  schemaMetadata: {
    rule: "Retry when the other operation changed schema or field metadata; compatible otherwise.",
    verdicts: ["compatible", "retry"],
    judge: ({ theirs }) => (theirs.kind === "update_config" && changesMetadata(theirs) ? "retry" : "compatible"),
  },
  sameKeys: {
    rule: "Fail when both write the same key or the metadata of the same field, or the other used the old form of the record; compatible otherwise.",
    verdicts: ["compatible", "fail"],
    judge: judgeKeysOfConfig,
  },
} as const satisfies Record<string, Judgement>;
