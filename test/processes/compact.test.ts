import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { errorsOf, runAll, start } from "./crew.js";

const dir = mkdtempSync(join(tmpdir(), "joust-compacting-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const WRITERS = 4;
const COUNT = 40;
/** Only the loop compacts, so that the test shows what a compaction does to writers. */
const options = { maintenance: { auto: false } };

test("4 writers beside a loop of compactions: no write fails, nothing is lost, nothing comes back", {
  timeout: 120_000,
}, async () => {
  const db = await connect(dir, options);
  const table = await db.createTable("t", [{ id: -1, worker: -1, n: 0 }]);
  const compactor = start({ dir, table: "t", kind: "compact", worker: 9, forMs: 100_000, targetRows: 100, options });
  const said = await runAll(
    Array.from({ length: WRITERS }, (_, worker) => ({ dir, table: "t", kind: "churn", worker, count: COUNT, options })),
  );
  compactor.process.kill("SIGKILL");
  await compactor.ended;
  expect(errorsOf(said)).toEqual([]);
  expect(errorsOf([compactor.lines])).toEqual([]);
  const removed = compactor.lines.reduce((sum, line) => sum + ((line.removed as number | undefined) ?? 0), 0);
  expect(removed, "compactions land beside writers").toBeGreaterThan(20);
  const rows = (await table.query().where("id >= 0").toArray()).map(({ id, n }) => [id, n]);
  const expected = said
    .flat()
    .flatMap(({ ack }) => (ack === undefined || (ack % 1_000_000) % 3 === 0 ? [] : [[ack, 1]]));
  expect(rows.sort()).toEqual(expected.sort());
  await table.optimize();
  expect(await table.countRows()).toBe(expected.length + 1);
});

test("a process that forgets to close ends all the same, while its table is being maintained", {
  timeout: 60_000,
}, async () => {
  const db = await connect(dir, options);
  const table = await db.createTable("forgetful", [{ id: -1, worker: -1, n: 0 }]);
  const job = { dir, table: "forgetful", kind: "append", worker: 1, count: 60, forget: true } as const;
  const said = await runAll([{ ...job, options: { maintenance: { minFragments: 8, intervalMs: 0 } } }]);
  expect(errorsOf(said)).toEqual([]);
  expect(await table.countRows()).toBe(61);
  expect((await table.stats()).fragmentStats.numFragments).toBeLessThan(61);
});

test("a compaction of a table of 160 MB that may hold 16 MB needs less than 100 MB of memory", {
  timeout: 120_000,
}, async () => {
  const script = new URL("../soak/compact-memory.mjs", import.meta.url).pathname;
  const env = { ...process.env, TABLE_MB: "160", MAX_MB: "16" };
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
  expect(stdout).toMatch(/^160 MB from 160 into \d+ fragments with \d\d MB of memory/);
});
