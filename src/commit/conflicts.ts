/**
 * The verdict on my operation after somebody else's operation was committed on top of the version that I read.
 *
 * The table below is what the resolver executes, what docs/conflicts.md prints and what the tests enumerate. A pair
 * without a cell does not compile. Source: Lance table format, transactions, conflict resolution.
 */
import { type ConflictView, type Judgement, judgements, type Verdict } from "./judgements.js";
import type { OperationKind } from "./proposal.js";

export type { ConflictView, Verdict };

/** A cell: the verdict itself, or the name of the judgement that finds it. */
export type Cell = Verdict | keyof typeof judgements;

const C = "compatible";
const R = "retry";
const X = "fail";

type Row = Readonly<Record<OperationKind, Cell>>;

/** Mine → theirs. Operations that are not known are never compatible. */
export const VERDICTS: Readonly<Record<OperationKind, Row>> = {
  append: {
    append: C,
    delete: C,
    update: C,
    create_index: C,
    rewrite: C,
    merge: "liveFields",
    project: "liveFields",
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: C,
    data_replacement: C,
    clone: C,
    unknown: X,
  },
  delete: {
    append: C,
    delete: "sameRows",
    update: "sameRows",
    create_index: C,
    rewrite: "sameFragments",
    merge: R,
    project: C,
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: C,
    data_replacement: "sameFragments",
    clone: C,
    unknown: X,
  },
  update: {
    append: "absentKeys",
    delete: "sameRows",
    update: "sameRowsOrKeys",
    create_index: C,
    rewrite: "sameFragments",
    merge: R,
    project: "liveFields",
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: C,
    data_replacement: "sameFragments",
    clone: C,
    unknown: X,
  },
  create_index: {
    append: C,
    delete: C,
    update: C,
    create_index: R,
    rewrite: R,
    merge: C,
    project: C,
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: C,
    data_replacement: R,
    clone: C,
    unknown: X,
  },
  rewrite: {
    append: C,
    delete: "carryDeletions",
    update: "carryDeletions",
    create_index: "rewrittenIndex",
    rewrite: "sameFragments",
    merge: R,
    project: C,
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: C,
    data_replacement: "sameFragments",
    clone: C,
    unknown: X,
  },
  merge: {
    append: R,
    delete: R,
    update: R,
    create_index: C,
    rewrite: R,
    merge: R,
    project: X,
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: "schemaMetadata",
    data_replacement: R,
    clone: C,
    unknown: X,
  },
  project: {
    append: C,
    delete: C,
    update: C,
    create_index: C,
    rewrite: C,
    merge: R,
    project: R,
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: "schemaMetadata",
    data_replacement: C,
    clone: C,
    unknown: X,
  },
  overwrite: {
    append: C,
    delete: C,
    update: C,
    create_index: C,
    rewrite: C,
    merge: C,
    project: C,
    overwrite: R,
    restore: C,
    reserve_fragments: C,
    update_config: C,
    data_replacement: C,
    clone: C,
    unknown: X,
  },
  restore: {
    append: C,
    delete: C,
    update: C,
    create_index: C,
    rewrite: C,
    merge: C,
    project: C,
    overwrite: C,
    restore: C,
    reserve_fragments: C,
    update_config: C,
    data_replacement: C,
    clone: C,
    unknown: X,
  },
  reserve_fragments: {
    append: C,
    delete: C,
    update: C,
    create_index: C,
    rewrite: C,
    merge: C,
    project: C,
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: C,
    data_replacement: C,
    clone: C,
    unknown: X,
  },
  update_config: {
    append: C,
    delete: C,
    update: C,
    create_index: C,
    rewrite: C,
    merge: C,
    project: C,
    overwrite: "sameKeys",
    restore: C,
    reserve_fragments: C,
    update_config: "sameKeys",
    data_replacement: C,
    clone: C,
    unknown: X,
  },
  data_replacement: {
    append: C,
    delete: R,
    update: R,
    create_index: R,
    rewrite: R,
    merge: R,
    project: R,
    overwrite: X,
    restore: X,
    reserve_fragments: C,
    update_config: C,
    data_replacement: R,
    clone: C,
    unknown: X,
  },
  clone: {
    append: C,
    delete: C,
    update: C,
    create_index: C,
    rewrite: C,
    merge: C,
    project: C,
    overwrite: C,
    restore: C,
    reserve_fragments: C,
    update_config: C,
    data_replacement: C,
    clone: C,
    unknown: X,
  },
  unknown: {
    append: X,
    delete: X,
    update: X,
    create_index: X,
    rewrite: X,
    merge: X,
    project: X,
    overwrite: X,
    restore: X,
    reserve_fragments: X,
    update_config: X,
    data_replacement: X,
    clone: X,
    unknown: X,
  },
};

const SEVERITY: Readonly<Record<Verdict, number>> = { compatible: 0, rebase: 1, retry: 2, fail: 3 };

/** The verdict of one cell. */
export function judge(view: ConflictView): Verdict {
  const cell = VERDICTS[view.mine.kind][view.theirs.kind];
  const judgement: Judgement | undefined = Object.hasOwn(judgements, cell)
    ? judgements[cell as keyof typeof judgements]
    : undefined;
  return judgement === undefined ? (cell as Verdict) : judgement.judge(view);
}

/** The graver of two verdicts. */
export function graver(a: Verdict, b: Verdict): Verdict {
  return SEVERITY[a] >= SEVERITY[b] ? a : b;
}
