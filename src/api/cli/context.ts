/** What the verbs of the command share: opening a database or a table for the time of one verb, and what users type. */
import { type Command, InvalidArgumentError } from "commander";
import { placeExists } from "../../store/open.js";
import { TableError } from "../../support/errors.js";
import type { Connection } from "../connection.js";
import type { Table } from "../table.js";

/** Thrown when the answer is no: findings, something failed. The message is printed already. */
export class Failed extends Error {}

/** Runs `use` on the database, and closes it. */
export async function withDatabase<T>(uri: string, use: (db: Connection) => Promise<T>): Promise<T> {
  // Help and usage errors come at once: the library is loaded by the first verb that needs it.
  const { connect } = await import("../connection.js");
  // A database is made with its first table; here nobody makes one, and a mistyped path is not sound.
  if (!placeExists(uri)) {
    throw new TableError(
      "NOT_FOUND",
      `There is no directory ${uri}. The first argument is the directory of the database.`,
    );
  }
  const db = await connect(uri, { maintenance: { auto: false } });
  try {
    return await use(db);
  } finally {
    await db.close();
  }
}

/** What of a table a verb is about; nothing: the newest version of the main line. */
export interface Place {
  readonly branch?: string;
  /** A number, a tag, or a date. */
  readonly version?: number | string | Date;
}

/** Adds the option for the branch that a verb is about. */
export function onBranch(verb: Command): Command {
  return verb.option("--branch <name>", "a branch, instead of the main line");
}

/** Runs `use` on a table, at the place asked for. @throws NOT_FOUND; INVALID_ARGUMENT for a tag of another branch */
export function withTable<T>(
  uri: string,
  name: string,
  { branch, version }: Place,
  use: (table: Table) => Promise<T>,
): Promise<T> {
  return withDatabase(uri, async (db) => {
    const table = await db.openTable(name, branch === undefined ? {} : { branch });
    if (version !== undefined) await table.checkout(version);
    if (branch === undefined || table.currentBranch() === branch) return use(table);
    throw new TableError("INVALID_ARGUMENT", `Tag '${version}' names no version of branch '${branch}'.`);
  });
}

/** A whole number of at least `least`, or a usage error. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It has to be a whole number of at least ${least}.`);
  };
}

/** A version as people name it: a number, a date as in 2026-01-31T12:00:00Z, else a tag. */
export function versionName(text: string): number | string | Date {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  if (/^\d{4}-\d\d-\d\d([T ]\S+)?$/.test(text)) {
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) return date;
  }
  return text;
}

/** A moment: a date, or an age as in 7d, 12h, 30m, now. */
export function moment(text: string): (nowMs: number) => Date {
  const age = /^(\d+)([smhd])$/.exec(text);
  const date = new Date(text);
  if (text === "now") return (nowMs) => new Date(nowMs);
  if (age !== null) {
    const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[age[2] as "s" | "m" | "h" | "d"];
    return (nowMs) => new Date(nowMs - Number(age[1]) * unitMs);
  }
  if (!Number.isNaN(date.getTime())) return () => date;
  throw new InvalidArgumentError("It has to be a date (2026-01-31T12:00:00Z), an age (7d, 12h, 30m), or now.");
}
