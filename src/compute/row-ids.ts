/** Stable row ids of fragments (table feature 2): decoded once, kept with the table's open files. */
import type { Fragment } from "../format/fragment.js";
import { decodeRowIdSequence, expandRowIds } from "../format/row-ids.js";
import { TableError } from "../support/errors.js";
import type { ScanSource } from "./plan.js";

/**
 * The ids of all physical rows of a fragment; undefined when the table's row ids are addresses.
 * @throws CORRUPT when there are none or not one for each row, NOT_SUPPORTED when they lie in a file of their own
 */
export async function loadRowIds(source: ScanSource, fragment: Fragment): Promise<BigUint64Array | undefined> {
  if (source.stableRowIds !== true) return undefined;
  const { rowIds, physicalRows, id } = fragment;
  const name = `the row ids of fragment ${id}`;
  if (rowIds === undefined) {
    throw new TableError("CORRUPT", `The manifest has stable row ids but not ${name}; restore an older version.`, {
      details: { path: name, offset: 0 },
    });
  }
  if (rowIds.kind === "external") {
    throw new TableError("NOT_SUPPORTED", `Reading ${name} from a file of their own is not supported.`, {
      details: { path: rowIds.path },
    });
  }
  // A fragment's rows keep their ids as long as its first data file is the same.
  const key = `row ids\n${id}\n${fragment.files[0]?.path}`;
  return await source.cache.keep(key, 64 + 8 * physicalRows, async () => {
    const ids = expandRowIds(decodeRowIdSequence(rowIds.bytes, name), name, physicalRows);
    return BigUint64Array.from(ids, BigInt);
  });
}
