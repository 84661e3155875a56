/**
 * Are readers of old versions ever disturbed? Reader processes scan old versions for a minute while writers, a loop of
 * compactions and `cleanupOlderThan: now` run: no error, every scan equals its first one, whoever made it, and in every
 * version each writer's rows add up. Meanwhile readers of tables of their own are killed with SIGKILL, which has to give
 * back what they held, and stopped for longer than their lease lives: then they find their rows or SNAPSHOT_EXPIRED.
 *
 * Usage: node test/soak/readers.mjs [--seconds 60] [--readers 8] [--writers 4] [--ttl-ms 2000]
 */
import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "joust";
import { start } from "./crew/processes.mjs";
import { finish, inScratch, progress } from "./crew/report.mjs";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    readers: { type: "string", default: "8" },
    writers: { type: "string", default: "4" },
    "ttl-ms": { type: "string", default: "2000" },
  },
});
const FOR_MS = Number(flags.seconds) * 1000;
const TTL_MS = Number(flags["ttl-ms"]);
/** A dead lease has to be old, and then to be watched for half of its life. */
const GONE_TERMS = 1.5;
/** What a vacuum itself may take on a machine that is busy with all the others. */
const SLACK_MS = 5000;
/** How long a stopped reader sleeps at least, and at most, in terms of its lease. */
const STOP_TERMS = { least: 2, most: 10 };
/** Writers that upsert the same table by key have to plan again whenever another one was first: they get time for it. */
const OPTIONS = { coordination: { leaseTtlMs: TTL_MS, timeoutMs: 300_000 } };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const soon = () => new Date(Date.now() + 60_000);

/** A table with a version 1 that only the pinner holds, and a version after it. */
async function heldByOne(db, dir, name, foreign) {
  const table = await db.createTable(name, [{ id: 1 }, { id: 2 }]);
  const pinner = start("pinner.mjs", { dir, table: name, foreign, options: OPTIONS });
  const { pinned, message } = await pinner.hear();
  if (pinned !== 1) throw new Error(`the reader of ${name} pinned ${pinned}: ${message}`);
  for (let id = 10; id < 13; id++) await table.add([{ id }], { mode: "overwrite" });
  const versions = async () => (await table.listVersions()).map((one) => one.version).join();
  const clean = () => table.optimize({ cleanupOlderThan: soon() });
  for (let left = ""; left !== "1,4"; left = await versions()) {
    if (left === "4") throw new Error(`${name}: version 1 was removed although its reader runs`);
    await clean();
  }
  const files = () => readdirSync(join(dir, `${name}.lance`, "data")).length;
  const read = () => {
    pinner.tell("read");
    return pinner.hear();
  };
  return { pinner, versions, clean, files, read };
}

/** Milliseconds from the death of a reader until its version and its files are gone. */
async function killed(db, dir, name, foreign) {
  const { pinner, versions, clean, files } = await heldByOne(db, dir, name, foreign);
  pinner.child.kill("SIGKILL");
  const diedMs = performance.now();
  await pinner.ended;
  while ((await versions()) !== "4" || files() !== 1) await clean();
  return Math.round(performance.now() - diedMs);
}

/** What a reader says that was stopped for longer than its lease lives while others cleaned up. */
async function stopped(db, dir, name, { foreign, warm }) {
  const { pinner, versions, clean, read } = await heldByOne(db, dir, name, foreign);
  if (warm) await read();
  pinner.child.kill("SIGSTOP");
  const startedMs = performance.now();
  const isAsleep = (terms) => performance.now() - startedMs < terms * TTL_MS;
  while (isAsleep(STOP_TERMS.least)) await clean().then(() => pause(100));
  // Elsewhere a sleeper's lease runs out; how soon a vacuum sees that is up to the machine.
  while (foreign && (await versions()) !== "4" && isAsleep(STOP_TERMS.most)) await clean();
  const left = await versions();
  pinner.child.kill("SIGCONT");
  const { ids, code } = await read();
  pinner.child.kill("SIGKILL");
  await pinner.ended;
  return { left, said: code ?? ids?.join() };
}

async function singles(db, dir) {
  const [killedMs, killedElsewhereMs, here, hereCold, elsewhere, elsewhereCold] = await Promise.all([
    killed(db, dir, "killed", false),
    killed(db, dir, "killed_elsewhere", true),
    stopped(db, dir, "stopped", { foreign: false, warm: true }),
    stopped(db, dir, "stopped_cold", { foreign: false, warm: false }),
    stopped(db, dir, "stopped_elsewhere", { foreign: true, warm: true }),
    stopped(db, dir, "stopped_elsewhere_cold", { foreign: true, warm: false }),
  ]);
  return { killedMs, killedElsewhereMs, here, hereCold, elsewhere, elsewhereCold };
}

async function soak(dir) {
  const linked = `${dir}-linked`;
  symlinkSync(dir, linked);
  const db = await connect(dir, OPTIONS);
  const table = await db.createTable("t", [{ id: -1, worker: 0, n: 0, text: "first" }]);
  const errors = [];
  const wrong = [];
  const digests = new Map();
  const last = [];
  const crew = (script, job) => {
    const member = start(script, { dir, linked, forMs: FOR_MS, options: OPTIONS, ...job }, (line) => {
      last[member.child.pid] = line;
      if (line.error !== undefined) errors.push(`${script}: ${line.error}: ${line.message}`);
      if (line.wrong !== undefined) wrong.push(line.wrong);
      if (line.digest === undefined) return;
      const before = digests.get(line.version);
      if (before !== undefined && before !== line.digest) wrong.push(`two readers of version ${line.version} differ`);
      digests.set(line.version, line.digest);
      progress(`${digests.size} versions read, ${errors.length} errors, ${wrong.length} wrong`);
    });
    return member;
  };
  const writers = Array.from({ length: Number(flags.writers) }, (_, i) => crew("transfers.mjs", { worker: i + 1 }));
  await Promise.all(writers.map((one) => one.hear()));
  const cleaner = crew("cleaner.mjs", {});
  const readers = Array.from({ length: Number(flags.readers) }, (_, i) =>
    crew("scanner.mjs", { reader: i + 1, forever: i === 0 }),
  );
  const alone = await singles(db, dir);
  await Promise.all([...writers, cleaner, ...readers].map((one) => one.ended));
  const saidBy = (member) => last[member.child.pid];
  const sum = (members, key) => members.reduce((total, one) => total + (saidBy(one)[key] ?? 0), 0);
  const expected = [...writers.flatMap((one) => saidBy(one).model ?? []), [-1, 0]].map(String).sort();
  const rows = (await table.query().toArray()).map(({ id, n }) => String([id, n])).sort();
  if (rows.join(";") !== expected.join(";")) wrong.push("the table is not what its writers were told it is");
  const findings = [];
  for await (const finding of table.verify({ deep: true })) findings.push(finding.message);
  await db.close();
  return {
    errors,
    wrong,
    findings,
    ...alone,
    counts: {
      scans: sum(readers, "scans"),
      scansAnew: sum(readers, "fresh"),
      versionsRead: sum(readers, "versions"),
      tooLate: sum(readers, "missed"),
      writes: sum(writers, "operations"),
      cleanups: sum([cleaner], "rounds"),
      versionsRemoved: sum([cleaner], "versionsRemoved"),
      fragmentsCompacted: sum([cleaner], "fragmentsRemoved"),
    },
  };
}

const result = await inScratch(soak);
const { errors, wrong, findings, counts, killedMs, killedElsewhereMs } = result;
for (const one of [...errors, ...wrong, ...findings].slice(0, 10)) console.log(one);
const intact = ({ said }) => said === "1,2";
const expired = ({ said }) => said === "SNAPSHOT_EXPIRED";
const figures = {
  seconds: FOR_MS / 1000,
  errors: errors.length,
  wrong: wrong.length,
  ...counts,
  leaseTtlMs: TTL_MS,
  killedMs,
  killedElsewhereMs,
  stopped: [result.here.said, result.hereCold.said],
  stoppedElsewhere: [result.elsewhere.said, result.elsewhereCold.said],
};
finish("readers", figures, {
  "a process failed": errors.length > 0,
  "rows were wrong": wrong.length > 0,
  "the table has findings": findings.length > 0,
  "nothing was removed beside the readers": counts.versionsRemoved === 0,
  "nothing was read anew": counts.scansAnew === 0,
  "a killed reader's space came back too late": killedMs > TTL_MS,
  "a killed reader's space on another machine came back too late": killedElsewhereMs > GONE_TERMS * TTL_MS + SLACK_MS,
  "a stopped reader of this machine lost its version": !intact(result.here) || !intact(result.hereCold),
  "a stopped reader of another machine has wrong rows": [result.elsewhere, result.elsewhereCold].some(
    (one) => !intact(one) && !expired(one),
  ),
  "a stopped reader of another machine kept its version": result.elsewhereCold.left !== "4",
});
