/**
 * Errors of the decoders: damaged bytes (CORRUPT), encodings that are not known (NOT_SUPPORTED), and batches that grow
 * too large.
 *
 * Decoders see buffers, not files; `located` adds the file's path and the page's position on the way out.
 */
import { isTableError, TableError } from "../../../support/errors.js";

/** Decoded bytes of one batch of one column; beyond, the reader tries fewer rows. */
export const BATCH_MAX_BYTES = 256 * 1024 * 1024;
/** Decoded bytes of one compressed buffer: a chunk, a value, a dictionary. */
export const DECODED_MAX_BYTES = 64 * 1024 * 1024;

/** Throws CORRUPT: the bytes at hand contradict themselves. `what` is a clause without a full stop. */
export function damaged(what: string): never {
  throw new TableError("CORRUPT", what);
}

/** Throws NOT_SUPPORTED, naming the encoding. */
export function unknownEncoding(what: string): never {
  throw new TableError("NOT_SUPPORTED", `${what} is not known to this version; read the table with a newer one`);
}

/** Signals that a batch outgrows `BATCH_MAX_BYTES`; caught by the reader, which halves the batch. */
export class BatchTooLarge extends Error {
  override readonly name = "BatchTooLarge";
}

/** Where an error arose, for the message and its details. */
export interface Place {
  readonly path: string;
  readonly offset: number;
  readonly column: string;
}

/**
 * The error to throw for whatever a decoder threw. Damaged bytes may also break a typed array's own rules, so foreign
 * errors count as damage, with the cause kept.
 */
export function located(error: unknown, place: Place): unknown {
  if (error instanceof BatchTooLarge) return error;
  const { path, offset, column } = place;
  if (isTableError(error)) {
    if (error.details.path !== undefined || (error.code !== "CORRUPT" && error.code !== "NOT_SUPPORTED")) return error;
    const advice = error.code === "CORRUPT" ? "Restore the file from a copy." : "";
    const message =
      `Data file ${path}, column "${column}", page at byte ${offset}: ${error.message}. ${advice}`.trimEnd();
    return new TableError(error.code, message, {
      details: { ...error.details, path, offset, column },
      cause: error.cause,
    });
  }
  const message = `Data file ${path}, column "${column}", page at byte ${offset}: the bytes make no sense. Restore the file from a copy.`;
  return new TableError("CORRUPT", message, { details: { path, offset, column }, cause: error });
}
