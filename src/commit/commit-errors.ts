/** How a commit says that it did not succeed, or that nobody knows. */
import { TableError } from "../support/errors.js";
import type { Winner } from "./commit-result.js";

/** Another writer made a change that only the caller can weigh against this one. */
export function conflict(
  table: string,
  kind: string,
  readVersion: number,
  winners: readonly Winner[],
  attempts: number,
): TableError {
  const failed = winners.filter((winner) => winner.verdict === "fail");
  const what = failed.map((winner) => `${winner.operation} (version ${winner.version})`).join(", ");
  return new TableError(
    "CONFLICT",
    `Commit conflict on table '${table}': this ${kind} was computed on version ${readVersion}, and meanwhile another writer committed ${what}. Look at the table again and decide whether to repeat it.`,
    { details: { readVersion, winners: [...winners], attempts } },
  );
}

/** Other writers won every race. */
export function busy(table: string, attempts: number, timeoutMs: number): TableError {
  return new TableError(
    "BUSY",
    `Table '${table}' is busy: other writers won ${attempts} times in ${Math.round(timeoutMs)} ms. Nothing was written; try again, or write more rows at once.`,
    { details: { attempts, timeoutMs } },
  );
}

/** The version may be there. */
export function unknownOutcome(table: string, version: number, transaction: string, cause: unknown): TableError {
  return new TableError(
    "UNKNOWN_OUTCOME",
    `It is not known whether version ${version} of table '${table}' was committed. Look for transaction ${transaction} before repeating the write.`,
    { details: { version, transaction }, ...(cause === undefined ? {} : { cause }) },
  );
}
