/** The history of a table: what every version did, and which one was the newest at a moment. */
import type { SharedTable } from "../commit/shared-table.js";
import type { Snapshot } from "../commit/snapshot.js";
import type { Fragment } from "../format/fragment.js";
import type { Timestamp } from "../format/manifest.js";
import type { Operation } from "../format/operation.js";
import { isTableError, TableError } from "../support/errors.js";
import { metadataOf } from "./commit-metadata.js";
import type { OpenTable } from "./open-table.js";
import type { Version } from "./results.js";
import { checkVersion, taggedVersion } from "./tags.js";

/** Versions whose manifests are read at once. */
const READS_AT_ONCE = 8;

/** All versions that exist, oldest first; one that is cleaned up meanwhile is left out. */
export async function listVersions(table: SharedTable): Promise<Version[]> {
  const names = await table.versions();
  const found: Version[] = [];
  let before: { readonly version: number; readonly rows: number } | undefined;
  for (let start = 0; start < names.length; start += READS_AT_ONCE) {
    const some = await openSome(table, names.slice(start, start + READS_AT_ONCE));
    for (const snapshot of some) {
      if (snapshot === undefined) continue;
      const rowsBefore =
        snapshot.version === 1 ? 0 : before?.version === snapshot.version - 1 ? before.rows : undefined;
      found.push(await describe(table, snapshot, rowsBefore));
      before = { version: snapshot.version, rows: snapshot.manifest.fragments.rowCount() };
    }
  }
  return found;
}

/** A version of one line of a table. */
export interface LocatedVersion {
  readonly line: OpenTable;
  readonly version: number;
}

/**
 * The version that is named by number, by tag or by date. Numbers and dates are those of the line in hand; a tag may
 * name a version of any line.
 * @throws NOT_FOUND, INVALID_ARGUMENT
 */
export async function locateVersion(open: OpenTable, version: number | string | Date): Promise<LocatedVersion> {
  if (typeof version === "string") {
    const tag = await taggedVersion(open, version);
    return { line: open.lineOf(tag.branch), version: tag.version };
  }
  if (version instanceof Date) return { line: open, version: await versionAt(open.shared, version) };
  return { line: open, version: checkVersion(version) };
}

/**
 * The newest version that was made at or before a moment, by the clocks of its writers.
 * @throws NOT_FOUND naming the oldest version when all are younger, INVALID_ARGUMENT for a date that is none
 */
async function versionAt(table: SharedTable, moment: Date): Promise<number> {
  const wanted = moment.getTime();
  if (Number.isNaN(wanted)) throw new TableError("INVALID_ARGUMENT", "The date to check out is not a valid date.");
  const names = [...(await table.versions())].reverse();
  let oldest: Date | undefined;
  for (let start = 0; start < names.length; start += READS_AT_ONCE) {
    for (const snapshot of await openSome(table, names.slice(start, start + READS_AT_ONCE))) {
      if (snapshot === undefined) continue;
      oldest = dateOf(snapshot.manifest.timestamp);
      if (oldest.getTime() <= wanted) return snapshot.version;
    }
  }
  const since = oldest === undefined ? "" : ` The oldest one that is kept was made at ${oldest.toISOString()}.`;
  throw new TableError(
    "NOT_FOUND",
    `Table '${table.name}' has no version from ${moment.toISOString()} or before.${since}`,
    {
      details: { table: table.name, moment: moment.toISOString() },
    },
  );
}

function openSome(
  table: SharedTable,
  names: readonly { readonly version: number }[],
): Promise<(Snapshot | undefined)[]> {
  return Promise.all(
    names.map(async ({ version }) => {
      try {
        // What a vacuum is about to remove, or died removing, is no history any more.
        return await table.open(version, 0);
      } catch (error) {
        if (isTableError(error, "NOT_FOUND")) return undefined;
        throw error;
      }
    }),
  );
}

async function describe(table: SharedTable, snapshot: Snapshot, rowsBefore: number | undefined): Promise<Version> {
  const { version, manifest } = snapshot;
  const transaction = await table.transaction(snapshot);
  let files = 0;
  let bytes = 0;
  let deletionFiles = 0;
  let deletedRows = 0;
  for (const fragment of manifest.fragments) {
    files += fragment.files.length;
    for (const file of fragment.files) bytes += file.sizeBytes;
    deletionFiles += fragment.deletionFile === undefined ? 0 : 1;
    deletedRows += fragment.deletionFile?.deletedRows ?? 0;
  }
  const rows = manifest.fragments.rowCount();
  const operation = transaction?.operation;
  return {
    version,
    timestamp: dateOf(manifest.timestamp),
    metadata: {
      ...Object.fromEntries(transaction?.properties ?? []),
      ...(operation === undefined ? {} : { operation: operation.kind }),
      total_rows: String(rows),
      total_fragments: String(manifest.fragments.length),
      total_data_files: String(files),
      total_files_size: String(bytes),
      total_data_file_rows: String(manifest.fragments.physicalRows()),
      total_deletion_files: String(deletionFiles),
      total_deletion_file_rows: String(deletedRows),
    },
    ...(operation === undefined ? {} : { operation: operation.kind, ...changeOf(operation, rows, rowsBefore) }),
    commitMetadata: metadataOf(transaction?.properties ?? new Map()),
  };
}

interface Change {
  readonly rowsAdded?: number;
  readonly rowsRemoved?: number;
}

/** Rows that came and went: the transaction says what came, the difference of the totals then says what went. */
function changeOf(operation: Operation, rows: number, rowsBefore: number | undefined): Change {
  const added = addedRows(operation, rows);
  if (added === undefined) return {};
  if (operation.kind === "append") return { rowsAdded: added, rowsRemoved: 0 };
  return rowsBefore === undefined ? { rowsAdded: added } : { rowsAdded: added, rowsRemoved: rowsBefore + added - rows };
}

function addedRows(operation: Operation, rows: number): number | undefined {
  switch (operation.kind) {
    case "append":
      return countRows(operation.fragments);
    case "overwrite":
      return rows;
    case "update":
      return countRows(operation.newFragments);
    case "restore":
    case "clone":
    case "unknown":
      return undefined;
    default:
      return 0;
  }
}

function countRows(fragments: readonly Fragment[]): number {
  return fragments.reduce((sum, { physicalRows }) => sum + physicalRows, 0);
}

function dateOf({ seconds, nanos }: Timestamp): Date {
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
}
