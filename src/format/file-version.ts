/**
 * The version of a table's data files: one for the whole table, followed by every writer.
 *
 * Tables of version 0.1 (the legacy format) are refused by name; nothing here reads their files. Specification: Lance
 * table format, "Data storage format".
 */
import { TableError } from "../support/errors.js";
import type { FragmentList } from "./fragment-list.js";
import type { Manifest } from "./manifest.js";

/** What files from before version 2 are listed as: 0.1 or 0.2; files of version 2.0 may be listed as 0.3. */
const LEGACY = new Set(["0.0", "0.1", "0.2", "legacy"]);

/**
 * The version that the manifest names; without one, that of the first data file, which is what native LanceDB takes.
 * Undefined when there is neither.
 */
export function fileVersionOf(manifest: Pick<Manifest, "dataFormat" | "fragments">): string | undefined {
  const version = manifest.dataFormat?.version ?? versionOfFirstFile(manifest.fragments);
  return version === "0.3" ? "2.0" : version;
}

function versionOfFirstFile(fragments: FragmentList): string | undefined {
  for (const { files } of fragments) {
    for (const { majorVersion, minorVersion } of files) return `${majorVersion}.${minorVersion}`;
  }
  return undefined;
}

/** @throws NOT_SUPPORTED for a table in the legacy format */
export function checkFileVersion(manifest: Pick<Manifest, "dataFormat" | "fragments">, path: string): void {
  const version = fileVersionOf(manifest);
  if (version === undefined || !LEGACY.has(version)) return;
  throw new TableError(
    "NOT_SUPPORTED",
    `The table in ${path} keeps its data in the legacy Lance format (${version}), which is not read here. ` +
      "Copy it with LanceDB into a new table, which then has a newer format.",
    { details: { path, fileVersion: version } },
  );
}
