/**
 * Does a table stay in shape under 50,000 single-row upserts with readers beside them?
 *
 * Usage: node test/soak/maintenance.mjs [upserts]. Prints the most fragments seen, files and bytes on disk at the end
 * as a multiple of the live data, and fails when a row is wrong.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../dist/index.js";

const UPSERTS = Number(process.argv[2] ?? 50_000);
const KEYS = 5_000;
const dir = mkdtempSync(join(tmpdir(), "joust-soak-"));
const db = await connect(dir, { durability: "relaxed", maintenance: { retentionMs: 10_000 } });
const table = await db.createTable("t", [{ id: 0, n: 0 }]);
const model = new Map([[0, 0]]);
let most = 0;
let reads = 0;
for (let i = 1; i <= UPSERTS; i++) {
  const id = (i * 7919) % KEYS;
  model.set(id, i);
  const write = table
    .mergeInsert("id")
    .whenMatchedUpdateAll()
    .whenNotMatchedInsertAll()
    .execute([{ id, n: i }]);
  if (i % 10 === 0) {
    await table.query().where(`id = ${id}`).toArray();
    most = Math.max(most, (await table.stats()).fragmentStats.numFragments);
    reads++;
  }
  await write;
}
const rows = await table.query().toArray();
const wrong = rows.filter(({ id, n }) => model.get(id) !== n).length + Math.abs(rows.length - model.size);
const { totalBytes } = await table.stats();
await db.close();
const files = readdirSync(dir, { recursive: true }).map((name) => statSync(join(dir, name)));
const bytes = files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
console.log(
  JSON.stringify({ upserts: UPSERTS, reads, wrong, mostFragments: most, files: files.length, bytes, totalBytes }),
);
rmSync(dir, { recursive: true, force: true });
process.exitCode = wrong === 0 ? 0 : 1;
