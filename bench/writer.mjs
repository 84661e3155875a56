// One writer process of a crowd: opens the table, or opens it anew, and works for some seconds, when it is told to.
import { openEngine } from "./engines.mjs";
import { closedLoop } from "./measure.mjs";
import { columns, row } from "./rows.mjs";

const { engine, dir, options, task, index, processes } = JSON.parse(process.argv[2]);

const TASKS = {
  append: (table, i) => table.add([row(index * 1_000_000 + i)]),
  "append-columns": (table, i) => table.add(columns(row(index * 1_000_000 + i))),
  // Rows of residue class `index`, so that no two processes touch the same row.
  update: (table, i) =>
    table.update({ where: `id = ${((i * processes) % 10_000) + index}`, valuesSql: { value: "value + 1" } }),
};

let opened;
let next = 0;

async function open(name) {
  await opened?.db.close();
  const { db } = await openEngine(engine, dir, options);
  opened = { db, table: await db.openTable(name) };
  await opened.table.countRows();
  return { ready: true };
}

async function work(seconds) {
  const { table } = opened;
  const result = await closedLoop(1, seconds, () => TASKS[task](table, next++));
  return { ...result, conflicts: table.metrics?.().conflicts };
}

process.on("message", async (order) => {
  try {
    process.send(await (order.open === undefined ? work(order.seconds) : open(order.open)));
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
