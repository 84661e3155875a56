// What does losing the race cost: two processes append single rows to a table of 1,000 fragments.
// The rows are Arrow data: plain rows of processes that meet would share commits, and lose no race.
// Ours reports its own clock from the lost race to the next encoded manifest among the facts.
import { crowd } from "../crowd.mjs";
import { expectEqual } from "../measure.mjs";
import { row } from "../rows.mjs";

export const variants = {
  "": {
    full: { fragments: 1000, processes: 2, seconds: 5, warmUpSeconds: 8 },
    small: { fragments: 10, processes: 2, seconds: 0.2, warmUpSeconds: 0.1 },
  },
};

export const keepsTable = true;

/** A compaction would take the fragments away that this is about. */
export const connectOptions = { maintenance: { auto: false } };

export async function setup({ create, size }) {
  const table = await create("t", [row(0)]);
  for (let i = 1; i < size.fragments; i++) await table.add([row(i)]);
  return table;
}

export async function round({ db, engine, dir, options, size }) {
  const before = await (await db.openTable("t")).countRows();
  const result = await crowd({ engine, dir, options, task: "append-columns", ...size });
  expectEqual(
    await (await db.openTable("t")).countRows(),
    before + result.before + result.operations,
    "rows after the appends",
  );
  return result;
}
