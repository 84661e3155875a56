/**
 * The manifest of the next version: a pure function of the head's manifest and an operation on it.
 *
 * Specification: Lance table format, manifest and transaction semantics; rules that native LanceDB relies on
 * (fragment ids never reused, flags recomputed, index section kept) are those of the format's own writers.
 */

import { fileVersionOf } from "../format/file-version.js";
import { DATA_FORMAT_KEY, requiredFlags } from "../format/flags.js";
import type { Fragment } from "../format/fragment.js";
import { FragmentList } from "../format/fragment-list.js";
import { decodeIndexSection, encodeIndexSection, withFragmentIds } from "../format/index-section.js";
import type { Manifest, Timestamp } from "../format/manifest.js";
import type { Operation, RewriteGroup, UpdateMap } from "../format/operation.js";
import { assert, TableError } from "../support/errors.js";
import { indicesOfFields } from "./indices.js";
import { assignRowIds, hasStableRowIds, touchRows } from "./row-ids.js";

/** What a new manifest takes from its surroundings. */
export interface NextContext {
  readonly nowMs: number;
  readonly transaction: Uint8Array;
  /** Only for restore: the version that comes back. */
  readonly restored?: Manifest;
  /** Only for overwrite: the data format of the new content. */
  readonly dataFormat?: { readonly format: string; readonly version: string };
}

/** The program that a manifest says it was written by. */
export const WRITER = { library: "joust", version: "0.1.0" } as const;

/** The manifest that `operation` makes of `head`. New fragments get ids above every id ever used. */
export function nextManifest(head: Manifest, operation: Operation, context: NextContext): Manifest {
  const changed = applyOperation(head, operation, context);
  const fileVersion = fileVersionOf(changed);
  const next: Manifest = {
    ...changed,
    // Without it native LanceDB takes a table that has no files for one of the legacy format.
    dataFormat:
      changed.dataFormat ?? (fileVersion === undefined ? undefined : { format: "lance", version: fileVersion }),
    version: head.version + 1,
    timestamp: timestampOf(context.nowMs),
    writerVersion: WRITER,
    transactionFile: "",
    transaction: context.transaction,
    tag: "",
  };
  return { ...next, ...requiredFlags(next) };
}

/** A wall clock's time as manifests have it. */
export function timestampOf(nowMs: number): Timestamp {
  return { seconds: BigInt(Math.floor(nowMs / 1000)), nanos: Math.floor((nowMs % 1000) * 1e6) };
}

function applyOperation(head: Manifest, operation: Operation, context: NextContext): Manifest {
  switch (operation.kind) {
    case "append":
      return addFragments(head, operation.fragments);
    case "delete":
      return replaceFragments(head, operation.updatedFragments, operation.deletedFragmentIds);
    case "update": {
      const trimmed = replaceFragments(head, operation.updatedFragments, operation.removedFragmentIds);
      return addFragments(trimmed, operation.newFragments);
    }
    case "overwrite":
      return overwrite(head, operation, context);
    case "restore":
      return restore(head, context);
    case "merge":
      return merge(head, operation);
    case "project":
      return project(head, operation);
    case "update_config":
      return updateConfig(head, operation);
    case "rewrite":
      return rewrite(head, operation);
    case "reserve_fragments":
      return { ...head, maxFragmentId: (head.maxFragmentId ?? -1) + operation.count };
    default:
      throw new TableError("INTERNAL", `This package does not make ${operation.kind} transactions. Please report it.`);
  }
}

function addFragments(head: Manifest, fragments: readonly Fragment[]): Manifest {
  if (fragments.length === 0) return head;
  const first = (head.maxFragmentId ?? -1) + 1;
  const numbered = fragments.map((fragment, i) => ({ ...fragment, id: first + i }));
  const assigned = hasStableRowIds(head) ? assignRowIds(numbered, head.nextRowId, head.version + 1) : undefined;
  return {
    ...head,
    fragments: head.fragments.append(assigned?.fragments ?? numbered),
    maxFragmentId: first + fragments.length - 1,
    nextRowId: assigned?.nextRowId ?? head.nextRowId,
  };
}

function replaceFragments(head: Manifest, updated: readonly Fragment[], removed: readonly number[]): Manifest {
  const changes = new Map<number, Fragment | null>();
  for (const fragment of updated) changes.set(fragment.id, fragment);
  for (const id of removed) changes.set(id, null);
  return changes.size === 0 ? head : { ...head, fragments: head.fragments.replace(changes) };
}

function overwrite(head: Manifest, operation: Operation & { kind: "overwrite" }, context: NextContext): Manifest {
  assert(context.dataFormat !== undefined, "an overwrite says what data format it has");
  const config = new Map(head.config);
  config.delete(DATA_FORMAT_KEY);
  for (const [key, value] of operation.configUpserts) config.set(key, value);
  const emptied: Manifest = {
    ...head,
    fields: operation.fields,
    schemaMetadata: operation.schemaMetadata,
    fragments: FragmentList.from([]),
    indexSection: undefined,
    dataFormat: context.dataFormat,
    config,
  };
  return addFragments(emptied, operation.fragments);
}

function restore(head: Manifest, context: NextContext): Manifest {
  const old = context.restored;
  assert(old !== undefined, "a restore has the manifest that comes back");
  const maxFragmentId = Math.max(head.maxFragmentId ?? -1, old.maxFragmentId ?? -1);
  return {
    ...old,
    ...(maxFragmentId < 0 ? {} : { maxFragmentId }),
    nextRowId: head.nextRowId > old.nextRowId ? head.nextRowId : old.nextRowId,
  };
}

/** Rows count as changed in a fragment that got another file: columns with values came, or a column was cast. */
function merge(head: Manifest, operation: Operation & { kind: "merge" }): Manifest {
  const { fields, schemaMetadata } = operation;
  const fragments = !hasStableRowIds(head)
    ? operation.fragments
    : operation.fragments.map((fragment) => {
        const before = new Set(head.fragments.byId(fragment.id)?.files.map((file) => file.path));
        const same = fragment.files.every((file) => before.has(file.path));
        return same ? fragment : touchRows(fragment, head.version + 1);
      });
  const indexSection = indicesOfFields(head.indexSection, fields);
  return { ...head, fields, schemaMetadata, fragments: FragmentList.from(fragments), indexSection };
}

/** Files that hold no column of the schema any more leave their fragments; a fragment keeps at least one file. */
function project(head: Manifest, operation: Operation & { kind: "project" }): Manifest {
  const live = new Set(operation.fields.map((field) => field.id));
  const changes = new Map<number, Fragment | null>();
  for (const fragment of head.fragments) {
    const files = fragment.files.filter((file) => file.fields.some((id) => live.has(id)));
    if (files.length > 0 && files.length < fragment.files.length) changes.set(fragment.id, { ...fragment, files });
  }
  return {
    ...head,
    fields: operation.fields,
    fragments: changes.size === 0 ? head.fragments : head.fragments.replace(changes),
    indexSection: indicesOfFields(head.indexSection, operation.fields),
  };
}

/** New fragments of a rewrite are numbered here; with stable row ids the indices follow the rows to them. */
function rewrite(head: Manifest, operation: Operation & { kind: "rewrite" }): Manifest {
  const changes = new Map<number, Fragment | null>();
  for (const group of operation.groups) for (const old of group.oldFragments) changes.set(old.id, null);
  let next = (head.maxFragmentId ?? -1) + 1;
  const groups = operation.groups.map(({ oldFragments, newFragments }) => ({
    oldFragments,
    newFragments: newFragments.map((fragment) => ({ ...fragment, id: next++ })),
  }));
  const added = groups.flatMap((group) => group.newFragments);
  const kept = head.fragments.replace(changes);
  const indexSection = hasStableRowIds(head) ? follow(head, groups) : head.indexSection;
  return added.length === 0
    ? { ...head, fragments: kept, indexSection }
    : { ...head, fragments: kept.append(added), maxFragmentId: next - 1, indexSection };
}

/** The indices of `head`, each covering the new fragments of a group whose old ones it covered. */
function follow(head: Manifest, groups: readonly RewriteGroup[]): Uint8Array | undefined {
  if (head.indexSection === undefined) return undefined;
  const section = decodeIndexSection(head.indexSection, `the indices of version ${head.version}`);
  const entries = section.entries.map((entry) => {
    const covered = new Set(entry.fragmentIds);
    for (const { oldFragments, newFragments } of groups) {
      const count = oldFragments.filter(({ id }) => covered.delete(id)).length;
      assert(count === 0 || count === oldFragments.length, "an index covers all or none of a rewritten group");
      if (count > 0) for (const { id } of newFragments) covered.add(id);
    }
    return entry.fragmentIds === undefined ? entry : withFragmentIds(entry, Uint32Array.from(covered).sort());
  });
  return encodeIndexSection({ ...section, entries });
}

function updateConfig(head: Manifest, operation: Operation & { kind: "update_config" }): Manifest {
  const encoder = new TextEncoder();
  const fieldMetadata = operation.fieldMetadata;
  return {
    ...head,
    config: applyUpdates(head.config, operation.config, (text) => text),
    tableMetadata: applyUpdates(head.tableMetadata, operation.tableMetadata, (text) => text),
    schemaMetadata: applyUpdates(head.schemaMetadata, operation.schemaMetadata, (text) => encoder.encode(text)),
    fields:
      fieldMetadata === undefined || fieldMetadata.size === 0
        ? head.fields
        : head.fields.map((field) => ({
            ...field,
            metadata: applyUpdates(field.metadata, fieldMetadata.get(field.id), (text) => encoder.encode(text)),
          })),
  };
}

/** A map after an update: replaced as a whole, or entry by entry; an entry without a value removes its key. */
function applyUpdates<V>(
  old: ReadonlyMap<string, V>,
  update: UpdateMap | undefined,
  encode: (text: string) => V,
): ReadonlyMap<string, V> {
  if (update === undefined) return old;
  const next = new Map(update.replace ? [] : old);
  for (const { key, value } of update.entries) {
    if (value === undefined) next.delete(key);
    else next.set(key, encode(value));
  }
  return next;
}
