/**
 * Do native LanceDB and this package lose nothing of each other when they write one table at the same time? Two
 * processes of each do mixed operations; one of each side also compacts, adds columns and cleans up, and native builds indices. Afterwards both
 * sides must read exactly the rows that were acknowledged, and native must be able to compact and index the table.
 *
 * node mixed.mjs [--operations 500] [--seed 1] [--stable] [--durability full]; exit code 1 when a row is missing, too
 * many or wrong. Native's own failures (its commit conflicts) are counted, not judged.
 */
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { connect, Index } from "@lancedb/lancedb";
import * as arrow from "apache-arrow";
import { joust } from "./joust.mjs";

const { values: options } = parseArgs({
  options: {
    operations: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
    durability: { type: "string", default: "full" },
    stable: { type: "boolean", default: false },
  },
});
const SIDES = ["native", "native", "joust", "joust"];
const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), true),
  new arrow.Field("n", new arrow.Int32(), true),
  new arrow.Field("writer", new arrow.Int32(), true),
  new arrow.Field("vector", new arrow.FixedSizeList(8, new arrow.Field("item", new arrow.Float32(), true)), true),
]);

function work(job) {
  const worker = fork(fileURLToPath(new URL("mixed-worker.mjs", import.meta.url)), [JSON.stringify(job)]);
  return new Promise((resolve, reject) => {
    let answer;
    worker.on("message", (message) => {
      answer = message;
    });
    worker.on("exit", (code) =>
      answer === undefined
        ? reject(new Error(`writer ${job.index} ended with ${code}`))
        : resolve({ ...job, ...answer }),
    );
  });
}

/** What is wrong with the rows that one side reads. */
async function compare(table, believed, doubtful) {
  const seen = new Map();
  let twice = 0;
  for (const { id, n } of await table.query().select(["id", "n"]).toArray()) {
    if (seen.has(Number(id))) twice++;
    seen.set(Number(id), Number(n));
  }
  const wrong = [...believed].filter(([id, n]) => !doubtful.has(id) && seen.get(id) !== n).length;
  const extra = [...seen.keys()].filter((id) => !doubtful.has(id) && !believed.has(id)).length;
  return { rows: seen.size, wrong, extra, twice };
}

function summary(results) {
  for (const { side, index, done, failures } of results) {
    console.log(`writer ${index} (${side}): ${JSON.stringify(done)}, ${failures.length} failures`);
    const counts = new Map();
    for (const { kind, text } of failures) {
      const key = `${kind}: ${text.slice(0, 260)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const [text, count] of counts) console.log(`   ${count} x ${text}`);
  }
}

async function main() {
  const root = mkdtempSync(join(tmpdir(), "joust-mixed-"));
  const native = await connect(root, { storageOptions: { newTableEnableStableRowIds: String(options.stable) } });
  await native.createEmptyTable("t", SCHEMA);
  const started = Date.now();
  const results = await Promise.all(
    SIDES.map((side, index) =>
      work({
        root,
        side,
        index,
        chores: index === 0 || index === 2,
        operations: Number(options.operations),
        seed: Number(options.seed),
        durability: options.durability,
      }),
    ),
  );
  summary(results);
  const believed = new Map(results.flatMap(({ rows }) => rows));
  const doubtful = new Set(results.flatMap(({ doubtful }) => doubtful));
  const table = await native.openTable("t");
  console.log(
    `${believed.size} rows acknowledged, ${doubtful.size} doubtful, version ${await table.version()}, ${Date.now() - started} ms`,
  );
  const database = await joust.connect(root);
  const ours = await database.openTable("t");
  const verdicts = {
    native: await compare(table, believed, doubtful),
    joust: await compare(ours, believed, doubtful),
  };
  await table.optimize();
  await table.createIndex("id", { config: Index.btree(), replace: true });
  await table.createIndex("vector", { config: Index.ivfFlat({ numPartitions: 4 }), replace: true });
  verdicts.nativeAfterChores = await compare(table, believed, doubtful);
  verdicts.joustAfterChores = await compare(ours, believed, doubtful);
  const indexed = await Promise.all(
    [...believed.keys()].slice(0, 50).map(async (id) => (await table.query().where(`id = ${id}`).toArray()).length),
  );
  const looks = results.flatMap(({ failures }) => failures.filter(({ kind }) => kind === "LOOK"));
  const bad =
    Object.values(verdicts).some(({ wrong, extra, twice }) => wrong + extra + twice > 0) ||
    indexed.some((count) => count !== 1) ||
    looks.length > 0;
  for (const [name, verdict] of Object.entries(verdicts)) console.log(`${name}: ${JSON.stringify(verdict)}`);
  console.log(bad ? "ROWS DIFFER" : "nothing lost, nothing extra, nothing wrong");
  await database.close();
  if (bad) console.log(`the table is left in ${root}`);
  else rmSync(root, { recursive: true, force: true });
  process.exitCode = bad ? 1 : 0;
}

await main();
