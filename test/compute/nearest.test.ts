import * as arrow from "apache-arrow";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bindExpression, bindFilter } from "../../src/compute/expression/bind.js";
import { parseExpression } from "../../src/compute/expression/parse.js";
import { type NearestPlan, nearest, nearestQueryableSchema, nearestSchema } from "../../src/compute/nearest.js";
import { collect, type FragmentSpec, type Row, sampleTable } from "./sample-table.js";

const vectorOf = (item: arrow.DataType, width: number) =>
  new arrow.FixedSizeList(width, new arrow.Field("item", item, true));
const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), true),
  new arrow.Field("v", vectorOf(new arrow.Float32(), 3), true),
]);

/** The rows that LanceDB was given to learn its answers: two fragments, row 1 deleted, row 2 without a vector. */
const KNOWN: FragmentSpec[] = [
  {
    rows: [
      { id: 0, v: [0, 0] },
      { id: 1, v: [1, 0] },
      { id: 2, v: null },
      { id: 3, v: [1, 0] },
    ],
    deleted: [1],
    id: 1,
  },
  {
    rows: [
      { id: 4, v: [0, 2] },
      { id: 5, v: [0, 0] },
      { id: 6, v: [3, 3] },
      { id: 7, v: [0, 2] },
    ],
    id: 2,
  },
];
const KNOWN_SCHEMA = new arrow.Schema([
  SCHEMA.fields[0]!,
  new arrow.Field("v", vectorOf(new arrow.Float32(), 2), true),
]);

async function search(
  plan: Partial<NearestPlan>,
  schema = KNOWN_SCHEMA,
  specs: readonly FragmentSpec[] = KNOWN,
): Promise<Row[]> {
  const { source } = await sampleTable(schema, specs);
  return collect(nearest(source, { vectors: [[1, 0]], columns: [{ name: "id" }], ...plan }));
}

const pairs = (rows: readonly Row[]) => rows.map((row) => [row.id, row._distance]);
const filterOf = async (text: string) => {
  const { schema } = await sampleTable(KNOWN_SCHEMA, KNOWN);
  return bindFilter(parseExpression(text), nearestQueryableSchema(schema));
};

describe("answers that LanceDB gives for the same rows", () => {
  it("l2 is squared, ties come in scan order, rows without a vector are left out", async () => {
    expect(pairs(await search({ distanceType: "l2" }))).toEqual([
      [3, 0],
      [0, 1],
      [5, 1],
      [4, 5],
      [7, 5],
      [6, 13],
    ]);
  });

  it("cosine leaves out zero vectors, because they have no direction", async () => {
    expect(pairs(await search({ distanceType: "cosine" }))).toEqual([
      [3, 0],
      [6, Math.fround(1 - Math.SQRT1_2)],
      [4, 1],
      [7, 1],
    ]);
    expect(await search({ vectors: [[0, 0]], distanceType: "cosine" })).toEqual([]);
  });

  it("dot is one minus the product", async () => {
    expect(pairs(await search({ distanceType: "dot" }))).toEqual([
      [6, -2],
      [3, 0],
      [0, 1],
      [4, 1],
      [5, 1],
      [7, 1],
    ]);
  });

  it("a query vector with NaN finds nothing", async () => {
    expect(await search({ vectors: [[Number.NaN, 0]] })).toEqual([]);
  });

  it("a distance range has its lower bound and not its upper one", async () => {
    const ids = async (lowerBound: number, upperBound: number) =>
      (await search({ vectors: [[0, 0]], lowerBound, upperBound })).map((row) => row.id);
    expect(await ids(0, 4)).toEqual([0, 5, 3]);
    expect(await ids(4, 18)).toEqual([4, 7]);
    expect(await ids(4, 18.1)).toEqual([4, 7, 6]);
    expect(await ids(0.5, 0.1)).toEqual([]);
  });

  it("a filter comes before the search, or after it and then may leave fewer rows than the limit", async () => {
    const filter = await filterOf("id > 3");
    const plan = { vectors: [[0, 0]], filter, limit: 2 };
    expect(pairs(await search(plan))).toEqual([
      [5, 0],
      [4, 4],
    ]);
    expect(pairs(await search({ ...plan, postfilter: true }))).toEqual([[5, 0]]);
  });

  it("several vectors give their rows one vector after the other, offset and limit counted for each", async () => {
    const vectors = [
      [0, 0],
      [3, 3],
    ];
    const rows = await search({ vectors, limit: 2, offset: 1 });
    expect(rows.map((row) => [row.query_index, row.id, row._distance])).toEqual([
      [0, 5, 0],
      [0, 3, 1],
      [1, 4, 10],
      [1, 7, 10],
    ]);
    expect(Object.keys(rows[0]!)).toEqual(["query_index", "id", "_distance"]);
  });

  it("offset counts beside the limit of ten, and orderBy orders the closest rows", async () => {
    expect(pairs(await search({ vectors: [[0, 0]], offset: 1 }))).toEqual([
      [5, 0],
      [3, 1],
      [4, 4],
      [7, 4],
      [6, 18],
    ]);
    const ordered = await search({ vectors: [[0, 0]], limit: 3, orderBy: [{ columnName: "id", ascending: false }] });
    expect(ordered.map((row) => row.id)).toEqual([5, 3, 0]);
  });

  it("columns stand as selected, then _distance unless selected, then _rowid", async () => {
    const { source, schema } = await sampleTable(KNOWN_SCHEMA, KNOWN);
    const names = (plan: Partial<NearestPlan>) =>
      nearestSchema(source, { vectors: [[1, 0]], ...plan }).fields.map(({ name, type }) => `${name}: ${type}`);
    expect(names({ withRowId: true })).toEqual([
      "id: Int32",
      "v: FixedSizeList[2]<Float32>",
      "_distance: Float32",
      "_rowid: Uint64",
    ]);
    expect(names({ columns: [{ name: "_distance" }, { name: "id" }] })).toEqual(["_distance: Float32", "id: Int32"]);
    const expression = bindExpression(parseExpression("_distance * 2"), nearestQueryableSchema(schema));
    const rows = await collect(
      nearest(source, { vectors: [[1, 0]], columns: [{ name: "d", expression }], limit: 2, withRowId: true }),
    );
    expect(rows).toEqual([
      { d: 0, _distance: 0, _rowid: 2n ** 32n + 3n },
      { d: 2, _distance: 1, _rowid: 2n ** 32n },
    ]);
  });

  it("half and double floats search like single ones; bytes by different bits alone", async () => {
    const table = (item: arrow.DataType, rows: number[][]) =>
      [
        new arrow.Schema([SCHEMA.fields[0]!, new arrow.Field("v", vectorOf(item, 2), true)]),
        [{ rows: rows.map((v, id) => ({ id, v })) }],
      ] as const;
    for (const item of [new arrow.Float16(), new arrow.Float64()]) {
      expect(
        pairs(
          await search(
            { vectors: [[1, 2]] },
            ...table(item, [
              [1, 2],
              [3, 4.5],
            ]),
          ),
        ),
      ).toEqual([
        [0, 0],
        [1, 10.25],
      ]);
      await expect(search({ distanceType: "hamming" }, ...table(item, [[1, 2]]))).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    const bytes = table(new arrow.Uint8(), [
      [1, 2],
      [3, 255],
    ]);
    expect(pairs(await search({ vectors: [[1, 2]] }, ...bytes))).toEqual([
      [0, 0],
      [1, 8],
    ]);
    await expect(search({ distanceType: "l2" }, ...bytes)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a search against the distances of all rows", () => {
  const coordinate = fc.integer({ min: -3, max: 3 });
  const rowArb = fc.record({
    id: fc.nat(50),
    v: fc.option(fc.tuple(coordinate, coordinate, coordinate), { nil: null }),
  });
  const specArb = fc
    .record({
      rows: fc.array(rowArb, { minLength: 1, maxLength: 30 }),
      deleted: fc.uniqueArray(fc.nat(29), { maxLength: 8 }),
    })
    .map((spec) => ({ ...spec, deleted: spec.deleted.filter((offset) => offset < spec.rows.length) }));

  it("finds the closest rows, ties in scan order, whatever is deleted, filtered or without a vector", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(specArb, { minLength: 1, maxLength: 4 }),
        fc.tuple(coordinate, coordinate, coordinate),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(4),
        fc.boolean(),
        async (specs, vector, limit, offset, filtered) => {
          const { source, schema, rows } = await sampleTable(SCHEMA, specs);
          const filter = bindFilter(parseExpression("id < 25"), nearestQueryableSchema(schema));
          const plan = { vectors: [vector], limit, offset, withRowId: true, ...(filtered ? { filter } : {}) };
          const distance = (v: number[]) => v.reduce((sum, x, i) => sum + (x - vector[i]!) ** 2, 0);
          const expected = rows
            .filter((row) => row.v !== null && (!filtered || (row.id as number) < 25))
            .map((row) => ({ id: row.id, v: row.v, _distance: distance(row.v as number[]), _rowid: row._rowid }))
            .sort((a, b) => a._distance - b._distance)
            .slice(offset, offset + limit);
          expect(await collect(nearest(source, plan))).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("unrolled kernels agree with the plain sum at every width", async () => {
    for (let width = 1; width <= 13; width++) {
      const schema = new arrow.Schema([
        SCHEMA.fields[0]!,
        new arrow.Field("v", vectorOf(new arrow.Float64(), width), true),
      ]);
      const v = Array.from({ length: width }, (_, i) => i + 1);
      const query = v.map((x) => 2 * x - 3);
      const [row] = [[{ rows: [{ id: 0, v }] }]];
      const sum = (term: (x: number, q: number) => number) => v.reduce((total, x, i) => total + term(x, query[i]!), 0);
      const product = sum((x, q) => x * q);
      const lengths = Math.sqrt(sum((x) => x * x)) * Math.sqrt(sum((_, q) => q * q));
      for (const [distanceType, value] of [
        ["l2", sum((x, q) => (x - q) ** 2)],
        ["dot", 1 - product],
        ["cosine", 1 - product / lengths],
      ] as const) {
        const [found] = await search({ vectors: [query], distanceType }, schema, row);
        expect(found!._distance).toBeCloseTo(value, 5);
      }
    }
  });
});

describe("what a search refuses", () => {
  const two = new arrow.Schema([...KNOWN_SCHEMA.fields, new arrow.Field("w", vectorOf(new arrow.Float32(), 2), true)]);

  it.each<[string, Partial<NearestPlan>, arrow.Schema]>([
    ["a length that no column has", { vectors: [[1, 2, 3]] }, KNOWN_SCHEMA],
    ["a column left open between two", {}, two],
    ["a column that is no vector", { column: "id" }, KNOWN_SCHEMA],
    ["a column that is not there", { column: "nope" }, KNOWN_SCHEMA],
    ["a vector of another length than the column's", { column: "v", vectors: [[1]] }, KNOWN_SCHEMA],
    ["vectors of different lengths", { vectors: [[1, 2], [1]] }, KNOWN_SCHEMA],
    ["no vector", { vectors: [] }, KNOWN_SCHEMA],
    ["a limit of 0", { limit: 0 }, KNOWN_SCHEMA],
    ["a negative offset", { offset: -1 }, KNOWN_SCHEMA],
  ])("%s", async (_, plan, schema) => {
    await expect(search(plan, schema)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a search that finds no column of the query's dimension says what to do", () => {
  const said = (...fields: arrow.Field[]) =>
    search({ vectors: [[1, 2, 3]] }, new arrow.Schema([SCHEMA.fields[0]!, ...fields]), []).catch(
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );
  const known = "INVALID_ARGUMENT: No vector column found to match with the query vector dimension: 3. ";
  const list = new arrow.Field("embedding", new arrow.List(new arrow.Field("item", new arrow.Float64(), true)), true);

  it("names a column of lists, which rows without a schema become under every name but vector", async () => {
    const message = await said(list);
    expect(message).toContain(`${known}Column "embedding" holds lists of any length`);
    expect(message).toContain('new Field("embedding", new FixedSizeList(3, ');
  });

  it("names the dimensions that there are", async () => {
    const v = new arrow.Field("v", vectorOf(new arrow.Float32(), 4), true);
    expect(await said(list, v)).toBe(
      `${known}Vector columns and their dimensions: "v" (4); search with a vector of one of these lengths.`,
    );
  });

  it("says that there are no vectors at all", async () => {
    expect(await said()).toContain(`${known}The table has no vector column. Create the table with a schema`);
  });
});
