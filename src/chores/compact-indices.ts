/**
 * What the indices of a table allow a compaction to rewrite.
 *
 * With stable row ids an index follows its rows: fragments may be merged when the same indices cover them. Without, an
 * index points at addresses, and a rewritten row would fall out of it: covered fragments are left alone.
 */
import { FLAG_STABLE_ROW_IDS } from "../format/flags.js";
import { decodeIndexSection } from "../format/index-section.js";
import type { Manifest } from "../format/manifest.js";
import type { ClassOf } from "./plan-compaction.js";

/** The fragments that may be merged with each other, by class. @throws CORRUPT */
export function classesOf(manifest: Manifest): ClassOf {
  if (manifest.indexSection === undefined) return () => "";
  const { entries } = decodeIndexSection(manifest.indexSection, `the indices of version ${manifest.version}`);
  const covered = entries.map(({ fragmentIds }) => (fragmentIds === undefined ? undefined : new Set(fragmentIds)));
  if (covered.length === 0) return () => "";
  const stable = (manifest.writerFlags & FLAG_STABLE_ROW_IDS) !== 0n;
  // An index that does not say what it covers may cover everything, and cannot be told that fragments changed.
  if (covered.includes(undefined)) return () => undefined;
  return (id) => {
    const signature = covered.map((ids) => (ids?.has(id) ? "1" : "0")).join("");
    return stable || !signature.includes("1") ? signature : undefined;
  };
}
