/** Connections: names, creation in its modes, dropping, closing. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import { connect as open } from "../../src/index.js";
import { connected, connectedApart, freshDirectory, PLACES, rowsOf } from "./places.js";

describe.each(PLACES)("a connection, $name", ({ connect }) => {
  test("creates from arguments or one object, refuses a name that is taken, and overwrites when asked", async () => {
    const db = await connect();
    const table = await db.createTable("t", [{ id: 1 }, { id: 2 }]);
    expect(await table.countRows()).toBe(2);
    await expect(db.createTable("t", [{ id: 3 }])).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      message: expect.stringContaining("Table 't' already exists"),
    });
    const again = await db.createTable({ name: "t", data: [{ x: "new" }], mode: "overwrite" });
    expect([await again.version(), await rowsOf(again)]).toEqual([2, [{ x: "new" }]]);
    expect(await rowsOf(table)).toEqual([{ x: "new" }]);
    await table.checkout(1);
    expect(await table.countRows()).toBe(2);
  });

  test("opens what is there with existOk, if the schema is the same", async () => {
    const db = await connect();
    await db.createTable("t", [{ id: 1 }]);
    expect(await rowsOf(await db.createTable("t", [{ id: 9 }], { existOk: true }))).toEqual([{ id: 1 }]);
    const schema = new arrow.Schema([new arrow.Field("id", new arrow.Float64(), true)]);
    expect(await (await db.createEmptyTable("t", schema, { existOk: true })).version()).toBe(1);
    const other = new arrow.Schema([new arrow.Field("id", new arrow.Utf8(), true)]);
    await expect(db.createEmptyTable("t", other, { existOk: true })).rejects.toMatchObject({ code: "SCHEMA_MISMATCH" });
  });

  test("creates empty tables from a schema, also one that names its types", async () => {
    const db = await connect();
    const fields = [
      { name: "id", type: "int64", nullable: false },
      { name: "x", type: "float64", nullable: true },
      { name: "s", type: "utf8" },
    ];
    const table = await db.createEmptyTable("t", { fields });
    expect((await table.schema()).fields.map((field) => `${field} ${field.nullable}`)).toEqual([
      "id: Int64 false",
      "x: Float64 true",
      "s: Utf8 true",
    ]);
    expect([await table.countRows(), await rowsOf(table)]).toEqual([0, []]);
    await table.add([{ id: 1n }]);
    expect(await rowsOf(table)).toEqual([{ id: 1n, x: null, s: null }]);
    await expect(db.createTable("e", [])).rejects.toThrow("At least one record or a schema needs to be provided");
  });

  test("lists names in order and in pages, and drops one table or all", async () => {
    const db = await connect();
    for (const name of ["b", "a", "c", "A-1", "t.x_2"]) await db.createTable(name, [{ id: 1 }]);
    expect(await db.tableNames()).toEqual(["A-1", "a", "b", "c", "t.x_2"]);
    expect(await db.tableNames({ limit: 2 })).toEqual(["A-1", "a"]);
    expect(await db.tableNames({ limit: 2, startAfter: "a" })).toEqual(["b", "c"]);
    expect(await db.tableNames([], { startAfter: "b" })).toEqual(["c", "t.x_2"]);
    expect(await db.tableNames({ limit: 0 })).toEqual([]);
    await db.dropTable("b");
    expect(await db.tableNames()).toEqual(["A-1", "a", "c", "t.x_2"]);
    await expect(db.openTable("b")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(db.dropTable("b")).rejects.toThrow("Table 'b' was not found");
    await db.dropAllTables();
    expect(await db.tableNames()).toEqual([]);
    await db.createTable("again", [{ id: 1 }]);
    expect(await db.tableNames()).toEqual(["again"]);
  });

  test("opens a table at a version", async () => {
    const db = await connect();
    await (await db.createTable("t", [{ id: 1 }])).add([{ id: 2 }]);
    const old = await db.openTable("t", { version: 1 });
    expect([await old.version(), await old.countRows()]).toEqual([1, 1]);
    await expect(db.openTable("t", { version: 7 })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(db.openTable("nope")).rejects.toThrow("was not found");
  });

  test("refuses everything after it is closed, and so do its tables", async () => {
    const db = await connect();
    const table = await db.createTable("t", [{ id: 1 }]);
    expect(db.isOpen()).toBe(true);
    await db.close();
    await db.close();
    expect([db.isOpen(), table.isOpen()]).toEqual([false, false]);
    const calls = [
      () => db.tableNames(),
      () => db.createTable("x", [{ id: 1 }]),
      () => db.createEmptyTable("x", new arrow.Schema([])),
      () => db.openTable("t"),
      () => db.dropTable("t"),
      () => db.dropAllTables(),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: "CLOSED",
        message: expect.stringContaining("Connection is closed"),
      });
    }
    for (const call of [() => table.countRows(), () => table.add([{ id: 2 }]), () => table.query().toArray()]) {
      await expect(call()).rejects.toMatchObject({ code: "CLOSED" });
    }
  });
});

test("a database is a path, a file URL, or memory of its own", async () => {
  const directory = freshDirectory();
  await (await connected(directory)).createTable("t", [{ id: 1 }]);
  expect(await (await connected(pathToFileURL(directory).href)).tableNames()).toEqual(["t"]);
  const db = await open({ uri: directory });
  expect(await db.tableNames()).toEqual(["t"]);
  await db.close();
  const memory = await connected("memory://");
  await memory.createTable("m", [{ id: 1 }]);
  expect(await (await connected("memory://")).tableNames()).toEqual([]);
  expect(await (await connected(join(directory, "not", "there"))).tableNames()).toEqual([]);
  await expect(open("s3://bucket/x")).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  await expect(open("")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("two creators of one table: one makes it, the other is told, and no file of the loser is left", async () => {
  const directory = freshDirectory();
  const connections = await Promise.all([1, 2, 3].map(() => connectedApart(directory, { dataFormat: "arrow" })));
  const results = await Promise.allSettled(connections.map((db, i) => db.createTable("t", [{ id: i }])));
  const made = results.filter((result) => result.status === "fulfilled");
  expect(made).toHaveLength(1);
  for (const result of results) {
    if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "ALREADY_EXISTS" });
  }
  expect(readdirSync(join(directory, "t.lance", "data"))).toHaveLength(1);
  expect(
    readdirSync(join(directory, "t.lance", "_versions")).filter((name) => name.endsWith(".manifest")),
  ).toHaveLength(1);
});

test("methods that LanceDB's connection has and this one does not say so", async () => {
  const db = await connected("memory://");
  const calls: (() => Promise<unknown>)[] = [
    () => db.renameTable("a", "b"),
    () => db.cloneTable("a", "b"),
    () => db.dropTableAsync("a"),
    () => db.listTables(),
    () => db.createNamespace(["n"]),
    () => db.describeNamespace(["n"]),
    () => db.listNamespaces(),
    () => db.dropNamespace(["n"]),
    () => db.createMaterializedView("v", "t"),
    () => db.openMaterializedView("v"),
    () => db.listMaterializedViews(),
    () => db.openJob("j"),
    () => db.listJobs(),
    () => db.cancelJob("j"),
    () => db.tableNames(["n"]),
  ];
  for (const call of calls) {
    await expect(call()).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      message: expect.stringMatching(/not supported/),
    });
  }
});
