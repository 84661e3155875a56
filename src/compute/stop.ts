/** Ways to say "stop" to a read that is under way. */
import { TableError } from "../support/errors.js";

/** What a read asks from time to time; an `AbortSignal` is one. */
export type StopSignal = Pick<AbortSignal, "aborted" | "reason">;

/** The signal's own error when it is one of ours (a timeout says so itself), else CANCELED. */
export function throwIfAborted(signal: StopSignal | undefined): void {
  if (signal?.aborted !== true) return;
  if (signal.reason instanceof TableError) throw signal.reason;
  throw new TableError("CANCELED", "The query was canceled by its signal.", { cause: signal.reason });
}
