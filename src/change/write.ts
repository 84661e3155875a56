/**
 * The writes of the table as data: what callers ask for, as the queue holds it until its group is planned.
 *
 * A write is planned on whatever is the head by then, and again when a conflict says so.
 */
import type { RecordBatch, Schema } from "apache-arrow";
import type { Request } from "../commit/handed.js";
import type { Intent } from "../commit/proposal.js";
import type { QueuedWrite } from "../commit/queue.js";
import type { Snapshot } from "../commit/snapshot.js";
import type { Expression } from "../compute/expression/ast.js";

/** What a planned write will say once it is committed. */
export interface WriteCounts {
  readonly rowsAdded: number;
  readonly rowsUpdated: number;
  readonly rowsDeleted: number;
}

/** The answer to one write. */
export interface WriteResult extends WriteCounts {
  readonly version: number;
  /** How often the commit that carried the write was tried. */
  readonly attempts: number;
  /** How many of these attempts changed the transaction to fit what others had committed. */
  readonly rebases: number;
}

/** What every write of a table has. */
interface TableWriteBase extends QueuedWrite {
  /** What the caller says of the commit, for the transaction record; only of a write that commits alone. */
  readonly properties?: ReadonlyMap<string, string>;
  /** Set when another process may commit this write, too. */
  readonly request?: Request;
}

/** Rows to add, already columns or still rows; `toBatches` fits them to the schema of the version. */
export interface AppendWrite extends TableWriteBase {
  readonly kind: "append";
  /** Plain rows, so that those of a whole group become columns at once; undefined when `toBatches` is to be asked. */
  readonly plainRows: readonly object[] | undefined;
  /** @throws SCHEMA_MISMATCH */
  readonly toBatches: (schema: Schema) => readonly RecordBatch[];
}

export interface DeleteWrite extends TableWriteBase {
  readonly kind: "delete";
  readonly predicate: Expression;
  /** The predicate as text, for the transaction record. */
  readonly text: string;
}

export interface UpdateWrite extends TableWriteBase {
  readonly kind: "update";
  readonly where: Expression | undefined;
  readonly assignments: ReadonlyMap<string, Expression>;
}

export interface MergeWrite extends TableWriteBase {
  readonly kind: "merge";
  readonly on: readonly string[];
  /** Columns that the source has; the others keep their values in rows that are updated, and are null in new ones. */
  readonly columns: (schema: Schema) => ReadonlySet<string>;
  readonly updateMatched: { readonly where: Expression | undefined } | undefined;
  readonly insertUnmatched: boolean;
  readonly deleteUnmatchedTarget: { readonly where: Expression | undefined } | undefined;
  /** What the source was made of, if it was plain rows. */
  readonly plainRows?: readonly object[];
  /** @throws SCHEMA_MISMATCH */
  readonly toBatches: (schema: Schema) => readonly RecordBatch[];
}

/** A write that shares no commit: overwrite, restore, schema and config changes. */
export interface AloneWrite extends TableWriteBase {
  readonly kind: "alone";
  readonly plan: (base: Snapshot) => Promise<AlonePlan>;
}

/** Lets another process commit by itself, while nobody else of those who share this queue does. */
export interface TurnWrite extends TableWriteBase {
  readonly kind: "turn";
  readonly run: () => Promise<void>;
}

export interface AlonePlan {
  readonly intent: Intent;
  readonly counts: WriteCounts;
  readonly stagedPaths: readonly string[];
  readonly staged: Promise<void>;
}

export type TableWrite = AppendWrite | DeleteWrite | UpdateWrite | MergeWrite | AloneWrite | TurnWrite;

export const NO_ROWS: WriteCounts = { rowsAdded: 0, rowsUpdated: 0, rowsDeleted: 0 };
