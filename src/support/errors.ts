/**
 * The one error class of the package, its closed set of codes, and what a caller may do about each.
 *
 * A new code needs a reason: would a caller act differently?
 */

/** Whether the same call may succeed: as it is, after looking at the table again, or not at all. */
export type RetryHint = "never" | "now" | "after-refresh";

const RETRY_HINTS = {
  INVALID_ARGUMENT: "never",
  SCHEMA_MISMATCH: "never",
  NOT_FOUND: "never",
  ALREADY_EXISTS: "never",
  CONFLICT: "after-refresh",
  BUSY: "now",
  TIMEOUT: "now",
  CANCELED: "never",
  QUEUE_FULL: "now",
  QUEUE_CLOSED: "never",
  CLOSED: "never",
  READ_ONLY: "never",
  SNAPSHOT_EXPIRED: "after-refresh",
  UNKNOWN_OUTCOME: "after-refresh",
  UNAVAILABLE: "now",
  FS_UNSUPPORTED: "never",
  NOT_SUPPORTED: "never",
  CORRUPT: "never",
  INTERNAL: "never",
} as const satisfies Record<string, RetryHint>;

/** What went wrong, as a stable name that programs may branch on. */
export type ErrorCode = keyof typeof RETRY_HINTS;

/** Every code, in the order of the documentation. */
export const ERROR_CODES = Object.keys(RETRY_HINTS) as readonly ErrorCode[];

export interface TableErrorOptions {
  /** Facts for programs: paths, versions, offsets, limits. Plain values only. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The only error that the public API throws: `code` says what happened, `message` says what to do. */
export class TableError extends Error {
  override readonly name = "TableError";
  readonly code: ErrorCode;
  readonly retry: RetryHint;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: TableErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = RETRY_HINTS[code];
    this.details = options.details ?? {};
  }

  /** True when the same call may succeed later without a change by the caller. */
  get retryable(): boolean {
    return this.retry !== "never";
  }
}

/** True for a `TableError`, also one thrown by another copy of this package. */
export function isTableError(value: unknown, code?: ErrorCode): value is TableError {
  if (!(value instanceof Error) || value.name !== "TableError") return false;
  return code === undefined || (value as TableError).code === code;
}

/** Throws INTERNAL when one of our own assumptions does not hold; never used on bytes from disk. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new TableError("INTERNAL", `This should hold and does not: ${sentence}. Please report it.`);
}

/** The default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new TableError("INTERNAL", `Unexpected value: ${String(value)}. Please report it.`);
}
