// How long does it take to delete one row by predicate?
import { expectEqual, sequence } from "../measure.mjs";
import { rows } from "../rows.mjs";

const ROWS = 10_000;

export const variants = { "": { full: { deletes: 100 }, small: { deletes: 5 } } };

export const setup = ({ create }) => create("t", rows(ROWS));

export async function round({ state: table, size }) {
  const result = await sequence(size.deletes, (i) => table.delete(`id = ${(i * 37) % ROWS}`));
  expectEqual(await table.countRows(), ROWS - result.operations, "rows after the deletes");
  return result;
}
