/** Branches: what is forked, isolated, kept and removed, on every place and data format. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { manifestPath } from "../../src/format/layout.js";
import { decodeManifest, encodeManifest } from "../../src/format/manifest.js";
import type { Connection, Table } from "../../src/index.js";
import { connected, connectedApart, filesBelow, freshDirectory, PLACES, rowsOf } from "./places.js";

const ROWS = [1, 2, 3].map((id) => ({ id, n: 10 * id }));
const NOW = () => new Date(Date.now() + 60_000);

async function idsOf(table: Table): Promise<number[]> {
  return (await rowsOf(table)).map((row) => row.id as number).sort((a, b) => a - b);
}

/** Version 1: three rows; version 2: one more; version 3: without row 2, in a deletion file. */
async function founded(connection: Connection): Promise<Table> {
  const table = await connection.createTable("t", ROWS);
  await table.add([{ id: 4, n: 40 }]);
  await table.delete("id = 2");
  return table;
}

describe.each(PLACES.filter(({ name }) => name !== "arrow on disk"))("branches of $name", (place) => {
  test("a branch begins as its origin was, and neither sees what the other one writes", async () => {
    const main = await founded(await place.connect());
    const branches = await main.branches();
    const side = await branches.create("side");
    expect([side.currentBranch(), main.currentBranch(), side.name]).toEqual(["side", null, "t"]);
    expect([await side.version(), await idsOf(side)]).toEqual([3, [1, 3, 4]]);
    await side.add([{ id: 5, n: 50 }]);
    await side.update({ where: "id = 3", values: { n: 31 } });
    await side.delete("id = 1");
    await side
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([
        { id: 4, n: 44 },
        { id: 6, n: 60 },
      ]);
    await side.addColumns([{ name: "twice", valueSql: "n * 2" }]);
    await main.add([{ id: 7, n: 70 }]);
    await main.delete("id = 4");
    expect((await rowsOf(side)).sort((a, b) => Number(a.id) - Number(b.id))).toEqual(
      [
        { id: 3, n: 31, twice: 62 },
        { id: 4, n: 44, twice: 88 },
        { id: 5, n: 50, twice: 100 },
        { id: 6, n: 60, twice: 120 },
      ].map((row) => expect.objectContaining(row)),
    );
    expect(await idsOf(main)).toEqual([1, 3, 7]);
    const { compaction } = await side.optimize();
    expect(compaction.fragmentsRemoved).toBeGreaterThan(1);
    expect(await idsOf(side)).toEqual([3, 4, 5, 6]);
    expect((await side.schema()).fields.map(({ name }) => name)).toEqual(["id", "n", "twice"]);
    expect((await main.schema()).fields.map(({ name }) => name)).toEqual(["id", "n"]);
  });

  test("branches begin at a version, a tag, or another branch, and are listed with where they begin", async () => {
    const main = await founded(await place.connect());
    const branches = await main.branches();
    await (await main.tags()).create("two", 2);
    const side = await branches.create("feature/side", undefined, 1);
    await side.add([{ id: 5, n: 50 }]);
    await (await side.tags()).create("grown", 2);
    const deep = await branches.create("feature/side/deep", "feature/side");
    const made = [
      side,
      deep,
      await branches.create("tagged", "two"),
      await branches.create("numbered", 1),
      await branches.create("old", "feature/side", 1),
      await branches.create("from-tag", "grown"),
      await branches.create("from-main", "main"),
    ];
    expect(await Promise.all(made.map(idsOf))).toEqual([
      [1, 2, 3, 5],
      [1, 2, 3, 5],
      [1, 2, 3, 4],
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3, 5],
      [1, 3, 4],
    ]);
    await deep.add([{ id: 6, n: 60 }]);
    expect([await idsOf(deep), await idsOf(side)]).toEqual([
      [1, 2, 3, 5, 6],
      [1, 2, 3, 5],
    ]);
    expect(await (await deep.branches()).list()).toEqual({
      "feature/side": { parentBranch: null, parentVersion: 1, manifestSize: expect.any(Number) },
      "feature/side/deep": { parentBranch: "feature/side", parentVersion: 2, manifestSize: expect.any(Number) },
      tagged: { parentBranch: null, parentVersion: 2, manifestSize: expect.any(Number) },
      numbered: { parentBranch: null, parentVersion: 1, manifestSize: expect.any(Number) },
      old: { parentBranch: "feature/side", parentVersion: 1, manifestSize: expect.any(Number) },
      "from-tag": { parentBranch: "feature/side", parentVersion: 2, manifestSize: expect.any(Number) },
      "from-main": { parentBranch: null, parentVersion: 3, manifestSize: expect.any(Number) },
    });
  });

  test("history, checkout, restore and tags are those of the branch", async () => {
    const connection = await place.connect();
    const main = await founded(connection);
    const side = await (await main.branches()).create("side");
    await side.add([{ id: 5, n: 50 }]);
    await side.delete("id = 1");
    expect((await side.listVersions()).map(({ version, operation }) => [version, operation])).toEqual([
      [3, "clone"],
      [4, "append"],
      [5, "delete"],
    ]);
    await side.checkout(4);
    expect(await idsOf(side)).toEqual([1, 3, 4, 5]);
    await expect(side.add([{ id: 9, n: 9 }])).rejects.toMatchObject({ code: "READ_ONLY" });
    await expect(side.checkout(2)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await side.restore();
    expect([await side.version(), await idsOf(side)]).toEqual([6, [1, 3, 4, 5]]);
    const tags = await side.tags();
    await tags.create("best", 5);
    expect(await (await main.tags()).list()).toMatchObject({ best: { version: 5, branch: "side" } });
    await main.checkout("best");
    expect([main.currentBranch(), await main.version(), await idsOf(main)]).toEqual(["side", 5, [3, 4, 5]]);
    expect(await main.countRows()).toBe(3);
    await expect(main.restore()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await main.checkoutLatest();
    expect([main.currentBranch(), await main.version()]).toEqual([null, 3]);
    const again = await connection.openTable("t", { branch: "side" });
    expect([again.currentBranch(), await again.version()]).toEqual(["side", 6]);
    const pinned = await connection.openTable("t", { branch: "side", version: 4 });
    expect([await pinned.version(), pinned.currentBranch()]).toEqual([4, "side"]);
    expect((await (await main.branches()).checkout("main")).currentBranch()).toBeNull();
  });

  test("a cleanup of the main line takes nothing that a branch needs, and one of a branch nothing of the main line", async () => {
    const connection = await place.connect();
    const main = await founded(connection);
    const branches = await main.branches();
    const side = await branches.create("side");
    const deep = await branches.create("deep", "side");
    await side.add([{ id: 5, n: 50 }]);
    const fromFive = await branches.create("five", "side");
    await main.add([{ id: 9, n: 90 }], { mode: "overwrite" });
    await side.add([{ id: 8, n: 80 }], { mode: "overwrite" });
    for (const table of [main, side, deep, fromFive, main]) {
      await table.optimize({ cleanupOlderThan: NOW(), deleteUnverified: true });
    }
    // By another process, so that no cache answers.
    expect(await Promise.all([main, side, deep, fromFive].map(idsOf))).toEqual([[9], [8], [1, 3, 4], [1, 3, 4, 5]]);
    expect((await main.listVersions()).map(({ version }) => version)).toEqual([3, 4]);
    expect((await side.listVersions()).map(({ version }) => version)).toEqual([3, 4, 5]);
    expect(await main.verify({ deep: true }).toArray()).toEqual([]);
    expect(await deep.verify({ deep: true }).toArray()).toEqual([]);
    await branches.delete("five");
    await branches.delete("deep");
    await branches.delete("side");
    await main.optimize({ cleanupOlderThan: NOW(), deleteUnverified: true });
    expect((await main.listVersions()).map(({ version }) => version)).toEqual([4]);
    expect(await idsOf(main)).toEqual([9]);
  });

  test("what is not there, is there already, or cannot be a name is refused with what to do", async () => {
    const main = await founded(await place.connect());
    const branches = await main.branches();
    const side = await branches.create("side");
    await (await side.tags()).create("held", 3);
    await branches.create("side/child", "side");
    const refused: [() => Promise<unknown>, string, RegExp][] = [
      [() => branches.create("side"), "ALREADY_EXISTS", /checkout\('side'\)/],
      [() => branches.create("x", "nowhere"), "NOT_FOUND", /nowhere/],
      [() => branches.create("x", "main", 77), "NOT_FOUND", /77/],
      [() => branches.create("x", 1, 1), "INVALID_ARGUMENT", /one version/],
      [() => branches.create("x", "main", 0), "INVALID_ARGUMENT", /whole number/],
      [() => branches.checkout("nowhere"), "NOT_FOUND", /list\(\)/],
      [() => branches.checkout("side", 99), "NOT_FOUND", /99/],
      [() => branches.delete("nowhere"), "NOT_FOUND", /nowhere/],
      [() => branches.delete("main"), "INVALID_ARGUMENT", /main line/],
      [() => branches.delete("side"), "CONFLICT", /side\/child/],
      [() => branches.cherryPick("side"), "NOT_SUPPORTED", /mergeInsert/],
    ];
    for (const [call, code, message] of refused) {
      await expect(call()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    }
    await branches.delete("side/child");
    await expect(branches.delete("side")).rejects.toMatchObject({
      code: "CONFLICT",
      details: { referredBy: ["held"] },
    });
    await (await main.tags()).delete("held");
    await side.checkout(3);
    await expect(branches.delete("side")).rejects.toMatchObject({ code: "BUSY" });
    await side.checkoutLatest();
    await branches.delete("side");
    expect(await branches.list()).toEqual({});
    await expect(side.countRows()).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(side.add(ROWS)).rejects.toMatchObject({ code: "NOT_FOUND" });
    const anew = await branches.create("side", "main", 1);
    expect([await idsOf(anew), await idsOf(side)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });
});

describe("names of branches", () => {
  test.each(["a.b-c_d", "a/b/c/d", ".x", "ümlaut", "_versions"])("%j", async (name) => {
    const main = await (await connected(freshDirectory())).createTable("t", ROWS);
    const branches = await main.branches();
    await (await branches.create(name)).add([{ id: 4, n: 40 }]);
    expect(Object.keys(await branches.list())).toEqual([name]);
    expect(await idsOf(await branches.checkout(name))).toEqual([1, 2, 3, 4]);
    await branches.delete(name);
    expect(Object.keys(await branches.list())).toEqual([]);
  });

  test.each(
    [
      [
        "",
        "/a",
        "a/",
        "a//b",
        "a b",
        "a..b",
        "a\\b",
        "a%2Fb",
        "a@b",
        "x.lock",
        "main",
        "./a",
        "a/.",
        ".tmp",
        "a/.tmp-x",
      ],
      ["a/data", "a/_versions", "a/_coord/b", "x".repeat(300), `${"a/".repeat(17)}a`],
    ].flat(),
  )("%j is refused", async (name) => {
    const main = await (await connected("memory://")).createTable("t", ROWS);
    const branches = await main.branches();
    await expect(branches.create(name)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(branches.delete(name)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("branches on disk", () => {
  test("making one copies nothing, and deleting one leaves nothing of it", async () => {
    const directory = freshDirectory();
    const main = await founded(await connected(directory));
    await main.optimize({ cleanupOlderThan: NOW() });
    const table = join(directory, "t.lance");
    const before = filesBelow(table).filter((file) => !file.startsWith("_coord/"));
    const branches = await main.branches();
    const side = await branches.create("a/b");
    expect(readdirSync(join(table, "tree/a/b"))).toEqual(["_versions"]);
    await side.add(ROWS);
    await side.delete("id = 1");
    await branches.create("a/b/c", "a/b");
    await branches.create("a/z", "a/b");
    await branches.delete("a/b/c");
    expect(readdirSync(join(table, "tree/a/b"))).not.toContain("c");
    await branches.delete("a/z");
    await branches.delete("a/b");
    expect(existsSync(join(table, "tree"))).toBe(false);
    const after = filesBelow(table).filter((file) => !file.startsWith("_coord/"));
    expect(after).toEqual(before);
  });

  test("a branch below the name of another one outlives it", async () => {
    const directory = freshDirectory();
    const branches = await (await founded(await connected(directory))).branches();
    await branches.create("a");
    const below = await branches.create("a/b");
    await below.add([{ id: 9, n: 90 }]);
    await branches.delete("a");
    expect(await idsOf(await await (await connectedApart(directory)).openTable("t", { branch: "a/b" }))).toEqual([
      1, 3, 4, 9,
    ]);
    expect(Object.keys(await branches.list())).toEqual(["a/b"]);
  });

  test("another process keeps the branch that it reads, and other processes see branches come and go", async () => {
    const directory = freshDirectory();
    const main = await founded(await connected(directory));
    const branches = await main.branches();
    await branches.create("side");
    const apart = await connectedApart(directory);
    const reader = await apart.openTable("t", { branch: "side", version: 3 });
    await expect(branches.delete("side")).rejects.toMatchObject({
      code: "BUSY",
      message: expect.stringContaining(String(process.pid)),
    });
    expect(await idsOf(reader)).toEqual([1, 3, 4]);
    reader.close();
    await apart.close();
    await branches.delete("side");
    expect(existsSync(join(directory, "t.lance/_refs/branches/side.json"))).toBe(false);
  });

  test("two processes that make the same branch: one does, and the branch is whole", async () => {
    const directory = freshDirectory();
    const main = await founded(await connected(directory));
    const others = await Promise.all([1, 2, 3].map(() => connectedApart(directory)));
    const tables = [main, ...(await Promise.all(others.map((other) => other.openTable("t"))))];
    const outcomes = await Promise.allSettled(
      tables.map(async (table, i) => (await table.branches()).create("side", "main", (i % 3) + 1)),
    );
    const made = outcomes.flatMap((one, i) => (one.status === "fulfilled" ? [i] : []));
    expect(made).toHaveLength(1);
    for (const one of outcomes) {
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "ALREADY_EXISTS" });
    }
    const version = (made[0]! % 3) + 1;
    expect(await (await main.branches()).list()).toMatchObject({ side: { parentVersion: version } });
    const side = await (await connectedApart(directory)).openTable("t", { branch: "side" });
    expect((await side.listVersions()).map((one) => one.version)).toEqual([version]);
  });

  test("a branch keeps what it needs also when the version that it was forked from is gone", async () => {
    const directory = freshDirectory();
    const writer = await connected(directory);
    const main = await founded(writer);
    const branches = await main.branches();
    const side = await branches.create("side");
    await side.add([{ id: 5, n: 50 }]);
    await branches.create("deep", "side");
    await main.add([{ id: 9, n: 90 }], { mode: "overwrite" });
    await side.add([{ id: 8, n: 80 }], { mode: "overwrite" });
    // With its lease, nothing but the branches keeps its files.
    await writer.close();
    const table = join(directory, "t.lance");
    rmSync(join(table, manifestPath(3, "v2")));
    rmSync(join(table, "tree/side", manifestPath(4, "v2")));
    const apart = await connectedApart(directory);
    for (const branch of ["main", "side"]) {
      await (await apart.openTable("t", { branch })).optimize({ cleanupOlderThan: NOW(), deleteUnverified: true });
    }
    const fresh = await connectedApart(directory);
    expect(await idsOf(await fresh.openTable("t", { branch: "deep" }))).toEqual([1, 3, 4, 5]);
  });

  test("tags of a branch keep its versions, and those of the main line keep none of it", async () => {
    const directory = freshDirectory();
    const main = await founded(await connected(directory));
    const side = await (await main.branches()).create("side", "main", 2);
    await side.add([{ id: 5, n: 50 }]);
    await side.add([{ id: 6, n: 60 }]);
    await (await main.tags()).create("of-main", 3);
    await (await side.tags()).create("of-side", 2);
    await side.optimize({ targetRowsPerFragment: 1, cleanupOlderThan: NOW() });
    expect((await side.listVersions()).map(({ version }) => version)).toEqual([2, 4]);
  });

  test("a branch that native LanceDB made inside a directory of another one is left alone", async () => {
    const directory = freshDirectory();
    const main = await founded(await connected(directory));
    const branches = await main.branches();
    await branches.create("a");
    await (await branches.create("a/x")).add([{ id: 5, n: 50 }]);
    await branches.create("b", "main");
    const table = join(directory, "t.lance");
    renameSync(join(table, "tree/a/x"), join(table, "tree/a/data"));
    renameSync(join(table, "_refs/branches/a%2Fx.json"), join(table, "_refs/branches/a%2Fdata.json"));
    await expect(branches.delete("a")).rejects.toMatchObject({ code: "CONFLICT", details: { referredBy: ["a/data"] } });
    // As if the removal of "a" had been interrupted.
    rmSync(join(table, "_refs/branches/a.json"));
    await main.optimize({ cleanupOlderThan: NOW() });
    expect(existsSync(join(table, "tree/a/_versions"))).toBe(false);
    expect(await idsOf(await branches.checkout("a/data"))).toEqual([1, 3, 4, 5]);
  });

  test("a cleanup that removes an unfinished branch leaves its sleeping maker nothing to finish it with", async () => {
    const directory = freshDirectory();
    const main = await founded(await connected(directory));
    const branches = await main.branches();
    for (const name of ["side", "a/b"]) await branches.create(name);
    const table = join(directory, "t.lance");
    const references = join(table, "_refs/branches");
    const staged = (name: string) => join(references, `.tmp-${name}.json-${"0".repeat(32)}`);
    // As it is between the two names that a branch gets.
    for (const name of ["side", "a%2Fb"]) renameSync(join(references, `${name}.json`), staged(name));
    await main.optimize({ dryRun: true });
    expect(readdirSync(references)).toHaveLength(2);
    // What somebody stages under another name stays.
    writeFileSync(staged("other"), "");
    await main.optimize({ cleanupOlderThan: NOW() });
    expect(readdirSync(references)).toEqual([staged("other").slice(references.length + 1)]);
    expect(existsSync(join(table, "tree/side/_versions"))).toBe(false);
  });

  test("verify and doctor look at branches, at what they inherit, and at what is left of them", async () => {
    const directory = freshDirectory();
    const writer = await connected(directory);
    await (await (await (await founded(writer)).branches()).create("side")).add([{ id: 5, n: 50 }]);
    // What is written behind the answers, such as a hint, would be told as a temporary.
    await writer.close();
    const connection = await connected(directory, { coordination: { leaseTtlMs: 3_600_000 } });
    const branches = await (await connection.openTable("t")).branches();
    const side = await branches.checkout("side");
    expect(await connection.doctor({ deep: true }).toArray()).toEqual([]);
    expect(await side.verify({ deep: true }).toArray()).toEqual([]);
    await branches.create("empty");
    await branches.create("torn");
    await (await (await branches.create("gone")).tags()).create("lost", 3);
    const table = join(directory, "t.lance");
    rmSync(join(table, "tree/empty"), { recursive: true });
    rmSync(join(table, "_refs/branches/torn.json"));
    rmSync(join(table, "_refs/branches/gone.json"));
    rmSync(join(table, "tree/gone"), { recursive: true });
    const [own] = readdirSync(join(table, "tree/side/data"));
    rmSync(join(table, "tree/side/data", own!));
    writeFileSync(
      join(table, "_refs/branches/..%2F..%2Fx.json"),
      readFileSync(join(table, "_refs/branches/side.json")),
    );
    expect(Object.keys(await branches.list()).sort()).toEqual(["empty", "side"]);
    const found = await connection.doctor().toArray();
    expect(found.map(({ id, table: where, path }) => `${id} ${where} ${path}`)).toEqual([
      "J024-reference-dangling t _refs/tags/lost.json",
      "J023-reference-unreadable t _refs/branches/..%2F..%2Fx.json",
      "J024-reference-dangling t _refs/branches/empty.json",
      "J028-files-unreferenced t tree/torn",
      "J020-no-version t@empty undefined",
      `J007-file-missing t@side data/${own}`,
    ]);
    await branches.delete("empty");
    rmSync(join(table, "data", readdirSync(join(table, "data"))[0]!));
    expect((await side.verify().toArray()).map(({ path }) => path)).toContainEqual(
      expect.stringMatching(/^_base\/0\/data/),
    );
  });

  test("a database that was moved keeps its branches", async () => {
    const directory = freshDirectory();
    const first = await connected(directory);
    const branches = await (await founded(first)).branches();
    await (await branches.create("side")).add([{ id: 5, n: 50 }]);
    await branches.create("deep", "side");
    await first.close();
    const elsewhere = freshDirectory();
    renameSync(join(directory, "t.lance"), join(elsewhere, "t.lance"));
    const table = await (await connected(elsewhere)).openTable("t", { branch: "deep" });
    expect(await idsOf(table)).toEqual([1, 3, 4, 5]);
    await table.delete("id = 5");
    expect(await idsOf(table)).toEqual([1, 3, 4]);
  });

  test("what a native program left of a branch that it did not finish stays for a while, and blocks the name only", async () => {
    const directory = freshDirectory();
    const main = await founded(await connected(directory));
    const branches = await main.branches();
    await branches.create("side");
    const versions = join(directory, "t.lance/tree/side/_versions");
    rmSync(join(directory, "t.lance/_refs/branches/side.json"));
    const [manifest] = readdirSync(versions).filter((name) => name.endsWith(".manifest"));
    const path = join(versions, manifest!);
    const ours = decodeManifest(new Uint8Array(readFileSync(path)), path);
    const theirs = { ...ours, writerVersion: { library: "lance", version: "12.0.0" } };
    writeFileSync(path, Buffer.concat(encodeManifest(theirs)));
    await expect(branches.create("side")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    const { report } = await main.optimize({ dryRun: true });
    expect(report?.files).toContainEqual(expect.objectContaining({ path: "tree/side", keep: true }));
    await main.optimize();
    expect(existsSync(join(versions, manifest!))).toBe(true);
    await main.optimize({ deleteUnverified: true });
    expect(existsSync(versions)).toBe(false);
    expect(await idsOf(await branches.create("side"))).toEqual([1, 3, 4]);
  });

  test("drop takes the branches along, and a new table of the name has none", async () => {
    const directory = freshDirectory();
    const connection = await connected(directory);
    const main = await founded(connection);
    const side = await (await main.branches()).create("side");
    await connection.dropTable("t");
    await expect(side.countRows()).rejects.toMatchObject({ code: "NOT_FOUND" });
    const anew = await connection.createTable("t", ROWS);
    expect(await (await anew.branches()).list()).toEqual({});
  });
});
