/** Readers in processes of their own, stopped and killed, while versions are cleaned up under them. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { connect, type Table } from "../../src/index.js";

const READER = fileURLToPath(new URL("./reader.mjs", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "joust-pins-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Said {
  readonly ready?: number;
  readonly ids?: readonly number[];
  readonly error?: string;
}

/** A reader process, and a way to let it read once more. */
async function startReader(table: string) {
  const child: ChildProcess = spawn(process.execPath, [READER, JSON.stringify({ dir, table })], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const waiting: ((said: Said) => void)[] = [];
  const lines: Said[] = [];
  let rest = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      const said = JSON.parse(part) as Said;
      const next = waiting.shift();
      if (next === undefined) lines.push(said);
      else next(said);
    }
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const hear = () => {
    const said = lines.shift();
    return said === undefined ? new Promise<Said>((resolve) => waiting.push(resolve)) : Promise.resolve(said);
  };
  const ready = await hear();
  const read = () => {
    child.stdin?.write("again\n");
    return hear();
  };
  return { child, ready, read, ended };
}

async function replaceAll(table: Table, from: number): Promise<void> {
  for (let id = from; id < from + 3; id++) await table.add([{ id }], { mode: "overwrite" });
}

const versionsOf = async (table: Table) => (await table.listVersions()).map((version) => version.version);

/** Cleans up until only these versions are left, because a lease covers what came after it for two heartbeats. */
async function cleanUpTo(table: Table, versions: readonly number[]): Promise<void> {
  while ((await versionsOf(table)).join() !== versions.join()) await cleanUp(table);
}

const cleanUp = (table: Table) => table.optimize({ cleanupOlderThan: new Date(Date.now() + 60_000) });
const dataFiles = (name: string) => readdirSync(join(dir, `${name}.lance`, "data")).length;

test("readers go on with their version while everything older goes, stopped or not; a killed one gives it back", async () => {
  const db = await connect(dir);
  const table = await db.createTable("t", [{ id: 1 }, { id: 2 }]);
  const readers = await Promise.all([startReader("t"), startReader("t"), startReader("t")]);
  const [awake, stopped, killed] = readers as [(typeof readers)[0], (typeof readers)[0], (typeof readers)[0]];
  for (const { ready } of readers) expect(ready).toEqual({ ready: 1, ids: [1, 2] });
  await replaceAll(table, 10);
  await cleanUpTo(table, [1, 4]);
  stopped.child.kill("SIGSTOP");
  expect(await awake.read()).toEqual({ ids: [1, 2] });

  awake.child.kill("SIGKILL");
  killed.child.kill("SIGKILL");
  await Promise.all([awake.ended, killed.ended]);
  expect((await cleanUp(table)).prune.oldVersionsRemoved, "the stopped process still holds its version").toBe(0);
  stopped.child.kill("SIGCONT");
  expect(await stopped.read()).toEqual({ ids: [1, 2] });

  stopped.child.kill("SIGKILL");
  await stopped.ended;
  expect((await cleanUp(table)).prune.oldVersionsRemoved).toBe(1);
  expect(dataFiles("t")).toBe(1);
  expect(readdirSync(join(dir, "t.lance", "_coord")).filter((name) => name.startsWith("lease-"))).toHaveLength(1);
  await db.close();
  expect(readdirSync(join(dir, "t.lance", "_coord")).filter((name) => name.startsWith("lease-"))).toEqual([]);
});

test("a dry run names the process that keeps a version, and removes nothing", async () => {
  const db = await connect(dir);
  const table = await db.createTable("dry", [{ id: 1 }]);
  const { child, ended } = await startReader("dry");
  await replaceAll(table, 10);
  await cleanUpTo(table, [1, 4]);
  await table.add([{ id: 20 }], { mode: "overwrite" });
  const { report, prune } = await table.optimize({ cleanupOlderThan: new Date(Date.now() + 60_000), dryRun: true });
  expect(prune).toEqual({ bytesRemoved: 0, oldVersionsRemoved: 0 });
  expect(report?.versions.map(({ version, keep }) => [version, keep])).toEqual([
    [1, true],
    [4, false],
    [5, true],
  ]);
  expect(report?.versions[0]?.why).toContain(`process ${child.pid} of `);
  expect(report?.files.filter((file) => !file.keep)).toHaveLength(1);
  expect(await versionsOf(table)).toEqual([1, 4, 5]);
  child.kill("SIGKILL");
  await ended;
  await db.close();
});
