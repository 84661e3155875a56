import { type Data, type FixedSizeList, Float64, makeData, type RecordBatch, vectorFromArray } from "apache-arrow";
import { describe, expect, it } from "vitest";
import type { DataFileReader, EncodedDataFile, RowSelection } from "../../../src/data/codec.js";
import { lanceCodec } from "../../../src/data/lance/codec.js";
import type { DataFile } from "../../../src/format/fragment.js";
import type { TableSchema } from "../../../src/format/schema.js";
import { isTableError } from "../../../src/support/errors.js";
import { overwritingPool } from "../overwriting.js";
import { batchOf, cells, MemorySource, type Nulls, sampleColumn, TYPES } from "./samples.js";

const VERSIONS = ["2.2", "2.1", "2.0"] as const;
const NULLS: readonly Nulls[] = ["none", "some", "all"];

function dataFile(encoded: EncodedDataFile): DataFile {
  const { fields, columnIndices, majorVersion, minorVersion, sizeBytes } = encoded;
  return { path: "test.lance", fields, columnIndices, majorVersion, minorVersion, sizeBytes };
}

async function open(encoded: EncodedDataFile, schema: TableSchema): Promise<DataFileReader> {
  return await lanceCodec.open(new MemorySource(encoded.chunks), dataFile(encoded), schema);
}

async function readCells(reader: DataFileReader, schema: TableSchema, rows?: RowSelection): Promise<string[][]> {
  const batches: RecordBatch[] = [];
  for await (const batch of reader.read(rows === undefined ? { schema } : { schema, rows })) batches.push(batch);
  return schema.nodes.map((_, i) => cells(batches.map((batch) => batch.data.children[i] as Data)));
}

const isWide = (name: string) => name === "vector64" || name === "vector100";

const holds = (version: string, name: string, nulls: Nulls) =>
  (name !== "map" || version === "2.2") &&
  (version !== "2.0" || nulls === "none" || !name.toLowerCase().includes("struct"));

describe.each(VERSIONS)("the lance codec, data format %s", (fileVersion) => {
  it.each(NULLS)("reads back every type with nulls: %s", async (nulls) => {
    for (const [name, type] of Object.entries(TYPES)) {
      if (!holds(fileVersion, name, nulls)) continue;
      for (const rows of [1, 10, isWide(name) ? 100 : 1100]) {
        const column = sampleColumn(name, type, rows, nulls, rows);
        const { batch, schema } = batchOf({ column });
        const encoded = await lanceCodec.encode([batch], schema, { fileVersion });
        const found = await readCells(await open(encoded, schema), schema);
        expect(found, `${name} × ${rows}`).toEqual([cells([column])]);
      }
    }
  });

  it.each(NULLS)(
    "reads every type into memory that is used again, one batch after the other, with nulls: %s",
    async (nulls) => {
      for (const [name, type] of Object.entries(TYPES)) {
        if (!holds(fileVersion, name, nulls)) continue;
        const column = sampleColumn(name, type, isWide(name) ? 100 : 1100, nulls, 3);
        const { batch, schema } = batchOf({ column });
        const reader = await open(await lanceCodec.encode([batch], schema, { fileVersion }), schema);
        const scratch = overwritingPool();
        const found: string[] = [];
        // The second time in the memory of the first.
        for (const batchRows of [300, 170]) {
          for await (const part of reader.read({ schema, batchRows, scratch })) {
            found.push(...cells([part.data.children[0] as Data]));
          }
        }
        const expected = cells([column]);
        expect(found, name).toEqual([...expected, ...expected]);
      }
    },
  );

  it("joins slices of batches that start at any row", async () => {
    for (const [name, type] of Object.entries(TYPES)) {
      if (!holds(fileVersion, name, "some")) continue;
      const column = sampleColumn(name, type, 100, "some", 7);
      const { batch, schema } = batchOf({ column });
      const slices = [batch.slice(0, 3), batch.slice(3, 3), batch.slice(3, 40), batch.slice(40, 100)];
      const encoded = await lanceCodec.encode(slices, schema, { fileVersion });
      expect(encoded.rows).toBe(100);
      const found = await readCells(await open(encoded, schema), schema);
      expect(found, name).toEqual([cells([column])]);
    }
  });

  it("finds single rows and ranges again", async () => {
    for (const [name, type] of Object.entries(TYPES)) {
      if (!holds(fileVersion, name, "some")) continue;
      if (isWide(name)) continue;
      const column = sampleColumn(name, type, 1100, "some", 11);
      const { batch, schema } = batchOf({ column });
      const reader = await open(await lanceCodec.encode([batch], schema, { fileVersion }), schema);
      const all = cells([column]);
      const offsets = Uint32Array.of(0, 1, 777, 1023, 1024, 1099);
      expect(await readCells(reader, schema, { offsets }), name).toEqual([[...offsets].map((row) => all[row])]);
      expect(await readCells(reader, schema, { start: 900, end: 1050 }), name).toEqual([all.slice(900, 1050)]);
    }
  });

  it("reads columns of several chunks and pages", async () => {
    for (const name of ["int64", "utf8", "bool", "listUtf8"]) {
      const column = sampleColumn(name, TYPES[name]!, 9000, "some", 13);
      const { batch, schema } = batchOf({ column });
      const reader = await open(await lanceCodec.encode([batch], schema, { fileVersion }), schema);
      expect(await readCells(reader, schema), name).toEqual([cells([column])]);
      expect((await readCells(reader, schema, { start: 4000, end: 4200 }))[0]).toEqual(
        cells([column]).slice(4000, 4200),
      );
    }
  });

  it("keeps a file without rows", async () => {
    const { batch, schema } = batchOf({ a: sampleColumn("int64", TYPES.int64!, 1, "none", 1) });
    for (const batches of [[], [batch.slice(0, 0)]]) {
      const reader = await open(await lanceCodec.encode(batches, schema, { fileVersion }), schema);
      expect(reader.rows).toBe(0);
      expect(await readCells(reader, schema)).toEqual([[]]);
    }
  });

  it("holds rows of more null and empty lists than a chunk can describe", async () => {
    const lists = [Array.from({ length: 90_000 }, (_, i) => (i === 50_000 ? [1n, null] : [])), [[2n]], null, []];
    const column = vectorFromArray(lists, TYPES.listList!).data[0]!;
    const { batch, schema } = batchOf({ column });
    const reader = await open(await lanceCodec.encode([batch], schema, { fileVersion }), schema);
    expect(await readCells(reader, schema)).toEqual([cells([column])]);
  });

  it("keeps statistics by field id", async () => {
    const { batch, schema } = batchOf({
      a: sampleColumn("int32", TYPES.int32!, 50, "some", 3),
      b: sampleColumn("utf8", TYPES.utf8!, 50, "none", 4),
      c: sampleColumn("int64", TYPES.int64!, 50, "all", 5),
    });
    const reader = await open(await lanceCodec.encode([batch], schema, { fileVersion }), schema);
    const present = [...batch.getChildAt(0)!].filter((value) => value !== null) as number[];
    expect(reader.statistics(0)).toEqual({
      min: Math.min(...present),
      max: Math.max(...present),
      nullCount: 50 - present.length,
    });
    const texts = ([...batch.getChildAt(1)!] as string[]).sort((x, y) =>
      Buffer.compare(Buffer.from(x), Buffer.from(y)),
    );
    expect(reader.statistics(1)).toEqual({ min: texts[0], max: texts.at(-1), nullCount: 0 });
    expect(reader.statistics(2)).toEqual({ nullCount: 50 });
    expect(reader.statistics(3)).toBeUndefined();
  });

  it("gives a typed error for any flipped byte of a file", async () => {
    const { batch, schema } = batchOf({
      a: sampleColumn("int64", TYPES.int64!, 40, "some", 3),
      b: sampleColumn("utf8", TYPES.utf8!, 40, "some", 4),
    });
    const encoded = await lanceCodec.encode([batch], schema, { fileVersion });
    const good = new MemorySource(encoded.chunks);
    for (let at = 0; at < good.sizeBytes; at++) {
      const source = new MemorySource(encoded.chunks);
      source.bytes[at]! ^= 1 << (at % 8);
      const error = await lanceCodec
        .open(source, dataFile(encoded), schema)
        .then((reader) => readCells(reader, schema))
        .catch((caught: unknown) => caught);
      expect(isTableError(error, "CORRUPT"), `byte ${at}: ${String(error)}`).toBe(true);
    }
  });
});

describe("the lance codec", () => {
  it("notices a flipped byte of a large file when its page is read, and leaves other columns readable", async () => {
    const { batch, schema } = batchOf({
      a: sampleColumn("int64", TYPES.int64!, 60_000, "none", 3),
      b: sampleColumn("float64", TYPES.float64!, 60_000, "none", 4),
    });
    const encoded = await lanceCodec.encode([batch], schema);
    const source = new MemorySource(encoded.chunks);
    source.bytes[480_000 + 300_000]! ^= 4;
    const reader = await lanceCodec.open(source, dataFile(encoded), schema);
    const only = (i: number): TableSchema => ({
      ...batchOf({ c: batch.data.children[i]! }).schema,
      nodes: [schema.nodes[i]!],
    });
    expect((await readCells(reader, only(0)))[0]).toHaveLength(60_000);
    await expect(readCells(reader, only(1))).rejects.toMatchObject({
      code: "CORRUPT",
      details: { path: source.path, offset: expect.any(Number) },
    });
  });

  it("notices any flipped byte behind the pages of a large file when it is opened", async () => {
    const { batch, schema } = batchOf({ a: sampleColumn("int64", TYPES.int64!, 60_000, "none", 3) });
    const encoded = await lanceCodec.encode([batch], schema);
    const source = new MemorySource(encoded.chunks);
    for (let at = 480_000; at < source.sizeBytes; at++) {
      source.bytes[at]! ^= 1 << (at % 8);
      const error = await lanceCodec.open(source, dataFile(encoded), schema).catch((caught: unknown) => caught);
      expect(isTableError(error, "CORRUPT"), `byte ${at}: ${String(error)}`).toBe(true);
      source.bytes[at]! ^= 1 << (at % 8);
    }
  });

  it("reads a row of a large file without reading the file", async () => {
    const { batch, schema } = batchOf({
      a: sampleColumn("int64", TYPES.int64!, 60_000, "none", 3),
      b: makeData({
        type: TYPES.vector64 as FixedSizeList<Float64>,
        length: 60_000,
        nullCount: 0,
        child: makeData({ type: new Float64(), length: 3_840_000, nullCount: 0, data: new Float64Array(3_840_000) }),
      }),
    });
    const encoded = await lanceCodec.encode([batch], schema);
    const source = new MemorySource(encoded.chunks);
    const reader = await lanceCodec.open(source, dataFile(encoded), schema);
    await readCells(reader, schema, { offsets: Uint32Array.of(31_111) });
    expect(source.sizeBytes).toBeGreaterThan(30_000_000);
    expect(source.bytesRead).toBeLessThan(300_000);
  });
});
