/** Doctor: what it repairs, what it keeps its hands off, and that a sound table is never touched. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connect, type DataFormat, type Diagnosis, type DoctorOptions, isTableError } from "../../src/index.js";
import { hashOf, makeTable, manifestOf, NAME, readAll } from "./table-on-disk.js";

async function diagnose(database: string, options: DoctorOptions = {}): Promise<Diagnosis[]> {
  const db = await connect(database);
  try {
    return await db.doctor(options).toArray();
  } finally {
    await db.close();
  }
}

const summary = (found: readonly Diagnosis[]) => found.map(({ id, fixed }) => `${id}${fixed ? " fixed" : ""}`);

describe.each<DataFormat>(["lance", "arrow", "parquet"])("a sound %s database", (dataFormat) => {
  test("has the same bytes under the same names after doctor --fix", async () => {
    const { database } = await makeTable(dataFormat);
    const before = hashOf(database);
    expect(await diagnose(database, { fix: true, deep: true })).toEqual([]);
    expect(hashOf(database)).toBe(before);
  });
});

describe("a newest manifest without sense", () => {
  test.each(["empty", "torn", "flipped"])(
    "that is %s is told by every open with the command that repairs it",
    async (how) => {
      const { database, directory } = await makeTable("lance");
      harm(join(directory, manifestOf(6)), how);
      const error: unknown = await readAll(database).catch((thrown: unknown) => thrown);
      if (!isTableError(error, "CORRUPT")) throw error;
      expect(error.message).toContain(`npx joust doctor ${database} ${NAME} --fix`);
      expect(error.details).toMatchObject({ path: manifestOf(6), version: 6, table: NAME, offset: expect.any(Number) });
    },
  );

  test.each(["empty", "torn", "flipped"])(
    "that is %s is moved aside by doctor --fix, and nothing of it is lost",
    async (how) => {
      const { database, directory } = await makeTable("lance");
      const sound = await readAll(database);
      const path = join(directory, manifestOf(6));
      harm(path, how);
      const bytes = readFileSync(path);
      expect(summary(await diagnose(database))).toEqual(["J001-head-unreadable"]);
      const [found] = await diagnose(database, { fix: true });
      expect(found).toMatchObject({
        id: "J001-head-unreadable",
        fixed: true,
        repair: expect.stringContaining("may be lost"),
      });
      const [kept] = readdirSync(join(directory, "_coord/quarantine"));
      expect(readFileSync(join(directory, "_coord/quarantine", kept!))).toEqual(bytes);
      expect(plain(await readAll(database))).toEqual(plain(sound.filter((row) => row.id !== 99)));
      expect(summary(await diagnose(database, { fix: true, deep: true }))).toEqual(["J028-files-unreferenced"]);
      const db = await connect(database);
      const table = await db.openTable(NAME);
      expect((await table.add([{ id: 100, name: "next", v: [1, 1], twice: 2 }])).version).toBe(6);
      expect(await table.countRows("id = 100")).toBe(1);
      await db.close();
    },
  );

  test("with more of them below is moved aside down to a version that can be read", async () => {
    const { database, directory } = await makeTable("arrow");
    for (const version of [6, 5, 4]) truncateSync(join(directory, manifestOf(version)), 0);
    expect(summary(await diagnose(database, { fix: true })).slice(0, 3)).toEqual(
      Array(3).fill("J001-head-unreadable fixed"),
    );
    const db = await connect(database);
    expect(await (await db.openTable(NAME)).version()).toBe(3);
    await db.close();
  });

  test("stays where it is when no version below can be read", async () => {
    const { database, directory } = await makeTable("arrow");
    for (const version of [1, 2, 3, 4, 5, 6]) truncateSync(join(directory, manifestOf(version)), 0);
    const before = hashOf(database);
    expect((await diagnose(database, { fix: true })).some(({ fixed }) => fixed)).toBe(false);
    expect(hashOf(database)).toBe(before);
  });

  test("stays where it is when a vacuum has retired the numbers below, because no commit could follow", async () => {
    const { database, directory } = await makeTable("arrow");
    truncateSync(join(directory, manifestOf(6)), 0);
    mkdirSync(join(directory, "_coord"), { recursive: true });
    writeFileSync(join(directory, "_coord/retired.json"), '{"upTo":6,"kept":[2,5]}');
    const before = hashOf(database);
    const [found] = await diagnose(database, { fix: true });
    expect(found).toMatchObject({ fixed: false, repair: expect.stringContaining("retired") });
    expect(hashOf(database)).toBe(before);
  });

  test("of a newer format is no damage, and is never moved", async () => {
    const { database, directory } = await makeTable("arrow");
    const path = join(directory, manifestOf(6));
    const bytes = readFileSync(path);
    bytes.writeUInt16LE(9, bytes.length - 6);
    writeFileSync(path, bytes);
    const before = hashOf(database);
    expect(summary(await diagnose(database, { fix: true }))).toEqual(["J005-not-supported"]);
    expect(hashOf(database)).toBe(before);
  });
});

describe("left-overs", () => {
  test("of a writer that died go", async () => {
    const { database, directory } = await makeTable("arrow");
    const paths = ["_versions", "data", "_refs/tags"].map((place) =>
      join(directory, place, `.tmp-x.json-${"a".repeat(32)}`),
    );
    for (const path of paths) writeFileSync(path, "half");
    expect(summary(await diagnose(database, { fix: true }))).toEqual(Array(3).fill("J026-temporary-left fixed"));
    expect(paths.filter((path) => existsSync(path))).toEqual([]);
    expect(await diagnose(database)).toEqual([]);
  });

  test("stay while a process has a lease on the table, unless their version's name is taken", async () => {
    const { database, directory } = await makeTable("arrow");
    const db = await connect(database);
    const table = await db.openTable(NAME);
    await table.query().toArray();
    const name = (version: number) => `.tmp-${manifestOf(version).slice("_versions/".length)}-${"b".repeat(32)}`;
    writeFileSync(join(directory, "_versions", name(5)), "late");
    writeFileSync(join(directory, "_versions", name(7)), "perhaps at work");
    const found = await diagnose(database, { fix: true });
    expect(found.map(({ path, fixed }) => [path, fixed])).toEqual([
      [`_versions/${name(7)}`, false],
      [`_versions/${name(5)}`, true],
    ]);
    await db.close();
    rmSync(join(directory, "_versions", name(7)));
  });

  test("of an interrupted drop are no table, and go", async () => {
    const { database, directory } = await makeTable("arrow");
    const left = join(database, `.tmp-old.lance-${"c".repeat(32)}`);
    cpSync(directory, left, { recursive: true });
    const [found] = await diagnose(database);
    expect(found).toMatchObject({ id: "J027-drop-unfinished", table: "old", fixed: false });
    expect(await diagnose(database, { table: NAME })).toEqual([]);
    expect(summary(await diagnose(database, { fix: true }))).toEqual(["J027-drop-unfinished fixed"]);
    expect(existsSync(left)).toBe(false);
    expect(await diagnose(database)).toEqual([]);
  });
});

test("a wrong hint is written anew", async () => {
  const { database, directory } = await makeTable("arrow");
  const path = join(directory, "_versions/latest_version_hint.json");
  writeFileSync(path, '{"version":60}');
  expect(summary(await diagnose(database, { fix: true }))).toEqual(["J021-hint-wrong fixed"]);
  expect(readFileSync(path, "utf8")).toBe('{"version":6}');
});

test("damage that only a person can mend is told and left alone", async () => {
  const { database, directory } = await makeTable("arrow");
  rmSync(join(directory, "data", readdirSync(join(directory, "data"))[0]!));
  truncateSync(join(directory, manifestOf(2)), 10);
  const before = hashOf(database);
  const found = await diagnose(database, { fix: true, deep: true });
  expect(found.length).toBeGreaterThan(1);
  expect(found.some(({ fixed }) => fixed)).toBe(false);
  expect(hashOf(database)).toBe(before);
});

test("a table that is not there is an error, not a finding", async () => {
  const { database } = await makeTable("arrow");
  await expect(diagnose(database, { table: "other" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(diagnose(database, { table: "../other" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

function harm(path: string, how: string): void {
  const bytes = readFileSync(path);
  if (how === "flipped") bytes[40]! ^= 4;
  writeFileSync(path, how === "empty" ? "" : how === "torn" ? bytes.subarray(0, bytes.length >> 1) : bytes);
}

/** Vectors of a row are Arrow's, with buffers of their own; what counts is the values. */
const plain = (rows: readonly object[]): unknown => JSON.parse(JSON.stringify(rows));
