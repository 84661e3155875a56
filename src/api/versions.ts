/** The history of a table: what every version did. */
import type { SharedTable } from "../commit/shared-table.js";
import type { Snapshot } from "../commit/snapshot.js";
import { isTableError } from "../support/errors.js";
import type { Version } from "./results.js";

/** Versions whose manifests are read at once. */
const READS_AT_ONCE = 8;

/** All versions that exist, oldest first; one that is cleaned up meanwhile is left out. */
export async function listVersions(table: SharedTable): Promise<Version[]> {
  const names = await table.versions();
  const found: Version[] = [];
  for (let start = 0; start < names.length; start += READS_AT_ONCE) {
    const some = await Promise.all(
      names.slice(start, start + READS_AT_ONCE).map(({ version }) => read(table, version)),
    );
    for (const one of some) if (one !== undefined) found.push(one);
  }
  return found;
}

async function read(table: SharedTable, version: number): Promise<Version | undefined> {
  try {
    return await describe(table, await table.open(version));
  } catch (error) {
    if (isTableError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

async function describe(table: SharedTable, snapshot: Snapshot): Promise<Version> {
  const { version, manifest } = snapshot;
  const transaction = await table.transaction(snapshot);
  const { seconds, nanos } = manifest.timestamp;
  let files = 0;
  let bytes = 0;
  let physicalRows = 0;
  let deletionFiles = 0;
  let deletedRows = 0;
  for (const fragment of manifest.fragments) {
    files += fragment.files.length;
    for (const file of fragment.files) bytes += file.sizeBytes;
    physicalRows += fragment.physicalRows;
    deletionFiles += fragment.deletionFile === undefined ? 0 : 1;
    deletedRows += fragment.deletionFile?.deletedRows ?? 0;
  }
  return {
    version,
    timestamp: new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6)),
    metadata: {
      ...(transaction === undefined ? {} : { operation: transaction.operation.kind }),
      total_rows: String(manifest.fragments.rowCount()),
      total_fragments: String(manifest.fragments.length),
      total_data_files: String(files),
      total_files_size: String(bytes),
      total_data_file_rows: String(physicalRows),
      total_deletion_files: String(deletionFiles),
      total_deletion_file_rows: String(deletedRows),
      ...Object.fromEntries(transaction?.properties ?? []),
    },
  };
}
