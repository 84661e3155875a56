/** The command on a branch: what each verb shows and changes there, and that the main line stays out of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { joust, json } from "./command.js";

const database = mkdtempSync(join(tmpdir(), "joust-cli-"));
afterAll(() => rmSync(database, { recursive: true }));

/** Main: one row, three versions, the last one tagged `m`; branch side: two rows, version 3 tagged `s`, column n gone. */
beforeAll(async () => {
  const db = await connect(database, { maintenance: { auto: false } });
  const main = await db.createTable("t", [{ id: 1, n: 10 }]);
  const side = await (await main.branches()).create("side");
  await side.add([{ id: 2, n: 20 }]);
  await side.dropColumns(["n"]);
  await (await side.tags()).create("s", 3);
  await main.update({ values: { n: 11 } });
  await main.update({ values: { n: 12 } });
  await (await main.tags()).create("m", 3);
  await db.close();
});

const ids = async (...args: readonly string[]) =>
  (await joust("cat", database, "t", "--json", ...args)).lines.map((line) => JSON.parse(line).id);
const names = (rows: readonly { name: string }[]) => rows.map(({ name }) => name);

test("cat, schema and stats show the branch, at its newest version or an older one", async () => {
  expect([await ids("--branch", "side"), await ids()]).toEqual([[1, 2], [1]]);
  expect(await ids("--branch", "side", "--version", "1")).toEqual([1]);
  expect(names(await json("schema", database, "t", "--branch", "side"))).toEqual(["id"]);
  expect(names(await json("schema", database, "t", "--branch", "side", "--version", "2"))).toEqual(["id", "n"]);
  expect(await json("stats", database, "t", "--branch", "side")).toMatchObject({ version: 3, rows: 2, tags: 1 });
  expect(await json("stats", database, "t")).toMatchObject({ version: 3, rows: 1, tags: 1 });
});

test("log gives to each version the tags of its own line, not those of the same number elsewhere", async () => {
  const log = async (...args: readonly string[]) =>
    (await json("log", database, "t", "--limit", "1", ...args)).map((one: Record<string, unknown>) => [
      one.version,
      one.operation,
      one.tags,
    ]);
  expect(await log("--branch", "side")).toEqual([[3, "project", ["s"]]]);
  expect(await log()).toEqual([[3, "update", ["m"]]]);
});

test("tags are listed with their branch, and made and moved on the one that is named", async () => {
  expect((await joust("tag", "list", database, "t")).lines).toEqual([
    "TAG  VERSION  BRANCH",
    "m          3",
    "s          3  side",
  ]);
  expect(Object.keys(await json("tag", "list", database, "t", "--branch", "side"))).toEqual(["s"]);
  expect((await joust("tag", "create", database, "t", "new", "--branch", "side")).output).toBe(
    "new names version 3 of branch side\n",
  );
  expect((await joust("tag", "update", database, "t", "new", "2", "--branch", "side")).code).toBe(0);
  expect((await json("tag", "list", database, "t")).new).toMatchObject({ version: 2, branch: "side" });
  expect((await joust("tag", "delete", database, "t", "new")).code).toBe(0);
});

test("a tag of another line is refused instead of shown in the name of the branch", async () => {
  expect(await joust("cat", database, "t", "--branch", "side", "--version", "m")).toMatchObject({
    code: 2,
    output: "",
    errors: "INVALID_ARGUMENT: Tag 'm' names no version of branch 'side'.\n",
  });
});

test("optimize works on the branch and leaves the main line as it is", async () => {
  const vacuum = await json("vacuum", database, "t", "--dry-run", "--branch", "side");
  expect(vacuum.versions.map(({ version }: { version: number }) => version)).toEqual([1, 2, 3]);
  expect(await json("optimize", database, "t", "--branch", "side")).toMatchObject({
    compaction: { fragmentsRemoved: 2, fragmentsAdded: 1 },
  });
  expect((await json("stats", database, "t", "--branch", "side")).version).toBe(4);
  expect((await json("stats", database, "t")).version).toBe(3);
});

describe("a branch that is not there is NOT_FOUND, and ends with 1", () => {
  test.each(["cat", "schema", "log", "stats", "tag list", "tag create", "tag update", "optimize", "vacuum --dry-run"])(
    "%s",
    async (words) => {
      const verb = words.split(" ");
      const rest = { create: ["x"], update: ["m", "1"] }[verb[1] ?? ""] ?? [];
      expect(await joust(...verb, database, "t", ...rest, "--branch", "none")).toMatchObject({
        code: 1,
        output: "",
        errors: expect.stringMatching(/^NOT_FOUND: .*'none'/),
      });
    },
  );
});
