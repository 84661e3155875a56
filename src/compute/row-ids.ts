/** Row ids and row versions that fragments keep (table feature 2): decoded once, kept with the table's open files. */
import type { Fragment, SequenceLocation } from "../format/fragment.js";
import { decodeRowIdSequence, decodeVersionSequence, expandRowIds, expandVersions } from "../format/row-ids.js";
import { TableError } from "../support/errors.js";
import type { RowSource } from "./plan.js";
import {
  ROW_ADDRESS,
  ROW_CREATED,
  ROW_ID,
  type ROW_UPDATED,
  type RowNumber,
  type RowNumberNeeds,
  type RowSequences,
} from "./row-numbers.js";

/** Rows without a version sequence count as made and changed in the first version. */
const FIRST_VERSION = 1n;

/** What `needs` wants of a fragment besides addresses. @throws CORRUPT, NOT_SUPPORTED as `loadRowIds` */
export async function loadRowSequences(
  source: RowSource,
  fragment: Fragment,
  { numbers }: RowNumberNeeds,
): Promise<RowSequences> {
  const loaded = new Map<RowNumber, BigUint64Array>();
  for (const name of numbers) {
    if (name === ROW_ADDRESS) continue;
    const sequence = name === ROW_ID ? await loadRowIds(source, fragment) : await loadVersions(source, fragment, name);
    if (sequence !== undefined) loaded.set(name, sequence);
  }
  return loaded;
}

/**
 * The ids of all physical rows of a fragment; undefined when the table's row ids are addresses.
 * @throws CORRUPT when there are none or not one for each row, NOT_SUPPORTED when they lie in a file of their own
 */
export async function loadRowIds(source: RowSource, fragment: Fragment): Promise<BigUint64Array | undefined> {
  if (source.stableRowIds !== true) return undefined;
  const { rowIds, physicalRows, id } = fragment;
  const name = `the row ids of fragment ${id}`;
  if (rowIds === undefined) {
    throw new TableError("CORRUPT", `The manifest has stable row ids but not ${name}; restore an older version.`, {
      details: { path: name, offset: 0 },
    });
  }
  const bytes = bytesOf(rowIds, name);
  // A fragment's rows keep their ids as long as its first data file is the same.
  const key = `row ids\n${id}\n${fragment.files[0]?.path}`;
  return await source.cache.keep(key, 64 + 8 * physicalRows, async () => {
    const ids = expandRowIds(decodeRowIdSequence(bytes, name), name, physicalRows);
    return BigUint64Array.from(ids, BigInt);
  });
}

async function loadVersions(
  source: RowSource,
  fragment: Fragment,
  name: typeof ROW_CREATED | typeof ROW_UPDATED,
): Promise<BigUint64Array> {
  const { physicalRows, id } = fragment;
  const location = name === ROW_CREATED ? fragment.createdVersions : fragment.lastUpdatedVersions;
  if (source.stableRowIds !== true || location === undefined) {
    return new BigUint64Array(physicalRows).fill(FIRST_VERSION);
  }
  const what = `the row versions of fragment ${id}`;
  const versions = expandVersions(decodeVersionSequence(bytesOf(location, what), what), what, physicalRows);
  return BigUint64Array.from(versions, BigInt);
}

function bytesOf(location: SequenceLocation, name: string): Uint8Array {
  if (location.kind === "inline") return location.bytes;
  throw new TableError("NOT_SUPPORTED", `Reading ${name} from a file of their own is not supported.`, {
    details: { path: location.path },
  });
}
