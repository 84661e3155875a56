/**
 * Does maintenance ever get into the way of anybody? Four processes add, update, delete, upsert, read and travel in time
 * for five minutes, on rows of their own, on shared counters and on shared keys, with automatic maintenance on and old
 * versions removed after a second; now and then one of them is stopped for a moment (SIGSTOP). No call may fail, every
 * process reads its own writes, the final table is the replay of what was acknowledged, and verify finds nothing.
 *
 * Usage: node test/soak/mixed.mjs [--seconds 300] [--processes 4]
 */
import { parseArgs } from "node:util";
import { connect } from "joust";
import { chanceOf } from "./crew/chance.mjs";
import { start } from "./crew/processes.mjs";
import { finish, inScratch, progress } from "./crew/report.mjs";

const { values: flags } = parseArgs({
  options: { seconds: { type: "string", default: "300" }, processes: { type: "string", default: "4" } },
});
const FOR_MS = Number(flags.seconds) * 1000;
const COUNTERS = 3;
const SHARED_KEYS = 20;
const STOP_EVERY_MS = 3000;
const STOP_MS = 700;
const OPTIONS = {
  durability: "relaxed",
  coordination: { leaseTtlMs: 2000 },
  maintenance: { minFragments: 8, intervalMs: 50, retentionMs: 1000 },
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the table has to hold: own rows and counters; and of each shared key, one of the values of its newest version. */
function replay(said) {
  const rows = new Map(said.flatMap(({ model }) => model));
  for (let i = 1; i <= COUNTERS; i++) rows.set(-i, 0);
  for (const [id, times] of said.flatMap(({ increments }) => increments)) rows.set(id, rows.get(id) + times);
  const newest = new Map();
  for (const [version, id, n] of said.flatMap(({ upserts }) => upserts)) {
    const known = newest.get(id);
    if (known === undefined || version > known.version) newest.set(id, { version, values: new Set([n]) });
    // Processes share commits: which of them came last in it is not told.
    else if (version === known.version) known.values.add(n);
  }
  return { rows, shared: new Map([...newest].map(([id, { values }]) => [id, values])) };
}

/** How the rows of the table differ from the replay, in words; undefined when they do not. */
function differenceOf(found, { rows, shared }) {
  const left = new Map(rows);
  const missing = new Set(shared.keys());
  const extra = [];
  for (const [id, n] of found) {
    const isRight = shared.has(id) ? shared.get(id).has(n) && missing.delete(id) : left.get(id) === n;
    if (!isRight) extra.push(`${id},${n}`);
    left.delete(id);
  }
  const lost = [...left, ...[...missing].map((id) => [id, [...shared.get(id)].join("|")])].map(String);
  if (lost.length + extra.length === 0) return undefined;
  return `not the replay: without ${lost.slice(0, 5).join(" ")}, but with ${extra.slice(0, 5).join(" ")}`;
}

async function soak(dir) {
  const db = await connect(dir, { ...OPTIONS, maintenance: { auto: false } });
  const counters = Array.from({ length: COUNTERS }, (_, i) => ({ id: -1 - i, n: 0 }));
  const table = await db.createTable("t", counters);
  const errors = [];
  const wrong = [];
  const last = new Map();
  const workers = Array.from({ length: Number(flags.processes) }, (_, i) => {
    const job = { dir, worker: i + 1, forMs: FOR_MS, counters: COUNTERS, sharedKeys: SHARED_KEYS, options: OPTIONS };
    return start("mixer.mjs", job, (line) => {
      last.set(i, line);
      if (line.error !== undefined) errors.push(`process ${i + 1}: ${line.error}: ${line.message}`);
      if (line.wrong !== undefined) wrong.push(`process ${i + 1}: ${line.wrong}`);
    });
  });
  let over = false;
  const ended = Promise.all(workers.map((one) => one.ended)).then(() => {
    over = true;
  });
  const chance = chanceOf(99);
  const rewrites = new Set();
  let mostVersions = 0;
  let mostFragments = 0;
  let stops = 0;
  let stopMs = performance.now() + STOP_EVERY_MS;
  while (!over) {
    const versions = await table.listVersions();
    mostVersions = Math.max(mostVersions, versions.length);
    mostFragments = Math.max(mostFragments, (await table.stats()).fragmentStats.numFragments);
    for (const { version, metadata } of versions) if (metadata.operation === "rewrite") rewrites.add(version);
    progress(`version ${versions.at(-1).version}, ${versions.length} left, ${errors.length} errors`);
    if (performance.now() > stopMs) {
      const { child } = chance.pick(workers);
      child.kill("SIGSTOP");
      await pause(STOP_MS);
      child.kill("SIGCONT");
      stops++;
      stopMs = performance.now() + STOP_EVERY_MS;
    }
    await Promise.race([ended, pause(500)]);
  }
  const said = [...last.values()].filter((line) => line.model !== undefined);
  const found = (await table.query().toArray()).map(({ id, n }) => [id, n]);
  const difference =
    said.length < workers.length ? "not every process came to its end" : differenceOf(found, replay(said));
  if (difference !== undefined) wrong.push(difference);
  const findings = [];
  for await (const finding of table.verify({ deep: true })) findings.push(finding.message);
  const version = await table.version();
  await db.close();
  const done = {};
  for (const one of said) {
    for (const [kind, count] of Object.entries(one.done)) done[kind] = (done[kind] ?? 0) + count;
  }
  const lostRaces = said.reduce((sum, one) => sum + one.lostRaces, 0);
  const counts = { version, compactions: rewrites.size, mostVersions, mostFragments, stops, lostRaces };
  return { errors, wrong, findings, done, counts };
}

const { errors, wrong, findings, done, counts } = await inScratch(soak);
for (const one of [...errors, ...wrong, ...findings].slice(0, 10)) console.log(one);
const operations = Object.values(done).reduce((sum, count) => sum + count, 0);
finish(
  "mixed",
  { seconds: FOR_MS / 1000, errors: errors.length, wrong: wrong.length, operations, ...done, ...counts },
  {
    "a call failed": errors.length > 0,
    "rows were wrong": wrong.length > 0,
    "the table has findings": findings.length > 0,
    "nothing was compacted": counts.compactions === 0,
    "no version was removed": counts.version > 100 && counts.mostVersions > counts.version - 10,
  },
);
