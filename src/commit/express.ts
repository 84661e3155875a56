/**
 * A proposal, expressed on one head: the operation that goes into the transaction record, with the deletion files
 * that it needs. Rebasing is nothing but doing this again on a newer head.
 */
import { encodeDeletionVector } from "../format/deletion-file.js";
import { DeletionVector } from "../format/deletion-vector.js";
import type { DeletionFile, Fragment } from "../format/fragment.js";
import { deletionPath } from "../format/layout.js";
import type { Manifest } from "../format/manifest.js";
import type { Operation } from "../format/operation.js";
import type { ObjectStore } from "../store/contract.js";
import { assert, unreachable } from "../support/errors.js";
import type { Runtime } from "../support/runtime.js";
import type { Proposal, RewriteGroup, RowSets } from "./proposal.js";

export interface ExpressContext {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly durable: boolean;
  readonly head: Manifest;
  /** The rows of a fragment that are gone at head. */
  readonly deletions: (fragment: Fragment) => Promise<DeletionVector | undefined>;
}

export interface Expressed {
  readonly operation: Operation;
  /** Deletion files made for this head only, relative to the table. */
  readonly paths: readonly string[];
  /** Resolves when those files are written (and synced, if durable). */
  readonly written: Promise<void>;
  /** The vectors behind those files by path, for caches. */
  readonly vectors: ReadonlyMap<string, DeletionVector>;
}

/** The operation that `proposal` is on `context.head`. The verdicts on everything between were `compatible` or `rebase`. */
export async function express(proposal: Proposal, context: ExpressContext): Promise<Expressed> {
  const { intent } = proposal;
  switch (intent.kind) {
    case "append":
      return plain({ kind: "append", fragments: intent.fragments });
    case "delete": {
      const writes = await deleteRows(intent.rows, context);
      return writes.with({
        kind: "delete",
        updatedFragments: writes.updated,
        deletedFragmentIds: writes.removed,
        predicate: intent.predicate,
      });
    }
    case "update": {
      const writes = await deleteRows(intent.rows, context);
      return writes.with({
        kind: "update",
        updatedFragments: writes.updated,
        removedFragmentIds: writes.removed,
        newFragments: intent.newFragments,
        fieldsModified: intent.fieldsModified,
        mode: "rows",
      });
    }
    case "overwrite":
      return plain({
        kind: "overwrite",
        fragments: intent.fragments,
        fields: intent.fields,
        schemaMetadata: intent.schemaMetadata,
        configUpserts: intent.config,
      });
    case "rewrite":
      return rewrite(intent.groups, context);
    case "update_config":
      return plain({ ...intent, fieldMetadata: intent.fieldMetadata ?? new Map() });
    case "restore":
    case "merge":
    case "reserve_fragments":
      return plain(intent);
    case "project":
      return plain({ kind: "project", fields: intent.fields, preservesNullability: intent.preservesNullability });
    default:
      return unreachable(intent);
  }
}

function plain(operation: Operation): Expressed {
  return { operation, paths: [], written: Promise.resolve(), vectors: new Map() };
}

/** Deletion files being written, and what becomes of the fragments. */
class DeletionWrites {
  readonly updated: Fragment[] = [];
  readonly removed: number[] = [];
  readonly paths: string[] = [];
  readonly vectors = new Map<string, DeletionVector>();
  readonly #writes: Promise<void>[] = [];
  readonly #context: ExpressContext;

  constructor(context: ExpressContext) {
    this.#context = context;
  }

  /** Gives `fragment` the deletion vector `gone`; a fragment without live rows leaves the table. */
  set(fragment: Fragment, gone: DeletionVector): void {
    if (gone.size >= fragment.physicalRows) {
      this.removed.push(fragment.id);
      return;
    }
    this.updated.push({ ...fragment, deletionFile: this.write(fragment.id, gone) });
  }

  /** Starts writing a deletion file for a fragment. */
  write(fragmentId: number, gone: DeletionVector): DeletionFile {
    const { store, runtime, durable, head } = this.#context;
    const file: DeletionFile = {
      kind: "bitmap",
      readVersion: head.version,
      id: randomU64(runtime),
      deletedRows: gone.size,
    };
    const path = deletionPath(fragmentId, file);
    this.paths.push(path);
    this.vectors.set(path, gone);
    this.#writes.push(store.write(path, [encodeDeletionVector(gone)], { durable }));
    return file;
  }

  /** The operation, together with the files that it needs. */
  with(operation: Operation): Expressed {
    const written = Promise.all(this.#writes).then(() => {});
    written.catch(() => {});
    return { operation, paths: this.paths, written, vectors: this.vectors };
  }
}

async function deleteRows(rows: RowSets, context: ExpressContext): Promise<DeletionWrites> {
  const writes = new DeletionWrites(context);
  for (const [id, mine] of rows) {
    const fragment = context.head.fragments.byId(id);
    assert(fragment !== undefined, "a fragment whose rows are deleted is still there after a compatible verdict");
    const gone = await context.deletions(fragment);
    assert(gone === undefined || !gone.intersects(mine), "no row is deleted twice");
    writes.set(fragment, gone === undefined ? mine : gone.union(mine));
  }
  return writes;
}

/** Rows that were deleted from old fragments after they were copied are deleted from the copies. */
async function rewrite(groups: readonly RewriteGroup[], context: ExpressContext): Promise<Expressed> {
  const writes = new DeletionWrites(context);
  const expressed: { oldFragments: readonly Fragment[]; newFragments: readonly Fragment[] }[] = [];
  let nextId = (context.head.maxFragmentId ?? -1) + 1;
  for (const group of groups) {
    const carried = await carriedDeletions(group, context);
    const oldFragments = group.oldFragments.map((old) => context.head.fragments.byId(old.id) ?? old);
    const newFragments: Fragment[] = [];
    let start = 0;
    for (const fragment of group.newFragments) {
      const gone = carried
        .filter((row) => row >= start && row < start + fragment.physicalRows)
        .map((row) => row - start);
      start += fragment.physicalRows;
      if (gone.length === fragment.physicalRows) continue;
      const id = nextId++;
      const numbered = { ...fragment, id };
      newFragments.push(
        gone.length === 0 ? numbered : { ...numbered, deletionFile: writes.write(id, DeletionVector.of(gone)) },
      );
    }
    expressed.push({ oldFragments, newFragments });
  }
  return writes.with({ kind: "rewrite", groups: expressed, rewrittenIndices: [] });
}

/** Positions in the copied rows of a group that were deleted since the copy was made, ascending. */
async function carriedDeletions(group: RewriteGroup, context: ExpressContext): Promise<number[]> {
  const carried: number[] = [];
  let copied = 0;
  for (const old of group.oldFragments) {
    const before = group.goneRows.get(old.id) ?? DeletionVector.empty;
    const fragment = context.head.fragments.byId(old.id);
    assert(fragment !== undefined, "a fragment that is rewritten is still there after a compatible verdict");
    const after = (await context.deletions(fragment)) ?? DeletionVector.empty;
    if (after.size > before.size) {
      let position = copied;
      for (let row = 0; row < old.physicalRows; row++) {
        if (before.has(row)) continue;
        if (after.has(row)) carried.push(position);
        position++;
      }
    }
    copied += old.physicalRows - before.size;
  }
  return carried;
}

function randomU64(runtime: Runtime): bigint {
  const high = BigInt(Math.floor(runtime.random() * 2 ** 32));
  return (high << 32n) | BigInt(Math.floor(runtime.random() * 2 ** 32));
}
