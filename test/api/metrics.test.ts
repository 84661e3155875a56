/** What a table and a database tell of themselves: counters that count, histograms that fill, events, system tables. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import type { OpenTable } from "../../src/api/open-table.js";
import { settingsOf } from "../../src/api/options.js";
import { type SysSource, sysQuery } from "../../src/api/sys.js";
import { TableMeters } from "../../src/commit/meters.js";
import { noQueueMetrics } from "../../src/commit/queue.js";
import { connect, type SysTable } from "../../src/index.js";
import { memoryStore } from "../../src/store/memory.js";
import { connectIn, TABLE } from "../sim/table-world.js";
import { simulate } from "../sim/world.js";

const START = [
  { id: 1, n: 10 },
  { id: 2, n: 20 },
];

describe("metrics of a table", () => {
  test("count reads while they are under way, and time them when they end", async () => {
    const db = await connect("memory://");
    const table = await db.createTable("t", START);
    const reading = table.query().execute()[Symbol.asyncIterator]();
    await reading.next();
    expect(table.metrics().reads).toMatchObject({ active: 1, total: 1, durations: { count: 0 } });
    await reading.return?.();
    await table.query().toArray();
    expect(table.metrics().reads).toMatchObject({ active: 0, total: 2, durations: { count: 2 } });
  });

  test("time commits and waits, and count the swaps of the head", async () => {
    const db = await connect("memory://");
    const table = await db.createTable("t", START);
    const before = table.metrics();
    await Promise.all([3, 4].map((id) => table.add([{ id, n: 0 }])));
    const { writes, snapshots, queue } = table.metrics();
    expect(writes).toMatchObject({ commits: { count: 1 }, waits: { count: 2 } });
    expect(writes.commits.p99Ms).toBeGreaterThan(0);
    expect(snapshots.swaps - before.snapshots.swaps).toBe(1);
    expect(queue).toEqual(table.writeQueueMetrics());
  });

  test("tell what automatic maintenance did", async () => {
    const db = await connect("memory://", { maintenance: { minFragments: 2, intervalMs: 0 } });
    const table = await db.createTable("t", START);
    expect(table.metrics().maintenance).toMatchObject({ runs: 0, fragmentsRemoved: 0, errors: 0 });
    for (let id = 3; id < 8; id++) await table.add([{ id, n: 0 }]);
    await expect.poll(() => table.metrics().maintenance.fragmentsRemoved).toBeGreaterThan(1);
    expect(table.metrics().maintenance.runs).toBeGreaterThan(0);
    expect(db.metrics().tables.get("t")?.maintenance).toEqual(table.metrics().maintenance);
    await db.close();
  });

  test("tell by pairs of operations what became of writes that met others, and what it took", async () => {
    const world = simulate(11);
    const [mine, other] = await world.run(async () => {
      const first = await connectIn(world.process()).createTable(TABLE, START);
      const second = await connectIn(world.process()).openTable(TABLE);
      for (let id = 10; id < 20; id++) {
        await Promise.all([first.add([{ id: id + 1, n: 0 }]), second.delete(`id = ${id}`)]);
      }
      return [first, second] as const;
    });
    const [one, two] = [mine.metrics().conflicts, other.metrics().conflicts];
    const lost = one.lostRaces + two.lostRaces;
    expect(lost).toBeGreaterThan(0);
    expect(one.resolution.count + two.resolution.count).toBeGreaterThan(0);
    expect([one.resolutionDisk.count, two.resolutionDisk.count]).toEqual([one.resolution.count, two.resolution.count]);
    const pairs = [...one.byPair, ...two.byPair].map(({ operation, winner }) => `${operation} ${winner}`);
    expect(new Set(pairs)).toEqual(
      new Set([
        ...(one.byPair.length > 0 ? ["append delete"] : []),
        ...(two.byPair.length > 0 ? ["delete append"] : []),
      ]),
    );
    const tally = [...one.byPair, ...two.byPair].reduce((sum, pair) => sum + pair.compatible + pair.rebased, 0);
    expect(tally).toBeGreaterThan(0);
  });
});

test("what became of an operation that met another is counted under both names and the verdict", () => {
  const meters = new TableMeters();
  for (const verdict of ["compatible", "rebase", "rebase", "retry", "retry", "retry", "fail"] as const) {
    meters.met("update", "delete", verdict);
  }
  meters.met("delete", "update", "fail");
  expect(meters.conflicts()).toEqual([
    { operation: "update", winner: "delete", compatible: 1, rebased: 2, retried: 3, failed: 1 },
    { operation: "delete", winner: "update", compatible: 0, rebased: 0, retried: 0, failed: 1 },
  ]);
});

test("metrics of a database are those of its tables, and their queues' counters together", async () => {
  const db = await connect("memory://");
  const tables = [await db.createTable("a", START), await db.createTable("b", START)];
  for (const table of tables) await table.add([{ id: 3, n: 30 }]);
  const metrics = db.metrics();
  expect([...metrics.tables.keys()].sort()).toEqual(["a", "b"]);
  expect(metrics.queue).toMatchObject({ admissions: 2, commits: 2 });
  expect(metrics.queue.physicalSyncs).toBe(
    tables.reduce((sum, table) => sum + table.writeQueueMetrics().physicalSyncs, 0),
  );
});

describe("events", () => {
  test("tell of every commit and every read to whoever listens, and of nothing afterwards", async () => {
    const db = await connect("memory://");
    const table = await db.createTable("t", START);
    const heard: unknown[] = [];
    const listen = (message: unknown, name: string | symbol) => {
      heard.push([name, { ...(message as object), result: undefined }]);
    };
    const names = ["commit:start", "commit:asyncEnd", "read:start", "read:asyncEnd"].map(
      (one) => `tracing:joust:${one}`,
    );
    for (const name of names) subscribe(name, listen);
    await Promise.all([3, 4].map((id) => table.add([{ id, n: 0 }])));
    await table.query().toArray();
    for (const name of names) unsubscribe(name, listen);
    await table.add([{ id: 5, n: 0 }]);
    expect(heard).toEqual([
      ["tracing:joust:commit:start", { table: "t", writes: 2 }],
      ["tracing:joust:commit:asyncEnd", { table: "t", writes: 2, version: 2, attempts: 1 }],
      ["tracing:joust:read:start", { table: "t", version: 2 }],
      ["tracing:joust:read:asyncEnd", { table: "t", version: 2 }],
    ]);
  });
});

describe("system tables", () => {
  async function database() {
    const db = await connect("memory://");
    const table = await db.createTable("t", START);
    await table.add([{ id: 3, n: 30 }]);
    await table.delete("id = 3 OR id = 1");
    return { db, table };
  }

  test("take filters, columns and orders like every table, and show the present at each execution", async () => {
    const { db, table } = await database();
    const query = db.sys("versions").where("version > 1").select(["version", "operation", "rows"]);
    const rows = async () => (await query.toArray()).map((row) => [row.version, row.operation, row.rows]);
    expect(await rows()).toEqual([
      [2, "append", 3],
      [3, "delete", 1],
    ]);
    await table.add([{ id: 4, n: 40 }]);
    expect(await rows()).toHaveLength(3);
  });

  test("show fragments with their deleted rows", async () => {
    const { db } = await database();
    const [row, ...rest] = await db.sys("fragments").toArray();
    expect(rest).toEqual([]);
    expect(row).toMatchObject({ table: "t", version: 3, fragment: 0, rows: 2, deletedRows: 1, files: 1 });
    expect(row?.sizeBytes).toBeGreaterThan(0);
  });

  test("show the eleven counters of every queue, and the locks with their holders", async () => {
    const { db, table } = await database();
    const [counters] = await db.sys("write_queue_metrics").toArray();
    expect(counters).toMatchObject({ table: "t", ...table.writeQueueMetrics() });
    const locks = await db.sys("process_lock_metrics").where("level = 'table'").toArray();
    expect(locks).toHaveLength(1);
    expect(locks[0]).toMatchObject({ name: "t", holder: null, acquisitions: 2 });
    expect(await db.sys("conflicts").toArray()).toEqual([]);
  });

  test("show what other processes committed, and tables that this process never opened", async () => {
    const store = memoryStore("shared");
    const settings = settingsOf({});
    const [mine, other] = [0, 1].map(() => new Connection(new Database(store, "memory://"), settings)) as [
      Connection,
      Connection,
    ];
    await mine.createTable("t", START);
    const table = await other.openTable("t");
    await other.createTable("u", START, { mode: "create" });
    expect(await mine.sys("fragments").select(["table", "version"]).toArray()).toHaveLength(2);
    await table.add([{ id: 3, n: 30 }]);
    const rows = await mine.sys("fragments").where("table = 't'").toArray();
    expect(rows.map(({ version, fragment }) => [version, fragment])).toEqual([
      [2, 0],
      [2, 1],
    ]);
    const versions = await mine.sys("versions").toArray();
    expect(versions.map((row) => `${row.table}${row.version} ${row.operation} ${row.durability}`).sort()).toEqual([
      "t1 overwrite full",
      "t2 append full",
      "u1 overwrite full",
    ]);
  });

  test("show each counter under its own name, and the lock of the database beside those of its tables", async () => {
    const counters = Object.fromEntries(Object.keys(noQueueMetrics()).map((name, i) => [name, i + 1]));
    const pair = { operation: "update", winner: "delete", compatible: 1, rebased: 2, retried: 3, failed: 4 };
    const open = {
      name: "t",
      branch: "side",
      shared: { meters: { conflicts: () => [pair] } },
      queue: { metrics: counters },
    };
    const waits = { count: 5, meanMs: 6, p50Ms: 7, p95Ms: 8, p99Ms: 9, maxMs: 10 };
    const lock = {
      level: "table" as const,
      name: "t",
      holder: "append",
      heldMs: 1,
      waiting: 2,
      acquisitions: 3,
      timeouts: 4,
    };
    const source: SysSource = {
      opened: () => [open as unknown as OpenTable],
      all: async () => [],
      locks: () => [{ ...lock, waits }],
    };
    const rowsOf = (name: SysTable) => sysQuery(name, source, settingsOf({})).toArray();
    expect(await rowsOf("write_queue_metrics")).toMatchObject([{ table: "t", branch: "side", ...counters }]);
    expect(await rowsOf("process_lock_metrics")).toMatchObject([{ ...lock, waitP50Ms: 7, waitP99Ms: 9 }]);
    expect(await rowsOf("conflicts")).toMatchObject([{ table: "t", branch: "side", ...pair }]);
    const { db } = await database();
    const levels = (await db.sys("process_lock_metrics").toArray()).map((row) => row.level);
    expect(levels.sort()).toEqual(["database", "table"]);
  });

  test("of another name are not found", async () => {
    const { db } = await database();
    expect(() => db.sys("toString" as SysTable)).toThrow(/no system table 'toString'/);
  });
});

describe("coordination", () => {
  /** A store whose place lacks something, or cannot be tried. */
  function placeThat(code: "FS_UNSUPPORTED" | "UNAVAILABLE") {
    const store = memoryStore();
    let probes = 0;
    return {
      store: Object.assign(store, {
        probe: async () => {
          probes++;
          const { TableError } = await import("../../src/support/errors.js");
          throw new TableError(code, "hard links are missing here");
        },
      }),
      probes: () => probes,
    };
  }

  const connectTo = (store: ReturnType<typeof memoryStore>, mode: "auto" | "required" | "single_process_unsafe") =>
    new Connection(new Database(store, "memory://"), settingsOf({ coordination: { mode } }));

  test("a place that lacks something is refused, by name, unless nobody asks", async () => {
    const { store, probes } = placeThat("FS_UNSUPPORTED");
    for (const mode of ["auto", "required"] as const) {
      await expect(connectTo(store, mode).createTable("t", START)).rejects.toThrow("hard links are missing");
    }
    expect(probes()).toBe(2);
    await connectTo(store, "single_process_unsafe").createTable("t", START);
    expect(probes()).toBe(2);
    for (const mode of ["auto", "required"] as const) {
      await expect(connectTo(store, mode).openTable("t")).rejects.toMatchObject({ code: "FS_UNSUPPORTED" });
    }
  });

  test("a place that cannot be tried out may be read, unless coordination is required", async () => {
    const { store } = placeThat("UNAVAILABLE");
    await connectTo(store, "single_process_unsafe").createTable("t", START);
    const table = await connectTo(store, "auto").openTable("t");
    expect(await table.countRows()).toBe(2);
    await expect(connectTo(store, "required").openTable("t")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(connectTo(store, "auto").createTable("u", START)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("opening a table that does not exist makes no directory", async () => {
    const dir = mkdtempSync(join(tmpdir(), "joust-open-"));
    try {
      const db = await connect(join(dir, "nothing"));
      await expect(db.openTable("t")).rejects.toMatchObject({ code: "NOT_FOUND" });
      const { existsSync } = await import("node:fs");
      expect(existsSync(join(dir, "nothing"))).toBe(false);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
