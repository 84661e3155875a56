// The process that updates and deletes rows by predicate, while the writers append and the reader reads.
// It is told which batches are committed, and reports each change that was acknowledged.
import { connect } from "joust";
import { changeOf } from "./plan.mjs";

const { dir } = JSON.parse(process.argv[2]);
const db = await connect(dir);
const table = await db.openTable("flights");

let last = Promise.resolve();
process.on("message", (message) => {
  last = last.then(() => (message.kind === "stop" ? stop() : change(message.batch)));
  last.catch((error) => {
    console.error(error);
    process.exit(1);
  });
});
process.send({ kind: "ready" });

async function change(batch) {
  const { kind, where, valuesSql } = changeOf(batch);
  const result =
    kind === "delete" ? await table.delete(where(batch)) : await table.update({ where: where(batch), valuesSql });
  process.send({ kind: "changed", change: kind, batch, version: result.version, attempts: result.attempts });
}

function stop() {
  process.send({ kind: "done" });
  db.close();
  process.disconnect();
}
