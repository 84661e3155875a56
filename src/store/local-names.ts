/** Whose a file is. */
import type { FileStat, FileSystem } from "./files.js";

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
