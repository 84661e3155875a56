// Two processes append, update, delete and upsert in one table at the same time; none of their writes is lost.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "joust";

const ROUNDS = 5;

async function work(writer) {
  const db = await connect("./data");
  const table = await db.openTable("jobs");
  for (let round = 0; round < ROUNDS; round++) {
    const id = 100 * (writer + 1) + round;
    await Promise.all([
      table.add([{ id, state: "new", tries: 0 }]),
      table.update({ where: `id = ${writer}`, valuesSql: { tries: "tries + 1" } }),
      table.update({ where: "id = 99", valuesSql: { tries: "tries + 1" } }),
    ]);
    await table
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([{ id, state: "done", tries: 1 }]);
    if (round % 2 === 0) await table.delete(`id = ${id}`);
  }
  await db.close();
}

if (process.argv[2] !== undefined) {
  await work(Number(process.argv[2]));
} else {
  const db = await connect("./data");
  const start = [0, 1, 99].map((id) => ({ id, state: "shared", tries: 0 }));
  const table = await db.createTable("jobs", start, { mode: "overwrite" });
  const writers = [0, 1].map((writer) => fork(process.argv[1], [String(writer)]));
  const codes = await Promise.all(writers.map((writer) => once(writer, "exit")));
  assert.deepEqual(
    codes.map(([code]) => code),
    [0, 0],
  );
  const rows = await table.query().orderBy({ columnName: "id" }).toArray();
  const tries = (wanted) => rows.find(({ id }) => id === wanted)?.tries;
  assert.deepEqual([tries(0), tries(1), tries(99)], [ROUNDS, ROUNDS, 2 * ROUNDS]);
  assert.equal(rows.filter(({ state }) => state === "done").length, 2 * Math.floor(ROUNDS / 2));
  console.log(`two processes, ${await table.version()} versions, every write there: ${rows.length} rows`);
  await db.close();
}
