/** Removing a directory with all that is in it. Symbolic links are removed, never followed. */
import type { Directories } from "./directories.js";
import { isMissing, systemCode, toStoreError } from "./failures.js";
import type { FileSystem } from "./files.js";
import { checkPath, parentOf } from "./paths.js";

/** Somebody may put new files into the tree while we remove it. */
const ATTEMPTS_MAX = 8;
/** What systems answer when a directory is not empty. */
const HOLDS_SOMETHING: readonly (string | undefined)[] = ["ENOTEMPTY", "EEXIST"];

/** @throws the system's error, ENOTEMPTY when others fill the tree faster than it is emptied */
export async function removeTree(files: FileSystem, directory: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    for (const { name, kind } of await files.readdir(directory)) {
      const child = `${directory}/${name}`;
      if (kind === "directory") await removeTree(files, child);
      else await unlinkIfThere(files, child);
    }
    try {
      await files.rmdir(directory);
      return;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return;
      if (systemCode(error) !== "ENOTEMPTY" || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** Removes a directory unless something is in it; the system decides, so that nothing is lost that comes meanwhile. */
export async function removeIfEmpty(files: FileSystem, directories: Directories, directory: string): Promise<void> {
  checkPath(directory);
  const absolute = directories.absolute(directory);
  try {
    await directories.enter(parentOf(directory));
    if ((await files.stat(absolute))?.kind !== "directory") return;
    await files.rmdir(absolute);
    directories.forget(directory);
  } catch (error) {
    if (!isMissing(error) && !HOLDS_SOMETHING.includes(systemCode(error)))
      throw toStoreError(error, "delete", absolute);
  }
}

async function unlinkIfThere(files: FileSystem, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
