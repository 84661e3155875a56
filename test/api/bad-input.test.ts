/**
 * Bad input: a typed error that says what to do, a table that is as it was, and not one file more or less than before.
 */
import { join } from "node:path";
import * as arrow from "apache-arrow";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Connection, type InputData, isTableError, type Table } from "../../src/index.js";
import { connected, filesBelow, freshDirectory, rowsOf } from "./places.js";

let directory: string;
let db: Connection;
let table: Table;
const unhandled: unknown[] = [];
const remember = (reason: unknown) => unhandled.push(reason);

const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), false),
  new arrow.Field("s", new arrow.Utf8(), true),
  new arrow.Field("v", new arrow.FixedSizeList(2, new arrow.Field("item", new arrow.Float32(), true)), true),
]);

beforeEach(async () => {
  process.on("unhandledRejection", remember);
  directory = freshDirectory();
  db = await connected(directory, { dataFormat: "arrow" });
  table = await db.createTable("t", [{ id: 1, s: "x", v: [1, 2] }], { schema: SCHEMA });
  await table.add([{ id: 2 }]);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", remember);
  expect(unhandled.splice(0)).toEqual([]);
});

/** Everything in the database but the hint, which is written behind commits. */
const files = () => filesBelow(directory).filter((file) => !file.includes("latest_version_hint"));

/** Runs a call that has to fail, and looks that it left nothing. */
async function refused(call: () => unknown, code: string, words: RegExp): Promise<void> {
  const before = files();
  const rows = await rowsOf(table);
  const error = await (async () => call())().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(isTableError(error), `it is refused with a TableError, not with ${String(error)}`).toBe(true);
  expect(error).toMatchObject({ code, message: expect.stringMatching(words) });
  expect(files()).toEqual(before);
  expect(await table.version()).toBe(2);
  expect(await rowsOf(table)).toEqual(rows);
}

const never = (value: unknown) => value as never;
const oddTable = (fields: Record<string, Int32Array | Float64Array | string[]>) =>
  arrow.tableFromArrays(fields) as unknown as InputData;
async function* failing() {
  yield [{ id: 7 }];
  throw new Error("the source broke");
}
async function* late() {
  yield [{ id: 7 }];
  yield [{ id: "eight" }];
}

const ADDS: readonly [string, () => InputData, string, RegExp][] = [
  ["an unknown column", () => [{ id: 3, zz: 1 }], "SCHEMA_MISMATCH", /not in schema: zz/],
  ["an unknown column in a later row", () => [{ id: 3 }, { id: 4, zz: 1 }], "SCHEMA_MISMATCH", /zz at row 1/],
  ["a value of another type", () => [{ id: "three" }], "SCHEMA_MISMATCH", /Row 0, column "id"/],
  ["a number with a fraction for an integer", () => [{ id: 1.5 }], "SCHEMA_MISMATCH", /Row 0, column "id"/],
  ["a number that is too large", () => [{ id: 2 ** 31 }], "SCHEMA_MISMATCH", /Row 0, column "id"/],
  ["NaN for an integer", () => [{ id: Number.NaN }], "SCHEMA_MISMATCH", /Row 0, column "id"/],
  ["a missing value that is required", () => [{ id: 3 }, { s: "x" }], "SCHEMA_MISMATCH", /Row 1, column "id"/],
  ["a null that may not be", () => [{ id: null }], "SCHEMA_MISMATCH", /non-nullable/],
  ["a vector of another dimension", () => [{ id: 3, v: [1, 2, 3] }], "SCHEMA_MISMATCH", /Row 0, column "v"/],
  ["a text where a vector is wanted", () => [{ id: 3, v: "12" }], "SCHEMA_MISMATCH", /column "v"/],
  ["Arrow data with an unknown column", () => oddTable({ id: Int32Array.of(1), q: ["x"] }), "SCHEMA_MISMATCH", /q/],
  ["Arrow data of another type", () => oddTable({ id: ["x"] }), "SCHEMA_MISMATCH", /id/],
  ["Arrow data without a required column", () => oddTable({ s: ["x"] }), "SCHEMA_MISMATCH", /id/],
  ["an iterable that goes wrong later", () => late(), "SCHEMA_MISMATCH", /Row 1, column "id"/],
  ["a number", () => never(7), "INVALID_ARGUMENT", /neither an array of rows/],
  ["null", () => never(null), "INVALID_ARGUMENT", /neither an array of rows/],
  ["undefined", () => never(undefined), "INVALID_ARGUMENT", /neither an array of rows/],
  ["a row that is no object", () => never([1, 2]), "SCHEMA_MISMATCH", /./],
  ["a row that is null", () => never([null]), "SCHEMA_MISMATCH", /./],
];

describe("rows that do not fit are refused", () => {
  test.each(ADDS)("%s, when they are added", (_what, data, code, words) =>
    refused(() => table.add(data()), code, words),
  );

  test.each(ADDS)("%s, when they are merged", (_what, data, code, words) =>
    refused(
      () => table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(data()),
      code,
      words,
    ),
  );

  test.each(ADDS)("%s, when a table is made of them", (_what, data, code, words) =>
    refused(() => db.createTable("new", data(), { schema: SCHEMA }), code, words),
  );

  test("and their neighbours in the same group commit", async () => {
    const [good, bad, more] = await Promise.allSettled([
      table.add([{ id: 3 }]),
      table.add([{ id: "x" }]),
      table.add([{ id: 4 }]),
    ]);
    expect([good.status, bad.status, more.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await table.version()).toBe(3);
    expect(filesBelow(join(directory, "t.lance", "data"))).toHaveLength(3);
  });

  test("a source that breaks takes its rows with it, and its own error reaches the caller", async () => {
    const before = files();
    await expect(table.add(failing())).rejects.toThrow("the source broke");
    await expect(table.add(failing(), { mode: "overwrite" })).rejects.toThrow("the source broke");
    await expect(db.createTable("new", failing())).rejects.toThrow("the source broke");
    expect(files()).toEqual(before);
    expect(await db.tableNames()).toEqual(["t"]);
  });
});

test("files of a stream that were written before its source broke are removed", async () => {
  const wide = arrow.tableFromArrays({ id: new Int32Array(1_048_576) });
  async function* large() {
    yield wide;
    yield wide;
    throw new Error("the source broke");
  }
  const before = files();
  await expect(table.add(large())).rejects.toThrow("the source broke");
  expect(files()).toEqual(before);
});

const CALLS: readonly [string, () => unknown, string, RegExp][] = [
  ["an update of an unknown column", () => table.update({ values: { zz: 1 } }), "INVALID_ARGUMENT", /'zz'/],
  ["an update of nothing", () => table.update({ values: {} }), "INVALID_ARGUMENT", /at least one column/],
  ["an update of nothing, as expressions", () => table.update({}), "INVALID_ARGUMENT", /at least one column/],
  ["an update of another type", () => table.update({ values: { id: "x" } }), "INVALID_ARGUMENT", /'x'.*int32/],
  ["an update out of range", () => table.update({ valuesSql: { id: "id + 3000000000" } }), "INVALID_ARGUMENT", /./],
  ["an update to a null that may not be", () => table.update({ values: { id: null } }), "SCHEMA_MISMATCH", /non-null/],
  ["an update that does not parse", () => table.update({ valuesSql: { s: "upper(" } }), "INVALID_ARGUMENT", /\^/],
  [
    "an update with a bad filter",
    () => table.update({ values: { s: "q" }, where: "zz = 1" }),
    "INVALID_ARGUMENT",
    /zz/,
  ],
  ["an update of null", () => table.update(never(null)), "INVALID_ARGUMENT", /./],
  ["an update with an object as value", () => table.update({ values: { s: { a: 1 } } }), "INVALID_ARGUMENT", /./],
  ["a delete without a predicate", () => table.delete(never(undefined)), "INVALID_ARGUMENT", /predicate/],
  ["a delete with an empty one", () => table.delete(""), "INVALID_ARGUMENT", /not valid/],
  ["a delete by an unknown column", () => table.delete("zz = 1"), "INVALID_ARGUMENT", /zz/],
  ["a delete by what is no condition", () => table.delete("id + 1"), "INVALID_ARGUMENT", /./],
  ["a filter that does not parse", () => table.countRows("id ="), "INVALID_ARGUMENT", /\^/],
  ["a filter by an unknown function", () => table.countRows("frob(id) = 1"), "INVALID_ARGUMENT", /frob/],
  ["an unknown column in select", () => table.query().select(["zz"]).toArray(), "INVALID_ARGUMENT", /zz/],
  [
    "an unknown column in orderBy",
    () => table.query().orderBy({ columnName: "zz" }).toArray(),
    "INVALID_ARGUMENT",
    /zz/,
  ],
  ["a negative limit", () => table.query().limit(-1).toArray(), "INVALID_ARGUMENT", /limit is -1/],
  ["a limit that is NaN", () => table.query().limit(Number.NaN).toArray(), "INVALID_ARGUMENT", /limit is NaN/],
  ["a limit with a fraction", () => table.query().limit(1.5).toArray(), "INVALID_ARGUMENT", /limit is 1.5/],
  ["a negative offset", () => table.query().offset(-1).toArray(), "INVALID_ARGUMENT", /offset is -1/],
  ["a negative position", () => table.takeOffsets([-1]).toArray(), "INVALID_ARGUMENT", /-1/],
  ["a batch of no rows", () => table.query().toArrow({ maxBatchLength: 0 }), "INVALID_ARGUMENT", /maxBatchLength/],
  ["a negative time", () => table.query().toArray({ timeoutMs: -1 }), "INVALID_ARGUMENT", /timeoutMs/],
  ["a search in another dimension", () => table.search([1, 2, 3]).toArray(), "INVALID_ARGUMENT", /dimension: 3/],
  ["a search for NaN", () => table.search([Number.NaN, 1]).toArray(), "INVALID_ARGUMENT", /NaN/],
  ["a search for nothing", () => table.search([]).toArray(), "INVALID_ARGUMENT", /at least one number/],
  ["a search in a column of text", () => table.search([1, 2]).column("s").toArray(), "INVALID_ARGUMENT", /s/],
  ["a merge on an unknown column", () => merge("zz").execute([{ id: 1 }]), "INVALID_ARGUMENT", /'zz'/],
  ["a merge on no column", () => merge([]).execute([{ id: 1 }]), "INVALID_ARGUMENT", /key column/],
  ["a merge with a bad condition", () => conditional().execute([{ id: 1 }]), "INVALID_ARGUMENT", /zz/],
  ["a version that was never made", () => table.checkout(99), "NOT_FOUND", /Version 99.*was not found/],
  ["a tag that was never made", () => table.checkout("none"), "NOT_FOUND", /Tag 'none'/],
  ["a restore of no version", () => table.restore(), "INVALID_ARGUMENT", /checkout before running restore/],
  ["a restore of a version never made", () => table.restore(99), "NOT_FOUND", /99/],
  ["a column that is there already", () => table.addColumns([{ name: "s", valueSql: "1" }]), "INVALID_ARGUMENT", /'s'/],
  ["the same new column twice", () => twiceTheSame(), "INVALID_ARGUMENT", /'n' already exists/],
  ["no new column", () => table.addColumns([]), "INVALID_ARGUMENT", /at least one/],
  ["a new column of an unknown one", () => addColumn("n", "zz + 1"), "INVALID_ARGUMENT", /zz/],
  ["a new column that overflows", () => addColumn("n", "cast(id * 1000000 as tinyint)"), "INVALID_ARGUMENT", /./],
  ["a new column without a name", () => addColumn("", "1"), "INVALID_ARGUMENT", /./],
  ["a new column with a dot in its name", () => addColumn("a.b", "1"), "INVALID_ARGUMENT", /a\.b/],
  [
    "a rename to a name that is taken",
    () => table.alterColumns([{ path: "id", rename: "s" }]),
    "INVALID_ARGUMENT",
    /'s'/,
  ],
  [
    "a change of an unknown column",
    () => table.alterColumns([{ path: "zz", rename: "y" }]),
    "INVALID_ARGUMENT",
    /'zz'/,
  ],
  ["no change", () => table.alterColumns([]), "INVALID_ARGUMENT", /at least one/],
  ["a cast of values that do not fit", () => cast("s", "int32"), "INVALID_ARGUMENT", /'x'/],
  ["a cast to a type that is none", () => cast("s", "frob"), "NOT_SUPPORTED", /frob/],
  ["a column that has nulls as one that takes none", () => nonNull("s"), "INVALID_ARGUMENT", /nullable/],
  ["dropping every column", () => table.dropColumns(["id", "s", "v"]), "INVALID_ARGUMENT", /at least one column/],
  ["dropping an unknown column", () => table.dropColumns(["zz"]), "INVALID_ARGUMENT", /'zz'/],
  ["dropping nothing", () => table.dropColumns([]), "INVALID_ARGUMENT", /at least one/],
  [
    "metadata of an unknown column",
    () => table.updateFieldMetadata([{ path: "zz", metadata: {} }]),
    "INVALID_ARGUMENT",
    /zz/,
  ],
  ["a mode of add that is none", () => table.add([{ id: 3 }], { mode: never("upsert") }), "INVALID_ARGUMENT", /upsert/],
  [
    "a mode of createTable that is none",
    () => db.createTable("n", [{ a: 1 }], { mode: never("x") }),
    "INVALID_ARGUMENT",
    /mode/,
  ],
  [
    "a data format that is none",
    () => db.createTable("n", [{ a: 1 }], { dataFormat: never("csv") }),
    "INVALID_ARGUMENT",
    /csv/,
  ],
  ...["_rowid", "_rowaddr", "_rowoffset", "_row_created_at_version", "_row_last_updated_at_version"].flatMap(
    (name): typeof CALLS => [
      [
        `a table with a column ${name}`,
        () => db.createTable("n", [{ [name]: 1 }]),
        "INVALID_ARGUMENT",
        /by themselves/,
      ],
      [`a new column ${name}`, () => addColumn(name, "1"), "INVALID_ARGUMENT", /by themselves/],
      [
        `a rename to ${name}`,
        () => table.alterColumns([{ path: "s", rename: name }]),
        "INVALID_ARGUMENT",
        /by themselves/,
      ],
    ],
  ),
  [
    "a merge whose signal came before",
    () => merge("id").execute([{ id: 1 }], { signal: AbortSignal.abort() }),
    "CANCELED",
    /not executed/,
  ],
  ["rows of no column", () => db.createTable("n", [{}]), "INVALID_ARGUMENT", /./],
  ["two columns of one name", () => sameName(), "INVALID_ARGUMENT", /./],
];

const merge = (on: string | string[]) => table.mergeInsert(on).whenMatchedUpdateAll().whenNotMatchedInsertAll();
const conditional = () => table.mergeInsert("id").whenMatchedUpdateAll({ where: "target.zz = 1" });
const addColumn = (name: string, valueSql: string) => table.addColumns([{ name, valueSql }]);
const cast = (path: string, dataType: string) => table.alterColumns([{ path, dataType }]);
const nonNull = (path: string) => table.alterColumns([{ path, nullable: false }]);
const twiceTheSame = () =>
  table.addColumns([
    { name: "n", valueSql: "1" },
    { name: "n", valueSql: "2" },
  ]);
const sameName = () => {
  const field = new arrow.Field("a", new arrow.Int32(), true);
  return db.createEmptyTable("n", { fields: [field, field] });
};

describe("calls that make no sense are refused", () => {
  test.each(CALLS)("%s", (_what, call, code, words) => refused(call, code, words));
});

describe("names that would lead elsewhere or cannot be are refused", () => {
  const names = ["..", ".", "a/b", "/etc", "..\\up", "x\0y", "", "n".repeat(300), "ü", "a b", "t.lance/../x"];
  test.each(names.map((name) => [JSON.stringify(name).slice(0, 20), name]))("%s", async (_shown, name) => {
    const calls = [
      () => db.createTable(name, [{ a: 1 }]),
      () => db.createTable({ name, data: [{ a: 1 }] }),
      () => db.createEmptyTable(name, SCHEMA),
      () => db.openTable(name),
      () => db.dropTable(name),
    ];
    for (const call of calls) await refused(call, "INVALID_ARGUMENT", /table name/);
  });

  test("a name that is no text", () => refused(() => db.openTable(never(7)), "INVALID_ARGUMENT", /table name/));
});

test("rows that lead back to themselves are refused, whatever leads back", async () => {
  const record: Record<string, unknown> = { id: 1 };
  record.self = record;
  const list: unknown[] = [];
  list.push(list);
  const mixed: Record<string, unknown> = {};
  mixed.rows = [[mixed]];
  for (const row of [record, { list }, mixed]) {
    await refused(() => db.createTable("cycle", [row]), "INVALID_ARGUMENT", /deeper than 32 levels/);
  }
});

test("a search does not pass a column of the table off as its distance, or as the number of its vector", async () => {
  const own = await db.createTable("own", [{ _distance: 7, vector: [1, 2] }]);
  const word = /column '_distance'.*Rename/;
  await expect(own.vectorSearch([1, 2]).toArray()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(own.vectorSearch([1, 2]).select(["vector"]).toArray()).rejects.toThrow(word);
  await expect(own.searchMany([[1, 2]])).rejects.toThrow(word);
  await own.alterColumns([{ path: "_distance", rename: "query_index" }]);
  expect(await own.vectorSearch([1, 2]).toArray()).toMatchObject([{ query_index: 7, _distance: 0 }]);
  const both = own.vectorSearch([1, 2]).addQueryVector([3, 4]);
  await expect(both.toArray()).rejects.toThrow(/column 'query_index'/);
});

test("columns with the names of an object's own members hold values like any other", async () => {
  const names = ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__", "length", "schema", "data"];
  const fields = names.map((name) => new arrow.Field(name, new arrow.Int32(), true));
  const row = Object.fromEntries(names.map((name, i) => [name, i]));
  const hostile = await db.createTable("hostile", [row], { schema: new arrow.Schema(fields) });
  await hostile.add([{ toString: 10 } as never]);
  await hostile.add([Object.fromEntries([["__proto__", 20]])]);
  await hostile.update({ values: { constructor: 30 }, where: "`constructor` = 0" });
  const found = await hostile.toArrow();
  const column = (name: string) => found.getChild(name)?.toJSON();
  expect(column("toString")).toEqual(expect.arrayContaining([1, 10, null]));
  expect(column("__proto__")).toEqual(expect.arrayContaining([4, 20, null]));
  expect(column("constructor")).toEqual(expect.arrayContaining([30, null, null]));
  expect(await hostile.countRows("`__proto__` = 20")).toBe(1);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test("closed handles and connections refuse every call, and leave nothing", async () => {
  const closed = await db.openTable("t");
  closed.close();
  const calls: (() => Promise<unknown>)[] = [
    () => closed.add([{ id: 3 }]),
    () => closed.update({ values: { s: "q" } }),
    () => closed.delete("true"),
    () =>
      closed
        .mergeInsert("id")
        .whenNotMatchedInsertAll()
        .execute([{ id: 9 }]),
    () => closed.addColumns([{ name: "n", valueSql: "1" }]),
    () => closed.alterColumns([{ path: "s", rename: "n" }]),
    () => closed.dropColumns(["s"]),
    () => closed.schema(),
    () => closed.version(),
    () => closed.countRows(),
    () => closed.toArrow(),
    () => closed.query().toArray(),
    () => closed.takeOffsets([0]).toArray(),
    () => closed.vectorSearch([1, 2]).toArray(),
    () => closed.checkout(1),
    () => closed.checkoutLatest(),
    () => closed.restore(1),
    () => closed.listVersions(),
    () => closed.tags(),
    () => closed.stats(),
  ];
  for (const call of calls) await refused(call, "CLOSED", /is closed/);
});
