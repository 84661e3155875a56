// How much memory does a compaction need that may hold `maxBytes`, however large the table is?
//   node test/soak/compact-memory.mjs   (TABLE_MB=400 MAX_MB=32 are the defaults)
// One process makes the table, another compacts it, so that its memory tells of nothing else. Fails above
// 64 MB and twice maxBytes.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Field, FixedSizeList, Float32, Int32, makeData, RecordBatch, Schema, Struct, Table } from "apache-arrow";
import { connect } from "joust";

const MB = 1024 * 1024;
const TABLE_MB = Number(process.env.TABLE_MB ?? 400);
const MAX_MB = Number(process.env.MAX_MB ?? 32);
const DIMENSION = 256;
/** Fragments of about 1 MB, which are small for every `maxBytes` from 16 MB on. */
const ROWS = MB / (4 * DIMENSION);

const OPTIONS = { durability: "relaxed", maintenance: { auto: false } };
const [role, dir] = process.argv.slice(2);
if (role === "make") await make();
else if (role === "compact") await compact();
else await run();

/** A Table of rows `first` and on: an id, and a vector of which every value is the id. */
function batch(first) {
  const ids = Int32Array.from({ length: ROWS }, (_, i) => first + i);
  const floats = Float32Array.from({ length: ROWS * DIMENSION }, (_, i) => first + Math.floor(i / DIMENSION));
  const child = makeData({ type: new Float32(), length: floats.length, nullCount: 0, data: floats });
  const type = new FixedSizeList(DIMENSION, new Field("item", new Float32(), true));
  const columns = [
    makeData({ type: new Int32(), length: ROWS, nullCount: 0, data: ids }),
    makeData({ type, length: ROWS, nullCount: 0, child }),
  ];
  const schema = new Schema([new Field("id", columns[0].type, true), new Field("vector", type, true)]);
  const data = makeData({ type: new Struct(schema.fields), length: ROWS, nullCount: 0, children: columns });
  return new Table(schema, [new RecordBatch(schema, data)]);
}

async function make() {
  const db = await connect(dir, OPTIONS);
  const table = await db.createTable("t", batch(0));
  for (let i = 1; i < TABLE_MB; i++) await table.add(batch(i * ROWS));
  await db.close();
}

async function compact() {
  const db = await connect(dir, OPTIONS);
  const table = await db.openTable("t");
  const before = process.memoryUsage.rss();
  const { compaction } = await table.optimize({ maxBytes: MAX_MB * MB });
  const grown = process.resourceUsage().maxRSS * 1024 - before;
  const rows = await table.countRows("id >= 0");
  await db.close();
  process.send({ ...compaction, rows, grown });
}

async function run() {
  const folder = mkdtempSync(join(tmpdir(), "joust-soak-"));
  try {
    const [made] = await once(fork(import.meta.filename, ["make", folder]), "exit");
    if (made !== 0) throw new Error("the table could not be made");
    const child = fork(import.meta.filename, ["compact", folder]);
    const [{ fragmentsRemoved, fragmentsAdded, rows, grown }] = await once(child, "message");
    const needed = Math.round(grown / MB);
    console.log(`${TABLE_MB} MB from ${fragmentsRemoved} into ${fragmentsAdded} fragments with ${needed} MB of memory`);
    if (rows !== TABLE_MB * ROWS) throw new Error(`${rows} rows, expected ${TABLE_MB * ROWS}`);
    if (fragmentsRemoved !== TABLE_MB) throw new Error("not every fragment was compacted");
    const allowed = 64 + 2 * MAX_MB;
    if (needed > allowed) throw new Error(`${needed} MB of memory, allowed are ${allowed}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
