/**
 * Stable row ids and row versions of rewritten rows: every live row keeps its own, in the order of the copy.
 *
 * Source: Lance row id and lineage specification. Sequences in files of their own are refused.
 */
import type { DeletionVector } from "../format/deletion-vector.js";
import type { Fragment, SequenceLocation } from "../format/fragment.js";
import {
  decodeRowIdSequence,
  decodeVersionSequence,
  encodeRowIdSequence,
  encodeVersionSequence,
  expandRowIds,
  expandVersions,
  type RowIdSegment,
  rowIdSequenceOf,
  versionSequenceOf,
} from "../format/row-ids.js";
import { TableError } from "../support/errors.js";

/** Rows without a version sequence count as made in the first version. */
const FIRST_VERSION = 1;

/** `copies` with the row ids and versions of the live rows of `originals`, in order. */
export function withRowLineage(
  originals: readonly Fragment[],
  goneRows: ReadonlyMap<number, DeletionVector>,
  copies: readonly Fragment[],
): Fragment[] {
  const ids = gather(originals, goneRows, idsOf);
  const created = gatherVersions(originals, goneRows, "createdVersions");
  const updated = gatherVersions(originals, goneRows, "lastUpdatedVersions");
  let start = 0;
  return copies.map((copy) => {
    const end = start + copy.physicalRows;
    const lineage = {
      rowIds: inline(encodeRowIdSequence(shortest(ids.slice(start, end)))),
      ...(created === undefined ? {} : { createdVersions: versions(created, start, end) }),
      ...(updated === undefined ? {} : { lastUpdatedVersions: versions(updated, start, end) }),
    };
    start = end;
    return { ...copy, ...lineage };
  });
}

function gather(
  originals: readonly Fragment[],
  goneRows: ReadonlyMap<number, DeletionVector>,
  valuesOf: (fragment: Fragment) => Float64Array,
): Float64Array<ArrayBuffer> {
  const rows = originals.reduce((sum, { id, physicalRows }) => sum + physicalRows - (goneRows.get(id)?.size ?? 0), 0);
  const gathered = new Float64Array(rows);
  let at = 0;
  for (const original of originals) {
    const values = valuesOf(original);
    const gone = goneRows.get(original.id);
    if (gone === undefined || gone.size === 0) {
      gathered.set(values, at);
      at += values.length;
    } else {
      for (const offset of gone.liveOffsets(0, original.physicalRows)) gathered[at++] = values[offset]!;
    }
  }
  return gathered;
}

/** The versions of all live rows; undefined when no original says any, which the copies then need not either. */
function gatherVersions(
  originals: readonly Fragment[],
  goneRows: ReadonlyMap<number, DeletionVector>,
  key: "createdVersions" | "lastUpdatedVersions",
): Float64Array<ArrayBuffer> | undefined {
  if (originals.every((original) => original[key] === undefined)) return undefined;
  return gather(originals, goneRows, (fragment) => {
    const location = fragment[key];
    if (location === undefined) return new Float64Array(fragment.physicalRows).fill(FIRST_VERSION);
    const name = `the row versions of fragment ${fragment.id}`;
    return expandVersions(decodeVersionSequence(bytesOf(location, name), name), name, fragment.physicalRows);
  });
}

function idsOf(fragment: Fragment): Float64Array {
  const name = `the row ids of fragment ${fragment.id}`;
  if (fragment.rowIds === undefined) {
    throw new TableError("CORRUPT", `The manifest has stable row ids but not ${name}; restore an older version.`, {
      details: { path: name, offset: 0 },
    });
  }
  return expandRowIds(decodeRowIdSequence(bytesOf(fragment.rowIds, name), name), name, fragment.physicalRows);
}

function bytesOf(location: SequenceLocation, name: string): Uint8Array {
  if (location.kind === "inline") return location.bytes;
  throw new TableError("NOT_SUPPORTED", `Compacting ${name}, kept in a file of their own, is not supported.`, {
    details: { path: location.path },
  });
}

/** Ascending ids as a range with a bitmap where that is smaller than the list of them. */
function shortest(ids: Float64Array<ArrayBuffer>): RowIdSegment[] {
  const [segment, ...rest] = rowIdSequenceOf(ids);
  if (segment === undefined || rest.length > 0 || segment.kind !== "sorted_array") {
    return segment === undefined ? [] : [segment, ...rest];
  }
  const start = ids[0]!;
  const end = ids[ids.length - 1]! + 1;
  if ((end - start) / 8 > 4 * ids.length) return [segment];
  const bitmap = new Uint8Array(Math.ceil((end - start) / 8));
  for (const id of ids) bitmap[Math.floor((id - start) / 8)]! |= 1 << ((id - start) % 8);
  return [{ kind: "range_with_bitmap", start, end, bitmap }];
}

function versions(all: Float64Array<ArrayBuffer>, start: number, end: number): SequenceLocation {
  return inline(encodeVersionSequence(versionSequenceOf(all.slice(start, end))));
}

function inline(bytes: Uint8Array): SequenceLocation {
  return { kind: "inline", bytes };
}
