/** Names of files: giving them, and telling whose they are. */
import type { Directories } from "./directories.js";
import { isMissing, notFound, systemCode, toStoreError } from "./failures.js";
import type { FileStat, FileSystem } from "./files.js";
import { checkPath, parentOf } from "./paths.js";

/** Gives the file at `path` a further name; false when the name is taken. */
export async function giveName(
  files: FileSystem,
  directories: Directories,
  path: string,
  name: string,
): Promise<boolean> {
  for (const one of [path, name]) checkPath(one);
  const absolute = directories.absolute(name);
  try {
    await directories.enter(parentOf(name));
    await files.link(directories.absolute(path), absolute);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw isMissing(error) ? notFound(error, "name", absolute) : toStoreError(error, "name", absolute);
  }
}

/** Whether the file that we wrote is the one under the final name. */
export async function whoseIs(
  files: FileSystem,
  final: string,
  ours: FileStat,
): Promise<"ours" | "not-ours" | "unknown"> {
  try {
    const found = await files.stat(final);
    return found?.inode === ours.inode && found.device === ours.device ? "ours" : "not-ours";
  } catch {
    return "unknown";
  }
}
