/**
 * What becomes of the indices of a table when its rows, fragments or columns change.
 *
 * Nobody here reads or builds an index; native LanceDB does. Appends, deletes and row changes keep the list byte for
 * byte: readers skip fragments that are gone, scan those that no index covers, and see deletions. Only an index of a
 * column that is gone has to leave. Specification: Lance table format, indices, "fragment bitmap".
 */
import { decodeIndexSection, encodeIndexSection } from "../format/index-section.js";
import type { LanceField } from "../format/schema.js";

const WHERE = "the indices of the table";

/** Names of the indices of a field. @throws CORRUPT */
export function indicesOfField(section: Uint8Array | undefined, fieldId: number): readonly string[] {
  if (section === undefined) return [];
  const { entries } = decodeIndexSection(section, WHERE);
  return [...new Set(entries.filter((entry) => entry.fields.includes(fieldId)).map((entry) => entry.name))];
}

/** The index section for a schema: without the indices of fields that it does not have. @throws CORRUPT */
export function indicesOfFields(
  section: Uint8Array | undefined,
  fields: readonly LanceField[],
): Uint8Array | undefined {
  if (section === undefined) return undefined;
  const live = new Set(fields.map((field) => field.id));
  const decoded = decodeIndexSection(section, WHERE);
  const entries = decoded.entries.filter((entry) => entry.fields.every((id) => live.has(id)));
  if (entries.length === decoded.entries.length) return section;
  return entries.length === 0 && decoded.unknown === undefined
    ? undefined
    : encodeIndexSection({ ...decoded, entries });
}
