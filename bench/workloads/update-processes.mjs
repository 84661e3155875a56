// How fast do 4 processes update different rows of one table, and does every update arrive?
import { crowd } from "../crowd.mjs";
import { expectEqual } from "../measure.mjs";
import { rows } from "../rows.mjs";

const ROWS = 10_000;

export const variants = {
  4: {
    full: { processes: 4, seconds: 3, warmUpSeconds: 8 },
    small: { processes: 2, seconds: 0.2, warmUpSeconds: 0.1 },
  },
};

export const setup = ({ create }) => create("t", rows(ROWS));

export async function round({ db, engine, dir, options, size }) {
  const result = await crowd({ engine, dir, options, task: "update", ...size });
  const table = await db.openTable("t");
  const changed = await table.query().where("value > 0").select(["value"]).toArray();
  expectEqual(
    changed.reduce((sum, { value }) => sum + value, 0),
    result.before + result.operations,
    "updates that the rows show",
  );
  return result;
}
