/** Upserts: which rows are updated, added and deleted, what is counted, and what a group of writes sees. */
import * as arrow from "apache-arrow";
import { beforeEach, describe, expect, test } from "vitest";
import { type Connection, sql, type Table } from "../../src/index.js";
import { connected, PLACES, plain } from "./places.js";

describe.each(PLACES)("mergeInsert, $name", ({ connect }) => {
  let db: Connection;
  let table: Table;
  beforeEach(async () => {
    db = await connect();
    table = await db.createTable("t", [
      { a: 1, b: "a" },
      { a: 2, b: "b" },
      { a: 3, b: "c" },
    ]);
  });

  const pairs = async () =>
    plain(await table.query().orderBy({ columnName: "a" }).toArray()).map((row) => `${row.a}${row.b}`);
  const data = [
    { a: 2, b: "x" },
    { a: 3, b: "y" },
    { a: 4, b: "z" },
  ];

  test("updates and inserts, and counts both", async () => {
    const merge = table.mergeInsert("a").whenMatchedUpdateAll().whenNotMatchedInsertAll();
    expect(await merge.execute(data, { timeoutMs: 10_000 })).toEqual({
      version: 2,
      attempts: 1,
      rebases: 0,
      numInsertedRows: 1,
      numUpdatedRows: 2,
      numDeletedRows: 0,
      numAttempts: 1,
      numRows: 3,
    });
    expect(await pairs()).toEqual(["1a", "2x", "3y", "4z"]);
  });

  test("updates only where the condition on target and source holds", async () => {
    await table.mergeInsert("a").whenMatchedUpdateAll({ where: "target.b = 'b'" }).execute(data);
    expect(await pairs()).toEqual(["1a", "2x", "3c"]);
    await table
      .mergeInsert(["a"])
      .whenMatchedUpdateAll({ where: sql`source.b > target.b AND source.a = ${3}` })
      .execute(data);
    expect(await pairs()).toEqual(["1a", "2x", "3y"]);
  });

  test("inserts what is absent, and nothing else", async () => {
    const result = await table.mergeInsert("a").whenNotMatchedInsertAll().execute(data);
    expect(result).toMatchObject({ numInsertedRows: 1, numUpdatedRows: 0 });
    expect(await pairs()).toEqual(["1a", "2b", "3c", "4z"]);
  });

  test("deletes what the source lacks, all of it or where a condition holds", async () => {
    const range = [
      { a: 2, b: "x" },
      { a: 4, b: "z" },
    ];
    const upsert = table.mergeInsert("a").whenMatchedUpdateAll().whenNotMatchedInsertAll();
    const some = await upsert.whenNotMatchedBySourceDelete({ where: "a > 2" }).execute(range);
    expect(some).toMatchObject({ numDeletedRows: 1, numInsertedRows: 1, numUpdatedRows: 1 });
    expect(await pairs()).toEqual(["1a", "2x", "4z"]);
    const all = await upsert.whenNotMatchedBySourceDelete().execute(range);
    expect(all).toMatchObject({ numDeletedRows: 1, numInsertedRows: 0, numUpdatedRows: 2 });
    expect(await pairs()).toEqual(["2x", "4z"]);
  });

  test("keeps the values of columns that the source lacks, and adds rows with null in them", async () => {
    const upsert = table.mergeInsert("a").whenMatchedUpdateAll().whenNotMatchedInsertAll();
    await upsert.execute([{ a: 1 }, { a: 9 }]);
    expect(await pairs()).toEqual(["1a", "2b", "3c", "9null"]);
    await upsert.execute(arrow.tableFromArrays({ a: Float64Array.of(2, 10) }));
    expect(await pairs()).toEqual(["1a", "2b", "3c", "9null", "10null"]);
    // One row that has the column makes it a column of the source: the others bring null.
    await upsert.execute([{ a: 1, b: "n" }, { a: 2 }]);
    expect(await pairs()).toEqual(["1n", "2null", "3c", "9null", "10null"]);
  });

  test("compares keys of several columns, and null keys match nothing", async () => {
    const upsert = table.mergeInsert(["a", "b"]).whenMatchedUpdateAll().whenNotMatchedInsertAll();
    const result = await upsert.execute([
      { a: 1, b: "a" },
      { a: 1, b: "new" },
      { a: null, b: "a" },
    ]);
    expect(result).toMatchObject({ numUpdatedRows: 1, numInsertedRows: 2 });
    expect(await upsert.execute([{ a: null, b: "a" }])).toMatchObject({ numUpdatedRows: 0, numInsertedRows: 1 });
  });

  test("updates every row that has the key, and refuses two source rows for one", async () => {
    await table.add([{ a: 1, b: "again" }]);
    const upsert = table.mergeInsert("a").whenMatchedUpdateAll().whenNotMatchedInsertAll();
    expect(await upsert.execute([{ a: 1, b: "q" }])).toMatchObject({ numUpdatedRows: 2 });
    expect(await pairs()).toEqual(["1q", "1q", "2b", "3c"]);
    const twice = upsert.execute([
      { a: 1, b: "r" },
      { a: 1, b: "s" },
    ]);
    await expect(twice).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/^Ambiguous merge insert/),
    });
    expect(await table.version()).toBe(3);
  });

  test("refuses a merge that changes nothing by its clauses, and one without time", async () => {
    await expect(table.mergeInsert("a").execute(data)).rejects.toThrow("not configured to change the data");
    const upsert = table
      .mergeInsert("a")
      .whenMatchedUpdateAll()
      .useIndex(false)
      .useLsm(false)
      .validateSingleShard(true);
    await expect(upsert.execute(data, { timeoutMs: 0 })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("merge insert timed out"),
    });
    await expect(table.mergeInsert("zz").whenNotMatchedInsertAll().execute(data)).rejects.toThrow("'zz'");
    expect(await table.version()).toBe(1);
  });

  test("every builder step leaves the builder before it as it was", async () => {
    const base = table.mergeInsert("a").whenNotMatchedInsertAll();
    base.whenMatchedUpdateAll();
    base.whenNotMatchedBySourceDelete();
    await base.execute(data);
    expect(await pairs()).toEqual(["1a", "2b", "3c", "4z"]);
  });
});

test("a merge that is refused takes nothing of the writes that share its group", async () => {
  const db = await connected("memory://");
  const table = await db.createTable("t", [{ a: 1, b: "a" }]);
  const merge = table.mergeInsert("a").whenMatchedUpdateAll().whenNotMatchedInsertAll();
  const [added, refused, updated] = await Promise.allSettled([
    table.add([{ a: 5, b: "kept" }]),
    merge.execute([
      { a: 5, b: "p" },
      { a: 5, b: "q" },
    ]),
    table.update({ where: "a = 5", values: { b: "kept and changed" } }),
  ]);
  expect([added.status, refused.status, updated.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(plain(await table.query().where("a = 5").toArray())).toEqual([{ a: 5, b: "kept and changed" }]);
});

test("a merge sees the rows that earlier writes of its group added, changed and deleted", async () => {
  const db = await connected("memory://");
  const table = await db.createTable("t", [
    { a: 1, b: "a" },
    { a: 2, b: "b" },
  ]);
  const upsert = table.mergeInsert("a").whenMatchedUpdateAll().whenNotMatchedInsertAll();
  const results = await Promise.all([
    table.add([{ a: 3, b: "c" }]),
    table.delete("a = 1"),
    upsert.execute([
      { a: 1, b: "new" },
      { a: 2, b: "old" },
      { a: 3, b: "old" },
    ]),
  ]);
  expect(results[2]).toMatchObject({ numInsertedRows: 1, numUpdatedRows: 2 });
  const rows = plain(await table.query().orderBy({ columnName: "a" }).toArray()).map((row) => `${row.a}${row.b}`);
  expect(rows).toEqual(["1new", "2old", "3old"]);
});

test.each([
  [0, -0, 1],
  [-0, 0, 1],
  [Number.NaN, Number.NaN, 1],
  [null, null, 0],
])("a row with the key %s and one with the key %s: as many partners", async (have, give, updated) => {
  const db = await connected("memory://");
  const schema = new arrow.Schema([new arrow.Field("id", new arrow.Float64(), true)]);
  const table = await db.createTable("keys", [{ id: have }, { id: 42 }], { schema });
  const merged = await table
    .mergeInsert("id")
    .whenMatchedUpdateAll()
    .whenNotMatchedInsertAll()
    .execute([{ id: give }]);
  expect([merged.numUpdatedRows, merged.numInsertedRows]).toEqual([updated, 1 - updated]);
  if (have === 0) expect(await table.countRows("id = 0")).toBe(1);
});
