import * as arrow from "apache-arrow";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bindFilter } from "../../src/compute/expression/bind.js";
import { parseExpression } from "../../src/compute/expression/parse.js";
import { completeWindow, copyWindow } from "../../src/compute/late-columns.js";
import { copyPiece, type Piece, pieceOffsets, pieceRows } from "../../src/compute/piece.js";
import { needsOf } from "../../src/compute/plan.js";
import { queryableSchema, scan } from "../../src/compute/scan.js";
import type { FragmentReader } from "../../src/data/fragment.js";
import { makeBatch, sliceRows, takeRows } from "../../src/data/kernels/batches.js";
import { makeColumn } from "../../src/data/kernels/column.js";
import { ScratchPool } from "../../src/data/scratch.js";
import { sampleTable } from "./sample-table.js";

const SCHEMA = new arrow.Schema([
  new arrow.Field("a", new arrow.Int32(), true),
  new arrow.Field("b", new arrow.Int32(), true),
]);

const batchOf = (rows: number): arrow.RecordBatch => {
  const values = Int32Array.from({ length: rows }, (_, i) => i);
  const column = (numbers: Int32Array) => makeColumn(new arrow.Int32(), { length: rows, values: numbers });
  return makeBatch(SCHEMA, [column(values), column(values.map((i) => i * 10))], rows);
};

/** The batch cut at the given rows. */
const cutAt = (batch: arrow.RecordBatch, cuts: readonly number[]) => {
  const edges = [...new Set([0, ...cuts.filter((cut) => cut < batch.numRows), batch.numRows])].sort((x, y) => x - y);
  return edges.slice(1).map((end, i) => sliceRows(batch, edges[i]!, end - edges[i]!));
};

type Range = { readonly start: number; readonly end: number };

/** Column b of rows `start - 100` to `end - 100`, cut at the given rows; a batch is overwritten when the next one is asked for. */
async function* passing(
  whole: arrow.RecordBatch,
  { start, end }: Range,
  cuts: readonly number[],
  schema: arrow.Schema,
) {
  const part = sliceRows(whole, start - 100, end - start);
  for (const batch of cutAt(part, cuts)) {
    const values = (batch.data.children[1]!.values as Int32Array).slice();
    yield makeBatch(schema, [makeColumn(new arrow.Int32(), { length: values.length, values })], values.length);
    values.fill(-1);
  }
}

describe("columns read for a whole window", () => {
  it.each([
    ["where they lie", false],
    ["as copies, out of memory that is used again", true],
  ])("meet their rows wherever the batches of the two reads end: %s", async (_, copied) => {
    const { source } = await sampleTable(SCHEMA, [{ rows: [{ a: 0, b: 0 }], files: [["a", "b"]], deleted: [] }]);
    const fragment = [...source.fragments][0]!;
    const [early, late] = [needsOf(source.schema, ["a"]).schema, needsOf(source.schema, ["b"]).schema];
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 39 }), { maxLength: 6 });
    const check = async (rows: number, first: number[], second: number[], wanted: boolean[]) => {
      if (!wanted.slice(0, rows).includes(true)) return;
      const whole = batchOf(rows);
      const narrow = (batch: arrow.RecordBatch, column: 0 | 1) =>
        makeBatch((column === 0 ? early : late).arrow, [batch.data.children[column]!], batch.numRows);
      const pieces: Piece[] = [];
      let start = 100;
      for (const batch of cutAt(whole, first)) {
        const base = start - 100;
        const hits = Uint32Array.from({ length: batch.numRows }, (_, i) => i).filter((i) => wanted[base + i]);
        if (hits.length > 0) pieces.push({ fragment, batch: narrow(batch, 0), selected: hits, offsets: start });
        start += batch.numRows;
      }
      const reader: FragmentReader = {
        fragment,
        rows: 100 + rows,
        deletions: async () => undefined,
        statistics: async () => new Map(),
        async *read() {
          for (const batch of cutAt(whole, second)) yield narrow(batch, 1);
        },
      };
      const window = { fragment, start: 100, end: 100 + rows };
      const copier: FragmentReader = {
        ...reader,
        read: ({ rows }) => passing(whole, rows as Range, second, late.arrow),
      };
      const copies = pieces.map(copyPiece);
      const found = copied
        ? await copyWindow(copier, copies, source.schema, late, early, new ScratchPool())
        : await completeWindow(reader, window, pieces, source.schema, late, early);
      const seen = found.flatMap((piece) => {
        expect(pieceRows(piece)).toBeGreaterThan(0);
        const picked = piece.selected === undefined ? piece.batch : takeRows(piece.batch, piece.selected);
        const offsets = pieceOffsets(piece);
        return Array.from(offsets, (offset, i) => [
          offset - 100,
          picked.getChildAt(0)!.get(i) as number,
          picked.getChildAt(1)!.get(i) as number,
        ]);
      });
      const expected = Array.from({ length: rows }, (_, i) => [i, i, i * 10]).filter(([i]) => wanted[i!]);
      expect(seen).toEqual(expected);
    };
    const wanted = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 });
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 40 }), cuts, cuts, wanted, check), { numRuns: 300 });
  });
});

describe("columns kept between queries", () => {
  it("stay as the file has them when a caller writes into a result", async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ a: i, b: i * 10 }));
    const { source } = await sampleTable(SCHEMA, [{ rows, files: [["a", "b"]], deleted: [] }]);
    const ask = async (text: string, columns: readonly string[]) => {
      const filter = bindFilter(parseExpression(text), queryableSchema(source.schema));
      const batches: arrow.RecordBatch[] = [];
      for await (const batch of scan(source, { filter, columns: columns.map((name) => ({ name })) }))
        batches.push(batch);
      return batches;
    };
    const values = (batches: readonly arrow.RecordBatch[]) =>
      batches.flatMap((batch) => [...(batch.getChild("a") as arrow.Vector)] as number[]);
    for (const text of ["a >= 0", "a = 7", "a >= 10 AND a < 20"]) {
      for (const columns of [["a"], ["a", "b"]]) {
        const before = await ask(text, columns);
        const expected = values(before);
        for (const batch of before) {
          const { buffer } = batch.getChild("a")!.data[0]!.values as Int32Array;
          new Uint8Array(buffer).fill(0x55);
        }
        expect(values(await ask(text, columns)), `${text} ${columns}`).toEqual(expected);
      }
    }
  });
});
