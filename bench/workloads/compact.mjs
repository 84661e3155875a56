// How long does a compaction of many one-row fragments take, and how much processor time does it need?
// Both engines compact copies of the same table, which ours made: the same data files, linked, and one manifest.
import { linkSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openEngine } from "../engines.mjs";
import { expectEqual, timed } from "../measure.mjs";
import { row } from "../rows.mjs";

export const variants = { "": { full: { fragments: 10_000 }, small: { fragments: 200 } } };

export const keepsTable = true;

/** Between two removals of manifests that nobody needs: they grow with the number of fragments. */
const APPENDS_PER_CLEANUP = 100;

export async function setup({ dir, size }) {
  const { db } = await openEngine("joust", dir, {
    connectOptions: { durability: "relaxed", maintenance: { auto: false } },
  });
  const table = await db.createTable("source", [row(0)]);
  for (let i = 1; i < size.fragments; i++) {
    await table.add([row(i)]);
    if (i % APPENDS_PER_CLEANUP === 0) keepNewest(join(dir, "source.lance", "_versions"));
  }
  await db.close();
  keepNewest(join(dir, "source.lance", "_versions"));
  return { copies: 0 };
}

export async function round({ db, dir, size, state }) {
  const name = `copy${state.copies++}`;
  const path = join(dir, `${name}.lance`);
  linkTree(join(dir, "source.lance"), path);
  const table = await db.openTable(name);
  const before = process.cpuUsage();
  const { ms } = await timed(() => table.optimize());
  const { user, system } = process.cpuUsage(before);
  const { numFragments } = (await table.stats()).fragmentStats;
  expectEqual(numFragments, 1, "fragments after the compaction");
  expectEqual(
    await table.countRows(`value = 0 AND id < ${size.fragments}`),
    size.fragments,
    "rows after the compaction",
  );
  table.close();
  rmSync(path, { recursive: true });
  return {
    samplesMs: [ms],
    operations: size.fragments,
    wallMs: ms,
    errors: 0,
    facts: { cpuMs: Math.round((user + system) / 1000) },
  };
}

/** A version's name counts down from the largest number, so that the newest comes first. */
function keepNewest(versions) {
  const manifests = readdirSync(versions)
    .filter((name) => name.endsWith(".manifest"))
    .sort();
  for (const name of manifests.slice(1)) rmSync(join(versions, name));
}

function linkTree(from, to) {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) linkTree(join(from, entry.name), join(to, entry.name));
    else linkSync(join(from, entry.name), join(to, entry.name));
  }
}
