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
import type { Proposal, RewriteGroup, RowSets } from "./proposal.js";

export interface ExpressContext {
  readonly store: ObjectStore;
  /** A fresh number for a deletion file. */
  readonly deletionId: () => bigint;
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
      return planWrites(context, (writes) => rewrite(intent.groups, context, writes));
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
    const { store, deletionId, durable, head } = this.#context;
    const file: DeletionFile = {
      kind: "bitmap",
      readVersion: head.version,
      id: deletionId(),
      deletedRows: gone.size,
    };
    const path = deletionPath(fragmentId, file);
    this.paths.push(path);
    this.vectors.set(path, gone);
    const write = store.write(path, [encodeDeletionVector(gone)], { durable });
    // Whoever waits for all of them hears of it; until then other fragments may still be looked at.
    write.catch(() => {});
    this.#writes.push(write);
    return file;
  }

  /** Removes what was begun, after something else failed. */
  async discard(): Promise<void> {
    await Promise.allSettled(this.#writes);
    await Promise.allSettled(this.paths.map((path) => this.#context.store.delete(path)));
  }

  /** The operation, together with the files that it needs. */
  with(operation: Operation): Expressed {
    const written = Promise.all(this.#writes).then(() => {});
    written.catch(() => {});
    return { operation, paths: this.paths, written, vectors: this.vectors };
  }
}

/** Nobody knows of the files of a plan that failed half-way: they are removed here. */
async function planWrites<T>(context: ExpressContext, plan: (writes: DeletionWrites) => Promise<T>): Promise<T> {
  const writes = new DeletionWrites(context);
  try {
    return await plan(writes);
  } catch (error) {
    await writes.discard();
    throw error;
  }
}

function deleteRows(rows: RowSets, context: ExpressContext): Promise<DeletionWrites> {
  return planWrites(context, async (writes) => {
    for (const [id, mine] of rows) {
      const fragment = context.head.fragments.byId(id);
      assert(fragment !== undefined, "a fragment whose rows are deleted is still there after a compatible verdict");
      const gone = await context.deletions(fragment);
      assert(gone === undefined || !gone.intersects(mine), "no row is deleted twice");
      writes.set(fragment, gone === undefined ? mine : gone.union(mine));
    }
    return writes;
  });
}

/**
 * Rows that were deleted from old fragments after they were copied are deleted from the copies. An old fragment that
 * is no longer there lost its last row meanwhile, and a group of which nothing is left says nothing.
 */
async function rewrite(
  groups: readonly RewriteGroup[],
  context: ExpressContext,
  writes: DeletionWrites,
): Promise<Expressed> {
  const expressed: { oldFragments: readonly Fragment[]; newFragments: readonly Fragment[] }[] = [];
  let nextId = (context.head.maxFragmentId ?? -1) + 1;
  for (const group of groups) {
    const carried = await carriedDeletions(group, context);
    const oldFragments = group.oldFragments.flatMap((old) => context.head.fragments.byId(old.id) ?? []);
    const newFragments: Fragment[] = [];
    let start = 0;
    let from = 0;
    for (const fragment of group.newFragments) {
      const end = start + fragment.physicalRows;
      let to = from;
      while (to < carried.length && carried[to]! < end) to++;
      const gone = carried.subarray(from, to).map((row) => row - start);
      start = end;
      from = to;
      if (gone.length === fragment.physicalRows) continue;
      const id = nextId++;
      const numbered = { ...fragment, id };
      newFragments.push(
        gone.length === 0 ? numbered : { ...numbered, deletionFile: writes.write(id, DeletionVector.of(gone)) },
      );
    }
    if (oldFragments.length > 0) expressed.push({ oldFragments, newFragments });
  }
  return writes.with({ kind: "rewrite", groups: expressed, rewrittenIndices: [] });
}

/** Positions in the copied rows of a group that were deleted since the copy was made, ascending. */
async function carriedDeletions(group: RewriteGroup, context: ExpressContext): Promise<Uint32Array> {
  const parts: Uint32Array[] = [];
  let copied = 0;
  let count = 0;
  for (const old of group.oldFragments) {
    const before = group.goneRows.get(old.id) ?? DeletionVector.empty;
    const fragment = context.head.fragments.byId(old.id);
    const after = fragment === undefined ? undefined : ((await context.deletions(fragment)) ?? DeletionVector.empty);
    if (after === undefined || after.size > before.size) {
      const part = deletedSince(before, after, old.physicalRows);
      for (let i = 0; i < part.length; i++) part[i]! += copied;
      parts.push(part);
      count += part.length;
    }
    copied += old.physicalRows - before.size;
  }
  const carried = new Uint32Array(count);
  let at = 0;
  for (const part of parts) {
    carried.set(part, at);
    at += part.length;
  }
  return carried;
}

/** Positions, among the rows that were not gone before, of those that are gone after (all of them when undefined). */
function deletedSince(before: DeletionVector, after: DeletionVector | undefined, rows: number): Uint32Array {
  if (after === undefined) return Uint32Array.from({ length: rows - before.size }, (_, position) => position);
  const old = before.toArray();
  const all = after.toArray();
  const positions = new Uint32Array(all.length - old.length);
  let known = 0;
  let count = 0;
  for (let i = 0; i < all.length; i++) {
    if (known < old.length && old[known] === all[i]) known++;
    else positions[count++] = all[i]! - known;
  }
  assert(known === old.length && count === positions.length, "a row that was gone stays gone");
  return positions;
}
