/** Byte ranges of objects: checked against the object's size before anything is allocated. */
import { TableError } from "../support/errors.js";
import type { Bytes } from "./contract.js";

/** @throws INVALID_ARGUMENT when start and end are no range, CORRUPT when the object ends before it */
export function checkRange(object: string, start: number, end: number, sizeBytes: number): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new TableError(
      "INVALID_ARGUMENT",
      `The bytes ${start} to ${end} of ${object} are no range: use 0 <= start <= end.`,
      {
        details: { path: object, start, end },
      },
    );
  }
  if (end > sizeBytes) throw tooShort(object, sizeBytes, end);
}

/** What is read whole (versions, deletions, hints) is far smaller; a hostile file may claim to be as large as it likes. */
const WHOLE_BYTES_MAX = 1 << 30;

/** @throws CORRUPT when the object is too large to be one that is read whole */
export function checkWhole(object: string, sizeBytes: number): void {
  if (sizeBytes <= WHOLE_BYTES_MAX) return;
  throw new TableError(
    "CORRUPT",
    `${object} has ${sizeBytes} bytes, but an object that is read whole has at most ${WHOLE_BYTES_MAX}. Restore it from a copy.`,
    { details: { path: object, offset: 0, sizeBytes } },
  );
}

export function tooShort(object: string, sizeBytes: number, wanted: number): TableError {
  return new TableError(
    "CORRUPT",
    `${object} ends at byte ${sizeBytes}, where at least ${wanted} bytes are expected: it is truncated. Restore it from a copy.`,
    { details: { path: object, offset: sizeBytes, wanted } },
  );
}

/** A buffer of its own that is not zeroed: the caller fills it whole or throws it away. */
export function allocateBytes(length: number): Bytes {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer as ArrayBuffer);
}
