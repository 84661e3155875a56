/** Group commit as the callers of a table see it: own counts, own errors, own order. */
import { tableFromArrays } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { type ConnectionOptions, connect, isTableError, type Table } from "../../src/index.js";

async function tableWith(rows: Record<string, unknown>[], options: ConnectionOptions = {}): Promise<Table> {
  const db = await connect("memory://", options);
  return db.createTable("t", rows);
}

const START = [
  { id: 1, n: 10 },
  { id: 2, n: 20 },
  { id: 3, n: 30 },
];

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "done",
    (error: unknown) => (isTableError(error) ? error.code : String(error)),
  );

async function contentOf(table: Table): Promise<unknown[]> {
  const rows = await table.query().toArray();
  return rows.map((row) => [row.id, row.n]).sort((a, b) => (a[0] as number) - (b[0] as number));
}

describe("a group", () => {
  test("of appends is one version with one fragment, and every caller gets its own count", async () => {
    const table = await tableWith(START);
    const results = await Promise.all([1, 2, 3].map((n) => table.add(Array.from({ length: n }, () => ({ id: 9, n })))));
    expect(results.map((result) => result.rowsAdded)).toEqual([1, 2, 3]);
    expect(new Set(results.map((result) => result.version))).toEqual(new Set([2]));
    expect((await table.stats()).fragmentStats.numFragments).toBe(2);
    const [, version] = await table.listVersions();
    expect(version?.metadata.operation).toBe("append");
  });

  test("of appends with a bad row refuses only that caller, and says why", async () => {
    const table = await tableWith(START);
    const calls = [
      table.add([{ id: 4, n: 40 }]),
      table.add([{ id: 5, n: "no number" }]),
      table.add([{ id: 6, n: 60, unknown: 1 }]),
      table.add([{ id: 7, n: 70 }]),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(["done", "SCHEMA_MISMATCH", "SCHEMA_MISMATCH", "done"]);
    expect((await contentOf(table)).map((row) => (row as unknown[])[0])).toEqual([1, 2, 3, 4, 7]);
    expect(await table.version()).toBe(2);
    expect(table.writeQueueMetrics()).toMatchObject({ commits: 2, failures: 2, groupedBatches: 1 });
  });

  test("of deletes is one delete, and a row that two of them mean is counted once", async () => {
    const table = await tableWith(START);
    const results = await Promise.all([table.delete("id <= 2"), table.delete("id >= 2"), table.delete("id = 99")]);
    expect(results.map((result) => result.numDeletedRows)).toEqual([2, 1, 0]);
    const [, version] = await table.listVersions();
    expect(version?.metadata.operation).toBe("delete");
  });

  test("of different row changes applies them in order, each on the effect of those before it", async () => {
    const table = await tableWith(START);
    const results = await Promise.all([
      table.update({ where: "id = 1", valuesSql: { n: "n + 1" } }),
      table.update({ where: "id = 1", valuesSql: { n: "n * 2" } }),
      table.add([{ id: 4, n: 40 }]),
      table.update({ where: "id = 4", valuesSql: { n: "n + 2" } }),
      table.delete("n = 22"),
      table
        .delete("no_such_column = 1")
        .catch((error: unknown) => ({ version: isTableError(error, "INVALID_ARGUMENT") })),
    ]);
    expect(await contentOf(table)).toEqual([
      [2, 20],
      [3, 30],
      [4, 42],
    ]);
    expect(results.map((result) => result.version)).toEqual([2, 2, 2, 2, 2, true]);
    const [, version] = await table.listVersions();
    expect(version?.metadata.operation).toBe("update");
  });

  test("never holds an overwrite or a schema change: they commit alone, in their place", async () => {
    const table = await tableWith(START);
    const results = await Promise.all([
      table.add([{ id: 4, n: 40 }]),
      table.addColumns([{ name: "m", valueSql: "n" }]),
      table.add([{ id: 5, n: 50, m: 5 }]),
      table.add([{ id: 6, n: 60, m: 6 }], { mode: "overwrite" }),
      table.add([{ id: 7, n: 70, m: 7 }]),
    ]);
    expect(results.map((result) => result.version)).toEqual([2, 3, 4, 5, 6]);
    expect(await contentOf(table)).toEqual([
      [6, 60],
      [7, 70],
    ]);
  });
});

test("the writes of one caller are executed in the order of its calls, whatever they are and bring", async () => {
  const table = await tableWith(START);
  const calls = [
    table.add([{ id: 4, n: 40 }]),
    table.update({ where: "id = 4", valuesSql: { n: "n + 1" } }),
    table.add(tableFromArrays({ id: Float64Array.of(5), n: Float64Array.of(50) })),
    table.delete("id = 5"),
    table.add([{ id: 6, n: 60 }]),
    table.delete("id < 4"),
  ];
  await Promise.all(calls);
  expect(await contentOf(table)).toEqual([
    [4, 41],
    [6, 60],
  ]);
});

describe("a direct write", () => {
  test("passes the queue by, and still gets its own answer", async () => {
    const table = await tableWith(START);
    const results = await Promise.all([1, 2, 3].map((id) => table.add([{ id, n: 0 }], { direct: true })));
    expect(results.map((result) => result.rowsAdded)).toEqual([1, 1, 1]);
    expect(new Set(results.map((result) => result.version)).size).toBe(3);
    expect(table.writeQueueMetrics().executions).toBe(0);
  });

  test("takes its turn beside others of its process, and stages no version that is lost from the start", async () => {
    const table = await tableWith(START);
    const before = table.writeQueueMetrics().physicalSyncs;
    const writes = Array.from({ length: 16 }, (_, id) => table.add([{ id: 100 + id, n: 0 }], { direct: true }));
    expect((await Promise.all(writes)).map((result) => result.attempts)).toEqual(writes.map(() => 1));
    expect(table.writeQueueMetrics().physicalSyncs - before).toBe(4 * writes.length);
    expect(table.metrics().conflicts.lostRaces).toBe(0);
  });

  test("is the only kind when the queue is switched off", async () => {
    const table = await tableWith(START, { queue: { enabled: false } });
    await Promise.all([table.add([{ id: 4, n: 40 }]), table.delete("id = 1")]);
    expect(await contentOf(table)).toEqual([
      [2, 20],
      [3, 30],
      [4, 40],
    ]);
    expect(table.writeQueueMetrics().executions).toBe(0);
  });

  test("is not started when its signal was aborted before the call", async () => {
    const table = await tableWith(START);
    expect(await codeOf(table.add([{ id: 4, n: 40 }], { direct: true, signal: AbortSignal.abort() }))).toBe("CANCELED");
    expect(await table.countRows()).toBe(3);
  });

  test("is waited for when the database closes", async () => {
    const db = await connect("memory://");
    const table = await db.createTable("t", START);
    let answered = false;
    const call = table.add([{ id: 4, n: 40 }], { direct: true }).then(() => {
      answered = true;
    });
    await db.close();
    expect(answered).toBe(true);
    await call;
  });
});

test("closing the database answers every write that was taken and refuses the next", async () => {
  const db = await connect("memory://");
  const table = await db.createTable("t", START);
  const calls = [4, 5, 6].map((id) => table.add([{ id, n: 0 }]));
  await db.close();
  expect((await Promise.all(calls)).map((result) => result.rowsAdded)).toEqual([1, 1, 1]);
  expect(await codeOf(table.add([{ id: 7, n: 0 }]))).toBe("CLOSED");
});

test("syncs are counted where they are asked for, and a group saves those of its followers", async () => {
  const table = await tableWith(START);
  const before = table.writeQueueMetrics().physicalSyncs;
  await table.add([{ id: 4, n: 40 }]);
  const alone = table.writeQueueMetrics();
  // Data file and its directory, manifest, name of the version.
  expect(alone.physicalSyncs - before).toBe(4);
  expect(alone.estimatedSyncsSaved).toBe(0);
  await Promise.all([5, 6, 7].map((id) => table.add([{ id, n: 0 }])));
  const grouped = table.writeQueueMetrics();
  expect(grouped.physicalSyncs - alone.physicalSyncs).toBe(4);
  expect(grouped.estimatedSyncsSaved).toBe(8);
});

test("a relaxed table is never synced", async () => {
  const table = await tableWith(START, { durability: "relaxed" });
  await table.add([{ id: 4, n: 40 }]);
  expect(table.writeQueueMetrics().physicalSyncs).toBe(0);
});
