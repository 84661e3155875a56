/** Names of tags beyond ASCII: those that native LanceDB takes, under the file names that it gives them. */
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { Table, Tags } from "../../src/index.js";
import { connected, freshDirectory } from "./places.js";

let directory: string;
let table: Table;
let tags: Tags;
beforeEach(async () => {
  directory = freshDirectory();
  const db = await connected(directory);
  table = await db.createTable("t", [{ id: 1 }]);
  tags = await table.tags();
});
const files = () => readdirSync(join(directory, "t.lance", "_refs", "tags"));

/** What LanceDB 0.39 does with the name, and the file that it makes. */
const TAKEN: readonly (readonly [string, string])[] = [
  ["ümlaut", "%C3%BCmlaut.json"],
  ["日本", "%E6%97%A5%E6%9C%AC.json"],
  ["é", "%C3%A9.json"],
  ["٣", "%D9%A3.json"],
  ["Ⅷ", "%E2%85%A7.json"],
  ["²", "%C2%B2.json"],
  ["ª", "%C2%AA.json"],
  ["ß-1", "%C3%9F-1.json"],
  ["\u0345", "%CD%85.json"],
  ["ா", "%E0%AE%BE.json"],
  ["v1.0_a-b", "v1.0_a-b.json"],
];

test.each(TAKEN)("%s is a tag, in the file %s", async (name, file) => {
  await tags.create(name, 1);
  expect(files()).toEqual([file]);
  expect(Object.keys(await tags.list())).toEqual([name]);
  await table.add([{ id: 2 }]);
  await tags.update(name, 2);
  expect(await tags.getVersion(name)).toBe(2);
  await table.checkout(name);
  expect(await table.version()).toBe(2);
  await table.checkoutLatest();
  expect((await table.verify().toArray()).filter(({ severity }) => severity !== "info")).toEqual([]);
  await tags.delete(name);
  expect(files()).toEqual([]);
});

test.each(["e\u0301", "a b", "😀", "a\u200d", "a%20", "a+b", "்", "ก็", "़", "a/ü", "\ud800", "ä".repeat(42)])(
  "%j is no tag",
  async (name) => {
    await expect(tags.create(name, 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(existsSync(join(directory, "t.lance", "_refs", "tags"))).toBe(false);
  },
);

test("a cleanup keeps what a tag beyond ASCII names, and says by which", async () => {
  await tags.create("ü", 1);
  await table.add([{ id: 2 }]);
  const report = await table.optimize({ cleanupOlderThan: new Date(Date.now() + 60_000), dryRun: true });
  expect(report.report?.versions[0]).toMatchObject({ version: 1, keep: true, why: expect.stringContaining("ü") });
});

test("a file that stands for no tag is not listed", async () => {
  await tags.create("a", 1);
  const at = (name: string) => join(directory, "t.lance", "_refs", "tags", name);
  for (const name of ["%61.json", "%2F.json", "%.json", "x.txt"]) {
    renameSync(at("a.json"), at(name));
    expect(await tags.list()).toEqual({});
    renameSync(at(name), at("a.json"));
  }
  expect(readFileSync(at("a.json"), "utf8")).toContain('"version": 1');
});
