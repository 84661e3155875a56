/** Scans read into memory that is used again; what they give is nobody else's. */
import * as arrow from "apache-arrow";
import { expect, test } from "vitest";
import { bindFilter } from "../../src/compute/expression/bind.js";
import { parseExpression } from "../../src/compute/expression/parse.js";
import { queryableSchema, type ScanPlan, scan } from "../../src/compute/scan.js";
import { FileCache } from "../../src/data/file-cache.js";
import { lanceCodec } from "../../src/data/lance/codec.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import { memoryStore } from "../../src/store/memory.js";
import { batchOf, cells, sampleColumn, TYPES } from "../data/lance/samples.js";
import { overwritingPool } from "../data/overwriting.js";

const ROWS = 68_000;
const COLUMNS = ["int64", "float64", "utf8", "bool"] as const;

async function sourceOf(keptBytesMax: number) {
  const id = arrow.makeVector(Int32Array.from({ length: ROWS }, (_, i) => i)).data[0]!;
  const columns = COLUMNS.map((name, i) => [name, sampleColumn(name, TYPES[name]!, ROWS, "some", i)] as const);
  const { batch, schema } = batchOf({ id, ...Object.fromEntries(columns) });
  const encoded = await lanceCodec.encode([batch], schema, {});
  const store = memoryStore();
  await store.write("data/a.lance", encoded.chunks, { durable: false });
  const scratch = overwritingPool();
  const cache = new FileCache({ store, codecs: [lanceCodec], keptBytesMax, scratch });
  const fragments = FragmentList.from([{ id: 0, files: [{ path: "a.lance", ...encoded }], physicalRows: ROWS }]);
  return { source: { fragments, schema, cache }, batch };
}

const FILTERS: Record<string, (row: number) => boolean> = {
  "id >= 0": () => true,
  "id % 2 = 0": (row) => row % 2 === 0,
  "id % 9973 = 1": (row) => row % 9973 === 1,
  "id >= 40000 AND id < 40010": (row) => row >= 40_000 && row < 40_010,
  "id < 3 OR id > 67990": (row) => row < 3 || row > 67_990,
};

test.each([
  ["read anew", 0],
  ["kept", 64 << 20],
])("the rows of a filter stay as they are while the scan goes on and others follow: columns %s", async (_, kept) => {
  const { source, batch } = await sourceOf(kept);
  const results: { readonly what: string; readonly found: readonly arrow.RecordBatch[]; readonly rows: number[] }[] =
    [];
  for (const columns of [["id"], ["utf8"], ["id", "bool", "float64"]]) {
    for (const [text, keeps] of Object.entries(FILTERS)) {
      for (const orderBy of [undefined, [{ columnName: "int64" }]]) {
        const filter = bindFilter(parseExpression(text), queryableSchema(source.schema));
        const limit = orderBy === undefined ? {} : { orderBy, limit: 50 };
        const plan: ScanPlan = { filter, columns: columns.map((name) => ({ name })), withRowId: true, ...limit };
        const found: arrow.RecordBatch[] = [];
        for await (const part of scan(source, plan)) found.push(part);
        const ids = found.flatMap((part) => Array.from(part.getChild("_rowid") as Iterable<bigint>, Number));
        if (orderBy === undefined) expect(ids).toEqual(Array.from({ length: ROWS }, (__, i) => i).filter(keeps));
        results.push({ what: `${text}: ${columns}`, found, rows: ids });
      }
    }
  }
  const all = new Map(batch.schema.fields.map(({ name }, i) => [name, cells([batch.data.children[i]!])]));
  for (const { what, found, rows } of results) {
    const names = found[0]?.schema.fields.map(({ name }) => name) ?? [];
    for (const [i, name] of names.slice(0, -1).entries()) {
      const values = cells(found.map((part) => part.data.children[i]!));
      expect(values.length, what).toBe(rows.length);
      expect(
        values.findIndex((value, at) => value !== all.get(name)![rows[at]!]),
        `${what}: ${name}`,
      ).toBe(-1);
    }
  }
});
