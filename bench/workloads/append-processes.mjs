// How many 1-row appends per second do several processes get acknowledged together, and is any of them lost?
import { crowd } from "../crowd.mjs";
import { expectEqual } from "../measure.mjs";
import { row } from "../rows.mjs";

const variant = (processes) => ({
  full: { processes, seconds: 3, warmUpSeconds: 8 },
  small: { processes: 2, seconds: 0.2, warmUpSeconds: 0.1 },
});

export const variants = { 4: variant(4), 8: variant(8) };

export const setup = ({ create }) => create("t", [row(0)]);

export async function round({ db, engine, dir, options, size }) {
  const result = await crowd({ engine, dir, options, task: "append", ...size });
  const table = await db.openTable("t");
  expectEqual(await table.countRows(), result.before + result.operations + 1, "rows after the appends");
  return result;
}
