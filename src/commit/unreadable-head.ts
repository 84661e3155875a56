/**
 * The error for a table whose newest version cannot be read. It is never passed over in silence, because acknowledged
 * commits may be in it; the message names the command that moves it aside.
 */
import { branchDirectory } from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import { isTableError, TableError } from "../support/errors.js";

/**
 * What a person types, or calls where there is no directory, to have the newest version of a table, or of a branch of
 * it, moved aside.
 * @param title the name of the table; of a branch `{table}@{branch}`
 */
export function repairCommand(store: ObjectStore, title: string): string {
  return doctorCommand(store, title, "fix");
}

/** The same, to have it looked at; with "fix", also repaired. */
export function doctorCommand(store: ObjectStore, title: string, and?: "fix"): string {
  const [table = title, branch] = title.split("@");
  const fix = and === "fix";
  if (store.scheme !== "file") {
    return `connection.doctor({ table: ${JSON.stringify(table)}${fix ? ", fix: true" : ""} })`;
  }
  const below = branch === undefined ? "" : `/${branchDirectory(branch)}`;
  const directory = store.display.slice(0, store.display.length - below.length);
  const database = directory.slice(0, directory.lastIndexOf("/")) || "/";
  return `npx joust doctor ${quoted(database)} ${table}${fix ? " --fix" : ""}`;
}

/** `error` as it was, unless it says that the manifest of the newest version is damaged. */
export function headError(error: unknown, store: ObjectStore, table: string, version: number): unknown {
  if (!isTableError(error, "CORRUPT")) return error;
  const command = repairCommand(store, table);
  return new TableError(
    "CORRUPT",
    `The newest version of table '${table}', ${version}, cannot be read: ${error.message} Acknowledged commits may be in it, so no older ` +
      `version is shown instead. If there is no copy of the file, run: ${command} (it moves the file aside, and the ` +
      "version before becomes the newest).",
    { details: { ...error.details, table, version, command }, cause: error },
  );
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
