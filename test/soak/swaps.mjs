/**
 * Does a process grow while the head of a table changes 10,000 times under its readers?
 *
 * One handle upserts (a swap each), a second one reads every version at once and scans, a third one checks out old
 * versions in a loop. Rows are wide, and a filter needs the wide column, so that the caches, which are bounded in bytes
 * and entries, are full when the warm-up is over. From then on heap and resident memory are fitted by a line, whose
 * slope must stay below a bound, and descriptors are counted. Maintenance keeps the table itself at its size.
 *
 * What is being read at the moment makes the heap go up and down by a tenth. So its line is that of the lowest sample of
 * ten in a row: what is left when least is under way. A slope counts when it is above the bound by twice its error.
 *
 * Usage: node test/soak/swaps.mjs [--count 10000] [--warm-up 5000]
 */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { connect } from "joust";
import { finish, inScratch, lineOf, lowest, progress } from "./crew/report.mjs";

const { values: flags } = parseArgs({
  options: { count: { type: "string", default: "10000" }, "warm-up": { type: "string", default: "5000" } },
});
const WARM_UP = Number(flags["warm-up"]);
const SWAPS = WARM_UP + Number(flags.count);
const SAMPLE_EVERY = 100;
const KEYS = 40;
const TEXT_BYTES = 24_000;
/** Bytes a swap that may stay behind; a version that stays in memory takes some thousands, with its files some ten thousands. */
const HEAP_SLOPE_MAX = 300;
const RSS_SLOPE_MAX = 1000;
/** Samples of the heap in a row of which the lowest counts. */
const LOWEST_OF = 10;
/** Descriptors vary with what is being read at the moment; one that stays open now and then would show as a slope. */
const FILES_SLOPE_MAX = 0.001;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const openFiles = () => readdirSync("/proc/self/fd").length;

async function soak(dir) {
  const maintenance = { retentionMs: 1000 };
  const db = await connect(dir, { durability: "relaxed", maintenance, coordination: { leaseTtlMs: 1200 } });
  const row = (id, n) => ({ id, n, text: randomBytes(TEXT_BYTES / 2).toString("hex") });
  const rows = Array.from({ length: KEYS }, (_, id) => row(id, 0));
  const table = await db.createTable("t", rows);
  const reader = await db.openTable("t");
  const traveller = await db.openTable("t");
  let wrong = 0;
  let checkouts = 0;

  const travel = async (swap) => {
    const versions = await traveller.listVersions();
    const { version } = versions[(swap * 7) % versions.length];
    try {
      await traveller.checkout(version);
      if ((await traveller.query().where("text > ''").toArray()).length !== KEYS) wrong++;
      checkouts++;
    } catch (error) {
      // A version that nobody pinned yet may go between the list and the checkout.
      if (error.code !== "NOT_FOUND") throw error;
    }
    await traveller.checkoutLatest();
  };
  const scan = async () => {
    let count = 0;
    for await (const batch of await reader.query().execute()) count += batch.numRows;
    if (count !== KEYS) wrong++;
  };
  const upsert = (n) =>
    table
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([row((n * 7919) % KEYS, n)]);

  const samples = [];
  let seen = 0;
  for (let swap = 1; swap <= SWAPS; swap++) {
    await Promise.all([upsert(swap), scan(), travel(swap)]);
    const version = await reader.version();
    if (version <= seen) wrong++;
    seen = version;
    if (swap % SAMPLE_EVERY !== 0) continue;
    collect();
    const { heapUsed, rss, arrayBuffers } = process.memoryUsage();
    samples.push({ swap, heap: heapUsed + arrayBuffers, rss, files: openFiles() });
    progress(`${swap} swaps, heap ${mb(heapUsed)} MB, rss ${mb(rss)} MB, ${openFiles()} descriptors`);
  }
  const snapshotSwaps = db.metrics().tables.get("t").snapshots.swaps;
  await db.close();
  return { samples, wrong, checkouts, snapshotSwaps, leftOpen: openFiles() };
}

const mb = (bytes) => Math.round(bytes / 1024 / 1024);

// The streams of a process may open a descriptor of their own when they are used first.
for (const stream of [process.stdout, process.stderr]) stream.write("");
const before = openFiles();
const { samples, leftOpen, ...counts } = await inScratch(soak);
const flat = samples.filter(({ swap }) => swap > WARM_UP);
const files = flat.map((sample) => sample.files);
const heap = lineOf(
  lowest(
    flat.map((sample) => [sample.swap, sample.heap]),
    LOWEST_OF,
  ),
);
const rss = lineOf(flat.map((sample) => [sample.swap, sample.rss]));
const exceeds = ({ slope, error }, bound) => slope - 2 * error > bound;
const figures = {
  swaps: SWAPS - WARM_UP,
  ...counts,
  heapMb: mb(flat.at(-1).heap),
  rssMb: mb(flat.at(-1).rss),
  heapSlope: [Math.round(heap.slope), Math.round(heap.error)],
  rssSlope: [Math.round(rss.slope), Math.round(rss.error)],
  files: [Math.min(...files), Math.max(...files)],
  filesSlope: lineOf(flat.map((sample) => [sample.swap, sample.files])).slope,
  filesLeft: leftOpen - before,
};
finish("swaps", figures, {
  "a read was wrong": counts.wrong > 0,
  "nothing was checked out": counts.checkouts === 0,
  [`the heap grows by more than ${HEAP_SLOPE_MAX} bytes a swap`]: exceeds(heap, HEAP_SLOPE_MAX),
  [`resident memory grows by more than ${RSS_SLOPE_MAX} bytes a swap`]: exceeds(rss, RSS_SLOPE_MAX),
  "descriptors grow": figures.filesSlope > FILES_SLOPE_MAX,
  "descriptors are left open": figures.filesLeft > 0,
});
