// Three ways to write 20,000 rows in few commits: at once, as single calls that share commits, as a stream.
import assert from "node:assert/strict";
import { connect } from "joust";

const ROWS = 20_000;
const reading = (id) => ({ id, sensor: `s${id % 10}`, value: Math.sin(id) });

const db = await connect("./data");
const table = await db.createTable("readings", [reading(0)], { mode: "overwrite" });
const commits = async (write) => {
  const before = await table.version();
  await write();
  return (await table.version()) - before;
};

// Rows that are there already: one call.
const atOnce = await commits(() => table.add(Array.from({ length: ROWS }, (_, id) => reading(id + 1))));
assert.equal(atOnce, 1);

// Many callers with a row each: the queue makes groups of them.
const calls = await commits(() => Promise.all(Array.from({ length: 2_000 }, (_, id) => table.add([reading(id)]))));
assert.ok(calls < 20, `${calls} commits`);

// A stream: rows gather in one buffer while the other is committed, and the stream waits when both are full.
const streamed = await commits(async () => {
  const writer = table.writer({ rows: 5_000 });
  for (let id = 0; id < ROWS; id++) await writer.write(reading(id));
  await writer.close();
});
assert.ok(streamed <= 20, `${streamed} commits`);

assert.equal(await table.countRows(), 1 + ROWS + 2_000 + ROWS);
console.log(`commits: ${atOnce} at once, ${calls} for 2,000 calls, ${streamed} for a stream`);
await db.close();
