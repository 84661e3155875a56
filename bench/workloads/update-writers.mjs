// How fast do 4 callers of one process update different rows of one table, and does every update arrive?
import { closedLoop, expectEqual } from "../measure.mjs";
import { rows } from "../rows.mjs";

const ROWS = 10_000;

export const variants = { 4: { full: { writers: 4, seconds: 2 }, small: { writers: 4, seconds: 0.1 } } };

export const setup = ({ create }) => create("t", rows(ROWS));

export async function round({ state: table, size }) {
  const result = await closedLoop(size.writers, size.seconds, (writer, i) =>
    table.update({ where: `id = ${((i * size.writers) % ROWS) + writer}`, valuesSql: { value: "value + 1" } }),
  );
  expectEqual(await sumOfValues(table), result.operations, "updates that the rows show");
  return result;
}

async function sumOfValues(table) {
  const changed = await table.query().where("value > 0").select(["value"]).toArray();
  return changed.reduce((sum, { value }) => sum + value, 0);
}
