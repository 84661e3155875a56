// How long does an exact nearest-neighbour search take (l2, 10 best, no index)?
import { expectEqual, sequence } from "../measure.mjs";
import { vectors, vectorTable } from "../rows.mjs";

export const variants = {
  "100k-128": { full: { rows: 100_000, dimension: 128, times: 30 }, small: { rows: 500, dimension: 8, times: 3 } },
};

export const keepsTable = true;

export async function setup({ create, size }) {
  const table = await create("t", await vectorTable(size.rows, size.dimension));
  return { table, questions: vectors(size.times, size.dimension) };
}

export function round({ state: { table, questions }, size }) {
  return sequence(size.times, async (i) => {
    const best = await table.vectorSearch(questions[i]).select(["id", "_distance"]).limit(10).toArrow();
    expectEqual(best.numRows, 10, "neighbours found");
  });
}
