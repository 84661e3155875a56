import { Field, Float64, Int64, makeData, RecordBatch, Schema, Struct, Utf8, vectorFromArray } from "apache-arrow";
import { describe, expect, it } from "vitest";
import type { EncodedDataFile } from "../../../../src/data/codec.js";
import { openContainer } from "../../../../src/data/lance/container.js";
import { encodeLanceFile } from "../../../../src/data/lance/encode/file.js";
import { batchOf, chance, MemorySource, sampleColumn, TYPES, tableSchema } from "../samples.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

async function pageOf(encoded: EncodedDataFile, column = 0, page = 0) {
  const source = new MemorySource(encoded.chunks);
  const container = await openContainer(source);
  const info = (await container.column(column)).pages[page]!;
  return {
    ...info,
    container,
    bytes: info.buffers.map(({ start, end }) => source.bytes.subarray(start, end)),
    layout: hex(info.encoding.value),
  };
}

const int64 = (values: readonly (bigint | null)[]) => vectorFromArray(values, new Int64()).data[0]!;

describe("bytes of Lance files", () => {
  it("writes int64 [1, null, 3] as native does, byte for byte", async () => {
    const { batch, schema } = batchOf({ id: int64([1n, null, 3n]) });
    const page = await pageOf(encodeLanceFile([batch], schema, "2.2"));
    expect(page.encoding.typeUrl).toBe("/lance.encodings21.PageLayout");
    expect(page.layout).toBe("0a1512040a0208101a040a02084032010338014803" + "5001");
    expect(page.bytes.map(hex)).toEqual([
      "40000000",
      "0300060018000000" + "000001000000fefe" + "010000000000000000000000000000000300000000000000",
    ]);
  });

  it("writes 16-bit sizes and no mark of large chunks in 2.1", async () => {
    const { batch, schema } = batchOf({ id: int64([1n, null, 3n]) });
    const page = await pageOf(encodeLanceFile([batch], schema, "2.1"));
    expect(page.layout).toBe("0a1312040a0208101a040a020840320103380148" + "03");
    expect(hex(page.bytes[0]!)).toBe("4000");
    expect(hex(page.bytes[1]!.subarray(0, 8))).toBe("030006001800" + "fefe");
  });

  it.each([
    ["2.2", [2, 2], [2, 2]],
    ["2.1", [2, 1], [2, 1]],
    ["2.0", [0, 3], [2, 0]],
  ] as const)(
    "gives data format %s the version %j in the footer and %j in the manifest",
    (fileVersion, footer, listed) => {
      const { batch, schema } = batchOf({ id: int64([1n]) });
      const encoded = encodeLanceFile([batch], schema, fileVersion);
      const { bytes } = new MemorySource(encoded.chunks);
      const view = new DataView(bytes.buffer, bytes.length - 8, 8);
      expect([view.getUint16(0, true), view.getUint16(2, true)]).toEqual(footer);
      expect([encoded.majorVersion, encoded.minorVersion]).toEqual(listed);
      expect(Buffer.from(bytes.subarray(-4)).toString("latin1")).toBe("LANC");
      expect(encoded.sizeBytes).toBe(bytes.length);
    },
  );

  it("lists the leaves of nested columns in 2.1 and later, and every node in 2.0", () => {
    const { batch, schema } = batchOf({
      id: sampleColumn("int32", TYPES.int32!, 3, "none", 1),
      s: sampleColumn("struct", TYPES.struct!, 3, "none", 1),
      l: sampleColumn("listStruct", TYPES.listStruct!, 3, "none", 1),
    });
    expect(encodeLanceFile([batch], schema, "2.2")).toMatchObject({
      fields: [0, 2, 3, 5, 8, 10],
      columnIndices: [0, 1, 2, 3, 4, 5],
    });
    expect(encodeLanceFile([batch], schema, "2.0").fields).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("starts every buffer at a multiple of 64 and fills the gaps with 0x48", async () => {
    const { batch, schema } = batchOf({ a: int64([1n, null]), b: int64([5n, null]) });
    const encoded = encodeLanceFile([batch], schema);
    const source = new MemorySource(encoded.chunks);
    for (const column of [0, 1]) {
      for (const { start, end } of (await pageOf(encoded, column)).buffers) {
        expect(start % 64).toBe(0);
        expect([...source.bytes.subarray(end, Math.ceil(end / 64) * 64)].every((byte) => byte === 0x48)).toBe(true);
      }
    }
  });

  it("puts values without nulls into the file as they are, without a copy", async () => {
    const values = new BigInt64Array(10_000).map((_, i) => BigInt(i));
    const data = makeData({ type: new Int64(), length: values.length, nullCount: 0, data: values });
    const { batch, schema } = batchOf({ id: data });
    const encoded = encodeLanceFile([batch], schema);
    expect(encoded.chunks.some((chunk) => chunk.buffer === values.buffer)).toBe(true);
    const page = await pageOf(encoded);
    expect(page.buffers).toHaveLength(1);
    expect(hex(page.bytes[0]!)).toBe(hex(new Uint8Array(values.buffer)));
  });

  it("takes no page buffers for a column of one value, and none for one of nulls", async () => {
    const { batch, schema } = batchOf({ one: int64([7n, 7n, 7n]), none: int64([null, null, null]) });
    const encoded = encodeLanceFile([batch], schema);
    expect(await pageOf(encoded, 0)).toMatchObject({ rows: 3, buffers: [], layout: "120d2a010132080700000000000000" });
    expect(await pageOf(encoded, 1)).toMatchObject({ rows: 3, buffers: [], layout: "12032a0103" });
  });

  it("numbers the first row of each page, and keeps pages near 8 MiB", async () => {
    const random = chance(1);
    const values = new Float64Array(2_500_000).map(() => random());
    const { batch, schema } = batchOf({
      x: makeData({ type: new Float64(), length: values.length, nullCount: 0, data: values }),
    });
    const source = new MemorySource(encodeLanceFile([batch], schema).chunks);
    const { pages } = await (await openContainer(source)).column(0);
    expect(pages.map(({ firstRow, rows }) => [firstRow, rows])).toEqual([
      [0, 1_048_576],
      [1_048_576, 1_048_576],
      [2_097_152, 402_848],
    ]);
  });

  it("keeps nested pages below the number of levels that a chunk can describe", async () => {
    const rows = 100_000;
    const lists = Array.from({ length: rows }, (_, i) => (i % 50 === 0 ? [i] : i % 3 === 0 ? null : []));
    const { batch, schema } = batchOf({ l: vectorFromArray(lists, TYPES.list!).data[0]! });
    for (const [version, limit] of [
      ["2.2", 32_767],
      ["2.1", 8_192],
    ] as const) {
      const source = new MemorySource(encodeLanceFile([batch], schema, version).chunks);
      const { pages } = await (await openContainer(source)).column(0);
      expect(pages.reduce((sum, page) => sum + page.rows, 0)).toBe(rows);
      for (const page of pages) expect(page.rows).toBeLessThanOrEqual(limit);
    }
  });

  it("writes statistics and checksums behind the descriptor, where native does not look", async () => {
    const { batch, schema } = batchOf({ id: int64([1n]) });
    const source = new MemorySource(encodeLanceFile([batch], schema).chunks);
    const { globalBuffers } = await openContainer(source);
    const starts = globalBuffers.map(({ start, end }) =>
      Buffer.from(source.bytes.subarray(start, end)).toString("latin1"),
    );
    expect(starts).toHaveLength(3);
    expect(starts[1]!.startsWith("JOUSTSTA")).toBe(true);
    expect(starts[2]!.endsWith("JOUSTSUM")).toBe(true);
  });
});

describe("what a Lance file refuses", () => {
  it("a null struct in data format 2.0", () => {
    const { batch, schema } = batchOf({ s: sampleColumn("struct", TYPES.struct!, 5, "all", 1) });
    expect(() => encodeLanceFile([batch], schema, "2.0")).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" }));
  });

  it("a map before data format 2.2", () => {
    const { batch, schema } = batchOf({ m: sampleColumn("map", TYPES.map!, 5, "none", 1) });
    for (const version of ["2.0", "2.1"]) {
      expect(() => encodeLanceFile([batch], schema, version)).toThrow(
        expect.objectContaining({ code: "NOT_SUPPORTED" }),
      );
    }
  });

  it("a data format that is not written", () => {
    const { batch, schema } = batchOf({ id: int64([1n]) });
    for (const version of ["0.1", "2.3"]) {
      expect(() => encodeLanceFile([batch], schema, version)).toThrow(
        expect.objectContaining({ code: "NOT_SUPPORTED" }),
      );
    }
  });

  it("a null in a field that has none", () => {
    const arrow = new Schema([new Field("s", new Utf8(), false)]);
    const children = [vectorFromArray(["a", null], new Utf8()).data[0]!];
    const batch = new RecordBatch(
      arrow,
      makeData({ type: new Struct(arrow.fields), length: 2, nullCount: 0, children }),
    );
    expect(() => encodeLanceFile([batch], tableSchema(arrow))).toThrow(
      expect.objectContaining({ code: "SCHEMA_MISMATCH", details: { fieldId: 0 } }),
    );
  });
});
