import * as arrow from "apache-arrow";
import { describe, expect, it } from "vitest";
import { analyze, explainNearest, explainScan } from "../../src/compute/explain.js";
import { bindFilter } from "../../src/compute/expression/bind.js";
import { parseExpression } from "../../src/compute/expression/parse.js";
import { queryableSchema, scan } from "../../src/compute/scan.js";
import type { Runtime } from "../../src/support/runtime.js";
import { sampleTable } from "./sample-table.js";

const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), true),
  new arrow.Field("s", new arrow.Utf8(), true),
  new arrow.Field("v", new arrow.FixedSizeList(2, new arrow.Field("item", new arrow.Float32(), true)), true),
]);
const SPECS = Array.from({ length: 4 }, (_, i) => ({
  rows: Array.from({ length: 10 }, (_, j) => ({ id: i * 10 + j, s: "x", v: [i, j] })),
}));

async function table() {
  const { source, schema } = await sampleTable(SCHEMA, SPECS);
  return { source: { ...source, version: 7 }, filter: bindFilter(parseExpression("id > 25"), queryableSchema(schema)) };
}

describe("plans in words", () => {
  it("name the steps from the result down to the files, with the fragments that statistics rule out", async () => {
    const { source, filter } = await table();
    const plan = {
      columns: [{ name: "s" }],
      filter,
      orderBy: [{ columnName: "id", ascending: false }],
      limit: 3,
      offset: 1,
    };
    expect((await explainScan(source, plan, "id > 25")).split("\n")).toEqual([
      "Project: s",
      "  Limit: skip=1, fetch=3",
      "    Sort: id DESC NULLS LAST",
      "      Filter: id > 25",
      "        Scan: version=7, columns=[id, s], rows=40, fragments=4, fragments_pruned=2",
    ]);
  });

  it("count the fragments that a limit makes unnecessary, without reading anything", async () => {
    const { source } = await table();
    expect(await explainScan(source, { limit: 15 })).toContain("fragments=4, fragments_pruned=2");
    expect(source.cache.counters.requests).toBe(0);
  });

  it("say where the filter of a search stands", async () => {
    const { source, filter } = await table();
    const plan = { vectors: [[1, 2]], filter, limit: 3 };
    const stepsOf = (text: string) => text.split("\n").map((line) => line.trim().split(":")[0]);
    expect(stepsOf(await explainNearest(source, plan, "id > 25"))).toEqual([
      "Project",
      "Limit",
      "Nearest",
      "Filter",
      "Scan",
    ]);
    const post = await explainNearest(source, { ...plan, postfilter: true }, "id > 25");
    expect(stepsOf(post)).toEqual(["Project", "Filter", "Limit", "Nearest", "Scan"]);
    expect(post).toContain("fragments_pruned=0");
  });

  it("a run adds what it cost", async () => {
    const { source, filter } = await table();
    let now = 0;
    const runtime = { monotonicMs: () => (now += 5) } as Runtime;
    const text = await analyze(source, "Plan", runtime, (metrics) => scan(source, { filter }, metrics));
    expect(text.split("\n")).toEqual([
      "Analyze: elapsed_ms=5.00, output_rows=14, output_batches=1",
      expect.stringMatching(
        /fragments=4, fragments_pruned=2, windows=2, rows_scanned=20, rows_matched=14, bytes_read=\d{3,}, requests=4/,
      ),
      "Plan",
    ]);
  });
});
