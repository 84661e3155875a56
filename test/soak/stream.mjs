// How much memory does a stream of 10 M rows through the buffered writer need? Fails above 512 MB.
//   npm run test:soak -- stream   (ROWS=1000000 for a shorter run)
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "joust";

const ROWS = Number(process.env.ROWS ?? 10_000_000);
const CALL_ROWS = 100;
const MEMORY_MAX = 512 * 1024 * 1024;

const dir = mkdtempSync(join(tmpdir(), "joust-soak-"));
try {
  const db = await connect(dir);
  const table = await db.createTable("stream", [{ id: -1, name: "first", value: 0 }]);
  const writer = table.writer({ rows: 10_000 });
  let greatest = 0;
  const started = performance.now();
  for (let id = 0; id < ROWS; id += CALL_ROWS) {
    const rows = Array.from({ length: CALL_ROWS }, (_, i) => ({ id: id + i, name: `row ${id + i}`, value: i / 2 }));
    await writer.write(rows);
    if (id % 10_000 === 0) greatest = Math.max(greatest, process.memoryUsage.rss());
  }
  await writer.close();
  const seconds = (performance.now() - started) / 1000;
  const counted = await table.countRows();
  const mb = Math.round(greatest / 1024 / 1024);
  console.log(`${ROWS} rows in ${seconds.toFixed(1)} s, ${Math.round(ROWS / seconds)} rows/s, at most ${mb} MB`);
  if (counted !== ROWS + 1) throw new Error(`${counted} rows, expected ${ROWS + 1}`);
  if (greatest > MEMORY_MAX) throw new Error(`${mb} MB of memory, allowed are 512`);
  await db.close();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
