/** Handles: of one table in one process, across processes, and across the death and rebirth of a table. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection, Table } from "../../src/index.js";
import { connected, connectedApart, freshDirectory, rowsOf } from "./places.js";

let directory: string;
beforeEach(() => {
  directory = freshDirectory();
});

const ids = async (table: Table) => (await rowsOf(table)).map((row) => row.id);

test("handles and connections of one place share what they know", async () => {
  const [one, two] = await Promise.all([connected(directory), connected(directory)]);
  const a = await one.createTable("t", [{ id: 1 }]);
  const b = await two.openTable("t");
  const c = await one.openTable("t");
  await Promise.all([a.add([{ id: 2 }]), b.add([{ id: 3 }]), c.add([{ id: 4 }])]);
  expect(await Promise.all([a, b, c].map((table) => table.version()))).toEqual([2, 2, 2]);
  expect(a.writeQueueMetrics().admissions).toBe(b.writeQueueMetrics().admissions);
  await one.close();
  expect([a.isOpen(), b.isOpen()]).toEqual([false, true]);
  await b.add([{ id: 5 }]);
  expect(await b.countRows()).toBe(5);
});

test("a checkout moves one handle and no other", async () => {
  const db = await connected(directory);
  const a = await db.createTable("t", [{ id: 1 }]);
  await a.add([{ id: 2 }]);
  const b = await db.openTable("t");
  await a.checkout(1);
  expect([await a.countRows(), await b.countRows()]).toEqual([1, 2]);
  await b.add([{ id: 3 }]);
  expect([await a.version(), await b.version()]).toEqual([1, 3]);
});

test("a read shows one line of history as it was when it was called, while the handle is moved to another one", async () => {
  const table = await (await connected(directory)).createTable("t", [{ id: 1 }]);
  const side = await (await table.branches()).create("side");
  await side.add([{ id: 2 }]);
  await (await side.tags()).create("there", 2);
  const moves = [() => table.checkout("there"), () => table.checkoutLatest()];
  for (let round = 0; round < 20; round++) {
    const [move] = moves.splice(0, 1);
    moves.push(move!);
    const before = ids(table);
    const moved = move!();
    const count = table.query().limit(5).toArrow();
    await moved;
    expect([[1], [1, 2]]).toContainEqual(await before);
    expect([1, 2]).toContain((await count).numRows);
  }
});

test("a handle that is closed while it is checked out holds no version any more", async () => {
  const db = await connected(directory);
  const table = await db.createTable("t", [{ id: 1 }]);
  await table.add([{ id: 2 }]);
  const other = await db.openTable("t");
  const moved = other.checkout(1).catch((error: { code: string }) => error.code);
  other.close();
  expect(await moved).toBe("CLOSED");
  const stats = await table.optimize({ cleanupOlderThan: new Date(Date.now() + 60_000) });
  expect(stats.prune.oldVersionsRemoved).toBeGreaterThan(0);
  await expect(table.checkout(1)).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("writes of one caller take effect in the order of its calls, without waiting in between", async () => {
  const table = await (await connected(directory)).createTable("t", [{ id: 1, n: 0 }]);
  await Promise.all([
    table.add([{ id: 2, n: 0 }]),
    table.update({ valuesSql: { n: "n + 1" } }),
    table
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([{ id: 3, n: 7 }]),
    table.update({ valuesSql: { n: "n * 10" } }),
    table.delete("id = 2"),
    table.add([{ id: 4, n: 1 }]),
  ]);
  expect((await rowsOf(table)).map((row) => `${row.id}:${row.n}`).sort()).toEqual(["1:10", "3:70", "4:1"]);
});

describe("another process", () => {
  let here: Table;
  let there: Table;
  let thereDb: Connection;
  beforeEach(async () => {
    here = await (await connected(directory)).createTable("t", [{ id: 1 }]);
    thereDb = await connectedApart(directory);
    there = await thereDb.openTable("t");
  });

  test("is seen at once: rows, schema, versions, tags", async () => {
    await there.add([{ id: 2 }]);
    expect(await ids(here)).toEqual([1, 2]);
    await there.addColumns([{ name: "n", valueSql: "id + 1" }]);
    expect((await here.schema()).fields.map((field) => field.name)).toEqual(["id", "n"]);
    await (await there.tags()).create("x", 2);
    await here.checkout("x");
    expect(await here.version()).toBe(2);
    await here.checkoutLatest();
    for (let id = 10; id < 45; id++) await there.add([{ id, n: 0 }]);
    expect([await here.version(), await here.countRows()]).toEqual([38, 37]);
  });

  test("is looked for only as often as readConsistencyInterval says", async () => {
    const lazy = await (
      await connectedApart(directory, { readConsistencyInterval: Number.POSITIVE_INFINITY })
    ).openTable("t");
    expect(await lazy.countRows()).toBe(1);
    await there.add([{ id: 2 }]);
    expect(await lazy.countRows()).toBe(1);
    await lazy.checkoutLatest();
    expect(await lazy.countRows()).toBe(2);
  });

  test("writes beside this one: appends, updates and deletes of different rows never fail", async () => {
    await here.add(Array.from({ length: 20 }, (_, i) => ({ id: 100 + i })));
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        await here.update({ where: `id = ${100 + i}`, values: { id: 200 + i } });
        await there.delete(`id = ${110 + i}`);
        await there.add([{ id: 300 + i }]);
      }),
    );
    const found = (await ids(here)) as number[];
    expect(found.sort((a, b) => a - b)).toEqual([
      1,
      ...Array.from({ length: 10 }, (_, i) => 200 + i),
      ...Array.from({ length: 10 }, (_, i) => 300 + i),
    ]);
  });

  test("drops and makes the table anew under an open handle, which goes on with the new one", async () => {
    await here.add([{ id: 2 }]);
    await thereDb.dropTable("t");
    await expect(here.countRows()).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(here.add([{ id: 3 }])).rejects.toMatchObject({ code: "NOT_FOUND" });
    await thereDb.createTable("t", [{ other: "x" }]);
    expect([await here.version(), await rowsOf(here)]).toEqual([1, [{ other: "x" }]]);
    await expect(here.add([{ id: 3 }])).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
    await here.add([{ other: "y" }]);
    expect(await rowsOf(await thereDb.openTable("t"))).toEqual([{ other: "x" }, { other: "y" }]);
  });

  test("makes the table anew with as many versions as before, or more, and neither handle is fooled", async () => {
    await here.add([{ id: 2 }]);
    for (const versions of [2, 5, 1]) {
      await thereDb.dropTable("t");
      const fresh = await thereDb.createTable("t", [{ id: -1 }]);
      for (let v = 1; v < versions; v++) await fresh.add([{ id: -1 - v }]);
      expect(await here.version()).toBe(versions);
      expect(await ids(here)).toEqual(Array.from({ length: versions }, (_, i) => -1 - i));
      await here.add([{ id: 7 }]);
      expect(await there.countRows()).toBe(versions + 1);
    }
  });
});

test("a drop waits for the writes of this process that were called before it", async () => {
  const db = await connected(directory);
  const table = await db.createTable("t", [{ id: 1 }]);
  const added = table.add([{ id: 2 }]);
  await db.dropTable("t");
  await expect(added).resolves.toMatchObject({ version: 2 });
  expect(await db.tableNames()).toEqual([]);
  await expect(table.add([{ id: 3 }])).rejects.toThrow("was not found");
  const fresh = await db.createTable("t", [{ id: 9 }]);
  expect([await ids(table), await fresh.version()]).toEqual([[9], 1]);
});

test("an iterable is read once: whoever loses to an overwrite is told, instead of writing nothing", async () => {
  const here = await (await connected(directory)).createTable("t", [{ id: 1 }]);
  const db = await connectedApart(directory);
  const there = await db.openTable("t");
  const overwrites: ((data: AsyncIterable<{ id: number }[]>) => Promise<unknown>)[] = [
    (data) => here.add(data, { mode: "overwrite" }),
    async (data) => (await connected(directory)).createTable("t", data, { mode: "overwrite" }),
  ];
  for (const overwrite of overwrites) {
    async function* rows() {
      yield [{ id: 5 }];
      // Another process overwrites while the rows of this one are still coming.
      await there.add([{ id: 6 }], { mode: "overwrite" });
      yield [{ id: 7 }];
    }
    const ending = await overwrite(rows()).then(
      () => "done",
      (error: { code: string }) => error.code,
    );
    expect([ending, await ids(there)]).toEqual(ending === "done" ? ["done", [5, 7]] : ["CONFLICT", [6]]);
  }
});
