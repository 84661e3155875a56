/**
 * Stable row ids of new fragments: the committer gives them, above every id that the table ever used.
 *
 * A fragment that brings ids for some rows (rows that an update moved) keeps them. Source: Lance row id and lineage
 * specification.
 */
import type { Fragment } from "../format/fragment.js";
import { encodeRowIdSequence, encodeVersionSequence } from "../format/row-ids.js";
import { assert } from "../support/errors.js";

/** Fragments with ids and version sequences, and the id that comes next. */
export function assignRowIds(
  fragments: readonly Fragment[],
  nextRowId: bigint,
  version: number,
): { readonly fragments: readonly Fragment[]; readonly nextRowId: bigint } {
  let next = Number(nextRowId);
  assert(Number.isSafeInteger(next), "row ids stay below 2^53");
  const assigned = fragments.map((fragment) => {
    const rows = fragment.physicalRows;
    const span = { kind: "range", start: 0, end: rows } as const;
    const versions = { kind: "inline", bytes: encodeVersionSequence([{ span, version }]) } as const;
    let { rowIds } = fragment;
    if (rowIds === undefined) {
      const range = { kind: "range", start: next, end: next + rows } as const;
      rowIds = { kind: "inline", bytes: encodeRowIdSequence([range]) };
      next += rows;
    }
    return {
      ...fragment,
      rowIds,
      createdVersions: fragment.createdVersions ?? versions,
      lastUpdatedVersions: fragment.lastUpdatedVersions ?? versions,
    };
  });
  return { fragments: assigned, nextRowId: BigInt(next) };
}
