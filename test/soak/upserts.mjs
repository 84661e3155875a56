/**
 * Does a table stay in shape under 50,000 single-row upserts with readers beside them? One row at a time is upserted
 * while two processes check out old versions and scan them, with automatic maintenance and a short retention. After the
 * warm-up, which makes all keys, files and bytes on disk have to stay at all times within twice the live data and so much
 * for every version that is kept, and when the readers have gone, one cleanup leaves hardly more than the live data.
 *
 * Usage: node test/soak/upserts.mjs [--count 50000] [--keys 5000] [--readers 2]
 */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "joust";
import { start } from "./crew/processes.mjs";
import { finish, inScratch, progress } from "./crew/report.mjs";

const { values: flags } = parseArgs({
  options: {
    count: { type: "string", default: "50000" },
    keys: { type: "string", default: "5000" },
    readers: { type: "string", default: "2" },
  },
});
const UPSERTS = Number(flags.count);
const KEYS = Number(flags.keys);
const TEXT_BYTES = 400;
const SAMPLE_EVERY = 250;
/** Versions made within this time stay; what a lease covers stays for two heartbeats, a third of its term. */
const RETENTION_MS = 2000;
const TTL_MS = 6000;
/** Between two scans of a reader. */
const PAUSE_MS = 100;
const OPTIONS = { coordination: { leaseTtlMs: TTL_MS } };
/** docs/maintenance.md states these. */
const BYTES_PER_VERSION_MAX = 100_000;
const FILES_PER_VERSION_MAX = 12;
const REST_MULTIPLE_MAX = 1.5;
/** A reader holds one version, and its lease says for a heartbeat what it held since the last one. */
const PINS_PER_READER_MAX = 20;
const DAY_MS = 86_400_000;

/** Files and bytes below a directory. */
function onDisk(dir) {
  let files = 0;
  let bytes = 0;
  for (const name of readdirSync(dir, { recursive: true })) {
    const stat = statSync(join(dir, name), { throwIfNoEntry: false });
    if (!stat?.isFile()) continue;
    files++;
    bytes += stat.size;
  }
  return { files, bytes };
}

/** Versions that leases say are being read. */
function pinsOf(table) {
  let pins = 0;
  for (const name of readdirSync(join(table, "_coord"))) {
    if (!name.startsWith("lease-")) continue;
    try {
      pins += JSON.parse(readFileSync(join(table, "_coord", name), "utf8")).versions.length;
    } catch {
      // Given back, or replaced at this moment.
    }
  }
  return pins;
}

/** What the same rows take in a table that holds nothing else. */
async function liveBytes(db, dir, table) {
  await db.createTable("fresh", await table.toArrow());
  return onDisk(join(dir, "fresh.lance", "data")).bytes;
}

async function soak(dir) {
  const db = await connect(dir, { ...OPTIONS, durability: "relaxed", maintenance: { retentionMs: RETENTION_MS } });
  const row = (id) => ({ id, worker: 0, n: 0, text: randomBytes(TEXT_BYTES / 2).toString("hex") });
  const model = new Map();
  const first = Array.from({ length: KEYS }, (_, id) => row(id));
  for (const { id, text } of first) model.set(id, text);
  const table = await db.createTable("t", first);
  const live = await liveBytes(db, dir, table);
  const wrong = [];
  let scans = 0;
  const forMs = 1000 * DAY_MS;
  const readers = Array.from({ length: Number(flags.readers) }, (_, i) =>
    start(
      "scanner.mjs",
      { dir, linked: dir, reader: i + 1, forMs, forever: false, pauseMs: PAUSE_MS, options: OPTIONS },
      (line) => {
        if (line.wrong ?? line.error) wrong.push(line.wrong ?? `${line.error}: ${line.message}`);
        if (line.digest) scans++;
      },
    ),
  );
  await Promise.all(readers.map((one) => one.hear()));
  const samples = [];
  const startedMs = performance.now();
  for (let i = 1; i <= UPSERTS; i++) {
    const one = row((i * 7919) % KEYS);
    model.set(one.id, one.text);
    await table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute([one]);
    if (i % SAMPLE_EVERY !== 0) continue;
    const { files, bytes } = onDisk(join(dir, "t.lance"));
    const versions = readdirSync(join(dir, "t.lance", "_versions")).length;
    const fragments = (await table.stats()).fragmentStats.numFragments;
    samples.push({ files, bytes, versions, fragments, pins: pinsOf(join(dir, "t.lance")) });
    progress(`${i} upserts, ${versions} versions, ${fragments} fragments, ${files} files, ${bytes} bytes`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  for (const one of readers) one.child.kill("SIGKILL");
  await Promise.all(readers.map((one) => one.ended));
  // Closing ends the maintenance under way.
  await db.close();
  const after = await connect(dir, { maintenance: { auto: false } });
  const resting = await after.openTable("t");
  await resting.optimize({ cleanupOlderThan: new Date(Date.now() + DAY_MS) });
  const rest = onDisk(join(dir, "t.lance"));
  const rows = await resting.query().toArray();
  const differ = rows.filter(({ id, text }) => model.get(id) !== text).length;
  if (rows.length !== KEYS || differ > 0) wrong.push(`${rows.length} rows for ${KEYS} keys, ${differ} differ`);
  for await (const finding of resting.verify({ deep: true })) wrong.push(finding.message);
  await after.close();
  return { samples, live, rest, wrong, seconds, scans };
}

const { samples, live, rest, wrong, seconds, scans } = await inScratch(soak);
for (const one of wrong.slice(0, 10)) console.log(one);
const most = (key) => samples.reduce((max, sample) => Math.max(max, sample[key]), 0);
const round = (value) => Math.round(value * 10) / 10;
const figures = {
  upserts: UPSERTS,
  perSecond: Math.round(UPSERTS / seconds),
  versionsRead: scans,
  wrong: wrong.length,
  liveBytes: live,
  mostBytes: most("bytes"),
  mostFiles: most("files"),
  mostVersions: most("versions"),
  mostFragments: most("fragments"),
  mostPins: most("pins"),
  bytesMultiple: round(most("bytes") / live),
  filesPerVersion: round(most("files") / most("versions")),
  restMultiple: round(rest.bytes / live),
  restFiles: rest.files,
};
finish("upserts", figures, {
  "something was wrong": wrong.length > 0,
  "readers read nothing": scans === 0 && Number(flags.readers) > 0,
  [`readers held more than ${PINS_PER_READER_MAX} versions each`]:
    figures.mostPins > PINS_PER_READER_MAX * Math.max(1, Number(flags.readers)),
  [`bytes on disk exceeded twice the live data and ${BYTES_PER_VERSION_MAX} for every version that was kept`]:
    figures.mostBytes > 2 * live + BYTES_PER_VERSION_MAX * figures.mostVersions,
  [`files on disk exceeded ${FILES_PER_VERSION_MAX} for every version that was kept`]:
    figures.filesPerVersion > FILES_PER_VERSION_MAX,
  [`at rest more than ${REST_MULTIPLE_MAX} times the live data is left`]: figures.restMultiple > REST_MULTIPLE_MAX,
});
