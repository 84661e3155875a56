// How long does it take to fetch one row by its row id from a large table?
import { expectEqual, lottery, sequence } from "../measure.mjs";
import { bulkTable } from "../rows.mjs";

export const variants = { "": { full: { rows: 1_000_000, times: 300 }, small: { rows: 1_000, times: 10 } } };

export const keepsTable = true;

export async function setup({ create, size }) {
  const table = await create("t", await bulkTable(size.rows));
  const ids = (await table.query().select(["id"]).withRowId().toArrow()).getChild("_rowid");
  const chance = lottery(5);
  const wanted = Array.from({ length: size.times }, () => ids.get(Math.floor(chance() * size.rows)));
  return { table, wanted };
}

export function round({ state: { table, wanted }, size }) {
  return sequence(size.times, async (i) => {
    const found = await table.takeRowIds([wanted[i]]).select(["id", "kind"]).toArrow();
    expectEqual(found.numRows, 1, "rows found");
  });
}
