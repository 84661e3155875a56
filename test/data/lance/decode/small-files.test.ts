import type { Data } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { EncodedDataFile } from "../../../../src/data/codec.js";
import { lanceCodec } from "../../../../src/data/lance/codec.js";
import { SmallFiles } from "../../../../src/data/lance/decode/small-files.js";
import { locatePage } from "../../../../src/data/lance/decode/small-page.js";
import type { DataFile } from "../../../../src/format/fragment.js";
import { batchOf, cells, type Nulls, sampleColumn, TYPES } from "../samples.js";

const NESTED = /^(list|struct|map|dictionary|null|vector11Bool)/;
/** Long texts and those with wide offsets have pages of another kind. */
const FLAT = Object.keys(TYPES).filter((name) => !NESTED.test(name) && !/^(large|long)/.test(name));

function fileOf(encoded: EncodedDataFile): { bytes: Uint8Array; file: DataFile } {
  const { fields, columnIndices, majorVersion, minorVersion, sizeBytes } = encoded;
  const file = { path: "test.lance", fields, columnIndices, majorVersion, minorVersion, sizeBytes };
  return { bytes: Buffer.concat(encoded.chunks), file };
}

/** Columns of a table of every flat type, some rows of each. */
function columnsOf(rows: number, nulls: Nulls, seed: number): Record<string, Data> {
  return Object.fromEntries(FLAT.map((name) => [name, sampleColumn(name, TYPES[name]!, rows, nulls, seed)]));
}

const { schema } = batchOf(columnsOf(1, "none", 1));

async function encode(columns: Record<string, Data>, fileVersion = "2.2") {
  return fileOf(await lanceCodec.encode([batchOf(columns).batch], schema, { fileVersion }));
}

describe("the short way through small files", () => {
  test.each(["2.1", "2.2"])(
    "joins files of format %s with one row, with rows that are equal, and with NULLs",
    async (version) => {
      const small = SmallFiles.of(schema)!;
      const parts: Record<string, Data>[] = [];
      for (const [i, nulls] of (["none", "all", "none", "none", "some"] as const).entries()) {
        const columns = columnsOf(1, nulls, i + 1);
        const { bytes, file } = await encode(columns, version);
        expect(small.append(bytes, file, 1), `${nulls} of ${version}`).toBe(true);
        bytes.fill(0xff);
        parts.push(columns);
      }
      const columns = columnsOf(5, "none", 9);
      const { bytes, file } = await encode(columns, version);
      expect(small.append(bytes, file, 5)).toBe(true);
      parts.push(columns);
      expect(small.rows).toBe(10);
      const batch = small.take();
      expect(small.rows).toBe(0);
      expect(batch.numRows).toBe(10);
      for (const [i, name] of FLAT.entries()) {
        expect(cells([batch.data.children[i] as Data]), name).toEqual(cells(parts.map((part) => part[name]!)));
      }
    },
  );

  test("begins with empty columns after each batch that was taken", async () => {
    const small = SmallFiles.of(schema)!;
    for (const seed of [3, 4]) {
      const columns = columnsOf(2, "none", seed);
      const { bytes, file } = await encode(columns);
      expect(small.append(bytes, file, 2)).toBe(true);
      const batch = small.take();
      expect(cells([batch.data.children[0] as Data])).toEqual(cells([columns[FLAT[0]!]!]));
    }
  });

  test("refuses a file with any bit flipped or any end cut off, and appends nothing of it", async () => {
    const { bytes, file } = await encode(columnsOf(2, "none", 5));
    const small = SmallFiles.of(schema)!;
    for (let at = 0; at < bytes.length; at++) {
      bytes[at]! ^= 1 << (at & 7);
      expect(small.append(bytes, file, 2), `bit ${at & 7} of byte ${at}`).toBe(false);
      bytes[at]! ^= 1 << (at & 7);
    }
    for (const length of [0, 1, 39, 40, 64, bytes.length >> 1, bytes.length - 1]) {
      expect(small.append(bytes.subarray(0, length), { ...file, sizeBytes: length }, 2), `${length} bytes`).toBe(false);
    }
    expect(small.append(bytes, { ...file, sizeBytes: bytes.length + 1 }, 2)).toBe(false);
    expect(small.rows).toBe(0);
    expect(small.append(bytes, file, 2)).toBe(true);
  });

  test("refuses a file of another number of rows, without one of the columns, or that has levels", async () => {
    const small = SmallFiles.of(schema)!;
    const { bytes, file } = await encode(columnsOf(2, "none", 6));
    expect(small.append(bytes, file, 1)).toBe(false);
    expect(small.append(bytes, file, 3)).toBe(false);
    expect(small.append(bytes, { ...file, fields: file.fields.slice(1) }, 2)).toBe(false);
    expect(small.append(bytes, { ...file, columnIndices: file.columnIndices.map((i) => i + 1) }, 2)).toBe(false);
    const mixed = await encode(columnsOf(20, "some", 6));
    expect(small.append(mixed.bytes, mixed.file, 20)).toBe(false);
    expect(small.rows).toBe(0);
  });

  test("refuses to repeat the one value of a file for another number of rows", async () => {
    const column = sampleColumn("int64", TYPES.int64!, 1, "none", 1);
    const { batch, schema: own } = batchOf({ column });
    const { bytes, file } = fileOf(await lanceCodec.encode([batch], own));
    const small = SmallFiles.of(own)!;
    expect(small.append(bytes, file, 2)).toBe(false);
    expect(small.append(bytes, file, 1)).toBe(true);
  });

  test("refuses text whose offsets are out of order or lead out of the chunk, though its checksums fit", async () => {
    const column = sampleColumn("utf8", TYPES.utf8!, 3, "none", 1);
    const { bytes } = fileOf(await lanceCodec.encode([batchOf({ column }).batch], batchOf({ column }).schema));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const entry = view.getUint32(bytes.length - 32, true);
    const start = view.getUint32(entry, true);
    const end = start + view.getUint32(entry + 8, true);
    const locate = () => locatePage(bytes, start, end, { rows: 3, holds: "text", width: 0 });
    const page = locate();
    if (page?.kind !== "text") throw new Error("three short texts make one chunk");
    // Behind the chunk words, at the next multiple of 64: header, then the offsets.
    const offsets = 64 + 8;
    expect(page.ends[0]).toBe(offsets + view.getUint32(offsets, true));
    for (const wrong of [0, 1 << 20]) {
      const right = view.getUint32(offsets + 8, true);
      view.setUint32(offsets + 8, wrong, true);
      expect(locate(), `an offset of ${wrong}`).toBeUndefined();
      view.setUint32(offsets + 8, right, true);
    }
    expect(locate()).toBeDefined();
  });

  test("refuses long texts and texts with wide offsets", async () => {
    for (const name of ["largeUtf8", "largeBinary", "longUtf8"]) {
      const { batch, schema: own } = batchOf({ column: sampleColumn(name, TYPES[name]!, 1, "none", 1) });
      const { bytes, file } = fileOf(await lanceCodec.encode([batch], own));
      expect(SmallFiles.of(own)!.append(bytes, file, 1), name).toBe(false);
    }
  });

  test("leaves nested columns and dictionaries to the general reader", () => {
    for (const [name, type] of Object.entries(TYPES)) {
      const { schema: own } = batchOf({ column: sampleColumn(name, type, 1, "none", 1) });
      expect(SmallFiles.of(own) === undefined, name).toBe(NESTED.test(name));
    }
  });
});
