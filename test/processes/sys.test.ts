/** What the system tables tell of other processes: who pins which version, who is gone, who maintains. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { MaintenanceLease } from "../../src/chores/maintain-lease.js";
import { connect } from "../../src/index.js";
import { localStore } from "../../src/store/local.js";
import { systemRuntime } from "../../src/support/runtime.js";

const READER = fileURLToPath(new URL("./reader.mjs", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "joust-sys-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A process that pins the newest version; resolves when it says so. */
async function reader(table: string): Promise<{ readonly child: ChildProcess; readonly ended: Promise<void> }> {
  const child = spawn(process.execPath, [READER, JSON.stringify({ dir, table })], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  await Promise.race([new Promise((resolve) => child.stdout?.once("data", resolve)), ended]);
  expect(child.exitCode).toBeNull();
  return { child, ended };
}

test("leases, pins and the owner of maintenance are seen across processes, and the dead are told apart", async () => {
  const db = await connect(dir, { maintenance: { auto: false } });
  const table = await db.createTable("t", [{ id: 1 }]);
  await table.add([{ id: 2 }]);
  const { child, ended } = await reader("t");
  await table.add([{ id: 3 }]);
  const pin = await table.snapshot();
  await table.add([{ id: 4 }]);

  const needs = await db.sys("process_readers").where(`pid = ${child.pid}`).toArray();
  expect(needs.length).toBeGreaterThan(0);
  // Version 2 is what the other process pinned: named, or covered by what it says it needs.
  expect(needs.some(({ version, andNewer }) => version === 2 || (andNewer && (version as number) < 2))).toBe(true);
  expect(needs.every(({ own, table: name, state }) => own === false && name === "t" && state === "live")).toBe(true);
  const own = await db.sys("process_readers").where("own").toArray();
  expect(own.map(({ pid }) => pid)).toContain(process.pid);

  const leases = await db.sys("process_coordination").where("kind = 'lease'").toArray();
  expect(leases.map(({ pid, state }) => [pid, state]).sort()).toEqual(
    [
      [process.pid, "live"],
      [child.pid, "live"],
    ].sort(),
  );
  expect(leases.find(({ pid }) => pid === child.pid)).toMatchObject({ ttlMs: 600, own: false });

  child.kill("SIGKILL");
  await ended;
  expect(await db.sys("process_readers").where(`pid = ${child.pid}`).toArray()).toEqual([]);
  const [dead] = await db.sys("process_coordination").where(`pid = ${child.pid}`).toArray();
  expect(dead).toMatchObject({ kind: "lease", state: "gone" });

  expect(await db.sys("process_coordination").where("kind = 'maintenance'").toArray()).toEqual([]);
  const lease = new MaintenanceLease(localStore(join(dir, "t.lance")), systemRuntime, 60_000);
  expect(await lease.hold()).toBe(true);
  const [owner] = await db.sys("process_coordination").where("kind = 'maintenance'").toArray();
  expect(owner).toMatchObject({ table: "t", holder: expect.stringMatching(/^[0-9a-f-]{36}$/), pid: null });
  expect(Date.parse(owner?.expires as string)).toBeGreaterThan(Date.now());
  await lease.release();
  expect(await db.sys("process_coordination").where("kind = 'maintenance'").toArray()).toEqual([]);

  expect(await db.sys("process_coordination").where("kind = 'retired'").toArray()).toEqual([]);
  await pin.close();
  await table.optimize({ cleanupOlderThan: new Date(), deleteUnverified: true });
  const [retired] = await db.sys("process_coordination").where("kind = 'retired'").toArray();
  expect(retired?.retiredUpTo).toBeGreaterThan(1);
  await db.close();
});

test("a database in memory has one process, and no files to tell of", async () => {
  const db = await connect("memory://");
  await db.createTable("t", [{ id: 1 }]);
  expect(await db.sys("process_coordination").select(["kind", "own", "state"]).toArray()).toMatchObject([
    { kind: "lease", own: true, state: "live" },
  ]);
  await db.close();
});
