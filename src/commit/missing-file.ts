/**
 * What a file that is missing means: nothing but age where its version is gone too, damage where the version is there.
 *
 * Files of a cleaned-up version may go before its name does (native LanceDB removes them in this order), so the name is
 * given a moment. What the newest version names, nobody may remove.
 */
import type { Fragment } from "../format/fragment.js";
import { dataPath, deletionPath, manifestPath } from "../format/layout.js";
import { isTableError, TableError } from "../support/errors.js";
import { isRetired, readBoundary } from "./boundary.js";
import { listVersionNames } from "./head.js";
import type { SharedTable } from "./shared-table.js";
import type { Snapshot } from "./snapshot.js";
import { doctorCommand } from "./unreadable-head.js";

/** How long a cleanup may take from the first file of a version to its name. */
const CLEANUP_MS = 1000;
const POLL_MS = 50;

/** `error` as it was, unless it says that a file of `snapshot` is gone while the version is still there: CORRUPT. */
export async function explainMissing(table: SharedTable, snapshot: Snapshot, error: unknown): Promise<unknown> {
  if (!isTableError(error, "SNAPSHOT_EXPIRED")) return error;
  return (await staysThere(table, snapshot)) ? lost(table, snapshot.version, error) : error;
}

/** The same for a write, which needs what the newest version names. */
export async function explainMissingAtHead(table: SharedTable, error: unknown): Promise<unknown> {
  if (!isTableError(error, "SNAPSHOT_EXPIRED")) return error;
  const { path } = error.details;
  const head = await table.refresh().catch(() => undefined);
  if (head === undefined) return error;
  for (const fragment of head.manifest.fragments) {
    if (pathsOf(fragment).includes(String(path))) return lost(table, head.version, error);
  }
  return error;
}

function pathsOf(fragment: Fragment): string[] {
  const paths = fragment.files.map(dataPath);
  return fragment.deletionFile === undefined ? paths : [...paths, deletionPath(fragment.id, fragment.deletionFile)];
}

async function staysThere(table: SharedTable, { head, version }: Snapshot): Promise<boolean> {
  const { runtime, store } = table;
  const startedMs = runtime.monotonicMs();
  for (;;) {
    const info = await store.head(manifestPath(version, head.scheme));
    if (info?.identity !== head.identity) return false;
    if (isRetired(await readBoundary(store, table.boundary), version)) return false;
    const newest = (await listVersionNames(store))[0];
    if (newest?.version === version || runtime.monotonicMs() - startedMs >= CLEANUP_MS) return true;
    await runtime.sleep(POLL_MS);
  }
}

function lost(table: SharedTable, version: number, cause: TableError): TableError {
  const path = String(cause.details.path);
  const command = doctorCommand(table.store, table.name);
  return new TableError(
    "CORRUPT",
    `${table.store.display}/${path} is missing, although version ${version} of table '${table.name}' names it and is ` +
      "still there: the file was lost or removed by hand. Put it back from a copy, or restore() a version that does " +
      `not need it; ${command} tells what else is missing.`,
    { details: { path, offset: 0, table: table.name, version, command }, cause },
  );
}
