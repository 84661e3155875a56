// What does losing the race cost: two processes append single rows to a table of 1,000 fragments.
// The rows are Arrow data: plain rows of processes that meet would share commits, and lose no race.
// Ours reports its own clock from the lost race to the next encoded manifest among the facts.
import { crowd } from "../crowd.mjs";
import { expectEqual } from "../measure.mjs";
import { row } from "../rows.mjs";

export const variants = {
  "": {
    full: { fragments: 1000, processes: 2, seconds: 3, warmUpSeconds: 6 },
    small: { fragments: 10, processes: 2, seconds: 0.2, warmUpSeconds: 0.1 },
  },
};

/** A compaction would take the fragments away that this is about. */
export const connectOptions = { maintenance: { auto: false } };

/** Two tables of the same kind: what the processes do before they are measured would make the one of them larger. */
export async function setup({ create, size }) {
  for (const name of ["warm", "t"]) {
    const table = await create(name, [row(0)]);
    for (let i = 1; i < size.fragments; i++) await table.add([row(i)]);
  }
}

export async function round({ db, engine, dir, options, size }) {
  const result = await crowd({ engine, dir, options, task: "append-columns", warmUpTable: "warm", ...size });
  const table = await db.openTable("t");
  expectEqual(await table.countRows(), size.fragments + result.operations, "rows after the appends");
  return result;
}
