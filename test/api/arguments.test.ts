/** Arguments of another type than declared: INVALID_ARGUMENT that names them, nothing done, and no stray TypeError. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Branches,
  type Connection,
  connect,
  makeArrowTable,
  sql,
  type Table,
  type Tags,
} from "../../src/index.js";

const never = <T>(value: unknown) => value as T;
const NOT_OBJECTS: readonly unknown[] = [0, Number.NaN, "id = 1", true, 10n, Symbol("s"), () => {}, ["id = 1"]];
const NOT_TEXT: readonly unknown[] = [
  null,
  undefined,
  0,
  true,
  10n,
  Symbol("s"),
  () => {},
  [],
  {},
  Object.create(null),
];
const NOT_LISTS: readonly unknown[] = [null, undefined, 0, true, 10n, Symbol("s"), () => {}, {}, new Map()];

let db: Connection;
let table: Table;
let tags: Tags;
let branches: Branches;
beforeAll(async () => {
  db = await connect("memory://", { maintenance: { auto: false } });
  table = await db.createTable("t", [
    { id: 1, s: "a", vector: [1, 2] },
    { id: 2, s: "b", vector: [3, 4] },
  ]);
  [tags, branches] = [await table.tags(), await table.branches()];
});

type Call = (value: never) => unknown;
const upsert = (t: Table) => t.mergeInsert("id").whenMatchedUpdateAll();
const ROW = [{ id: 1, s: "q", vector: [1, 2] }];

const OPTIONS: readonly [string, Call][] = [
  ["add", (v) => table.add(ROW, v)],
  ["update", (v) => table.update({ values: { s: "q" } }, v)],
  ["delete", (v) => table.delete("true", v)],
  ["whenMatchedUpdateAll", (v) => table.mergeInsert("id").whenMatchedUpdateAll(v).execute(ROW)],
  ["whenNotMatchedBySourceDelete", (v) => table.mergeInsert("id").whenNotMatchedBySourceDelete(v).execute(ROW)],
  ["execute", (v) => upsert(table).execute(ROW, v)],
  ["addColumns", (v) => table.addColumns([{ name: "n", valueSql: "1" }], v)],
  ["optimize", (v) => table.optimize(v)],
  ["verify", (v) => table.verify(v).toArray()],
  ["doctor", (v) => db.doctor(v).toArray()],
  ["a query", (v) => table.query().toArray(v)],
  ["searchMany", (v) => table.searchMany([[1, 2]], v)],
  ["writer", (v) => table.writer(v)],
  ["a signal", (v) => table.add(ROW, { signal: v })],
  ["the signal of a query", (v) => table.query().toArray({ signal: v })],
];

const TEXTS: readonly [string, Call][] = [
  ["dropTable", (v) => db.dropTable(v)],
  ["openTable", (v) => db.openTable(v)],
  ["a column to drop", (v) => table.dropColumns([v])],
  ["a column to alter", (v) => table.alterColumns([{ path: v, rename: "z" }])],
  ["a new column", (v) => table.addColumns([{ name: v, valueSql: "1" }])],
  ["a column with metadata", (v) => table.updateFieldMetadata([{ path: v, metadata: {} }])],
  ["a key column", (v) => table.mergeInsert([v])],
  ["a column to order by", (v) => table.query().orderBy({ columnName: v }).toArray()],
  ["the vector column", (v) => table.vectorSearch([1, 2]).column(v).toArray()],
  ["a tag", (v) => tags.create(v, 1)],
  ["a branch", (v) => branches.create(v)],
];

const LISTS: readonly [string, Call][] = [
  ["dropColumns", (v) => table.dropColumns(v)],
  ["alterColumns", (v) => table.alterColumns(v)],
  ["updateFieldMetadata", (v) => table.updateFieldMetadata(v)],
  ["mergeInsert", (v) => table.mergeInsert(v)],
  ["searchMany", (v) => table.searchMany(v)],
  ["takeOffsets", (v) => table.takeOffsets(v).toArray()],
  ["takeRowIds", (v) => table.takeRowIds(v).toArray()],
  ["orderBy", (v) => table.query().orderBy(v).toArray()],
  ["addColumns", (v) => table.addColumns(v)],
];

async function refused(call: Call, values: readonly unknown[]): Promise<void> {
  for (const value of values) {
    const done = (async () => call(never(value)))();
    await expect(done, String(typeof value)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  expect([await table.version(), await table.countRows("s IN ('a', 'b')")]).toEqual([1, 2]);
}

describe("are refused, and nothing is done", () => {
  test.each(OPTIONS)("as options: %s", (_name, call) => refused(call, NOT_OBJECTS));
  test.each(TEXTS)("as text: %s", (_name, call) => refused(call, NOT_TEXT));
  test.each(LISTS)("as a list: %s", (_name, call) => refused(call, NOT_LISTS));

  test("as times", () =>
    refused((v) => table.add(ROW, { timeoutMs: v }), [-1, Number.NaN, "10", true, 10n, Symbol("s"), {}]));

  test("as data", () => {
    for (const data of [null, undefined, 1]) {
      expect(() => makeArrowTable(never(data))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
  });
});

test("columns may have the names of the options of update", async () => {
  const named = await db.createTable("named", [{ values: 1, valuesSql: 1, where: 1 }]);
  await named.update({ values: sql`values + ${1}`, where: "5" });
  await named.update({ valuesSql: sql`valuesSql + ${2}` });
  expect((await named.query().toArray()).map((row) => ({ ...row }))).toEqual([{ values: 2, valuesSql: 3, where: 5 }]);
  await db.dropTable("named");
});

test("a typed array of offsets or row ids is as good as an array", async () => {
  expect(await table.takeOffsets(never(Uint32Array.of(1))).toArray()).toHaveLength(1);
  expect(await table.takeRowIds(never(BigUint64Array.of(0n, 1n))).toArray()).toHaveLength(2);
});

test("null in the place of options is as good as none", async () => {
  expect(await table.query().toArray(never(null))).toHaveLength(2);
  expect(await table.verify(never(null)).toArray()).toEqual([]);
});

describe("an option that nobody knows is refused by its name, and nothing is done", () => {
  const data = { data: ROW, name: "n" };
  const UNKNOWN: readonly [string, string, Call][] = [
    ["connect", "maintenence", (v) => connect("memory://", v)],
    ["connect with one argument", "readConsistency", (v) => connect({ uri: "memory://", ...never<object>(v) })],
    ["queue", "capcity", (v) => connect("memory://", { queue: v })],
    ["maintenance", "enabled", (v) => connect("memory://", { maintenance: v })],
    ["coordination", "ttlMs", (v) => connect("memory://", { coordination: v })],
    ["createTable", "existsOk", (v) => db.createTable("t", ROW, v)],
    ["createTable with one argument", "format", (v) => db.createTable({ ...data, ...never<object>(v) })],
    ["createEmptyTable", "mod", (v) => db.createEmptyTable("n", never({ fields: [] }), v)],
    ["openTable", "tag", (v) => db.openTable("t", v)],
    ["tableNames", "after", (v) => db.tableNames(v)],
    ["add", "mod", (v) => table.add(ROW, v)],
    ["update", "filter", (v) => table.update({ s: "'q'" }, v)],
    [
      "the request of update",
      "timeoutMs",
      (v) => table.update({ values: { s: "q" }, where: "true", ...never<object>(v) }),
    ],
    ["values without where", "wher", (v) => table.update({ values: { s: "q" }, ...never<object>(v) })],
    ["valuesSql without where", "filter", (v) => table.update({ valuesSql: { s: "'q'" }, ...never<object>(v) })],
    ["delete", "where", (v) => table.delete("true", v)],
    ["a clause", "condition", (v) => table.mergeInsert("id").whenMatchedUpdateAll(v).execute(ROW)],
    ["execute", "timeout", (v) => upsert(table).execute(ROW, v)],
    ["restore", "version", (v) => table.restore(1, v)],
    ["addColumns", "timeout", (v) => table.addColumns([{ name: "n", valueSql: "1" }], v)],
    ["alterColumns", "type", (v) => table.alterColumns([{ path: "s", ...never<object>(v) }])],
    [
      "updateFieldMetadata",
      "remove",
      (v) => table.updateFieldMetadata([{ path: "s", metadata: {}, ...never<object>(v) }]),
    ],
    ["optimize", "cleanupOlder", (v) => table.optimize(v)],
    ["verify", "fix", (v) => table.verify(v).toArray()],
    ["doctor", "repair", (v) => db.doctor(v).toArray()],
    ["a query", "timeout", (v) => table.query().toArray(v)],
    [
      "orderBy",
      "descending",
      (v) =>
        table
          .query()
          .orderBy({ columnName: "id", ...never<object>(v) })
          .toArray(),
    ],
    ["searchMany", "limit", (v) => table.searchMany([[1, 2]], v)],
    ["writer", "maxRows", (v) => table.writer(v)],
    ["makeArrowTable", "types", (v) => makeArrowTable(ROW, v)],
  ];

  test.each(UNKNOWN)("%s: %s", async (_name, key, call) => {
    const done = (async () => call(never({ [key]: 1 })))();
    const message = expect.stringMatching(new RegExp(`there is no option "${key}"\\. There are: \\w+`));
    await expect(done).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message, details: { option: key } });
    expect([await table.version(), await table.countRows("s IN ('a', 'b')")]).toEqual([1, 2]);
    expect(await db.tableNames()).toEqual(["t"]);
  });

  test("an option that is undefined is none, and the inherited names of objects are no options", async () => {
    expect(await table.query().toArray(never({ unknown: undefined }))).toHaveLength(2);
    await expect(table.query().toArray(never({ toString: 1 }))).rejects.toThrow('"toString"');
  });
});

test("options that LanceDB documents and that have no effect here are taken", async () => {
  const cloud = { apiKey: "k", region: "r", hostOverride: "h", clientConfig: {}, oauthConfig: {}, session: {} };
  const local = { manifestEnabled: true, namespaceClientProperties: {}, storageOptions: { any: "thing" } };
  const other = await connect("memory://", never({ ...cloud, ...local, readConsistencyInterval: 1 }));
  const options = never<object>({ dataStorageVersion: "stable", enableV2ManifestPaths: true, embeddingFunction: null });
  expect(await (await other.createTable("n", ROW, options)).countRows()).toBe(1);
  expect(await (await other.openTable("n", [], { indexCacheSize: 1, storageOptions: {} })).countRows()).toBe(1);
  expect(makeArrowTable(ROW, never({ embeddings: null, embeddingFunction: null })).numRows).toBe(1);
});

test("embedding functions are refused, not passed over: the rows would lack their vectors", async () => {
  const options = never<object>({ embeddingFunction: { sourceColumn: "text", embed: () => [] } });
  const other = await connect("memory://");
  await expect(other.createTable("n", ROW, options)).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  expect(() => makeArrowTable(ROW, options)).toThrow("embeddingFunction is not supported");
  expect(await other.tableNames()).toEqual([]);
});
