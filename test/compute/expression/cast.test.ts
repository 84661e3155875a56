import {
  type Data,
  type DataType,
  Decimal,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int32,
  Int64,
  List,
  makeData,
  Timestamp,
  Uint8,
  Uint64,
  Utf8,
  Vector,
  vectorFromArray,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import { castData } from "../../../src/compute/expression/cast.js";

const doubles = (...values: number[]) => makeData({ type: new Float64(), data: Float64Array.from(values) });
const longs = (...values: bigint[]) => makeData({ type: new Int64(), data: BigInt64Array.from(values) });
const texts = (...values: (string | null)[]) => vectorFromArray(values, new Utf8()).data[0] as Data;
const read = (data: Data, type: DataType) => [...new Vector([castData(data, type)])];

describe("fitting values to a column", () => {
  test.each([
    ["300 to int8", longs(300n), new Int8()],
    ["-1 to uint8", longs(-1n), new Uint8()],
    ["-1 to uint64", longs(-1n), new Uint64()],
    ["2^31 to int32", longs(2n ** 31n), new Int32()],
    ["NaN to int32", doubles(Number.NaN), new Int32()],
    ["1e300 to int64", doubles(1e300), new Int64()],
    ["2^63 to int64", doubles(2 ** 63), new Int64()],
    ["text to int32", texts("12x"), new Int32()],
    ["1234567 to decimal(5, 2)", longs(1234567n), new Decimal(2, 5, 128)],
    [
      "seconds beyond nanoseconds",
      makeData({ type: new Timestamp(0, null), data: BigInt64Array.of(2n ** 62n) }),
      new Timestamp(3, null),
    ],
  ])("%s does not wrap but is an error", (_, data, type) => {
    expect(() => castData(data as Data, type)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("types that have nothing in common are a schema mismatch", () => {
    const list = new List(new Field("item", new Int32(), true));
    expect(() => castData(longs(1n), list)).toThrow(expect.objectContaining({ code: "SCHEMA_MISMATCH" }));
  });

  test("what fits keeps its value and its NULLs", () => {
    expect(read(longs(127n, -128n), new Int8())).toEqual([127, -128]);
    expect(read(doubles(2.9, -2.9), new Int32())).toEqual([2, -2]);
    expect(read(doubles(0.1), new Float32())).toEqual([Math.fround(0.1)]);
    expect(read(texts("1", null, "-7"), new Int64())).toEqual([1n, null, -7n]);
    expect(read(longs(2n ** 63n - 1n), new Uint64())).toEqual([2n ** 63n - 1n]);
    expect(read(texts(null), new Float64())).toEqual([null]);
  });

  test("a list becomes a vector when it has the right length", () => {
    const list = vectorFromArray([[1, 2], null], new List(new Field("item", new Float64(), true))).data[0] as Data;
    const pair = new FixedSizeList(2, new Field("item", new Float32(), true));
    const triple = new FixedSizeList(3, new Field("item", new Float32(), true));
    const [first, second] = read(list, pair) as [Vector, null];
    expect([...first]).toEqual([1, 2]);
    expect(second).toBeNull();
    expect(() => castData(list, triple)).toThrow(/2 items/);
  });

  test("data that already has the type is passed on untouched", () => {
    const data = longs(1n);
    expect(castData(data, new Int64())).toBe(data);
  });
});
