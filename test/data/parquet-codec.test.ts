/** The parquet codec keeps the contract, and its files are Parquet files for everybody else. */
import * as arrow from "apache-arrow";
import { parquetMetadata } from "hyparquet";
import { expect, test } from "vitest";
import { parquetCodec } from "../../src/data/parquet/codec.js";
import { nodesDepthFirst, projectSchema } from "../../src/format/schema.js";
import { isTableError } from "../../src/support/errors.js";
import { bytesOfFile, CountingSource, dataFileOf, describeCodec } from "../contract/codec-contract.js";
import { makeBatches, SAMPLES, type Sample, schemaOf, valuesOf } from "../contract/codec-samples.js";
import { reseal } from "../contract/reseal.js";

describeCodec({ codec: parquetCodec, checksums: true });

const some = (...names: string[]): Record<string, Sample> => Object.fromEntries(names.map((n) => [n, SAMPLES[n]!]));

test("another Parquet reader finds the rows, the field ids and exact statistics of every row group", async () => {
  const columns = some("int32", "struct", "vector");
  const schema = schemaOf(columns);
  const encoded = await parquetCodec.encode(makeBatches(schema, columns, 200_000, "none"), schema);
  const metadata = parquetMetadata(bytesOfFile(encoded).buffer as ArrayBuffer);
  expect(metadata.num_rows).toBe(200_000n);
  expect(metadata.row_groups.map((group) => group.num_rows)).toEqual([131_072n, 68_928n]);
  const ids = metadata.schema.map((element) => element.field_id).filter((id) => id !== undefined);
  expect(ids).toEqual(nodesDepthFirst(schema).map((node) => node.id));
  const vector = metadata.row_groups[0]!.columns.find((column) => column.meta_data!.path_in_schema[0] === "vector");
  expect(vector!.meta_data!.encodings).not.toContain("RLE_DICTIONARY");
  expect(vector!.meta_data!.codec).toBe("ZSTD");
  const bounds = metadata.row_groups.map((group) => group.columns[0]!.meta_data!.statistics);
  expect(bounds.map((one) => [one?.min_value, one?.max_value])).toEqual([
    [-7, 131_071 * 1000 - 7],
    [131_072 * 1000 - 7, 199_999 * 1000 - 7],
  ]);
});

test("columns whose names look like paths of others are told apart", async () => {
  const columns: Record<string, Sample> = {
    "a.b": SAMPLES.int32!,
    a: {
      type: new arrow.Struct([new arrow.Field("b", new arrow.Int32(), true)]),
      make: (i) => ({ b: i }),
    },
    "a.b.c": SAMPLES.utf8!,
    "": SAMPLES.int64!,
  };
  const schema = schemaOf(columns);
  const batches = makeBatches(schema, columns, 10, "some");
  const encoded = await parquetCodec.encode(batches, schema);
  const reader = await parquetCodec.open(new CountingSource(bytesOfFile(encoded)), dataFileOf(encoded), schema);
  for (const [i, name] of Object.keys(columns).entries()) {
    const read: arrow.RecordBatch[] = [];
    for await (const batch of reader.read({ schema: projectSchema(schema, [name]) })) read.push(batch);
    expect(valuesOf(read, 0), name).toEqual(valuesOf(batches, i));
  }
});

test("a hostile file with valid checksums gives rows or a typed error, and the next file is read", async () => {
  const columns = some("int32", "utf8", "list");
  const schema = schemaOf(columns);
  const batches = makeBatches(schema, columns, 5, "some");
  const encoded = await parquetCodec.encode(batches, schema);
  const bytes = bytesOfFile(encoded);
  const read = async (file: Uint8Array) => {
    const reader = await parquetCodec.open(new CountingSource(file), { ...dataFileOf(encoded), sizeBytes: 0 }, schema);
    const out: arrow.RecordBatch[] = [];
    for await (const batch of reader.read({ schema })) out.push(batch);
    return out;
  };
  let refused = 0;
  for (let at = 0; at < bytes.byteLength; at++) {
    const damaged = bytes.slice();
    damaged[at]! ^= at % 2 === 0 ? 0x01 : 0xff;
    try {
      await read(reseal(damaged, (view) => view.getUint32(view.byteLength - 8, true) + 8));
    } catch (error) {
      if (!isTableError(error, "CORRUPT")) throw new Error(`byte ${at}`, { cause: error });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(100);
  expect(valuesOf(await read(bytes), 1)).toEqual(valuesOf(batches, 1));
});
