/** A reader process of the pin tests: pins a version, says so, and reads it again for every line that comes in. */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { connect } from "joust";

const { dir, table: name } = JSON.parse(process.argv[2]);
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);

// A short term makes the heartbeat fast: after two beats the lease names the pinned version only.
const db = await connect(dir, { coordination: { leaseTtlMs: 600 } });
const table = await db.openTable(name);
const snapshot = await table.snapshot();
const read = async () => (await snapshot.query().select(["id"]).toArray()).map((row) => row.id).sort((a, b) => a - b);
say({ ready: await snapshot.version(), ids: await read() });
for await (const _line of createInterface({ input: process.stdin })) {
  try {
    say({ ids: await read() });
  } catch (error) {
    say({ error: error.code ?? "?", message: error.message });
  }
}
