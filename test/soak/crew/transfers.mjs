/**
 * A writer whose rows add up to 0 in every version: it moves amounts between two of its rows in one commit, adds rows of
 * 0, deletes rows of 0, and touches others. Says at the end what its rows have to be.
 */
import { connect } from "joust";
import { chanceOf } from "./chance.mjs";
import { run, say } from "./say.mjs";

const ROWS_MIN = 200;
const ROWS_MAX = 600;

await run(async ({ dir, worker, forMs, options }) => {
  const chance = chanceOf(worker);
  const db = await connect(dir, options);
  const table = await db.openTable("t");
  const model = new Map();
  let nextId = worker * 1_000_000;
  let operations = 0;

  const add = async (count) => {
    const rows = Array.from({ length: count }, () => ({ id: nextId++, worker, n: 0, text: "new" }));
    await table.add(rows);
    for (const { id } of rows) model.set(id, 0);
  };
  const transfer = async () => {
    const ids = [...model.keys()];
    const [a, b] = [chance.pick(ids), chance.pick(ids)];
    if (a === b) return;
    const amount = 1 + chance.below(9);
    const rows = [
      { id: a, worker, n: model.get(a) - amount, text: "paid" },
      { id: b, worker, n: model.get(b) + amount, text: "got" },
    ];
    await table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(rows);
    for (const { id, n } of rows) model.set(id, n);
  };
  const remove = async () => {
    const zeros = [...model].filter(([, n]) => n === 0).map(([id]) => id);
    if (zeros.length === 0) return;
    const id = chance.pick(zeros);
    const { numDeletedRows } = await table.delete(`id = ${id}`);
    if (numDeletedRows !== 1) throw new Error(`${numDeletedRows} rows had id ${id}`);
    model.delete(id);
  };
  const touch = async () => {
    const id = chance.pick([...model.keys()]);
    await table.update({
      where: `worker = ${worker} AND id >= ${id} AND id < ${id + 10}`,
      values: { text: "touched" },
    });
  };

  await add(ROWS_MIN);
  say({ ready: true });
  for (const end = performance.now() + forMs; performance.now() < end; operations++) {
    const dice = chance.next();
    if (dice < 0.45) await transfer();
    else if (dice < 0.65 && model.size < ROWS_MAX) await add(1 + chance.below(5));
    else if (dice < 0.85 && model.size > ROWS_MIN / 2) await remove();
    else await touch();
  }
  await db.close();
  say({ operations, model: [...model] });
});
