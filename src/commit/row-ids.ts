/**
 * Stable row ids and lineage of new fragments: the committer gives ids above every id that the table ever used.
 *
 * Rows that an update moved stand first in their fragments and keep their id and the version that created them; what
 * a fragment lacks is filled in on the head of the moment, as often as the race is lost. A sequence in a file of its
 * own is refused. Source: Lance row id and lineage specification.
 */
import { FLAG_STABLE_ROW_IDS } from "../format/flags.js";
import type { Fragment, SequenceLocation } from "../format/fragment.js";
import type { FragmentList } from "../format/fragment-list.js";
import type { Manifest } from "../format/manifest.js";
import {
  decodeRowIdSequence,
  decodeVersionSequence,
  encodeRowIdSequence,
  encodeVersionSequence,
  expandRowIds,
  expandVersions,
  rowIdSequenceOf,
  sequenceLength,
  versionSequenceOf,
} from "../format/row-ids.js";
import { assert, TableError } from "../support/errors.js";

/** Rows without a version sequence count as made and changed in the first version. */
const FIRST_VERSION = 1;

/** What rows keep wherever they go: their ids and the versions that they were created in. */
export interface Lineage {
  readonly ids: Float64Array;
  readonly created: Float64Array;
}

export function hasStableRowIds(manifest: Manifest): boolean {
  return (manifest.writerFlags & FLAG_STABLE_ROW_IDS) !== 0n;
}

/** Fragments with ids and version sequences for all their rows, and the id that comes next. */
export function assignRowIds(
  fragments: readonly Fragment[],
  nextRowId: bigint,
  version: number,
): { readonly fragments: readonly Fragment[]; readonly nextRowId: bigint } {
  let next = Number(nextRowId);
  const assigned = fragments.map((fragment) => {
    const rows = fragment.physicalRows;
    const ids = idSegments(fragment);
    const known = sequenceLength(ids);
    assert(known <= rows, "a new fragment brings ids for its own rows only");
    if (known < rows) ids.push({ kind: "range", start: next, end: next + rows - known });
    next += rows - known;
    const runs = createdRuns(fragment);
    if (known < rows) runs.push({ span: { kind: "range", start: known, end: rows }, version });
    return {
      ...fragment,
      rowIds: inline(encodeRowIdSequence(ids)),
      createdVersions: inline(encodeVersionSequence(runs)),
      lastUpdatedVersions: allRowsOf(fragment, version),
    };
  });
  assert(Number.isSafeInteger(next), "row ids stay below 2^53");
  return { fragments: assigned, nextRowId: BigInt(next) };
}

/** The fragment with all rows last changed in `version`. */
export function touchRows(fragment: Fragment, version: number): Fragment {
  return { ...fragment, lastUpdatedVersions: allRowsOf(fragment, version) };
}

/**
 * The lineage of rows by their addresses (fragment id * 2^32 + offset).
 * @throws CORRUPT when a fragment lacks ids, NOT_SUPPORTED for ids in a file of their own
 */
export function lineageOf(fragments: FragmentList, addresses: BigUint64Array): Lineage {
  const ids = new Float64Array(addresses.length);
  const created = new Float64Array(addresses.length);
  const words = new Uint32Array(addresses.buffer, addresses.byteOffset, addresses.length * 2);
  const sources = new Map<number, Lineage>();
  for (let row = 0; row < addresses.length; row++) {
    const fragmentId = words[2 * row + 1] as number;
    const offset = words[2 * row] as number;
    let source = sources.get(fragmentId);
    if (source === undefined) {
      source = lineageOfFragment(fragments.byId(fragmentId));
      sources.set(fragmentId, source);
    }
    ids[row] = source.ids[offset] as number;
    created[row] = source.created[offset] as number;
  }
  return { ids, created };
}

/** New fragments whose first rows, in order, are those of `lineage`. */
export function withLineage(fragments: readonly Fragment[], lineage: Lineage): readonly Fragment[] {
  let start = 0;
  return fragments.map((fragment) => {
    const end = Math.min(lineage.ids.length, start + fragment.physicalRows);
    const ids = lineage.ids.slice(start, end);
    const created = lineage.created.slice(start, end);
    start = end;
    if (ids.length === 0) return fragment;
    return {
      ...fragment,
      rowIds: inline(encodeRowIdSequence(rowIdSequenceOf(ids))),
      createdVersions: inline(encodeVersionSequence(versionSequenceOf(created))),
    };
  });
}

function lineageOfFragment(fragment: Fragment | undefined): Lineage {
  assert(fragment !== undefined, "a row that was read lies in a fragment of the version");
  const rows = fragment.physicalRows;
  const name = `the row ids of fragment ${fragment.id}`;
  if (fragment.rowIds === undefined) {
    throw new TableError("CORRUPT", `The manifest has stable row ids but not ${name}; restore an older version.`, {
      details: { path: name, offset: 0 },
    });
  }
  const created =
    fragment.createdVersions === undefined
      ? new Float64Array(rows).fill(FIRST_VERSION)
      : expandVersions(createdRuns(fragment), `the row versions of fragment ${fragment.id}`, rows);
  return { ids: expandRowIds(idSegments(fragment), name, rows), created };
}

function allRowsOf(fragment: Fragment, version: number): SequenceLocation {
  const span = { kind: "range", start: 0, end: fragment.physicalRows } as const;
  return inline(encodeVersionSequence([{ span, version }]));
}

function idSegments(fragment: Fragment): ReturnType<typeof decodeRowIdSequence> {
  const name = `the row ids of fragment ${fragment.id}`;
  return fragment.rowIds === undefined ? [] : decodeRowIdSequence(bytesOf(fragment.rowIds, name), name);
}

function createdRuns(fragment: Fragment): ReturnType<typeof decodeVersionSequence> {
  const name = `the row versions of fragment ${fragment.id}`;
  const location = fragment.createdVersions;
  return location === undefined ? [] : decodeVersionSequence(bytesOf(location, name), name);
}

function bytesOf(location: SequenceLocation, name: string): Uint8Array {
  if (location.kind === "inline") return location.bytes;
  throw new TableError("NOT_SUPPORTED", `Changing rows is not supported: ${name} lie in a file of their own.`, {
    details: { path: location.path },
  });
}

function inline(bytes: Uint8Array): SequenceLocation {
  return { kind: "inline", bytes };
}
