// The process that reads one early version again and again, while the others change the table under it.
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "joust";
import { answer } from "./proof.mjs";

const PAUSE_MS = 20;

const { dir, version } = JSON.parse(process.argv[2]);
const db = await connect(dir);
const table = await db.openTable("flights");
await table.checkout(version);

let stopped = false;
process.once("message", () => {
  stopped = true;
});

const first = await answer(table);
let changed = 0;
for (let checks = 1; ; checks++) {
  const again = await answer(table);
  if (JSON.stringify(again) !== JSON.stringify(first)) changed++;
  process.send({ kind: "checked", version, checks, changed, answer: first });
  if (stopped) break;
  await sleep(PAUSE_MS);
}
process.send({ kind: "done" });
db.close();
process.disconnect();
