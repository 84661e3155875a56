import * as arrow from "apache-arrow";
import * as arrow15 from "arrow-15";
import * as arrow18 from "arrow-18";
import { describe, expect, test } from "vitest";
import { FragmentList } from "../../src/format/fragment-list.js";
import {
  COLUMNS_MAX,
  fieldsFromSchema,
  findPath,
  type LanceField,
  leavesOf,
  nextFieldId,
  nodesDepthFirst,
  projectSchema,
  SCHEMA_DEPTH_MAX,
  sameType,
  schemaFromFields,
} from "../../src/format/schema.js";

const item = (type: arrow.DataType, name = "item") => new arrow.Field(name, type, true);
const entries = new arrow.Struct([new arrow.Field("key", new arrow.Utf8(), true), item(new arrow.Int32(), "value")]);
const point = new arrow.Struct([item(new arrow.Float32(), "x"), item(new arrow.Float32(), "y")]);

/** Lance's text for every type, as written in the format's specification. */
const TYPES: readonly (readonly [arrow.DataType, string])[] = [
  [new arrow.Null(), "null"],
  [new arrow.Bool(), "bool"],
  [new arrow.Int8(), "int8"],
  [new arrow.Uint64(), "uint64"],
  [new arrow.Float16(), "halffloat"],
  [new arrow.Float32(), "float"],
  [new arrow.Float64(), "double"],
  [new arrow.Utf8(), "string"],
  [new arrow.LargeUtf8(), "large_string"],
  [new arrow.Binary(), "binary"],
  [new arrow.LargeBinary(), "large_binary"],
  [new arrow.FixedSizeBinary(16), "fixed_size_binary:16"],
  [new arrow.DateDay(), "date32:day"],
  [new arrow.DateMillisecond(), "date64:ms"],
  [new arrow.TimeSecond(), "time32:s"],
  [new arrow.TimeMillisecond(), "time32:ms"],
  [new arrow.TimeMicrosecond(), "time64:us"],
  [new arrow.TimeNanosecond(), "time64:ns"],
  [new arrow.TimestampSecond(), "timestamp:s:-"],
  [new arrow.TimestampMicrosecond("UTC"), "timestamp:us:UTC"],
  [new arrow.TimestampNanosecond("+05:30"), "timestamp:ns:+05:30"],
  [new arrow.DurationMillisecond(), "duration:ms"],
  [new arrow.Decimal(2, 10, 128), "decimal:128:10:2"],
  [new arrow.Decimal(-2, 60, 256), "decimal:256:60:-2"],
  [new arrow.FixedSizeList(128, item(new arrow.Float32())), "fixed_size_list:float:128"],
  [
    new arrow.FixedSizeList(2, item(new arrow.FixedSizeList(3, item(new arrow.TimestampSecond("UTC"))))),
    "fixed_size_list:fixed_size_list:timestamp:s:UTC:3:2",
  ],
  [new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8()), "dict:string:int8:false"],
  [new arrow.Dictionary(new arrow.TimestampSecond("UTC"), new arrow.Uint32()), "dict:timestamp:s:UTC:uint32:false"],
  [point, "struct"],
  [new arrow.List(item(new arrow.Int32())), "list"],
  [new arrow.List(item(point, "element")), "list.struct"],
  [new arrow.LargeList(item(new arrow.Int32())), "large_list"],
  [new arrow.LargeList(item(point)), "large_list.struct"],
  [new arrow.Map_(new arrow.Field("entries", entries, false)), "map"],
];

function lance(id: number, parentId: number, name: string, logicalType: string): LanceField {
  return { id, parentId, name, logicalType, nullable: true, metadata: new Map() };
}

test.each(TYPES)("%s is written as %s, and comes back as the same type", (type, text) => {
  const fields = fieldsFromSchema(new arrow.Schema([new arrow.Field("c", type, true)]), 7);
  expect(fields[0]).toMatchObject({ id: 7, parentId: -1, name: "c", logicalType: text, nullable: true });
  const back = schemaFromFields(fields).arrow.fields[0]!;
  expect(String(back.type)).toBe(String(type));
  expect(sameType(back.type, type)).toBe(true);
});

test("no two of these types are the same to each other", () => {
  for (const [a, left] of TYPES) for (const [b, right] of TYPES) expect(sameType(a, b)).toBe(left === right);
});

describe.each([
  ["15", arrow15],
  ["18", arrow18 as unknown as typeof arrow15],
])("types made by apache-arrow %s", (_, other) => {
  test("are recognised by structure, not by class", () => {
    const old = new other.Struct([
      new other.Field("v", new other.FixedSizeList(4, new other.Field("item", new other.Float32(), true)), true),
      new other.Field("t", new other.TimestampMicrosecond("UTC"), true),
      new other.Field("d", new other.Dictionary(new other.Utf8(), new other.Int32()), true),
    ]);
    const fields = fieldsFromSchema(new other.Schema([new other.Field("s", old, true)]) as unknown as arrow.Schema, 0);
    expect(fields.map(({ logicalType }) => logicalType)).toEqual([
      "struct",
      "fixed_size_list:float:4",
      "timestamp:us:UTC",
      "dict:string:int32:false",
    ]);
    expect(sameType(schemaFromFields(fields).arrow.fields[0]!.type, old as unknown as arrow.DataType)).toBe(true);
  });
});

test("ids go depth first, children know their parent, keys and entries of maps are never null", () => {
  const schema = new arrow.Schema([
    new arrow.Field("m", new arrow.Map_(new arrow.Field("entries", entries, true)), true),
    new arrow.Field("l", new arrow.List(item(point, "element")), false, new Map([["k", "v"]])),
  ]);
  const fields = fieldsFromSchema(schema, 10);
  expect(fields.map(({ id, parentId, name, nullable }) => [id, parentId, name, nullable])).toEqual([
    [10, -1, "m", true],
    [11, 10, "entries", false],
    [12, 11, "key", false],
    [13, 11, "value", true],
    [14, -1, "l", false],
    [15, 14, "element", true],
    [16, 15, "x", true],
    [17, 15, "y", true],
  ]);
  const back = schemaFromFields(fields);
  expect(back.arrow.fields[1]!.metadata).toEqual(new Map([["k", "v"]]));
  expect(nodesDepthFirst(back).map(({ id }) => id)).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
  expect(leavesOf(back).map(({ id }) => id)).toEqual([12, 13, 16, 17]);
  expect(findPath(back, ["l", "element", "y"])?.id).toBe(17);
  expect(findPath(back, ["l", "y"])).toBeUndefined();
  expect(projectSchema(back, ["l", "m"]).nodes.map(({ id }) => id)).toEqual([14, 10]);
});

test("an extension's name is kept where native looks for it", () => {
  const metadata = new Map([["ARROW:extension:name", "acme.point"]]);
  const [field] = fieldsFromSchema(new arrow.Schema([new arrow.Field("p", new arrow.Utf8(), true, metadata)]), 0);
  expect(field!.extensionName).toBe("acme.point");
});

test("a new table cannot have a blob column", () => {
  for (const [key, value] of [
    ["lance-encoding:blob", "true"],
    ["ARROW:extension:name", "lance.blob.v2"],
  ] as const) {
    const field = new arrow.Field("b", new arrow.Binary(), true, new Map([[key, value]]));
    const fields = fieldsFromSchema(new arrow.Schema([field]), 0);
    expect(() => schemaFromFields(fields)).toThrow(expect.objectContaining({ code: "NOT_SUPPORTED" }));
  }
});

test("the next field id is above every id that a data file still lists, dropped columns included", () => {
  const file = { path: "a.lance", columnIndices: [0, 1], majorVersion: 2, minorVersion: 2, sizeBytes: 0 };
  const fragments = FragmentList.from([{ id: 0, files: [{ ...file, fields: [-2, 41] }], physicalRows: 1 }]);
  expect(nextFieldId([lance(3, -1, "a", "int32")], fragments)).toBe(42);
  expect(nextFieldId([], FragmentList.empty)).toBe(0);
});

test("types differ by parameters, by struct fields and their order, not by names of list items or nullability", () => {
  const struct = (...names: string[]) => new arrow.Struct(names.map((name) => item(new arrow.Int32(), name)));
  expect(sameType(struct("a", "b"), struct("b", "a"))).toBe(false);
  expect(sameType(struct("a"), struct("a", "b"))).toBe(false);
  expect(sameType(new arrow.List(item(point)), new arrow.List(new arrow.Field("x", point, false)))).toBe(true);
  expect(sameType(new arrow.TimestampSecond("UTC"), new arrow.TimestampSecond())).toBe(false);
  expect(sameType(new arrow.Utf8View(), new arrow.Utf8View())).toBe(true);
  expect(sameType(new arrow.Utf8View(), new arrow.Utf8())).toBe(false);
});

describe("a schema is refused", () => {
  test.each([
    "json",
    "blob",
    "fixed_size_list:lance.bfloat16:4",
    "fixed_size_list:float:-1",
    "fixed_size_list:list:3",
    "timestamp:min:-",
    "decimal:64:3:1",
    "dict:string:float:false",
    "constructor",
    `${"fixed_size_list:".repeat(50)}float${":2".repeat(50)}`,
  ])("when a column has the type %s, which the message names", (logicalType) => {
    expect(() => schemaFromFields([lance(0, -1, "odd", logicalType)])).toThrow(
      expect.objectContaining({ code: "NOT_SUPPORTED", details: { column: "odd", logicalType } }),
    );
  });

  test.each([
    ["an id is used twice", [lance(0, -1, "a", "int8"), lance(0, -1, "b", "int8")]],
    ["an id is negative", [lance(-1, -1, "a", "int8")]],
    ["a field is its own parent", [lance(4, 4, "a", "struct")]],
    ["a parent is missing", [lance(1, 9, "a", "int8")]],
    ["a list has no item", [lance(0, -1, "a", "list")]],
    ["a map has no entries", [lance(0, -1, "a", "map"), lance(1, 0, "entries", "int8")]],
    ["a number has children", [lance(0, -1, "a", "int8"), lance(1, 0, "b", "int8")]],
    ["nesting has no end", Array.from({ length: SCHEMA_DEPTH_MAX + 1 }, (_, i) => lance(i, i - 1, "a", "struct"))],
  ])("when %s", (_, fields) => {
    expect(() => schemaFromFields(fields)).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  });

  test("when a caller's is too wide, too deep, or of a type that tables cannot hold", () => {
    const wide = Array.from({ length: COLUMNS_MAX + 1 }, (_, i) => item(new arrow.Int8(), `c${i}`));
    let deep: arrow.DataType = new arrow.Int8();
    for (let i = 0; i < SCHEMA_DEPTH_MAX; i++) deep = new arrow.List(item(deep));
    const invalid = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(() => fieldsFromSchema({ fields: wide }, 0)).toThrow(invalid);
    expect(() => fieldsFromSchema({ fields: [item(deep)] }, 0)).toThrow(invalid);
    expect(() => fieldsFromSchema({ fields: [item(new arrow.IntervalDayTime())] }, 0)).toThrow(
      expect.objectContaining({ code: "NOT_SUPPORTED" }),
    );
  });

  test("when a wanted column is not there, and the message lists those that are", () => {
    const schema = schemaFromFields([lance(0, -1, "a", "int8"), lance(1, -1, "b", "int8")]);
    expect(() => projectSchema(schema, ["a", "toString"])).toThrow(/No field named toString\. Valid fields are a, b\./);
  });
});
