/** Stable row ids of fragments: loaded once, kept by fragment. */
import type { Fragment } from "../format/fragment.js";
import { TableError } from "../support/errors.js";
import type { ScanSource } from "./plan.js";

/** The ids of all physical rows of a fragment; undefined when the table's row ids are addresses. */
export async function loadRowIds(source: ScanSource, fragment: Fragment): Promise<BigUint64Array | undefined> {
  if (source.stableRowIds !== true) return undefined;
  throw new TableError("NOT_SUPPORTED", `The stable row ids of fragment ${fragment.id} cannot be read.`, {
    details: { fragment: fragment.id },
  });
}
