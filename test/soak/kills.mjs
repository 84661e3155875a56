/**
 * Is any acknowledged row lost when writers are killed, 1,000 times, at random moments?
 *
 * Four processes append single rows to one table. Again and again one of them gets SIGKILL and another one takes its
 * place; after every 2,000 commits the rest are killed too, the table is checked, and a fresh one is begun. Checked is:
 * every acknowledged row is there exactly once, every other intended one at most once, nobody else's is, the versions
 * have no gap, and verify({ deep: true }) finds nothing. Prints one line, and fails when anything is wrong.
 *
 * Usage: KILLS=1000 SEED=1 node test/soak/kills.mjs
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "../../dist/index.js";

const WRITERS = 4;
const COMMITS_PER_TABLE = 2_000;
/** A writer that answers nothing for so long hangs. */
const SILENCE_MS = 60_000;

if (process.argv[2] === "write") await write(...process.argv.slice(3));
else await conduct(Number(process.env.KILLS ?? 1_000), Number(process.env.SEED ?? Date.now() % 1_000_000));

/** Says before each row what it intends and after it that it was acknowledged, in a file that outlives it. */
async function write(dir, name, log, from) {
  const table = await (await connect(dir)).openTable(name);
  const file = openSync(log, "a");
  for (let id = Number(from); ; id++) {
    writeSync(file, `i${id}\n`);
    await table.add([{ id, n: 0 }]);
    writeSync(file, `a${id}\n`);
  }
}

async function conduct(kills, seed) {
  const chance = lottery(seed);
  const total = { kills: 0, tables: 0, commits: 0, unacknowledged: 0, ofThemThere: 0, longestStallMs: 0, wrong: [] };
  const startedMs = performance.now();
  while (total.kills < kills && total.wrong.length === 0) {
    const dir = mkdtempSync(join(tmpdir(), "joust-kills-"));
    await oneTable(dir, kills, chance, total);
    total.tables++;
    if (total.wrong.length === 0) rmSync(dir, { recursive: true, force: true });
    else total.wrong.push(`the table is kept in ${dir}`);
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  if (process.stderr.isTTY) process.stderr.write("\n");
  console.log(JSON.stringify({ ...total, seconds, seed }));
  process.exitCode = total.wrong.length === 0 ? 0 : 1;
}

/** Kills writers of one table until it has 2,000 commits or enough were killed, then all, and checks it. */
async function oneTable(dir, kills, chance, total) {
  const place = join(dir, "db");
  const db = await connect(place, { maintenance: { auto: false } });
  const table = await db.createTable("t", [{ id: 0, n: 0 }]);
  const logs = [];
  let nextId = 1;
  const start = () => {
    const log = join(dir, `said-${logs.length}`);
    writeFileSync(log, "");
    logs.push(log);
    const from = nextId;
    nextId += 100_000;
    return fork(fileURLToPath(import.meta.url), ["write", place, "t", log, String(from)]);
  };
  const writers = Array.from({ length: WRITERS }, start);
  const kill = async (writer) => {
    writer.kill("SIGKILL");
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, "exit");
    if (writer.signalCode !== "SIGKILL") total.wrong.push(`a writer ended by itself with code ${writer.exitCode}`);
    total.kills++;
  };
  const begun = await table.version();
  let version = begun;
  let movedMs = performance.now();
  try {
    while (version < COMMITS_PER_TABLE && total.kills < kills - WRITERS && total.wrong.length === 0) {
      const wanted = version + 1 + Math.floor(chance() * 16);
      while (version < wanted) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        const now = await table.version();
        const stallMs = Math.round(performance.now() - movedMs);
        if (now !== version) movedMs = performance.now();
        if (version > begun) total.longestStallMs = Math.max(total.longestStallMs, stallMs);
        version = now;
        if (stallMs > SILENCE_MS) throw new Error(`nothing was committed after version ${version} for ${stallMs} ms`);
      }
      for (const end = performance.now() + chance() * 3; performance.now() < end; );
      const chosen = Math.floor(chance() * WRITERS);
      await kill(writers[chosen]);
      writers[chosen] = start();
      progress(total, version);
    }
  } finally {
    await Promise.all(writers.map(kill));
  }
  total.wrong.push(...(await check(table, logs, total)));
  await db.close();
}

async function check(table, logs, total) {
  const wrong = [];
  const intended = new Set();
  const acknowledged = new Set();
  for (const log of logs) {
    // The last line may be torn; a torn acknowledgement is none.
    for (const line of readFileSync(log, "utf8").split("\n").slice(0, -1)) {
      (line[0] === "a" ? acknowledged : intended).add(Number(line.slice(1)));
    }
  }
  const ids = (await table.query().select(["id"]).toArray()).map(({ id }) => Number(id));
  const there = new Set(ids);
  if (there.size !== ids.length) wrong.push(`${ids.length - there.size} rows are there twice`);
  const lost = [...acknowledged].filter((id) => !there.has(id));
  if (lost.length > 0) wrong.push(`acknowledged rows are lost: ${lost.slice(0, 10).join(", ")}`);
  const strange = ids.filter((id) => id !== 0 && !intended.has(id));
  if (strange.length > 0) wrong.push(`rows that nobody wrote: ${strange.slice(0, 10).join(", ")}`);
  const versions = (await table.listVersions()).map(({ version }) => version);
  if (!versions.every((version, i) => version === i + 1)) wrong.push("the versions have a gap");
  for await (const finding of table.verify({ deep: true })) {
    if (finding.severity === "error") wrong.push(`${finding.id}: ${finding.message}`);
  }
  const unacknowledged = [...intended].filter((id) => !acknowledged.has(id));
  total.commits += versions.length;
  total.unacknowledged += unacknowledged.length;
  total.ofThemThere += unacknowledged.filter((id) => there.has(id)).length;
  return wrong;
}

function progress({ kills, tables, commits }, version) {
  if (!process.stderr.isTTY && kills % 50 !== 0) return;
  const line = `${kills} kills, ${tables} tables checked with ${commits} commits, this one at version ${version}`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}   ` : `${line}\n`);
}

/** A small repeatable source of numbers in [0, 1). */
function lottery(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
