/**
 * What an error of the operating system means to the caller of the store: a code, and a sentence on what to do.
 */
import { TableError } from "../support/errors.js";

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full. Free some space (a vacuum of old versions needs little), then repeat the call",
  EDQUOT: "the disk quota is used up. Free some space or raise the quota, then repeat the call",
  EROFS: "the file system is mounted read-only. Mount it writable, or work on a writable copy",
  EACCES: "permission is denied. Let this process's user read and write the directory and everything in it",
  EPERM: "the operation is not permitted. Check owner, permissions and immutable flags of the file and its directory",
  EMFILE: "this process has too many open files. Close unused readers, or raise the limit (ulimit -n), then repeat",
  ENFILE: "the machine has too many open files. Close some programs or raise fs.file-max, then repeat the call",
  ENOMEM: "the system is out of memory. Free some, then repeat the call",
  EIO: "the device reported an input/output error. Check the disk and the system log before repeating the call",
  ENOTDIR: "a file stands where a directory is needed. Remove or rename the file",
  EISDIR: "a directory stands where a file is needed. Remove or rename the directory",
};

/** The system's code (ENOENT, EIO, ...) or "" when the error is none of the system's. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** An error of the system as a `TableError`; a `TableError` stays what it is. `action` completes "Could not ...". */
export function toStoreError(error: unknown, action: string, path: string): TableError {
  if (error instanceof TableError) return error;
  const code = systemCode(error);
  const options = { details: { path, systemCode: code }, cause: error };
  if (code === "ENOENT") return notFound(error, action, path);
  if (code === "ENAMETOOLONG") {
    return new TableError(
      "INVALID_ARGUMENT",
      `Could not ${action} ${path}: the name is too long. Shorten it.`,
      options,
    );
  }
  if (code === "ELOOP") return linkRefused(path);
  const reason = ADVICE[code] ?? `${error instanceof Error ? error.message : String(error)}. Repeat the call`;
  return new TableError("UNAVAILABLE", `Could not ${action} ${path}: ${reason}.`, options);
}

/** True when there is nothing of that name, or something on the way to it is no directory. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

export function notFound(cause: unknown, action: string, path: string): TableError {
  return new TableError("NOT_FOUND", `Could not ${action} ${path}: it was not found.`, { details: { path }, cause });
}

/** Symbolic links are no part of a table: one that came with a table could lead anywhere. */
export function linkRefused(path: string): TableError {
  return new TableError(
    "CORRUPT",
    `${path} is or lies behind a symbolic link that may lead outside the database directory, so it is not used. Replace the link by what it points to, or open that directory as a database of its own.`,
    { details: { path, offset: 0 } },
  );
}

/** The change may or may not be there, or may vanish with the next power cut. */
export function unknownOutcome(path: string, sentence: string, cause: unknown): TableError {
  return new TableError(
    "UNKNOWN_OUTCOME",
    `${sentence} (${path}). It may have taken effect: look at the current state before repeating it.`,
    { details: { path, systemCode: systemCode(cause) }, cause },
  );
}

/** A sync of the file failed before: the kernel may have marked lost pages clean. */
export function distrusted(path: string): TableError {
  return new TableError(
    "UNAVAILABLE",
    `Could not sync ${path}: an earlier sync of it failed, so a later success would prove nothing. Write its content anew under another name.`,
    { details: { path } },
  );
}

/** A new object was to be written where one is. */
export function alreadyExists(path: string, cause: unknown): TableError {
  return new TableError("ALREADY_EXISTS", `Could not write ${path}: it already exists.`, { details: { path }, cause });
}

/** Somebody removed the temporary of an object before it got its name. */
export function vanished(path: string): TableError {
  return new TableError("UNAVAILABLE", `Could not create ${path}: its temporary file vanished. Repeat the call.`, {
    details: { path },
  });
}
