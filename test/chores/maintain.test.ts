import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import type { CompactionContext } from "../../src/chores/compact.js";
import { MAINTENANCE_DEFAULTS, Maintenance } from "../../src/chores/maintain.js";
import { MaintenanceLease } from "../../src/chores/maintain-lease.js";
import { connect, type Table } from "../../src/index.js";
import { openStore } from "../../src/store/open.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { HandRuntime } from "../support/hand-runtime.js";

const EAGER = { minFragments: 8, intervalMs: 0 };

async function fragmentsOf(table: Table): Promise<number> {
  return (await table.stats()).fragmentStats.numFragments;
}

describe("automatic maintenance", () => {
  test("keeps the number of fragments bounded while 2,000 single rows are upserted beside readers", async () => {
    const db = await connect("memory://", { maintenance: { minFragments: 16, intervalMs: 0 } });
    const table = await db.createTable("t", [{ id: 0, n: 0 }]);
    const model = new Map([[0, 0]]);
    let most = 0;
    for (let i = 1; i <= 2000; i++) {
      const id = (i * 7919) % 500;
      model.set(id, i);
      await table
        .mergeInsert("id")
        .whenMatchedUpdateAll()
        .whenNotMatchedInsertAll()
        .execute([{ id, n: i }]);
      if (i % 20 === 0) {
        most = Math.max(most, await fragmentsOf(table));
        expect(await table.countRows()).toBe(model.size);
      }
    }
    const rows = (await table.query().toArray()).map(({ id, n }) => [id, n] as [number, number]);
    expect(rows).toHaveLength(model.size);
    expect(new Map(rows)).toEqual(model);
    // minFragments, log2(rows), and what is written while one compaction runs, on a busy machine.
    expect(most).toBeLessThan(16 + 9 + 60);
    await db.close();
  });

  test("does nothing when it is switched off", async () => {
    const db = await connect("memory://", { maintenance: { ...EAGER, auto: false } });
    const table = await db.createTable("t", [{ id: 0 }]);
    for (let id = 1; id < 60; id++) await table.add([{ id }]);
    await systemRuntime.sleep(20);
    expect(await table.version()).toBe(60);
    expect(await fragmentsOf(table)).toBe(60);
  });

  test("rewrites a fragment of which much was deleted, though no fragment has come", async () => {
    const db = await connect("memory://", { maintenance: EAGER });
    const table = await db.createTable(
      "t",
      Array.from({ length: 100 }, (_, id) => ({ id })),
    );
    for (let id = 0; id < 40; id++) await table.delete(`id = ${id}`);
    const rewritten = async () => (await table.listVersions()).some(({ operation }) => operation === "rewrite");
    for (let wait = 0; wait < 100 && !(await rewritten()); wait++) await systemRuntime.sleep(5);
    expect(await rewritten()).toBe(true);
    expect(await table.countRows()).toBe(60);
    await db.close();
  });

  test("ends with the connection: after close() there is no lease, and no version comes any more", async () => {
    const dir = mkdtempSync(join(tmpdir(), "joust-maintain-"));
    const db = await connect(dir, { durability: "relaxed", maintenance: EAGER });
    const table = await db.createTable("t", [{ id: 0 }]);
    for (let id = 1; id < 40; id++) await table.add([{ id }]);
    await db.close();
    const versions = readdirSync(join(dir, "t.lance/_versions")).length;
    const held = readdirSync(join(dir, "t.lance/_coord")).filter((name) => name.startsWith("maintenance-"));
    await systemRuntime.sleep(30);
    expect(held).toEqual([]);
    expect(readdirSync(join(dir, "t.lance/_versions"))).toHaveLength(versions);
    const again = await connect(dir, { maintenance: { auto: false } });
    expect(await (await again.openTable("t")).countRows()).toBe(40);
    await again.close();
    rmSync(dir, { recursive: true });
  });

  test("never fails a write: what goes wrong is counted, and it tries again", async () => {
    const settings = settingsOf({ maintenance: { auto: false } });
    const database = new Database(openStore("memory://", { runtime: systemRuntime }), "memory://");
    const table = await new Connection(database, settings).createTable("t", [{ id: 0 }]);
    const open = database.table("t", settings);
    let broken = true;
    const context: CompactionContext = {
      ...open.compaction(),
      codecOf(snapshot) {
        if (broken) throw new Error("no codec today");
        return open.codecOf(snapshot.manifest);
      },
    };
    const maintenance = new Maintenance(context, { ...MAINTENANCE_DEFAULTS, ...EAGER }, () => 0);
    const grow = async () => {
      for (let i = 0; i < 10; i++) {
        await table.add([{ id: i }]);
        maintenance.committed();
      }
      await systemRuntime.sleep(20);
      await maintenance.stop();
    };
    await grow();
    expect(maintenance.metrics).toMatchObject({ errors: 1, runs: 1, fragmentsRemoved: 0 });
    expect(String(maintenance.metrics.lastError)).toContain("no codec today");
    broken = false;
    await grow();
    expect(maintenance.metrics).toMatchObject({ errors: 1, fragmentsAdded: 1 });
    expect(await table.countRows()).toBe(21);
  });

  test("removes versions older than the retention, and keeps all without one", async () => {
    const versionsAfter = async (retentionMs: number) => {
      const db = await connect("memory://", { maintenance: { ...EAGER, retentionMs } });
      const table = await db.createTable("t", [{ id: 0 }]);
      for (let id = 1; id < 60; id++) await table.add([{ id }]);
      await systemRuntime.sleep(50);
      expect(await table.countRows()).toBe(60);
      const versions = await table.listVersions();
      await db.close();
      return versions.length;
    };
    expect(await versionsAfter(0)).toBeLessThan(50);
    expect(await versionsAfter(60_000)).toBeGreaterThan(60);
    expect(await versionsAfter(Number.POSITIVE_INFINITY)).toBeGreaterThan(60);
  });

  test.each(["minFragments", "maxDeletedShare", "intervalMs", "maxBytes", "retentionMs"])(
    "refuses a %s that is no number",
    async (name) => {
      await expect(connect("memory://", { maintenance: { [name]: "many" } })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    },
  );
});

describe("the lease of maintenance", () => {
  function pair() {
    const runtime = new HandRuntime();
    const store = openStore("memory://", { runtime });
    return {
      runtime,
      store,
      mine: new MaintenanceLease(store, runtime, 1000),
      yours: new MaintenanceLease(store, runtime, 1000),
    };
  }

  test("is held by one at a time and free again once it is released", async () => {
    const { mine, yours } = pair();
    expect(await mine.hold()).toBe(true);
    expect(await yours.hold()).toBe(false);
    expect(await mine.hold()).toBe(true);
    await mine.release();
    expect(await yours.hold()).toBe(true);
    expect(await mine.hold()).toBe(false);
  });

  test("stays with a holder that renews it, however long it takes", async () => {
    const { runtime, mine, yours } = pair();
    expect(await mine.hold()).toBe(true);
    for (let i = 0; i < 10; i++) {
      await runtime.advance(600);
      expect(await mine.hold()).toBe(true);
      expect(await yours.hold()).toBe(false);
    }
  });

  test("passes on when its holder has not renewed it for its term, and the holder learns of it", async () => {
    const { runtime, store, mine, yours } = pair();
    expect(await mine.hold()).toBe(true);
    expect(await yours.hold()).toBe(false);
    await runtime.advance(999);
    expect(await yours.hold()).toBe(false);
    await runtime.advance(2);
    expect(await yours.hold()).toBe(true);
    expect(await mine.hold()).toBe(false);
    await mine.release();
    expect(await store.list("_coord")).toHaveLength(1);
    expect(await yours.hold()).toBe(true);
  });

  test("goes to one of many who find it free at the same moment", async () => {
    const { runtime, store } = pair();
    const all = Array.from({ length: 8 }, () => new MaintenanceLease(store, runtime, 1000));
    const held = await Promise.all(all.map((lease) => lease.hold()));
    expect(held.filter(Boolean)).toHaveLength(1);
  });
});
