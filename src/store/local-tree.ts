/** Removing a directory with all that is in it. Symbolic links are removed, never followed. */
import { systemCode } from "./failures.js";
import type { FileSystem } from "./files.js";

/** Somebody may put new files into the tree while we remove it. */
const ATTEMPTS_MAX = 8;

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

async function unlinkIfThere(files: FileSystem, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
