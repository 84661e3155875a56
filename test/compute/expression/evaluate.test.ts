import { readFileSync } from "node:fs";
import {
  type Data,
  type DataType,
  Dictionary,
  Field,
  FixedSizeList,
  Float64,
  Int32,
  Int64,
  LargeUtf8,
  makeBuilder,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  tableFromIPC,
  Utf8,
  Vector,
  vectorFromArray,
} from "apache-arrow";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bindExpression, bindFilter } from "../../../src/compute/expression/bind.js";
import { evaluate, selectRows } from "../../../src/compute/expression/evaluate.js";
import { parseExpression, parseTemplate } from "../../../src/compute/expression/parse.js";
import { isTableError, TableError } from "../../../src/support/errors.js";
import { randomFilter } from "./filters.js";

const table = tableFromIPC(readFileSync(new URL("../../../fixtures/expression/table.arrow", import.meta.url)));
const batch = table.batches[0] as RecordBatch;

function batchOf(columns: Readonly<Record<string, Data>>): RecordBatch {
  const fields = Object.entries(columns).map(([name, data]) => new Field(name, data.type as DataType, true));
  const length = Object.values(columns)[0]?.length ?? 0;
  const children = Object.values(columns);
  return new RecordBatch(new Schema(fields), makeData({ type: new Struct(fields), length, nullCount: 0, children }));
}

const rows = (text: string, of: RecordBatch, candidates?: Uint32Array) => [
  ...selectRows(bindFilter(parseExpression(text), of.schema), of, candidates),
];

const values = (text: string, of: RecordBatch) => [
  ...new Vector([evaluate(bindExpression(parseExpression(text), of.schema), of)]),
];

function largeUtf8(texts: readonly string[]): Data {
  const offsets = [0n];
  for (const text of texts) offsets.push((offsets.at(-1) as bigint) + BigInt(Buffer.byteLength(text)));
  const data = Buffer.from(texts.join(""));
  return makeData({
    type: new LargeUtf8(),
    length: texts.length,
    nullCount: 0,
    valueOffsets: BigInt64Array.from(offsets),
    data,
  });
}

describe("rows that a filter selects", () => {
  test("are those where its value is TRUE, whichever way it is computed", () => {
    fc.assert(
      fc.property(randomFilter, fc.integer({ min: 0, max: 3 }), (text, from) => {
        const slice = batch.slice(from, 20) as RecordBatch;
        let found: number[];
        try {
          found = rows(text, slice);
        } catch (error) {
          expect(isTableError(error)).toBe(true);
          return;
        }
        const truth = values(text, slice);
        expect(found).toEqual(truth.flatMap((value, i) => (value === true ? [i] : [])));
        // A slice answers like the same rows of the whole.
        const whole = rows(text, batch).filter((row) => row >= from && row < 20);
        expect(found.map((row) => row + from)).toEqual(whole);
        const candidates = Uint32Array.from([0, 2, 3, 7, 11].map((row) => row + from));
        expect(rows(text, batch, candidates)).toEqual(whole.filter((row) => candidates.includes(row)));
      }),
      { numRuns: 400 },
    );
  });

  test("of a filter that is not boolean are refused", () => {
    expect(() => bindFilter(parseExpression("i32"), table.schema)).toThrow(/does not return a boolean/);
  });

  test("an empty batch has none", () => {
    expect(rows("i32 / 0 = 1 OR s LIKE 'a%'", batch.slice(0, 0) as RecordBatch)).toEqual([]);
  });

  test("a term of AND is not computed where an earlier one is not TRUE", () => {
    expect(rows("z <> 0 AND x / z > 1", batch).length).toBeGreaterThan(0);
    expect(() => rows("x / z > 1", batch)).toThrow(/Division by zero/);
  });

  test("large_utf8 and dictionary columns answer like utf8", () => {
    const texts = ["abc", "", "xyz", "abcd"];
    const builder = makeBuilder({ type: new Dictionary(new Utf8(), new Int32()), nullValues: [null] });
    for (const text of [...texts.slice(0, 3), null]) builder.append(text);
    const some = batchOf({ large: largeUtf8(texts), coded: builder.finish().toVector().data[0] as Data });
    expect(rows("large = 'abc'", some)).toEqual([0]);
    expect(rows("large LIKE 'abc%' AND large != 'abc'", some)).toEqual([3]);
    expect(rows("large IN ('', 'xyz')", some)).toEqual([1, 2]);
    expect(values("upper(large)", some)).toEqual(["ABC", "", "XYZ", "ABCD"]);
    expect(rows("coded = 'abc'", some)).toEqual([0]);
    expect(rows("coded LIKE '%z'", some)).toEqual([2]);
    expect(rows("coded IN ('abc', 'xyz') OR coded IS NULL", some)).toEqual([0, 2, 3]);
    expect(rows("coded = large", some)).toEqual([0, 1, 2]);
    expect(values("coded", some)).toEqual(["abc", "", "xyz", null]);
  });

  test("vectors know NULL and compare with a list", () => {
    const type = new FixedSizeList(2, new Field("item", new Float64(), true));
    const child = makeData({ type: new Float64(), length: 4, nullCount: 0, data: new Float64Array([1, 2, 0, 0]) });
    const vectors = makeData({ type, length: 2, nullCount: 1, nullBitmap: new Uint8Array([1]), child });
    const some = batchOf({ v: vectors });
    expect(rows("v IS NULL", some)).toEqual([1]);
    expect(rows("v = [1, 2]", some)).toEqual([0]);
    expect(rows("v[2] = 2", some)).toEqual([0]);
  });

  test("nothing is below negative infinity, and everything else is not: itself and NaN, too", () => {
    const of = batchOf({
      x: vectorFromArray([Number.NEGATIVE_INFINITY, -1e308, 0, Number.POSITIVE_INFINITY, Number.NaN], new Float64())
        .data[0]!,
    });
    const infinity = "CAST('-Infinity' AS double)";
    expect(rows(`x < ${infinity}`, of)).toEqual([]);
    expect(rows(`x >= ${infinity}`, of)).toEqual([0, 1, 2, 3, 4]);
    expect(rows(`x <= ${infinity}`, of)).toEqual([0]);
    expect(rows(`x > ${infinity}`, of)).toEqual([1, 2, 3, 4]);
    expect(rows(`${infinity} > x`, of)).toEqual([]);
  });

  test("bound values compare in the column's own type", () => {
    const run = (parts: TemplateStringsArray, ...bound: unknown[]) => [
      ...selectRows(bindFilter(parseTemplate([...parts], bound), table.schema), batch),
    ];
    expect(run`id = ${3}`).toEqual([3]);
    expect(run`id IN ${[1, 2n, 99]}`).toEqual([1, 2]);
    expect(run`ts_ms = ${new Date(1_704_067_200_000)}`).toEqual(rows("ts_ms = timestamp '2024-01-01'", batch));
    expect(run`tz_ny = ${new Date(1_704_067_200_000)}`).toEqual(run`tz_us = ${new Date(1_704_067_200_000)}`);
    expect(run`d32 <= ${new Date(0)}`).toEqual(rows("d32 <= date '1970-01-01'", batch));
    expect(run`bin = ${new Uint8Array([1, 2])}`).toEqual(rows("bin = x'0102'", batch));
    expect(() => run`id = ${"3"}`).toThrow(/could not convert to literal/);
    expect(() => run`id = ${1.5}`).toThrow(/could not convert to literal/);
  });
});

describe("names", () => {
  test("the columns that an expression reads are reported once, as paths", () => {
    const bound = bindExpression(
      parseExpression("meta.a.b > 1 AND S = 'x' AND s != 'y' AND meta['a'].b < 3"),
      table.schema,
    );
    expect(bound.columns).toEqual([["meta", "a", "b"], ["s"]]);
  });

  test("a typing error gets the nearest names", () => {
    const attempt = () => bindExpression(parseExpression("fobar = 1"), table.schema);
    expect(attempt).toThrow(/No field named fobar\. Did you mean `fooBar`\?/);
    expect(attempt).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("a string in double quotes is explained", () => {
    expect(() => bindExpression(parseExpression('s = "abc"'), table.schema)).toThrow(/single quotes/);
  });

  test("prototype names are ordinary names", () => {
    const some = batchOf({ constructor: makeData({ type: new Int32(), data: new Int32Array([1, 2]) }) });
    expect(rows("constructor = 2", some)).toEqual([1]);
    expect(() => rows("__proto__ = 2", some)).toThrow(/No field named __proto__/);
    expect(() => rows("tostring(constructor) = 2", some)).toThrow(/Invalid function/);
    expect(() => rows("constructor(1) = 2", some)).toThrow(/Invalid function/);
  });
});

describe("64-bit integers", () => {
  test("compare exactly around 2^53 and at both ends", () => {
    const list = [
      -(2n ** 63n),
      -(2n ** 53n) - 1n,
      -(2n ** 53n),
      -1n,
      0n,
      1n,
      2n ** 53n,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
    ];
    const some = batchOf({ n: makeData({ type: new Int64(), data: BigInt64Array.from(list) }) });
    for (const bound of list) {
      for (const [operator, keep] of [
        ["<", (v: bigint) => v < bound],
        [">=", (v: bigint) => v >= bound],
        ["=", (v: bigint) => v === bound],
        ["!=", (v: bigint) => v !== bound],
      ] as const) {
        expect(rows(`n ${operator} ${bound}`, some)).toEqual(list.flatMap((v, i) => (keep(v) ? [i] : [])));
      }
    }
  });
});

test("text with escapes and any length is read from bytes alone", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }), fc.nat(), (texts, pick) => {
      const some = batchOf({ t: vectorFromArray(texts, new Utf8()).data[0] as Data });
      const wanted = texts[pick % texts.length] as string;
      const found = [...selectRows(bindFilter(parseTemplate(["t = ", ""], [wanted]), some.schema), some)];
      expect(found).toEqual(texts.flatMap((text, i) => (text === wanted ? [i] : [])));
    }),
  );
});

test("an unknown column in a batch is our error, not a crash", () => {
  const bound = bindFilter(parseExpression("i32 = 1"), table.schema);
  const other = batchOf({ x: makeData({ type: new Int32(), data: new Int32Array(1) }) });
  expect(() => selectRows(bound, other)).toThrow(TableError);
});
