/** The arrow codec keeps the contract, and its files are Arrow files for everybody else. */
import * as arrow from "apache-arrow";
import * as arrow15 from "arrow-15";
import * as arrow18 from "arrow-18";
import { expect, test } from "vitest";
import { arrowCodec } from "../../src/data/arrow/codec.js";
import { makeBatch } from "../../src/data/kernels/batches.js";
import { makeColumn } from "../../src/data/kernels/column.js";
import { isTableError } from "../../src/support/errors.js";
import { bytesOfFile, CountingSource, dataFileOf, describeCodec } from "../contract/codec-contract.js";
import { makeBatches, plain, SAMPLES, schemaOf, valuesOf } from "../contract/codec-samples.js";
import { reseal } from "../contract/reseal.js";

describeCodec({ codec: arrowCodec, checksums: true });

const isNew = ["largeList"];

test.each([
  ["15", arrow15],
  ["18", arrow18],
  ["21", arrow],
])("apache-arrow %s reads the files", async (version, foreign) => {
  const other = foreign as unknown as typeof arrow;
  const columns = Object.fromEntries(
    Object.entries(SAMPLES).filter(([name]) => version === "21" || !isNew.includes(name)),
  );
  const schema = schemaOf(columns);
  const batches = makeBatches(schema, columns, 40, "some", 9);
  const encoded = await arrowCodec.encode(batches, schema);
  const table = other.tableFromIPC(bytesOfFile(encoded));
  expect(table.numRows).toBe(40);
  for (const [i, name] of Object.keys(columns).entries()) {
    const read = Array.from(table.getChildAt(i)!, (value) => plainOf(value));
    expect(read, name).toEqual(valuesOf(batches, i));
  }
});

function plainOf(value: unknown): unknown {
  if (typeof value === "object" && value !== null && "toArray" in value && "get" in value && "length" in value) {
    return Array.from(value as unknown as Iterable<unknown>, plainOf);
  }
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !(value instanceof Date)) {
    return Object.entries(value).map(([key, one]) => [key, plainOf(one)]);
  }
  return plain(value);
}

test("a hostile file with valid checksums gives rows or a typed error, whatever byte it lies in", async () => {
  const columns = Object.fromEntries(
    ["bool", "utf8", "largeList", "struct", "dictionary", "vector"].map((name) => [name, SAMPLES[name]!]),
  );
  const schema = schemaOf(columns);
  const encoded = await arrowCodec.encode(makeBatches(schema, columns, 5, "some"), schema);
  const bytes = bytesOfFile(encoded);
  let refused = 0;
  for (let at = 0; at < bytes.byteLength; at++) {
    const change = at % 2 === 0 ? 0x01 : 0xff;
    const damaged = bytes.slice();
    damaged[at]! ^= change;
    try {
      const source = new CountingSource(reseal(damaged, (view) => view.getInt32(view.byteLength - 10, true) + 10));
      const reader = await arrowCodec.open(source, { ...dataFileOf(encoded), sizeBytes: 0 }, schema);
      for await (const batch of reader.read({ schema })) {
        expect(batch.numRows).toBeLessThanOrEqual(5);
        for (let i = 0; i < schema.nodes.length; i++) valuesOf([batch], i);
      }
    } catch (error) {
      if (!isTableError(error, "CORRUPT") && !isTableError(error, "NOT_SUPPORTED")) {
        throw new Error(`byte ${at} ^ ${change}`, { cause: error });
      }
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(500);
});

test("offsets that fall are refused, also where the text they point at exists", async () => {
  const type = new arrow.Utf8();
  const schema = schemaOf({ t: { type, make: () => null } });
  const data = makeColumn(type, {
    length: 3,
    nullCount: 0,
    offsets: Int32Array.of(0, 4, 2, 6),
    values: Buffer.from("abcdef"),
  });
  const encoded = await arrowCodec.encode([makeBatch(schema.arrow, [data], 3)], schema);
  const reader = await arrowCodec.open(new CountingSource(bytesOfFile(encoded)), dataFileOf(encoded), schema);
  await expect(reader.read({ schema })[Symbol.asyncIterator]().next()).rejects.toThrow("offsets of column node 0 fall");
});

test("a child that is present under a null parent does not count as present", async () => {
  const x = new arrow.Field("x", new arrow.Int32(), true);
  const type = new arrow.Struct([x]);
  const schema = schemaOf({ s: { type, make: () => null } });
  const child = makeColumn(x.type, { length: 2, nullCount: 0, values: Int32Array.of(1, 2) });
  const data = makeColumn(type, { length: 2, nullCount: 1, validity: Uint8Array.of(0b01), children: [child] });
  const encoded = await arrowCodec.encode([makeBatch(schema.arrow, [data], 2)], schema);
  const reader = await arrowCodec.open(new CountingSource(bytesOfFile(encoded)), dataFileOf(encoded), schema);
  expect(reader.statistics(schema.nodes[0]!.id)).toEqual({ nullCount: 1 });
  expect(reader.statistics(schema.nodes[0]!.children[0]!.id)).toEqual({ min: 1, max: 2 });
});
