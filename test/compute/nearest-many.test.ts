/** Many searches over a table whose columns do not fit into the cache: every window is read once for all of them. */
import * as arrow from "apache-arrow";
import { expect, test } from "vitest";
import { bindFilter } from "../../src/compute/expression/bind.js";
import { parseExpression } from "../../src/compute/expression/parse.js";
import { type NearestPlan, nearest, nearestMany } from "../../src/compute/nearest.js";
import { queryableSchema } from "../../src/compute/plan.js";
import { arrowCodec } from "../../src/data/arrow/codec.js";
import type { FragmentCodec } from "../../src/data/codec.js";
import { FileCache } from "../../src/data/file-cache.js";
import { collect, sampleTable } from "./sample-table.js";

const item = new arrow.Field("item", new arrow.Float32(), true);
const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), true),
  new arrow.Field("v", new arrow.FixedSizeList(2, item), true),
]);
const rows = (from: number) =>
  Array.from({ length: 300 }, (_, i) => ({ id: from + i, v: i % 9 === 0 ? null : [(i * 7) % 31, (i * 3) % 17] }));

/** The arrow codec, with a list of the columns that each read asked for. */
function watched(reads: string[]): FragmentCodec {
  return {
    ...arrowCodec,
    encode: (...all) => arrowCodec.encode(...all),
    async open(...all) {
      const reader = await arrowCodec.open(...all);
      return {
        rows: reader.rows,
        statistics: (id) => reader.statistics(id),
        read(request) {
          reads.push(request.schema.nodes.map(({ field }) => field.name).join());
          return reader.read(request);
        },
      };
    },
  };
}

test("searches among different rows share what is read of a window, and find what each finds alone", async () => {
  const sample = await sampleTable(SCHEMA, [{ rows: rows(0), deleted: [1, 5, 250] }, { rows: rows(300) }]);
  const reads: string[] = [];
  const cache = new FileCache({ store: sample.store, codecs: [watched(reads)], keptBytesMax: 0 });
  const source = { ...sample.source, cache };
  const filter = (text: string) => bindFilter(parseExpression(text), queryableSchema(source.schema));
  const vectors = [[3, 4]];
  const plans: NearestPlan[] = [
    { vectors },
    { vectors: [[30, 1]], limit: 3 },
    { vectors, filter: filter("id % 2 = 0"), limit: 40 },
    { vectors: [[9, 9]], filter: filter("id % 2 = 0"), columns: [{ name: "id" }] },
    { vectors, filter: filter("id < 290"), offset: 2 },
    { vectors, filter: filter("id < 290"), postfilter: true },
  ];
  const alone = await Promise.all(plans.map((plan) => collect(nearest(source, plan))));
  reads.length = 0;
  const together = await nearestMany(source, plans);
  const afterRanking = reads.slice(0, 4);
  expect(afterRanking.filter((columns) => columns === "v")).toHaveLength(2);
  expect(afterRanking.filter((columns) => columns === "id")).toHaveLength(2);
  for (const [i, batches] of together.entries()) {
    const found = await collect(
      (async function* () {
        yield* batches;
      })(),
    );
    expect(found).toEqual(alone[i]);
    expect(found.length).toBeGreaterThan(0);
  }
});
