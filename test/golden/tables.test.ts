/** Tables that native LanceDB wrote, through the public API: what it says of them is what we read. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Field, Int32, Struct } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FragmentList } from "../../src/format/fragment-list.js";
import { parseManifestName } from "../../src/format/layout.js";
import { decodeManifest, encodeManifest, type Manifest } from "../../src/format/manifest.js";
import { type Connection, connect, type Table } from "../../src/index.js";
import { expected, TABLES } from "./format-tables.js";

const FIXTURES = fileURLToPath(new URL("../../fixtures/format", import.meta.url));
let root = "";
let database: Connection;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "joust-golden-"));
  cpSync(FIXTURES, root, { recursive: true });
  database = await connect(root, { durability: "relaxed" });
});

afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});

const rowsOf = async (table: Table) => (await table.query().toArray()) as Record<string, unknown>[];

async function idsOf(table: Table, filter?: string): Promise<number[]> {
  const query = filter === undefined ? table.query() : table.query().where(filter);
  return (await query.select(["id"]).toArray()).map(({ id }) => Number(id));
}

/** A copy of a fixture under another name, with its newest manifest changed. */
function changedCopy(fixture: string, name: string, change: (manifest: Manifest) => Manifest): void {
  const directory = join(root, `${name}.lance`);
  cpSync(join(FIXTURES, `${fixture}.lance`), directory, { recursive: true });
  const versions = readdirSync(join(directory, "_versions")).flatMap((file) => {
    const parsed = parseManifestName(file);
    return parsed === undefined ? [] : [{ ...parsed, path: join(directory, "_versions", file) }];
  });
  const newest = versions.reduce((a, b) => (a.version > b.version ? a : b));
  const manifest = decodeManifest(new Uint8Array(readFileSync(newest.path)), newest.path);
  writeFileSync(newest.path, Buffer.concat(encodeManifest(change(manifest))));
}

describe.each(TABLES)("table %s of native LanceDB", (name) => {
  test("every version opens with the rows, columns and types that native counts", async () => {
    const table = await database.openTable(name);
    const { versions } = expected[name]!;
    expect((await table.listVersions()).map(({ version }) => version)).toEqual(versions.map(({ version }) => version));
    for (const { version, rows, schema } of versions) {
      await table.checkout(version);
      expect(await table.countRows()).toBe(rows);
      const arrow = await table.toArrow();
      expect(arrow.numRows).toBe(rows);
      const fields = arrow.schema.fields.map((field) => [field.name, String(field.type), field.nullable]);
      expect(fields).toEqual(schema);
    }
    await table.checkoutLatest();
    expect(await table.version()).toBe(versions.at(-1)!.version);
  });
});

test.each(["deletions_arrow", "deletions_bitmap"])(
  "table %s has the rows that native left, also under filters",
  async (name) => {
    const table = await database.openTable(name);
    const ids = expected[name]!.ids!;
    expect(await idsOf(table)).toEqual(ids);
    expect(await idsOf(table, "id % 7 = 3 AND id > 20")).toEqual(ids.filter((id) => id % 7 === 3 && id > 20));
    expect(await table.countRows("n = 4")).toBe(ids.filter((id) => id % 10 === 4).length);
  },
);

test("types of every file version hold the same values, nulls at the same places", async () => {
  const [newest, ...older] = await Promise.all(
    ["types", "types_2_1", "types_2_0"].map(async (name) => rowsOf(await database.openTable(name))),
  );
  expect(newest).toHaveLength(3);
  const columns = Object.keys(newest![0]!);
  // Every column has a null in one of its three rows and values in the others.
  for (const column of columns)
    expect(
      newest!.filter((row) => row[column] === null),
      column,
    ).toHaveLength(1);
  const texts = (rows: Record<string, unknown>[], column: string) => rows.map((row) => String(row[column]));
  for (const rows of older) {
    for (const column of Object.keys(rows[0]!)) {
      expect(texts(rows, column), column).toEqual(texts(newest!, column));
    }
  }
});

test("tags lead to the versions that native tagged", async () => {
  const table = await database.openTable("history");
  const tags = await table.tags();
  const listed = Object.entries(await tags.list()).map(([name, { version }]) => [name, version]);
  const wanted = Object.entries(expected.history!.tags!).map(([name, { version }]) => [name, version]);
  expect(listed.sort()).toEqual(wanted.sort());
  await table.checkout("before-compaction");
  expect(await table.countRows()).toBe(19);
  expect(await idsOf(table, "twice = 200")).toEqual([100]);
  await table.checkout("v2.final_1");
  expect((await idsOf(table)).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test("stable row ids and row versions are those that native gives, after its update, delete and compaction", async () => {
  const table = await database.openTable("row_ids");
  const rows = await table
    .query()
    .select(["id", "_rowid", "_row_created_at_version", "_row_last_updated_at_version"])
    .toArray();
  const seen = rows.map((row) => Object.values(row as Record<string, unknown>).map(Number));
  expect(seen).toEqual(expected.row_ids!.rows);
});

test("rows of a table with stable row ids keep id and origin through our changes, new ones get ids above all others", async () => {
  const table = await database.openTable("row_ids");
  const before = new Map(expected.row_ids!.rows!.map(([id, ...rest]) => [id, rest]));
  const first = await table.update({ where: "id IN (1, 3, 200)", valuesSql: { n: "n + 100" } });
  const second = await table
    .mergeInsert("id")
    .whenMatchedUpdateAll()
    .whenNotMatchedInsertAll()
    .execute([
      { id: 900, n: 1 },
      { id: 3, n: 2 },
      { id: 901, n: 3 },
    ]);
  const rows = await table
    .query()
    .select(["id", "_rowid", "_row_created_at_version", "_row_last_updated_at_version"])
    .toArray();
  const after = new Map(
    rows.map((row) => Object.values(row as Record<string, unknown>).map(Number)).map(([id, ...rest]) => [id, rest]),
  );
  for (const [id, [rowId, created, updated]] of before) {
    const last = id === 3 ? second.version : id === 1 || id === 200 ? first.version : updated;
    expect(after.get(id), `id ${id}`).toEqual([rowId, created, last]);
  }
  const known = Math.max(299, ...[...before.values()].map(([rowId]) => rowId!));
  expect([after.get(900), after.get(901)]).toEqual([
    [known + 1, second.version, second.version],
    [known + 2, second.version, second.version],
  ]);
  expect(
    (
      await table
        .takeRowIds([known + 2])
        .select(["id"])
        .toArray()
    ).map(({ id }) => id),
  ).toEqual([901]);
});

test("writers that race on a table with stable row ids never give an id twice, and leave no fragment without ids", async () => {
  changedCopy("row_ids", "raced", (manifest) => manifest);
  const table = await database.openTable("raced");
  const direct = { direct: true };
  const results = await Promise.all([
    ...[1000, 2000, 3000].map((id) =>
      table.add(
        [
          { id, n: 1 },
          { id: id + 1, n: 1 },
        ],
        direct,
      ),
    ),
    ...[1, 3, 4].map((id) => table.update({ where: `id = ${id}`, values: { n: 9 } }, direct)),
    table.delete("id = 5", direct),
  ]);
  expect(new Set(results.map(({ version }) => version)).size).toBe(results.length);
  const rows = await table.query().select(["id"]).withRowId().toArray();
  expect(rows).toHaveLength(240 + 6 - 1);
  expect(new Set(rows.map((row) => Number(row._rowid))).size).toBe(rows.length);
  const directory = join(root, "raced.lance", "_versions");
  const newest = Math.max(...results.map(({ version }) => version));
  const path = readdirSync(directory).find((file) => parseManifestName(file)?.version === newest)!;
  const manifest = decodeManifest(new Uint8Array(readFileSync(join(directory, path))), path);
  expect([...manifest.fragments].every(({ rowIds }) => rowIds !== undefined)).toBe(true);
  expect(manifest.nextRowId).toBe(306n);
});

test.each([
  ["types_2_0", "2.0", 3],
  ["types_2_1", "2.1", 3],
  ["v1_names", "2.2", 10],
] as const)(
  "table %s keeps its file version %s and its way to name versions when we write",
  async (name, version, count) => {
    const table = await database.openTable(name);
    await table.add((await table.toArrow()) as never);
    expect(await table.countRows()).toBe(2 * count);
    const directory = join(root, `${name}.lance`);
    const names = readdirSync(join(directory, "_versions")).filter((file) => file.endsWith(".manifest"));
    const schemes = new Set(names.map((file) => parseManifestName(file)?.scheme));
    expect([...schemes]).toEqual([name === "v1_names" ? "v1" : "v2"]);
    const path = names.find((file) => parseManifestName(file)?.version === 2 + Number(name === "v1_names"))!;
    const manifest = decodeManifest(new Uint8Array(readFileSync(join(directory, "_versions", path))), path);
    const files = [...manifest.fragments].flatMap((fragment) => fragment.files);
    expect(new Set(files.map((file) => `${file.majorVersion}.${file.minorVersion}`))).toEqual(new Set([version]));
    expect(manifest.dataFormat?.version).toBe(version);
  },
);

test("a table that never had a row can be read, and takes its first rows", async () => {
  const table = await database.openTable("empty");
  expect(await idsOf(table)).toEqual([]);
  await table.add([{ id: 7n }]);
  expect(await idsOf(table)).toEqual([7]);
});

test("a flag that readers must know keeps us from opening, one for writers only from writing", async () => {
  changedCopy("cleaned", "future_read", (manifest) => ({ ...manifest, readerFlags: manifest.readerFlags | 1024n }));
  await expect(database.openTable("future_read")).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  changedCopy("cleaned", "future_write", (manifest) => ({ ...manifest, writerFlags: manifest.writerFlags | 1024n }));
  const table = await database.openTable("future_write");
  expect(await table.countRows()).toBe(60);
  await expect(table.add([{ id: 1, n: 1 }])).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  await expect(table.delete("id = 1")).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  expect(await table.countRows()).toBe(60);
});

test("a table in the legacy format is refused by name, also when only its files say so", async () => {
  const legacy = { format: "lance", version: "0.1" };
  changedCopy("cleaned", "legacy", (manifest) => ({ ...manifest, dataFormat: legacy }));
  await expect(database.openTable("legacy")).rejects.toMatchObject({
    code: "NOT_SUPPORTED",
    message: expect.stringContaining("legacy"),
  });
  changedCopy("cleaned", "old_files", (manifest) => ({
    ...manifest,
    dataFormat: undefined,
    fragments: FragmentList.from(
      [...manifest.fragments].map((fragment) => ({
        ...fragment,
        files: fragment.files.map((file) => ({ ...file, majorVersion: 0, minorVersion: 2 })),
      })),
    ),
  }));
  await expect(database.openTable("old_files")).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
});

test("a null struct is refused by name in a table of version 2.0, which cannot hold it", async () => {
  changedCopy("types_2_0", "old_structs", (manifest) => manifest);
  const table = await database.openTable("old_structs");
  await table.addColumns(new Field("pair", new Struct([new Field("x", new Int32(), true)]), true));
  await expect(table.add([{ int32: 1, pair: null }])).rejects.toMatchObject({
    code: "NOT_SUPPORTED",
    message: expect.stringContaining("pair"),
  });
  await table.add([{ int32: 1, pair: { x: 5 } }]);
  expect(await table.countRows("pair.x = 5")).toBe(1);
});

test("a manifest without a file version gets the one of its files, so that native can append to it", async () => {
  changedCopy("types_2_1", "unnamed", (manifest) => ({ ...manifest, dataFormat: undefined }));
  const table = await database.openTable("unnamed");
  await table.delete("int32 IS NULL");
  const names = readdirSync(join(root, "unnamed.lance", "_versions"));
  const path = names.find((file) => parseManifestName(file)?.version === 2)!;
  const manifest = decodeManifest(new Uint8Array(readFileSync(join(root, "unnamed.lance", "_versions", path))), path);
  expect(manifest.dataFormat).toEqual({ format: "lance", version: "2.1" });
});

test("files in another table's directory are refused, not looked for in ours", async () => {
  changedCopy("cleaned", "clone", (manifest) => ({
    ...manifest,
    fragments: FragmentList.from(
      [...manifest.fragments].map((fragment) => ({
        ...fragment,
        files: fragment.files.map((file) => ({ ...file, baseId: 0 })),
      })),
    ),
  }));
  const table = await database.openTable("clone");
  expect(await table.countRows()).toBe(60);
  await expect(table.toArrow()).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  await expect(table.delete("id = 1")).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
});

test.each([
  ["lance-encoding:blob", "true"],
  ["ARROW:extension:name", "lance.blob.v2"],
])("a table with a blob column (%s) is refused by name before a row is read or written", async (key, value) => {
  const name = `blob-${value}`;
  const blob = new Map([[key, new TextEncoder().encode(value)]]);
  changedCopy("cleaned", name, (manifest) => ({
    ...manifest,
    fields: manifest.fields.map((field) => (field.name === "n" ? { ...field, metadata: blob } : field)),
  }));
  const table = await database.openTable(name);
  const version = (await table.listVersions()).length;
  const calls: (() => Promise<unknown>)[] = [
    () => table.schema(),
    () => table.countRows(),
    () => table.toArrow(),
    () => table.query().select(["id"]).toArray(),
    () => table.add([{ id: 1 }]),
    () => table.delete("id = 1"),
    () => table.update({ where: "id = 1", values: { id: 2 } }),
    () =>
      table
        .mergeInsert("id")
        .whenMatchedUpdateAll()
        .execute([{ id: 1 }]),
    () => table.addColumns([{ name: "more", valueSql: "1" }]),
  ];
  for (const call of calls) {
    await expect(call()).rejects.toMatchObject({ code: "NOT_SUPPORTED", message: expect.stringContaining("Column n") });
  }
  expect(await table.listVersions()).toHaveLength(version);
});

test("a branch of native reads and writes beside the main line, also after the database was moved", async () => {
  const table = await database.openTable("branch");
  const side = await database.openTable("branch", { branch: "side" });
  const rows = await side.countRows();
  expect(rows).toBeGreaterThan(0);
  expect(await idsOf(side)).toHaveLength(rows);
  expect(await (await table.branches()).list()).toMatchObject({ side: { parentBranch: null, parentVersion: 1 } });
  await table.add([{ id: 91, n: 1 }]);
  expect(await table.countRows()).toBe(13);
  expect(await side.countRows()).toBe(rows);
  await side.delete("id >= 0");
  await side.add([{ id: 92, n: 2 }]);
  expect(await idsOf(side)).toEqual([92]);
  expect(await table.countRows()).toBe(13);
});

test("an index of native stays in the manifest through changes of rows, and leaves with its column", async () => {
  const table = await database.openTable("history");
  const indicesAt = (version: number): readonly string[] => {
    const directory = join(root, "history.lance", "_versions");
    const path = readdirSync(directory).find((file) => parseManifestName(file)?.version === version)!;
    const manifest = decodeManifest(new Uint8Array(readFileSync(join(directory, path))), path);
    return manifest.indexSection === undefined ? [] : ["some"];
  };
  const restored = await table.restore(19);
  expect(indicesAt(restored.version)).toEqual(["some"]);
  await table.update({ where: "id < 5", valuesSql: { n: "n + 1" } });
  const deleted = await table.delete("id = 7");
  expect(indicesAt(deleted.version)).toEqual(["some"]);
  await expect(table.alterColumns([{ path: "n", dataType: "int64" }])).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("n_idx"),
  });
  const renamed = await table.alterColumns([{ path: "n", rename: "m" }]);
  expect(indicesAt(renamed.version)).toEqual(["some"]);
  const dropped = await table.dropColumns(["m"]);
  expect(indicesAt(dropped.version)).toEqual([]);
});
