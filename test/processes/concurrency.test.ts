import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { errorsOf, type Job, type Running, runAll, start } from "./crew.js";

const dir = mkdtempSync(join(tmpdir(), "joust-processes-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function tableOf(name: string, rows: readonly { id: number; worker: number; n: number }[]) {
  const db = await connect(dir);
  return db.createTable(name, rows);
}

function jobs(count: number, make: (worker: number) => Omit<Job, "dir" | "worker">): Job[] {
  return Array.from({ length: count }, (_, worker) => ({ dir, worker, ...make(worker) }) as Job);
}

/** Resolves when the writer has so many more answers. One that waits for a dead one gets none. */
async function acks(writer: Running, more: number): Promise<void> {
  const count = () => writer.lines.reduce((sum, line) => sum + (line.ack === undefined ? 0 : 1), 0);
  const wanted = count() + more;
  for (const end = performance.now() + 15_000; count() < wanted; ) {
    expect(performance.now(), `${more} more answers of worker ${writer.process.pid}`).toBeLessThan(end);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Where every version is counted. */
const UNKEPT = { maintenance: { auto: false } };

describe("processes that write one table", () => {
  test("8 processes × 100 appends: nothing is lost, nothing doubled, versions have no gap", async () => {
    const table = await tableOf("appends", [{ id: -1, worker: -1, n: 0 }]);
    const said = await runAll(jobs(8, () => ({ table: "appends", kind: "append", count: 100, options: UNKEPT })));
    expect(errorsOf(said)).toEqual([]);
    const acks = said.flat().filter((line) => line.ack !== undefined);
    expect(acks).toHaveLength(800);
    const ids = (await table.query().select(["id"]).toArray()).map((row) => row.id as number);
    expect([...ids].sort((a, b) => a - b)).toEqual(
      [-1, ...acks.map((line) => line.ack as number)].sort((a, b) => a - b),
    );
    const versions = (await table.listVersions()).map((version) => version.version);
    expect(versions).toEqual(Array.from({ length: versions.length }, (_, i) => i + 1));
    // Processes that meet share commits; each was told a version that is there.
    expect(versions.length).toBeLessThan(600);
    expect(acks.filter((line) => !versions.includes(line.version as number))).toEqual([]);
  });

  test("a writer that is stopped or killed holds the others up for a moment, whoever leads, and loses nothing", {
    timeout: 120_000,
  }, async () => {
    const table = await tableOf("stopped", [{ id: -1, worker: -1, n: 0 }]);
    const writers = jobs(3, () => ({ table: "stopped", kind: "append", count: 1_000_000, options: UNKEPT })).map(start);
    const [sleeper, victim, witness] = writers as [Running, Running, Running];
    for (const writer of writers) await acks(writer, 10);
    for (let stop = 0; stop < 10; stop++) {
      const stopped = stop % 2 === 0 ? sleeper : victim;
      stopped.process.kill("SIGSTOP");
      await acks(witness, 10);
      stopped.process.kill("SIGCONT");
      await acks(stopped, 2);
    }
    victim.process.kill("SIGKILL");
    await acks(witness, 20);
    for (const writer of writers) writer.process.kill("SIGKILL");
    await Promise.all(writers.map((writer) => writer.ended));
    const said = writers.flatMap((writer) => writer.lines);
    expect(errorsOf([said])).toEqual([]);
    const ids = (await table.query().select(["id"]).toArray()).map((row) => row.id as number);
    const there = new Set(ids);
    expect(there.size).toBe(ids.length);
    expect(said.filter((line) => line.ack !== undefined && !there.has(line.ack))).toEqual([]);
    const versions = (await table.listVersions()).map((version) => version.version);
    expect(versions).toEqual(Array.from({ length: versions.length }, (_, i) => i + 1));
  });

  test("processes that share commits and forget to close end all the same", { timeout: 60_000 }, async () => {
    const table = await tableOf("forgetful", [{ id: -1, worker: -1, n: 0 }]);
    const script = `
      import { connect } from "joust";
      const table = await (await connect(${JSON.stringify(dir)}, { maintenance: { auto: false } })).openTable("forgetful");
      const worker = Number(process.env.WORKER);
      for (let i = 0; i < 60; i++) await table.add([{ id: worker * 60 + i, worker, n: 0 }]);
    `;
    const codes = await Promise.all(
      [0, 1, 2].map((worker) => {
        const args = ["--input-type=module", "-e", script];
        const env = { ...process.env, WORKER: String(worker) };
        const child = spawn(process.execPath, args, { env, stdio: "inherit" });
        return new Promise((resolve) => child.on("close", resolve));
      }),
    );
    expect(codes).toEqual([0, 0, 0]);
    expect(await table.countRows()).toBe(181);
    expect((await table.listVersions()).length).toBeLessThan(170);
  });

  test("deletes of different rows of one fragment never fail and never bring a row back", async () => {
    const rows = Array.from({ length: 200 }, (_, id) => ({ id, worker: 0, n: 0 }));
    const table = await tableOf("deletes", rows);
    const said = await runAll(
      jobs(4, (worker) => ({ table: "deletes", kind: "delete", from: worker * 40, to: worker * 40 + 40 })),
    );
    expect(errorsOf(said)).toEqual([]);
    expect(said.flat().filter((line) => line.ack !== undefined && line.numDeletedRows === 1)).toHaveLength(160);
    expect(await table.countRows()).toBe(40);
    expect(await table.countRows("id < 160")).toBe(0);
  });

  test("updates of different rows of one fragment never fail", async () => {
    const table = await tableOf(
      "updates",
      [0, 1, 2, 3].map((id) => ({ id, worker: id, n: 0 })),
    );
    const said = await runAll(jobs(4, (worker) => ({ table: "updates", kind: "increment", row: worker, count: 30 })));
    expect(errorsOf(said)).toEqual([]);
    const rows = (await table.query().orderBy({ columnName: "id" }).toArray()).map((row) => [row.id, row.n]);
    expect(rows).toEqual([
      [0, 30],
      [1, 30],
      [2, 30],
      [3, 30],
    ]);
  });

  test("increments of one row by 4 processes give exactly the serial result", async () => {
    const table = await tableOf("counter", [{ id: 7, worker: 0, n: 0 }]);
    const said = await runAll(jobs(4, () => ({ table: "counter", kind: "increment", row: 7, count: 25 })));
    expect(errorsOf(said)).toEqual([]);
    expect((await table.toArrow()).toArray().map((row) => row?.toJSON())).toEqual([{ id: 7, worker: 0, n: 100 }]);
  });

  test("upserts of the same new keys by 4 processes never make a duplicate", async () => {
    const table = await tableOf("upserts", [{ id: 1000, worker: 0, n: 0 }]);
    const said = await runAll(jobs(4, () => ({ table: "upserts", kind: "upsert", keys: 20, count: 5 })));
    expect(errorsOf(said)).toEqual([]);
    const ids = (await table.query().where("id < 1000").toArray()).map((row) => row.id as number);
    expect([...ids].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, id) => id));
    const inserted = said.flat().reduce((sum, line) => sum + ((line.numInsertedRows as number | undefined) ?? 0), 0);
    expect(inserted).toBe(20);
  });
});
