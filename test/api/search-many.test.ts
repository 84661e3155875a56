/** Several searches in one pass: what each alone would find, in the order of the searches. */
import * as arrow from "apache-arrow";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Connection, connect, type Table, type VectorQuery } from "../../src/index.js";

const ROWS = 9_000;
const WIDTH = 3;

function rows(first: number): arrow.Table {
  const values = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => (Math.imul(first + i, 40503) & 63) / 4);
  const child = arrow.makeData({ type: new arrow.Float32(), length: values.length, nullCount: 0, data: values });
  const type = new arrow.FixedSizeList(WIDTH, new arrow.Field("item", new arrow.Float32(), true));
  return new arrow.Table({
    id: arrow.makeVector(Int32Array.from({ length: ROWS }, (_, i) => first + i)),
    kind: arrow.vectorFromArray(
      Array.from({ length: ROWS }, (_, i) => `k${i % 5}`),
      new arrow.Utf8(),
    ),
    near: arrow.makeVector(arrow.makeData({ type, length: ROWS, nullCount: 0, child })),
    far: arrow.makeVector(arrow.makeData({ type, length: ROWS, nullCount: 0, child: child.clone() })),
  });
}

let db: Connection;
let table: Table;

beforeAll(async () => {
  db = await connect("memory://", { maintenance: { auto: false } });
  table = await db.createTable("t", rows(0));
  await table.add(rows(ROWS));
  await table.delete("id % 10 = 4");
});

afterAll(() => db.close());

interface Asked {
  readonly vectors: readonly (readonly number[])[];
  readonly where: string | undefined;
  readonly postfilter: boolean;
  readonly column: string;
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  readonly select: readonly string[] | undefined;
  readonly metric: "l2" | "cosine" | "dot" | undefined;
  readonly upper: number | undefined;
}

const vector = fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: WIDTH, maxLength: WIDTH });
const asked = fc.record<Asked>({
  vectors: fc.array(vector, { minLength: 1, maxLength: 2 }),
  where: fc.constantFrom(undefined, "id < 9100", "kind = 'k3'", "id = 77", "id > 100000", "_rowid % 2 = 0"),
  postfilter: fc.boolean(),
  column: fc.constantFrom("near", "far"),
  limit: fc.constantFrom(undefined, 1, 7, 200),
  offset: fc.constantFrom(undefined, 3),
  select: fc.constantFrom(undefined, ["id"], ["id", "_distance"]),
  metric: fc.constantFrom(undefined, "l2", "cosine", "dot"),
  upper: fc.constantFrom(undefined, 50),
});

function queryOf(one: Asked): VectorQuery {
  const query = table.vectorSearch(one.vectors).column(one.column);
  if (one.where !== undefined) query.where(one.where);
  if (one.postfilter) query.postfilter();
  if (one.limit !== undefined) query.limit(one.limit);
  if (one.offset !== undefined) query.offset(one.offset);
  if (one.select !== undefined) query.select(one.select);
  if (one.metric !== undefined) query.distanceType(one.metric);
  if (one.upper !== undefined) query.distanceRange(undefined, one.upper);
  return query;
}

const contentOf = (found: arrow.Table) => ({
  schema: String(found.schema),
  rows: found.toArray().map((row) => String(row)),
});

describe("searchMany", () => {
  test("gives for every search what it alone finds, whatever the searches are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 6 }), async (all) => {
        const together = await table.searchMany(all.map(queryOf));
        expect(together).toHaveLength(all.length);
        for (const [i, one] of all.entries()) {
          expect(contentOf(together[i]!)).toEqual(contentOf(await queryOf(one).toArrow()));
        }
      }),
      { numRuns: 25 },
    );
  });

  test("takes bare vectors, and promises of them, beside queries", async () => {
    const v = [1, 2, 3];
    const wide = table.vectorSearch(v).column("near").limit(2);
    const narrow = await db.createTable("narrow", table.query().select(["id", "near"]).limit(50), {});
    const [a, b] = await narrow.searchMany([v, Promise.resolve(Float32Array.from(v)), wide]);
    expect(a?.numRows).toBe(10);
    expect(contentOf(a!)).toEqual(contentOf(b!));
    expect(await table.searchMany([])).toEqual([]);
  });

  test("a search that makes no sense fails all of them, before anything is read", async () => {
    const good = table.vectorSearch([1, 2, 3]).column("near");
    const failing = [
      table.vectorSearch([1, 2]).column("near"),
      table.vectorSearch([1, 2, 3]).column("nowhere"),
      table.vectorSearch([1, 2, 3]).column("near").where("nonsense > 1"),
      table.vectorSearch([1, 2, 3]).column("near").limit(0),
    ];
    for (const bad of failing) {
      await expect(table.searchMany([good, bad])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });

  test("ends with its signal or its time limit", async () => {
    const search = [table.vectorSearch([1, 2, 3]).column("near")];
    await expect(table.searchMany(search, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "CANCELED" });
    await expect(table.searchMany(search, { timeoutMs: 0 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});
