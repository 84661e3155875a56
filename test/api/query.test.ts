/** Queries: filter, projection, order, pages, batches, search, limits of time. */
import * as arrow from "apache-arrow";
import { beforeEach, describe, expect, test } from "vitest";
import { sql, type Table } from "../../src/index.js";
import { connected, PLACES, plain } from "./places.js";

const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int64(), false),
  new arrow.Field("score", new arrow.Float32(), true),
  new arrow.Field("name", new arrow.Utf8(), true),
  new arrow.Field("vec", new arrow.FixedSizeList(2, new arrow.Field("item", new arrow.Float32(), true)), true),
]);
const ROWS = [
  { id: 1n, score: 3.5, name: "carol", vec: [0, 0] },
  { id: 2n, score: null, name: "alice", vec: [1, 1] },
  { id: 3n, score: 1.5, name: "bob", vec: [2, 2] },
  { id: 4n, score: 3.5, name: null, vec: [3, 3] },
  { id: 5n, score: 2.25, name: "dave", vec: null },
];

describe.each(PLACES)("a query, $name", ({ connect }) => {
  let table: Table;
  beforeEach(async () => {
    const db = await connect();
    table = await db.createTable("t", ROWS.slice(0, 2), { schema: SCHEMA });
    await table.add(ROWS.slice(2));
  });

  const idsOf = (rows: readonly Record<string, unknown>[]) => rows.map((row) => Number(row.id));

  test("filters, and several filters must all hold", async () => {
    expect(idsOf(await table.query().where("score > 2").toArray())).toEqual([1, 4, 5]);
    expect(idsOf(await table.query().where("score > 2").where("id < 5").toArray())).toEqual([1, 4]);
    expect(idsOf(await table.query().filter("name IS NULL").toArray())).toEqual([4]);
    expect(
      idsOf(
        await table
          .query()
          .where(sql`name IN ${["bob", "o'hara"]}`)
          .toArray(),
      ),
    ).toEqual([3]);
    const hostile = "x' OR '1' = '1";
    expect(await table.query().where(sql`name = ${hostile}`).toArray()).toEqual([]);
  });

  test("selects columns by name, by list and by expression, and says its schema before it runs", async () => {
    expect(plain(await table.query().select("name").limit(1).toArray())).toEqual([{ name: "carol" }]);
    expect(plain(await table.query().select(["name", "id"]).limit(1).toArray())).toEqual([{ name: "carol", id: 1n }]);
    const computed = table.query().select({ twice: "id * 2", who: "upper(name)" }).where("id = 3");
    expect((await computed.outputSchema()).fields.map(String)).toEqual(["twice: Int64", "who: Utf8"]);
    expect(plain(await computed.toArray())).toEqual([{ twice: 6n, who: "BOB" }]);
    expect(
      plain(
        await table
          .query()
          .select(new Map([["n", sql`id + ${1n}`]]))
          .limit(1)
          .toArray(),
      ),
    ).toEqual([{ n: 2n }]);
    expect((await table.query().outputSchema()).fields.map((field) => field.name)).toEqual([
      "id",
      "score",
      "name",
      "vec",
    ]);
    expect((await table.takeOffsets([0]).select(["name"]).outputSchema()).fields.map(String)).toEqual(["name: Utf8"]);
    const found = await table.vectorSearch([1, 2]).select(["id"]).outputSchema();
    expect(found.fields.map(String)).toEqual(["id: Int64", "_distance: Float32"]);
  });

  test("sorts by several columns, nulls first or last, and pages through the result", async () => {
    const ordered = () =>
      table
        .query()
        .orderBy([
          { columnName: "score", ascending: false, nullsFirst: false },
          { columnName: "id", ascending: true },
        ])
        .select(["id"]);
    expect(idsOf(await ordered().toArray())).toEqual([1, 4, 5, 3, 2]);
    expect(idsOf(await ordered().limit(2).offset(1).toArray())).toEqual([4, 5]);
    expect(idsOf(await table.query().orderBy({ columnName: "score", nullsFirst: true }).limit(2).toArray())).toEqual([
      2, 3,
    ]);
    expect(idsOf(await table.query().orderBy({ columnName: "name" }).toArray())).toEqual([2, 3, 1, 5, 4]);
    expect(idsOf(await table.query().limit(2).offset(2).toArray())).toEqual([3, 4]);
    expect(await table.query().limit(0).toArray()).toEqual([]);
    expect(await table.query().offset(9).toArray()).toEqual([]);
  });

  test("gives row ids that lead back to the rows", async () => {
    await table.delete("id = 2");
    const rows = await table.query().withRowId().where("id > 2").toArray();
    const back = await table.takeRowIds(rows.map((row) => row._rowid as bigint)).toArray();
    expect(idsOf(back)).toEqual([3, 4, 5]);
    expect(idsOf(await table.takeOffsets([0, 3]).toArray())).toEqual([1, 5]);
    expect(await table.takeRowIds([1n]).toArray()).toEqual([]);
  });

  test("comes batch by batch, as Arrow and as rows", async () => {
    const lengths: number[] = [];
    for await (const batch of table.query()) lengths.push(batch.numRows);
    expect(lengths.reduce((sum, rows) => sum + rows, 0)).toBe(5);
    const batches = (await table.query().toArrow({ maxBatchLength: 2 })).batches;
    expect(batches.every((batch) => batch.numRows <= 2)).toBe(true);
    const none = await table.query().where("id > 99").toArrow();
    expect([none.numRows, none.schema.fields.length]).toEqual([0, 4]);
    expect((await table.toArrow()).numRows).toBe(5);
  });

  test("finds the nearest vectors, filtered before or after, in a range of distances, page by page", async () => {
    const near = await table.vectorSearch([0.1, 0.1]).limit(2).toArray();
    expect(idsOf(near)).toEqual([1, 2]);
    expect(near[0]?._distance).toBeCloseTo(0.02);
    expect(idsOf(await table.search([3, 3]).limit(1).toArray())).toEqual([4]);
    expect(idsOf(await table.search(Float64Array.of(2, 2)).where("id < 3").limit(1).toArray())).toEqual([2]);
    const post = table.query().where("id < 3").nearestTo([2, 2]).postfilter().limit(1);
    expect(await post.toArray()).toEqual([]);
    expect(idsOf(await table.vectorSearch([0, 0]).limit(2).offset(2).toArray())).toEqual([3, 4]);
    expect(idsOf(await table.vectorSearch([0, 0]).distanceRange(1, 9).toArray())).toEqual([2, 3]);
    const dot = await table.vectorSearch([1, 1]).distanceType("dot").limit(1).toArray();
    expect(idsOf(dot)).toEqual([4]);
    expect(idsOf(await table.vectorSearch([1, 1]).distanceType("cosine").limit(1).toArray())).not.toEqual([1]);
    expect(
      idsOf(
        await table
          .vectorSearch(Promise.resolve([3, 3]))
          .column("vec")
          .limit(1)
          .toArray(),
      ),
    ).toEqual([4]);
    const two = await table
      .vectorSearch([
        [0, 0],
        [3, 3],
      ])
      .limit(1)
      .toArray();
    expect(two.map((row) => [row.query_index, Number(row.id)])).toEqual([
      [0, 1],
      [1, 4],
    ]);
  });

  test("explains itself, and says what it cost", async () => {
    const plan = await table.query().where("id > 2").select(["name"]).explainPlan(true);
    expect(plan).toMatch(/Project: name[\s\S]*Filter: .*id.* > 2[\s\S]*Scan: version=2/);
    expect(await table.vectorSearch([1, 2]).explainPlan()).toMatch(/Nearest: exact[\s\S]*Scan/);
    expect(await table.query().where("id > 2").analyzePlan()).toMatch(/output_rows=3/);
    expect(await table.vectorSearch([1, 2]).limit(2).analyzePlan()).toMatch(/output_rows=2/);
    expect(await table.takeOffsets([1]).analyzePlan()).toMatch(/output_rows=1/);
  });

  test("ends when its time is over or its signal says so", async () => {
    await expect(table.query().where("id != 1").toArray({ timeoutMs: 0 })).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringContaining("Query timeout"),
    });
    await expect(table.vectorSearch([0, 0]).toArrow({ timeoutMs: 0 })).rejects.toThrow("Query timeout");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(table.query().toArray({ signal })).rejects.toMatchObject({ code: "CANCELED" });
    expect(await table.query().toArray({ timeoutMs: 60_000 })).toHaveLength(5);
  });
});

test("what is not built says so in one sentence", async () => {
  const table = await (await connected("memory://")).createTable("t", [{ id: 1 }]);
  const calls: (() => Promise<unknown>)[] = [
    () => table.createIndex("id"),
    () => table.listIndices(),
    async () => (await table.branches()).diff("x"),
    () => table.query().nearestToText("x"),
    () => table.query().fullTextSearch("x"),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  expect(() => table.search("words")).toThrow("Full-text search is not built yet");
});
