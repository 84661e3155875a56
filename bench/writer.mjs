// One writer process of a crowd: opens the table, says so, waits for the signal, works, reports.
import { openEngine } from "./engines.mjs";
import { closedLoop } from "./measure.mjs";
import { columns, row } from "./rows.mjs";

const { engine, dir, options, task, seconds, index, processes } = JSON.parse(process.argv[2]);

const TASKS = {
  append: (table, i) => table.add([row(index * 1_000_000 + i)]),
  "append-columns": (table, i) => table.add(columns(row(index * 1_000_000 + i))),
  // Rows of residue class `index`, so that no two processes touch the same row.
  update: (table, i) =>
    table.update({ where: `id = ${((i * processes) % 10_000) + index}`, valuesSql: { value: "value + 1" } }),
};

try {
  const { db } = await openEngine(engine, dir, options);
  const table = await db.openTable("t");
  await table.countRows();
  const go = new Promise((resolve) => process.once("message", resolve));
  process.send({ ready: true });
  await go;
  const result = await closedLoop(1, seconds, (_, i) => TASKS[task](table, i));
  process.send({ ...result, metrics: table.metrics?.() });
} catch (error) {
  process.send({ error: String(error?.stack ?? error) });
}
