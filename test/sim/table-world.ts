/**
 * Tables in a simulated world: each simulated process has a connection of its own on the shared disk.
 *
 * The oracle believes only answers: an acknowledged write holds, a definite failure never happened, everything else
 * (killed, cut off, UNKNOWN_OUTCOME) may have happened or not, wholly.
 */
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { type ConnectionOptions, settingsOf } from "../../src/api/options.js";
import type { Table } from "../../src/api/table.js";
import { HANDED_PROPERTY } from "../../src/commit/handed.js";
import { isTableError } from "../../src/support/errors.js";
import { assertLockOrder } from "../../src/support/lock.js";
import type { Outcome, SimulatedProcess } from "./process.js";

// In a simulated world an inverted order of locks fails where it happens.
assertLockOrder();

export const ROOT = "/db";
export const TABLE = "t";

/** A connection of one simulated process. */
export function connectIn(process: SimulatedProcess, options: ConnectionOptions = {}): Connection {
  const { runtime } = process;
  const settings = settingsOf({ coordination: { mode: "single_process_unsafe" }, ...options, runtime });
  return new Connection(new Database(process.store(ROOT), ROOT), settings);
}

/** One row as the tests write it: `n` is what updates change. */
export interface TestRow {
  readonly id: number;
  readonly n: number;
}

/** What a row may be: the value of `n`, or absent. */
export type Possible = ReadonlySet<number | "absent">;

/** Rows by id, with everything that each may be by now. */
export class Oracle {
  readonly #rows = new Map<number, Possible>();

  possible(id: number): Possible {
    return this.#rows.get(id) ?? new Set(["absent" as const]);
  }

  /** Rows that are certainly there with a certain value. */
  certain(): TestRow[] {
    const rows: TestRow[] = [];
    for (const [id, possible] of this.#rows) {
      const [n] = possible;
      if (possible.size === 1 && typeof n === "number") rows.push({ id, n });
    }
    return rows;
  }

  /** Takes in what a write to some rows would do, and how it ended. */
  record(changes: ReadonlyMap<number, number | "absent">, outcome: Outcome<unknown>): void {
    const unknown =
      outcome.kind === "killed" || (outcome.kind === "failed" && isTableError(outcome.error, "UNKNOWN_OUTCOME"));
    if (outcome.kind === "failed" && !unknown) return;
    for (const [id, value] of changes) {
      this.#rows.set(id, unknown ? new Set([...this.possible(id), value]) : new Set([value]));
    }
  }

  /** Rows of the table that cannot be, and rows that have to be there and are not; empty when all is well. */
  contradictions(rows: readonly TestRow[]): string[] {
    const wrong: string[] = [];
    const seen = new Set<number>();
    for (const { id, n } of rows) {
      if (seen.has(id)) wrong.push(`row ${id} is there twice`);
      seen.add(id);
      if (!this.possible(id).has(n)) wrong.push(`row ${id} is ${n}, may be ${[...this.possible(id)].join(" or ")}`);
    }
    for (const id of this.#rows.keys()) {
      if (!seen.has(id) && !this.possible(id).has("absent")) wrong.push(`row ${id} is lost`);
    }
    return wrong;
  }

  /** After a look at the table nothing is uncertain any more. */
  settle(rows: readonly TestRow[]): void {
    for (const id of this.#rows.keys()) this.#rows.set(id, new Set(["absent" as const]));
    for (const { id, n } of rows) this.#rows.set(id, new Set([n]));
  }
}

/** All rows of the version that the handle shows. */
export async function readRows(table: Table): Promise<TestRow[]> {
  const rows = await table.query().select(["id", "n"]).toArray();
  return rows.map((row) => ({ id: row.id as number, n: row.n as number }));
}

/** Replaces the rows whose ids are there, and adds the others. */
export function upsert(table: Table, rows: readonly TestRow[]): Promise<unknown> {
  return table
    .mergeInsert("id")
    .whenMatchedUpdateAll()
    .whenNotMatchedInsertAll()
    .execute(rows.map(({ id, n }) => ({ id, n })));
}

/** What every table has to be after any crash: every version opens and scans, and their numbers have no gap. */
export async function checkVersions(table: Table): Promise<string[]> {
  const wrong: string[] = [];
  const versions = (await table.listVersions()).map((version) => version.version);
  const expected = Array.from({ length: versions.length }, (_, i) => i + 1);
  if (versions.join() !== expected.join()) wrong.push(`versions have a gap: ${versions.join()}`);
  for (const version of versions) {
    await table.checkout(version);
    const rows = await readRows(table);
    if (rows.length !== (await table.countRows())) wrong.push(`version ${version} scans to another count`);
  }
  await table.checkoutLatest();
  return wrong;
}

/** True when a version says that it contains writes of another process. */
export async function hasHanded(reader: SimulatedProcess): Promise<boolean> {
  const store = reader.store(ROOT);
  const directory = `${TABLE}.lance/_versions`;
  for (const { name } of await store.list(directory)) {
    if (Buffer.from(await store.get(`${directory}/${name}`)).includes(HANDED_PROPERTY)) return true;
  }
  return false;
}
