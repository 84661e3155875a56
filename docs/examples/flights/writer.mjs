// One of several writer processes: appends its share of the flights, batch by batch, and counts them in one shared row.
import { connect } from "joust";
import { batches, share, TALLY_EVERY } from "./plan.mjs";
import { batchTable, readFlights } from "./source.mjs";

const { dir, rows, writers, index, large } = JSON.parse(process.argv[2]);
const own = share(rows, writers, index);
const flights = await readFlights({ large, ...own });
const db = await connect(dir);
const table = await db.openTable("flights");
const tally = await db.openTable("tally");

process.send({ kind: "ready" });
await new Promise((resolve) => process.once("message", resolve));

let uncounted = { batches: 0, rows: 0 };
for (const { batch, from, to } of batches(rows, writers, index)) {
  const range = { from: from - own.from, to: to - own.from };
  const data = batchTable(flights, { ...range, firstId: own.from, batch });
  const result = await table.add(data);
  process.send({ kind: "appended", batch, rows: to - from, version: result.version, attempts: result.attempts });
  uncounted = { batches: uncounted.batches + 1, rows: uncounted.rows + to - from };
  if (uncounted.batches === TALLY_EVERY) await count();
}
if (uncounted.batches > 0) await count();
process.send({ kind: "done" });
db.close();
process.disconnect();

/** All writers add to the same row: the hardest case there is, since every lost race has to read it again. */
async function count() {
  const valuesSql = { batches: `batches + ${uncounted.batches}`, rows: `rows + ${uncounted.rows}` };
  uncounted = { batches: 0, rows: 0 };
  const result = await tally.update({ where: "id = 0", valuesSql });
  process.send({ kind: "tallied", attempts: result.attempts });
}
