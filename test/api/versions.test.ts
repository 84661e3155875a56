/** Time travel: checkout, tags, restore, and the list of versions. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection, Table } from "../../src/index.js";
import { connected, freshDirectory, PLACES, rowsOf } from "./places.js";

describe.each(PLACES)("versions, $name", ({ connect }) => {
  let db: Connection;
  let table: Table;
  beforeEach(async () => {
    db = await connect();
    table = await db.createTable("t", [{ id: 1 }]);
    await table.add([{ id: 2 }]);
    await table.add([{ id: 3 }]);
  });

  const ids = async (of: Table = table) => (await rowsOf(of)).map((row) => row.id);

  test("a handle travels to a version and back, and refuses writes while it is away", async () => {
    await table.checkout(2);
    expect([await table.version(), await ids(), await table.countRows()]).toEqual([2, [1, 2], 2]);
    const writes: (() => Promise<unknown>)[] = [
      () => table.add([{ id: 9 }]),
      () => table.add([{ id: 9 }], { mode: "overwrite" }),
      () => table.update({ values: { id: 9 } }),
      () => table.delete("true"),
      () =>
        table
          .mergeInsert("id")
          .whenNotMatchedInsertAll()
          .execute([{ id: 9 }]),
      () => table.addColumns([{ name: "n", valueSql: "1" }]),
      () => table.alterColumns([{ path: "id", rename: "n" }]),
      () => table.dropColumns(["id"]),
      () => table.updateFieldMetadata([{ path: "id", metadata: { a: "b" } }]),
    ];
    for (const write of writes) {
      await expect(write()).rejects.toMatchObject({
        code: "READ_ONLY",
        message: expect.stringContaining("table cannot be modified when a specific version is checked out"),
      });
    }
    await table.checkoutLatest();
    expect([await table.version(), await ids()]).toEqual([3, [1, 2, 3]]);
    await table.add([{ id: 4 }]);
    expect(await ids()).toEqual([1, 2, 3, 4]);
  });

  test("a version that is checked out stays what it was while others write", async () => {
    const other = await db.openTable("t");
    await table.checkout(3);
    await other.delete("id = 1");
    await other.update({ where: "id = 2", values: { id: 20 } });
    await other.add([{ id: 5 }], { mode: "overwrite" });
    expect(await ids()).toEqual([1, 2, 3]);
    expect(await ids(other)).toEqual([5]);
  });

  test("a restore brings a version back as the newest one", async () => {
    await table.checkout(1);
    expect((await table.restore()).version).toBe(4);
    expect([await table.version(), await ids()]).toEqual([4, [1]]);
    await table.add([{ id: 7 }]);
    expect(await ids()).toEqual([1, 7]);
    expect((await table.restore(3)).version).toBe(6);
    expect(await ids()).toEqual([1, 2, 3]);
    await expect(table.restore()).rejects.toThrow("you must run checkout before running restore");
    await expect(table.restore(99)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("tags name versions, are checked out, moved and deleted", async () => {
    const tags = await table.tags();
    expect(await tags.list()).toEqual({});
    await tags.create("first", 1);
    await tags.create("v2.0-rc_1", 2);
    expect(await tags.getVersion("first")).toBe(1);
    const listed = await tags.list();
    expect(Object.keys(listed).sort()).toEqual(["first", "v2.0-rc_1"]);
    expect(listed.first).toMatchObject({ version: 1 });
    await tags.update("first", 3);
    await table.checkout("first");
    expect(await table.version()).toBe(3);
    await table.checkout("v2.0-rc_1");
    expect(await ids()).toEqual([1, 2]);
    await table.restore();
    expect([await table.version(), await ids()]).toEqual([4, [1, 2]]);
    await tags.delete("first");
    expect(Object.keys(await tags.list())).toEqual(["v2.0-rc_1"]);
    await tags.create("__proto__", 1);
    expect(Object.entries(await tags.list()).find(([name]) => name === "__proto__")?.[1].version).toBe(1);
  });

  test("tags that cannot be are refused", async () => {
    const tags = await table.tags();
    await tags.create("x", 1);
    const refusals: [() => Promise<unknown>, string][] = [
      [() => tags.create("x", 2), "ALREADY_EXISTS"],
      [() => tags.create("y", 99), "NOT_FOUND"],
      [() => tags.create("y", -1), "INVALID_ARGUMENT"],
      [() => tags.create("a b", 1), "INVALID_ARGUMENT"],
      [() => tags.create("../up", 1), "INVALID_ARGUMENT"],
      [() => tags.create("", 1), "INVALID_ARGUMENT"],
      [() => tags.update("none", 1), "NOT_FOUND"],
      [() => tags.update("x", 99), "NOT_FOUND"],
      [() => tags.delete("none"), "NOT_FOUND"],
      [() => tags.getVersion("none"), "NOT_FOUND"],
      [() => table.checkout("none"), "NOT_FOUND"],
    ];
    for (const [call, code] of refusals) await expect(call()).rejects.toMatchObject({ code });
    expect(await tags.list()).toEqual({ x: expect.objectContaining({ version: 1 }) });
  });

  test("every version is listed, oldest first, with time, operation and sizes", async () => {
    await table.delete("id = 2");
    const versions = await table.listVersions();
    expect(versions.map((version) => version.version)).toEqual([1, 2, 3, 4]);
    expect(versions.map((version) => version.metadata.operation)).toEqual(["overwrite", "append", "append", "delete"]);
    expect(versions.map((version) => version.metadata.total_rows)).toEqual(["1", "2", "3", "2"]);
    expect(versions[3]?.metadata).toMatchObject({ total_data_files: "2", total_fragments: "2" });
    const times = versions.map((version) => version.timestamp.getTime());
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times[0]).toBeGreaterThan(0);
  });
});

test("versions are numbers from 1 on, and what was never made is not found", async () => {
  const table = await (await connected(freshDirectory())).createTable("t", [{ id: 1 }]);
  for (const version of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
    await expect(table.checkout(version)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  await expect(table.checkout(2)).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(table.checkout(2)).rejects.toThrow("was not found");
  expect(await table.version()).toBe(1);
});

test("a query that has begun reads its version to the end, whatever is written meanwhile", async () => {
  const table = await (await connected(freshDirectory())).createTable("t", [{ id: 1 }]);
  for (let id = 2; id <= 6; id++) await table.add([{ id }]);
  const seen: number[] = [];
  for await (const batch of table.query().execute({ maxBatchLength: 1 })) {
    if (seen.length === 0) await table.add([{ id: 100 }], { mode: "overwrite" });
    for (const row of batch) seen.push(row?.id as number);
  }
  expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await table.countRows()).toBe(1);
});

test("each version has its own deleted rows, in whatever order versions are read", async () => {
  const table = await (await connected(freshDirectory())).createTable(
    "t",
    [1, 2, 3, 4].map((id) => ({ id })),
  );
  for (const id of [1, 2, 3]) await table.delete(`id = ${id}`);
  const ids = async () => (await table.query().toArray()).map((row) => row.id);
  expect(await ids()).toEqual([4]);
  for (const version of [2, 4, 1, 3, 2]) {
    await table.checkout(version);
    expect(await ids(), `version ${version}`).toEqual([1, 2, 3, 4].slice(version - 1));
  }
});

describe("a cleanup of this process", () => {
  const cleanUp = async (table: Table) =>
    (await table.optimize({ cleanupOlderThan: new Date(Date.now() + 60_000) })).prune.oldVersionsRemoved;

  test("leaves the version of a query that is under way until the query has ended", async () => {
    const table = await (await connected(freshDirectory())).createTable("t", [{ id: 1 }]);
    await table.add([{ id: 2 }]);
    const reading = table.query().execute({ maxBatchLength: 1 })[Symbol.asyncIterator]();
    await reading.next();
    await table.add([{ id: 100 }], { mode: "overwrite" });
    expect(await cleanUp(table), "version 1").toBe(1);
    expect((await table.listVersions()).map((one) => one.version)).toEqual([2, 3]);
    await reading.return?.();
    expect(await cleanUp(table), "version 2").toBe(1);
  });

  test("leaves the version of a snapshot until it is closed, and of a handle until it goes on", async () => {
    const table = await (await connected(freshDirectory())).createTable("t", [{ id: 1 }]);
    const snapshot = await table.snapshot();
    await table.add([{ id: 2 }]);
    await table.checkout(2);
    const other = await table.snapshot();
    await table.checkoutLatest();
    await table.add([{ id: 100 }], { mode: "overwrite" });
    expect(await cleanUp(table)).toBe(0);
    other.close();
    expect(await cleanUp(table), "version 2").toBe(1);
    expect((await snapshot.query().toArray()).map((row) => row.id)).toEqual([1]);
    await snapshot[Symbol.asyncDispose]();
    expect(await cleanUp(table), "version 1").toBe(1);
  });
});

test("the history does not wait for a vacuum that died after it had announced what goes", async () => {
  const directory = freshDirectory();
  const table = await (await connected(directory)).createTable("t", [{ id: 0 }]);
  for (let id = 1; id < 12; id++) await table.add([{ id }]);
  writeFileSync(join(directory, "t.lance/_coord/retired.json"), '{"upTo":10,"kept":[],"expelled":[]}');
  const startedMs = performance.now();
  expect((await table.listVersions()).map(({ version }) => version)).toEqual([11, 12]);
  await expect(table.checkout(new Date(0))).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(performance.now() - startedMs).toBeLessThan(4000);
});
