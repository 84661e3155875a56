/**
 * A reader that checks out old versions and scans each again and again: by a handle, by a slow stream, and by a second
 * connection that has nothing in memory. Every scan has to equal the first one, and every worker's rows add up to 0.
 */
import { createHash } from "node:crypto";
import { connect } from "joust";
import { chanceOf } from "./chance.mjs";
import { run, say } from "./say.mjs";

const HOLD_MS_MAX = 8000;
const SLOW_BATCH_ROWS = 100;
const SLOW_PAUSE_MS = 5;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function readAll(table) {
  return (await table.query().select(["id", "worker", "n", "text"]).toArray()).map(toText);
}

async function readSlowly(table) {
  const rows = [];
  const query = table.query().select(["id", "worker", "n", "text"]);
  for await (const batch of await query.execute({ maxBatchLength: SLOW_BATCH_ROWS })) {
    for (const row of batch) rows.push(toText(row));
    await pause(SLOW_PAUSE_MS);
  }
  return rows;
}

const toText = ({ id, worker, n, text }) => `${id} ${worker} ${n} ${text}`;
const digestOf = (rows) => createHash("sha1").update(rows.sort().join("\n")).digest("hex");

function checkSums(rows, version) {
  const sums = new Map();
  for (const row of rows) {
    const [, worker, n] = row.split(" ").map(Number);
    sums.set(worker, (sums.get(worker) ?? 0) + n);
  }
  for (const [worker, sum] of sums) {
    if (sum !== 0) say({ wrong: `version ${version}: the rows of writer ${worker} add up to ${sum}` });
  }
}

await run(async ({ dir, linked, reader, forMs, forever, pauseMs = 0, options }) => {
  const chance = chanceOf(reader);
  const db = await connect(dir, options);
  const table = await db.openTable("t");
  let scans = 0;
  let fresh = 0;
  let missed = 0;
  let versions = 0;

  const check = (rows, version, digest, how) => {
    scans++;
    const now = digestOf(rows);
    if (now !== digest) say({ wrong: `version ${version} was ${digest} and is ${now} (${rows.length} rows, ${how})` });
  };
  /** With the same version held by the handle, a connection that never saw the table has to find it too. */
  const readFresh = async (version) => {
    const other = await connect(linked, options);
    try {
      const handle = await other.openTable("t");
      await handle.checkout(version);
      fresh++;
      return await readAll(handle);
    } finally {
      await other.close();
    }
  };

  say({ ready: true });
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    await table.checkoutLatest();
    const known = await table.listVersions();
    const { version } = chance.pick(known);
    try {
      await table.checkout(version);
    } catch (error) {
      if (error.code !== "NOT_FOUND") throw error;
      missed++;
      continue;
    }
    const first = await readAll(table);
    checkSums(first, version);
    const digest = digestOf(first);
    say({ version, digest });
    versions++;
    const until = forever ? end : Math.min(end, performance.now() + chance.below(HOLD_MS_MAX));
    do {
      const dice = chance.next();
      if (dice < 0.6) check(await readAll(table), version, digest, "again");
      else if (dice < 0.8) check(await readSlowly(table), version, digest, "slowly");
      else check(await readFresh(version), version, digest, "anew");
      await pause(pauseMs);
    } while (performance.now() < until);
  }
  await db.close();
  say({ scans, fresh, missed, versions });
});
