// Any number of callers may write at once. Writes to different rows never fail; writes to one row take turns.
import assert from "node:assert/strict";
import { connect } from "joust";

const CALLERS = 50;

const db = await connect("./data");
const accounts = Array.from({ length: CALLERS }, (_, id) => ({ id, balance: 0 }));
const table = await db.createTable("accounts", accounts, { mode: "overwrite" });

// Appends, updates of different rows, updates of one row, and a delete, all in flight together.
await Promise.all([
  ...accounts.map(({ id }) => table.add([{ id: 1000 + id, balance: 1 }])),
  ...accounts.map(({ id }) => table.update({ where: `id = ${id}`, valuesSql: { balance: "balance + 10" } })),
  ...accounts.map(() => table.update({ where: "id = 7", valuesSql: { balance: "balance + 1" } })),
  table.delete("id = 3"),
]);

const rows = await table.query().toArray();
const balance = (wanted) => rows.find(({ id }) => id === wanted)?.balance;
assert.equal(rows.length, 2 * CALLERS - 1);
assert.equal(balance(7), 10 + CALLERS);
assert.equal(balance(8), 10);
assert.equal(balance(3), undefined);
console.log(`${3 * CALLERS + 1} writes by as many callers: ${rows.length} rows, none lost`);
db.close();
