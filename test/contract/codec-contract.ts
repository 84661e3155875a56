/** What every codec of data files promises, as one suite: run it from a test file of each codec. */
import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { ByteSource, EncodedDataFile, FragmentCodec, ReadRequest } from "../../src/data/codec.js";
import type { DataFile } from "../../src/format/fragment.js";
import { nodesDepthFirst, projectSchema, type TableSchema } from "../../src/format/schema.js";
import { isTableError } from "../../src/support/errors.js";
import { makeBatches, type Nulls, SAMPLES, type Sample, schemaOf, valuesOf } from "./codec-samples.js";

export interface CodecUnderTest {
  readonly codec: FragmentCodec;
  /** Samples that the format does not hold. */
  readonly without?: readonly string[];
  /** True when damage is always noticed: a changed byte gives the right rows or an error, never other rows. */
  readonly checksums: boolean;
}

/** A file in memory that counts what is read of it. */
export class CountingSource implements ByteSource {
  readonly path = "data/sample";
  readonly bytes: Uint8Array;
  readBytes = 0;
  requests = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get sizeBytes(): number {
    return this.bytes.byteLength;
  }

  async read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    if (start < 0 || end > this.bytes.byteLength || start > end)
      throw new RangeError(`read outside: ${start} to ${end}`);
    this.requests++;
    this.readBytes += end - start;
    return this.bytes.slice(start, end) as Uint8Array<ArrayBuffer>;
  }
}

export function bytesOfFile(encoded: EncodedDataFile): Uint8Array {
  const bytes = Buffer.concat(encoded.chunks);
  expect(bytes.byteLength).toBe(encoded.sizeBytes);
  return new Uint8Array(bytes);
}

export function dataFileOf(encoded: EncodedDataFile): DataFile {
  const { fields, columnIndices, majorVersion, minorVersion, sizeBytes } = encoded;
  return { path: "sample", fields, columnIndices, majorVersion, minorVersion, sizeBytes };
}

async function readAll(
  codec: FragmentCodec,
  source: ByteSource,
  file: DataFile,
  schema: TableSchema,
  request: Partial<ReadRequest> = {},
): Promise<arrow.RecordBatch[]> {
  const reader = await codec.open(source, file, schema);
  const batches: arrow.RecordBatch[] = [];
  for await (const batch of reader.read({ schema, ...request })) batches.push(batch);
  return batches;
}

/** Equality of many plain values, with a difference to read only when there is one. */
function expectSame(actual: readonly unknown[], expected: readonly unknown[], what: string): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual, what).toEqual(expected);
  expect(actual.length, what).toBe(expected.length);
}

export function describeCodec(under: CodecUnderTest): void {
  const { codec } = under;
  const names = Object.keys(SAMPLES).filter((name) => under.without?.includes(name) !== true);
  const some = (...wanted: string[]): Record<string, Sample> => Object.fromEntries(wanted.map((n) => [n, SAMPLES[n]!]));
  const all = some(...names);

  describe(`the ${codec.dataFormat} codec`, () => {
    describe.each<Nulls>(["none", "some", "all"])("with nulls: %s", (nulls) => {
      test.each([0, 1, 10, 5000])("%i rows of every type come back as they were", async (count) => {
        const schema = schemaOf(all);
        const batches = makeBatches(schema, all, count, nulls);
        const encoded = await codec.encode(batches, schema);
        expect(encoded.rows).toBe(count);
        const read = await readAll(codec, new CountingSource(bytesOfFile(encoded)), dataFileOf(encoded), schema);
        for (const [i, name] of names.entries()) expectSame(valuesOf(read, i), valuesOf(batches, i), name);
        for (const batch of read) expect(batch.schema.fields.map(String)).toEqual(schema.arrow.fields.map(String));
      });
    });

    test("many small batches and slices of batches are one file", async () => {
      const schema = schemaOf(all);
      const batches = makeBatches(schema, all, 300, "some", 7).map((batch) => batch.slice(1, 6));
      const encoded = await codec.encode(batches, schema);
      expect(encoded.rows).toBe(batches.reduce((sum, batch) => sum + batch.numRows, 0));
      const read = await readAll(codec, new CountingSource(bytesOfFile(encoded)), dataFileOf(encoded), schema);
      for (const [i, name] of names.entries()) expectSame(valuesOf(read, i), valuesOf(batches, i), name);
    });

    test("every column can be read alone, and in another order", async () => {
      const schema = schemaOf(all);
      const batches = makeBatches(schema, all, 50, "some");
      const encoded = await codec.encode(batches, schema);
      const source = new CountingSource(bytesOfFile(encoded));
      const reader = await codec.open(source, dataFileOf(encoded), schema);
      for (const [i, name] of names.entries()) {
        const other = names[(i + 5) % names.length]!;
        const wanted = projectSchema(schema, [other, name]);
        const read: arrow.RecordBatch[] = [];
        for await (const batch of reader.read({ schema: wanted })) read.push(batch);
        expect(valuesOf(read, 1), name).toEqual(valuesOf(batches, i));
        expect(valuesOf(read, 0), other).toEqual(valuesOf(batches, (i + 5) % names.length));
      }
    });

    test("a child of a struct can be read without its siblings", async () => {
      const columns = some("int32", "struct", "utf8");
      const schema = schemaOf(columns);
      const batches = makeBatches(schema, columns, 20, "some");
      const encoded = await codec.encode(batches, schema);
      const node = schema.nodes[1]!;
      const type = new arrow.Struct([node.children[1]!.field]);
      const field = new arrow.Field("struct", type, true);
      const wanted = {
        arrow: new arrow.Schema([field]),
        nodes: [{ id: node.id, field, children: [node.children[1]!] }],
      };
      const source = new CountingSource(bytesOfFile(encoded));
      const read = await readAll(codec, source, dataFileOf(encoded), schema, { schema: wanted });
      const whole = valuesOf(batches, 1) as ([string, unknown][] | null)[];
      expect(valuesOf(read, 0)).toEqual(whole.map((value) => (value === null ? null : [value[1]])));
    });

    test("ranges of rows and scattered rows are exactly those rows", async () => {
      const schema = schemaOf(all);
      const batches = makeBatches(schema, all, 5000, "some");
      const encoded = await codec.encode(batches, schema);
      const source = new CountingSource(bytesOfFile(encoded));
      const reader = await codec.open(source, dataFileOf(encoded), schema);
      const expected = names.map((_, i) => valuesOf(batches, i));
      const selections: [ReadRequest["rows"], number[]][] = [
        [{ start: 0, end: 1 }, [0]],
        [{ start: 4999, end: 5000 }, [4999]],
        [{ start: 77, end: 77 }, []],
        [{ start: 1237, end: 1290 }, Array.from({ length: 53 }, (_, k) => 1237 + k)],
        [{ offsets: Uint32Array.of() }, []],
        [{ offsets: Uint32Array.of(0, 9, 10, 11, 2500, 4999) }, [0, 9, 10, 11, 2500, 4999]],
      ];
      for (const [rows, wanted] of selections) {
        const read: arrow.RecordBatch[] = [];
        for await (const batch of reader.read({ schema, rows: rows!, batchRows: 20 })) {
          expect(batch.numRows).toBeLessThanOrEqual(20);
          read.push(batch);
        }
        for (const [i, name] of names.entries()) {
          expectSame(
            valuesOf(read, i),
            wanted.map((row) => expected[i]![row]),
            name,
          );
        }
      }
    });

    test("fewer columns and fewer rows cost fewer bytes", async () => {
      const columns = some("int64", "float64", "utf8", "vector");
      const schema = schemaOf(columns);
      const batches = makeBatches(schema, columns, 200_000, "none");
      const encoded = await codec.encode(batches, schema);
      const bytes = bytesOfFile(encoded);
      const cost = async (request: Partial<ReadRequest>) => {
        const source = new CountingSource(bytes);
        await readAll(codec, source, dataFileOf(encoded), schema, request);
        return source.readBytes;
      };
      const whole = await cost({});
      const one = await cost({ schema: projectSchema(schema, ["int64"]) });
      expect(whole).toBeLessThanOrEqual(bytes.byteLength * 1.1 + 200_000);
      expect(one).toBeLessThan(whole * 0.6);
      const few = await cost({ schema: projectSchema(schema, ["int64"]), rows: { start: 150_000, end: 150_010 } });
      expect(few).toBeLessThan(one * 0.9);
    });

    test("field ids decide what a column is, also after renaming and reordering", async () => {
      const columns = some("int32", "utf8");
      const schema = schemaOf(columns);
      const batches = makeBatches(schema, columns, 5, "none");
      const encoded = await codec.encode(batches, schema);
      expect(encoded.fields).toEqual(
        codec.dataFormat === "lance" ? encoded.fields : nodesDepthFirst(schema).map((node) => node.id),
      );
      const [a, b] = schema.nodes;
      const field = new arrow.Field("renamed", a!.field.type, true);
      const wanted = { arrow: new arrow.Schema([b!.field, field]), nodes: [b!, { id: a!.id, field, children: [] }] };
      const source = new CountingSource(bytesOfFile(encoded));
      const read = await readAll(codec, source, dataFileOf(encoded), wanted, { schema: wanted });
      expect(valuesOf(read, 1)).toEqual(valuesOf(batches, 0));
      expect(read[0]!.schema.fields[1]!.name).toBe("renamed");
    });

    test("statistics hold for every value, and say nothing where they cannot", async () => {
      const columns: Record<string, Sample> = {
        ...some("int8", "uint32", "int64", "uint64", "float64", "utf8", "bool", "timestampMs", "struct", "list"),
        nan: { type: new arrow.Float64(), make: (i) => (i === 3 ? Number.NaN : i) },
        long: { type: new arrow.Utf8(), make: (i) => `${"x".repeat(80)}${i}` },
      };
      const schema = schemaOf(columns);
      const encoded = await codec.encode(makeBatches(schema, columns, 100, "some"), schema);
      const reader = await codec.open(new CountingSource(bytesOfFile(encoded)), dataFileOf(encoded), schema);
      const of = (name: string) => reader.statistics(schema.nodes.find((node) => node.field.name === name)!.id);
      expect(of("int8")).toEqual({ min: -128, max: -29, nullCount: 25 });
      expect(of("uint32")).toEqual({ min: 4_294_967_196, max: 4_294_967_295, nullCount: 25 });
      expect(of("int64")).toEqual({ min: 99n * -9_007_199_254_741n, max: 0n, nullCount: 25 });
      const unsigned = of("uint64");
      if (unsigned?.min !== undefined) {
        expect(unsigned).toEqual({ min: 18_446_744_073_709_551_516n, max: 18_446_744_073_709_551_615n, nullCount: 25 });
      }
      expect(of("float64")).toEqual({ min: 0, max: 33, nullCount: 25 });
      expect(of("bool")).toEqual({ min: false, max: true, nullCount: 25 });
      expect(of("timestampMs")).toEqual({ min: 0n, max: 99n, nullCount: 25 });
      expect(of("nan")?.max).toBeUndefined();
      const long = of("long");
      expect(long!.min! <= `${"x".repeat(80)}0`).toBe(true);
      if (long?.max !== undefined) expect(long.max >= `${"x".repeat(80)}99`).toBe(true);
      const x = reader.statistics(schema.nodes.find((node) => node.field.name === "struct")!.children[0]!.id);
      if (x?.nullCount !== undefined) expect(x.nullCount).toBe(25);
    });

    test("a changed or missing byte gives the right rows or an error that names the file", async () => {
      const columns = some("int32", "utf8", "list", "dictionary");
      const wanted = Object.fromEntries(Object.entries(columns).filter(([name]) => names.includes(name)));
      const schema = schemaOf(wanted);
      const batches = makeBatches(schema, wanted, 3, "some");
      const encoded = await codec.encode(batches, schema);
      const bytes = bytesOfFile(encoded);
      const file = dataFileOf(encoded);
      const expected = Object.keys(wanted).map((_, i) => valuesOf(batches, i));
      const attempt = async (damaged: Uint8Array, what: string) => {
        try {
          const read = await readAll(codec, new CountingSource(damaged), { ...file, sizeBytes: 0 }, schema);
          if (under.checksums)
            expect(
              expected.map((_, i) => valuesOf(read, i)),
              what,
            ).toEqual(expected);
          return true;
        } catch (error) {
          if (!isTableError(error, "CORRUPT") && !isTableError(error, "NOT_SUPPORTED"))
            throw new Error(what, { cause: error });
          if (error.code === "CORRUPT") expect(error.details.path, what).toBe("data/sample");
          return false;
        }
      };
      let noticed = 0;
      for (let at = 0; at < bytes.byteLength; at++) {
        const damaged = bytes.slice();
        damaged[at]! ^= 1 << (at % 8);
        if (!(await attempt(damaged, `bit ${at % 8} of byte ${at}`))) noticed++;
        if (await attempt(bytes.slice(0, at), `first ${at} bytes`))
          throw new Error(`${at} bytes were taken for the whole`);
      }
      if (under.checksums) expect(noticed).toBe(bytes.byteLength);
    });

    test("a file of another size than the manifest says is damaged", async () => {
      const columns = some("int32");
      const schema = schemaOf(columns);
      const encoded = await codec.encode(makeBatches(schema, columns, 3, "none"), schema);
      const longer = new Uint8Array([...bytesOfFile(encoded), 0]);
      await expect(codec.open(new CountingSource(longer), dataFileOf(encoded), schema)).rejects.toMatchObject({
        code: "CORRUPT",
      });
    });

    test("a failing read is passed on as it is", async () => {
      const columns = some("int64", "utf8", "vector");
      const schema = schemaOf(columns);
      const encoded = await codec.encode(makeBatches(schema, columns, 60_000, "none"), schema);
      const source = new CountingSource(bytesOfFile(encoded));
      const whole = await readAll(codec, source, dataFileOf(encoded), schema);
      expect(whole.reduce((sum, batch) => sum + batch.numRows, 0)).toBe(60_000);
      const { requests } = source;
      for (let failing = 1; failing <= requests; failing++) {
        const flaky = new CountingSource(source.bytes);
        const read = flaky.read.bind(flaky);
        flaky.read = async (start, end) => {
          const bytes = await read(start, end);
          if (flaky.requests === failing) throw new Error("the disk is gone");
          return bytes;
        };
        await expect(readAll(codec, flaky, dataFileOf(encoded), schema)).rejects.toThrow("the disk is gone");
      }
    });
  });
}
