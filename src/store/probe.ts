/**
 * Tries out what the local store relies on, in the directory it will use: exclusive links, renaming over a name, sync
 * of files and directories. Network shares, cloud-synced folders and FUSE mounts often lack one of them, and would
 * lose commits without an error.
 */
import { TableError } from "../support/errors.js";
import type { Runtime } from "../support/runtime.js";
import { systemCode } from "./failures.js";
import type { FileSystem } from "./files.js";
import { temporaryPath } from "./paths.js";

/** Codes by which a file system says that it does not know an operation, unlike "not now" or "not you". */
const UNSUPPORTED = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EINVAL",
  "EXDEV",
  "EMLINK",
  "EISDIR",
  "EBADF",
]);

function unsupported(root: string, missing: string, cause?: unknown): TableError {
  return new TableError(
    "FS_UNSUPPORTED",
    `The file system at ${root} has no ${missing}, so commits of several writers would not be safe there. Put the database on a local disk (ext4, xfs, btrfs, zfs, APFS, NTFS), or use an object store instead of a network share or a synced folder.`,
    { details: { path: root, missing }, cause },
  );
}

async function attempt(root: string, feature: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw UNSUPPORTED.has(systemCode(error)) ? unsupported(root, feature, error) : error;
  }
}

async function linkAnswersExists(files: FileSystem, from: string, to: string): Promise<boolean> {
  try {
    await files.link(from, to);
    return false;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return true;
    throw error;
  }
}

async function tryOut(files: FileSystem, root: string, names: readonly [string, string, string]): Promise<void> {
  const [first, second, name] = names;
  for (const path of [first, second]) {
    const handle = await files.openNew(path);
    try {
      await attempt(root, "sync of files (fsync)", () => handle.sync());
    } finally {
      await handle.close();
    }
  }
  const original = await files.stat(first);
  await attempt(root, "hard links", () => files.link(first, name));
  if ((await files.stat(name))?.inode !== original?.inode) throw unsupported(root, "true hard links");
  const refused = await linkAnswersExists(files, second, name);
  if (!refused || (await files.stat(name))?.inode !== original?.inode) throw unsupported(root, "exclusive hard links");
  const replacement = await files.stat(second);
  await attempt(root, "atomic renaming over an existing name", () => files.rename(second, name));
  if ((await files.stat(name))?.inode !== replacement?.inode) {
    throw unsupported(root, "atomic renaming over an existing name");
  }
  await attempt(root, "sync of directories (fsync)", async () => {
    const directory = await files.openDirectory(root);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  });
}

/** Leaves nothing behind. @throws FS_UNSUPPORTED naming what is missing, or the system's error */
export async function probeFiles(files: FileSystem, root: string, runtime: Runtime): Promise<void> {
  const fresh = () => temporaryPath(`${root}/probe`, runtime.uuid());
  const names = [fresh(), fresh(), fresh()] as const;
  try {
    await tryOut(files, root, names);
  } finally {
    for (const name of names) await files.unlink(name).catch(() => {});
  }
}
