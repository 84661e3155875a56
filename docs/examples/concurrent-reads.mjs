// Readers never wait: each reads one version to its end, however many commits come meanwhile.
import assert from "node:assert/strict";
import { connect } from "joust";

const ACCOUNTS = 100;

const db = await connect("./data");
const rows = Array.from({ length: ACCOUNTS }, (_, id) => ({ id, balance: 10 }));
const table = await db.createTable("ledger", rows, { mode: "overwrite" });

let writing = true;
let commits = 0;

// Every version holds the same total, because each update moves money in one commit.
async function write() {
  for (let i = 0; i < 20; i++) {
    const amount = i % 2 === 0 ? 1 : -1;
    await table.update({ valuesSql: { balance: `balance + ${amount} * (2 * (id % 2) - 1)` } });
    commits++;
  }
  writing = false;
}

async function read() {
  let reads = 0;
  while (writing) {
    const seen = await table.query().select(["balance"]).toArray();
    const total = seen.reduce((sum, { balance }) => sum + balance, 0);
    assert.equal(total, 10 * ACCOUNTS, "a reader saw half a commit");
    reads++;
  }
  return reads;
}

const [, ...reads] = await Promise.all([write(), read(), read(), read()]);
const { durations } = table.metrics().reads;
console.log(`${reads.reduce((a, b) => a + b)} reads beside ${commits} commits, p99 ${durations.p99Ms.toFixed(1)} ms`);
await db.close();
