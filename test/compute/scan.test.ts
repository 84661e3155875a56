import * as arrow from "apache-arrow";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countRows } from "../../src/compute/count.js";
import { bindExpression, bindFilter } from "../../src/compute/expression/bind.js";
import { parseExpression } from "../../src/compute/expression/parse.js";
import { outputSchema, queryableSchema, type ScanPlan, scan } from "../../src/compute/scan.js";
import { takeOffsets, takeRowIds } from "../../src/compute/take.js";
import { newMetrics } from "../../src/compute/window-reader.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import { encodeRowIdSequence } from "../../src/format/row-ids.js";
import type { TableSchema } from "../../src/format/schema.js";
import { collect, type FragmentSpec, type Row, sampleTable } from "./sample-table.js";

const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), true),
  new arrow.Field("n", new arrow.Int64(), true),
  new arrow.Field("f", new arrow.Float64(), true),
  new arrow.Field("s", new arrow.Utf8(), true),
  new arrow.Field("v", new arrow.FixedSizeList(2, new arrow.Field("item", new arrow.Float32(), true)), true),
]);

const rowOf = fc.record({
  id: fc.integer({ min: 0, max: 30 }),
  n: fc.option(fc.bigInt({ min: -5n, max: 5n }), { nil: null }),
  f: fc.option(fc.constantFrom(-1.5, -0, 0, 2.25, Number.NaN, Number.POSITIVE_INFINITY), { nil: null }),
  s: fc.option(fc.constantFrom("", "a", "abcdefghij", "abcdefghik", "é", "Z"), { nil: null }),
  v: fc.option(fc.constantFrom([1, 2], [3, 4]), { nil: null }),
});

const ALL = ["id", "n", "f", "s", "v"];
const fragmentOf: fc.Arbitrary<FragmentSpec> = fc
  .record({
    rows: fc.array(rowOf, { minLength: 1, maxLength: 12 }),
    files: fc.constantFrom(
      [ALL],
      [
        ["s", "id"],
        ["n", "f", "v"],
      ],
      [["id"], ["v", "s"], ["n"]],
      [["id", "n", "f", "s"]],
    ),
    deleted: fc.uniqueArray(fc.nat(11), { maxLength: 5 }),
  })
  .map((spec) => ({ ...spec, deleted: spec.deleted.filter((offset) => offset < spec.rows.length) }));
const tableOf = fc.array(fragmentOf, { maxLength: 5 });

const filterOf = (schema: TableSchema, text: string) => bindFilter(parseExpression(text), queryableSchema(schema));

const FILTERS: Record<string, (row: Row) => boolean> = {
  "id > 12": (row) => (row.id as number) > 12,
  "n >= 0 AND s = 'a'": (row) => row.n !== null && (row.n as bigint) >= 0n && row.s === "a",
  "s IS NULL OR id < 4": (row) => row.s === null || (row.id as number) < 4,
  "_rowid % 2 = 0": (row) => (row._rowid as bigint) % 2n === 0n,
  "id > 100": () => false,
  "v IS NOT NULL": (row) => row.v !== null,
};

/** Total order of floats; other values by their own order. */
function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    if (a === 0 && b === 0) return Number(Object.is(b, -0)) - Number(Object.is(a, -0));
  }
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}

function ordered(rows: readonly Row[], order: NonNullable<ScanPlan["orderBy"]>): Row[] {
  return rows.toSorted((a, b) => {
    for (const { columnName, ascending = true, nullsFirst = false } of order) {
      const [x, y] = [a[columnName], b[columnName]];
      if (x === null || y === null) {
        if (x !== y) return (x === null) === nullsFirst ? -1 : 1;
        continue;
      }
      const result = compare(x, y);
      if (result !== 0) return ascending ? result : -result;
    }
    return 0;
  });
}

const pick = (row: Row, names: readonly string[]) => Object.fromEntries(names.map((name) => [name, row[name]]));

describe("a scan against a row by row model", () => {
  const orderOf = fc.uniqueArray(
    fc.record({ columnName: fc.constantFrom("id", "n", "f", "s"), ascending: fc.boolean(), nullsFirst: fc.boolean() }),
    { maxLength: 3, selector: (key) => key.columnName },
  );
  const planOf = fc.record(
    {
      filter: fc.option(fc.constantFrom(...Object.keys(FILTERS)), { nil: undefined }),
      limit: fc.option(fc.nat(20), { nil: undefined }),
      offset: fc.option(fc.nat(8), { nil: undefined }),
      order: orderOf,
      columns: fc.option(fc.shuffledSubarray([...ALL, "_rowid"], { minLength: 1 }), { nil: undefined }),
      batchRows: fc.option(fc.integer({ min: 1, max: 7 }), { nil: undefined }),
    },
    { requiredKeys: ["order"] },
  );

  it("filter, order, offset, limit and projection agree over any fragments, files and deletions", async () => {
    await fc.assert(
      fc.asyncProperty(tableOf, planOf, async (specs, { filter, limit, offset, order, columns, batchRows }) => {
        const { source, schema, rows } = await sampleTable(SCHEMA, specs);
        const names = columns ?? [...ALL, "_rowid"];
        const plan: ScanPlan = {
          withRowId: columns === undefined,
          ...(columns === undefined ? {} : { columns: columns.map((name) => ({ name })) }),
          ...(filter === undefined ? {} : { filter: filterOf(schema, filter) }),
          ...(limit === undefined ? {} : { limit }),
          ...(offset === undefined ? {} : { offset }),
          ...(batchRows === undefined ? {} : { batchRows }),
          orderBy: order,
        };
        const matching = filter === undefined ? rows : rows.filter(FILTERS[filter]!);
        const start = offset ?? 0;
        const expected = ordered(matching, order).slice(start, limit === undefined ? undefined : start + limit);
        const sizes: number[] = [];
        async function* sized() {
          for await (const batch of scan(source, plan)) {
            sizes.push(batch.numRows);
            yield batch;
          }
        }
        expect(await collect(sized())).toEqual(expected.map((row) => pick(row, names)));
        expect(sizes.every((size) => size > 0 && size <= (batchRows ?? size))).toBe(true);
        expect(await countRows(source, plan.filter)).toBe(matching.length);
      }),
      { numRuns: 120 },
    );
  });

  it("positions and row ids find exactly their live rows, in scan order", async () => {
    await fc.assert(
      fc.asyncProperty(tableOf, fc.array(fc.nat(40), { maxLength: 20 }), async (specs, picked) => {
        const { source, rows } = await sampleTable(SCHEMA, specs);
        const plan = { columns: [{ name: "s" }, { name: "v" }], withRowId: true };
        const names = ["s", "v", "_rowid"];
        const positions = picked.toSorted((a, b) => a - b).filter((at) => at < rows.length);
        expect(await collect(takeOffsets(source, picked, plan))).toEqual(positions.map((at) => pick(rows[at]!, names)));
        const ids = picked.map((at) => BigInt(at % 6) * 2n ** 32n + BigInt(at % 11));
        const wanted = new Set(ids);
        const found = rows.filter((row) => wanted.has(row._rowid as bigint));
        expect(await collect(takeRowIds(source, ids, plan))).toEqual(found.map((row) => pick(row, names)));
      }),
      { numRuns: 60 },
    );
  });
});

describe("a plan", () => {
  const rows = [
    { id: 1, n: 2n },
    { id: 3, n: null },
  ];

  it("computes expressions over columns and row ids, and says their types before anything is read", async () => {
    const { source, schema } = await sampleTable(SCHEMA, [{ rows }]);
    const bind = (text: string) => bindExpression(parseExpression(text), queryableSchema(schema));
    const plan = {
      columns: [
        { name: "twice", expression: bind("n * 2") },
        { name: "row", expression: bind("_rowid") },
      ],
    };
    expect(await collect(scan(source, plan))).toEqual([
      { twice: 4n, row: 0n },
      { twice: null, row: 1n },
    ]);
    expect(outputSchema(source, plan).fields.map(String)).toEqual(["twice: Int64", "row: Uint64"]);
    expect(source.cache.counters.requests).toBe(1);
  });

  it("orders by a column that is not selected, and by a field inside a struct", async () => {
    const inner = new arrow.Field("x", new arrow.Int32(), true);
    const nested = new arrow.Schema([SCHEMA.fields[0]!, new arrow.Field("st", new arrow.Struct([inner]), true)]);
    const table = await sampleTable(nested, [
      {
        rows: [
          { id: 1, st: { x: 5 } },
          { id: 2, st: null },
          { id: 3, st: { x: 4 } },
          { id: 4, st: { x: null } },
        ],
      },
    ]);
    const columns = [{ name: "id" }];
    expect(await collect(scan(table.source, { columns, orderBy: [{ columnName: "st.x" }] }))).toEqual(
      [3, 1, 2, 4].map((id) => ({ id })),
    );
  });

  it("a result without columns still has its rows", async () => {
    const { source } = await sampleTable(SCHEMA, [{ rows, deleted: [0] }]);
    const batches: number[] = [];
    for await (const batch of scan(source, { columns: [] })) batches.push(batch.numRows);
    expect(batches).toEqual([1]);
    expect(source.cache.counters.requests).toBe(0);
  });

  it("unknown and repeated columns and negative counts are refused before anything is read", async () => {
    const { source } = await sampleTable(SCHEMA, [{ rows }]);
    const refused = (plan: ScanPlan) =>
      expect(() => scan(source, plan)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    refused({ columns: [{ name: "ID" }] });
    refused({ columns: [{ name: "id" }, { name: "id" }] });
    refused({ orderBy: [{ columnName: "nope" }] });
    refused({ limit: -1 });
    refused({ offset: 0.5 });
    expect(source.cache.counters.requests).toBe(0);
  });
});

describe("fragments of many windows", () => {
  const rows = Array.from({ length: 150_000 }, (_, id): Row => ({ id, s: `${id % 1000}` }));
  const deleted = [0, 65_535, 65_536, 149_999];
  const table = sampleTable(SCHEMA, [{ rows, files: [["id"], ["s"]], deleted }]);

  it.each([
    ["few", "id % 1000 = 7", (row: Row) => (row.id as number) % 1000 === 7],
    ["most", "id % 10 > 1", (row: Row) => (row.id as number) % 10 > 1],
    [
      "first few, then most",
      "id < 5 OR id > 70000",
      (row: Row) => (row.id as number) < 5 || (row.id as number) > 70_000,
    ],
  ])("%s rows match: columns read late and columns read at once agree", async (_, text, matches) => {
    const { source, schema } = await table;
    const gone = new Set(deleted);
    const expected = rows.filter((row) => matches(row) && !gone.has(row.id as number));
    const plan = { columns: [{ name: "s" }, { name: "_rowid" }], filter: filterOf(schema, text) };
    const found = await collect(scan(source, plan));
    expect(found.length).toBe(expected.length);
    expect(found.every((row, i) => row.s === expected[i]!.s && row._rowid === BigInt(expected[i]!.id as number))).toBe(
      true,
    );
    expect(await countRows(source, plan.filter)).toBe(expected.length);
    const page = await collect(scan(source, { ...plan, offset: 100, limit: 3 }));
    expect(page.map(({ s }) => s)).toEqual(expected.slice(100, 103).map(({ s }) => s));
  });
});

describe("stable row ids", () => {
  it("come from the fragments, in results, filters and takes, and addresses stay what they are", async () => {
    const table = await sampleTable(SCHEMA, [
      { rows: [{ id: 1 }, { id: 2 }, { id: 3 }], deleted: [0] },
      { rows: [{ id: 4 }] },
    ]);
    const idsOf = [
      encodeRowIdSequence([
        { kind: "range", start: 10, end: 12 },
        { kind: "range", start: 40, end: 41 },
      ]),
      encodeRowIdSequence([{ kind: "range", start: 30, end: 31 }]),
    ];
    const fragments = [...table.source.fragments].map((fragment, i) => ({
      ...fragment,
      rowIds: { kind: "inline", bytes: idsOf[i]! } as const,
    }));
    const source = { ...table.source, fragments: FragmentList.from(fragments), stableRowIds: true };
    const plan = { columns: [{ name: "id" }], withRowId: true };
    expect(await collect(scan(source, { ...plan, withRowAddress: true }))).toEqual([
      { id: 2, _rowid: 11n, _rowaddr: 1n },
      { id: 3, _rowid: 40n, _rowaddr: 2n },
      { id: 4, _rowid: 30n, _rowaddr: 2n ** 32n },
    ]);
    expect(await collect(scan(source, { ...plan, filter: filterOf(table.schema, "_rowid > 20") }))).toHaveLength(2);
    expect(await collect(takeRowIds(source, [30n, 40n, 10n, 5n], plan))).toEqual([
      { id: 3, _rowid: 40n },
      { id: 4, _rowid: 30n },
    ]);
    const none = { ...source, fragments: table.source.fragments };
    await expect(collect(scan(none, plan))).rejects.toMatchObject({ code: "CORRUPT" });
  });
});

describe("what a scan reads", () => {
  const many = (count: number): FragmentSpec[] =>
    Array.from({ length: count }, (_, i) => ({
      rows: Array.from({ length: 10 }, (_, j) => ({ id: i * 10 + j, s: `row ${j}` })),
    }));

  it("a limit without a filter touches only the fragments that it needs", async () => {
    const { source } = await sampleTable(SCHEMA, many(20));
    expect(await collect(scan(source, { columns: [{ name: "id" }], limit: 15 }))).toHaveLength(15);
    expect(source.cache.counters.requests).toBe(2);
  });

  it("a limit with a filter stops reading when it is reached", async () => {
    const { source, schema } = await sampleTable(SCHEMA, many(50));
    const plan = { columns: [{ name: "id" }], filter: filterOf(schema, "s <> 'row 3'"), limit: 12 };
    expect(await collect(scan(source, plan))).toHaveLength(12);
    expect(source.cache.counters.requests).toBeLessThanOrEqual(5);
  });

  it("counting without a filter reads nothing", async () => {
    const { source } = await sampleTable(SCHEMA, many(3));
    expect(await countRows(source)).toBe(30);
    expect(source.cache.counters.requests).toBe(0);
  });

  it("read-ahead stays a few windows in front of a slow consumer", async () => {
    const { source } = await sampleTable(SCHEMA, many(50));
    const batches = scan(source, { columns: [{ name: "id" }], batchRows: 10 });
    await batches.next();
    await new Promise((resolve) => setImmediate(resolve));
    const early = source.cache.counters.requests;
    expect(early).toBeLessThanOrEqual(6);
    await batches.return(undefined);
    await new Promise((resolve) => setImmediate(resolve));
    expect(source.cache.counters.requests).toBe(early);
  });

  it("an abort ends the scan with CANCELED and stops reading", async () => {
    const { source } = await sampleTable(SCHEMA, many(50));
    const abort = new AbortController();
    const batches = scan(source, { batchRows: 5, signal: abort.signal });
    await batches.next();
    abort.abort(new Error("enough"));
    const rest = (async () => {
      for await (const _ of batches);
    })();
    await expect(rest).rejects.toMatchObject({ code: "CANCELED" });
    expect(source.cache.counters.requests).toBeLessThanOrEqual(6);
  });

  it("fragments that statistics rule out are never opened beyond their footers, and are counted", async () => {
    const { source, schema } = await sampleTable(SCHEMA, many(10));
    const metrics = newMetrics();
    const plan = { columns: [{ name: "id" }], filter: filterOf(schema, "id = 42") };
    expect(await collect(scan(source, plan, metrics))).toEqual([{ id: 42 }]);
    expect(metrics).toMatchObject({ fragments: 10, fragmentsPruned: 9, rowsScanned: 10, rowsMatched: 1 });
  });

  it("footers are read once for all scans", async () => {
    const { source, schema } = await sampleTable(SCHEMA, many(4));
    const plan = { filter: filterOf(schema, "id >= 0") };
    await collect(scan(source, plan));
    const first = source.cache.counters.requests;
    await collect(scan(source, plan));
    expect(source.cache.counters.requests).toBe(first);
  });
});
