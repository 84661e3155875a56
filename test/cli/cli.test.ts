/** The command as a stranger meets it: built, in a process of its own. */
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { freshDatabase, hashOf, makeTable, manifestOf, NAME } from "../chores/table-on-disk.js";
import { COMMAND, joust, json } from "./command.js";

beforeAll(() => {
  expect(existsSync(COMMAND), "run `npm run build`, or `npm test`, which does").toBe(true);
});

test("the command begins with the line that makes it one", () => {
  expect(readFileSync(COMMAND, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});

describe("looking", () => {
  test("ls shows the tables of a database, with a line that says why one cannot be read", async () => {
    const { database, directory } = await makeTable("arrow");
    expect((await joust("ls", database)).lines[1]).toMatch(/^t +6 +25 +4 +[\d.]+ kB$/);
    expect(await json("ls", database)).toMatchObject([{ name: "t", version: 6, rows: 25, fragments: 4 }]);
    truncateSync(join(directory, manifestOf(6)), 0);
    const broken = await joust("ls", database);
    expect(broken.code).toBe(0);
    expect(broken.errors).toContain("doctor");
  });

  test("ls of a directory without tables says so", async () => {
    expect(await joust("ls", freshDatabase())).toMatchObject({
      code: 0,
      output: "",
      errors: expect.stringContaining("No tables"),
    });
  });

  test.each(["ls", "verify", "doctor"])("%s of a directory that does not exist is no empty database", async (verb) => {
    const missing = join(freshDatabase(), "mistyped");
    expect(await joust(verb, missing)).toMatchObject({
      code: 1,
      output: "",
      errors: expect.stringMatching(/^NOT_FOUND: There is no directory .*mistyped/),
    });
    expect(existsSync(missing)).toBe(false);
  });

  test("numbers that JSON does not know are text", async () => {
    const database = freshDatabase();
    const db = await connect(database);
    await db.createTable("t", [{ x: Number.NaN, v: [1, Number.POSITIVE_INFINITY, Number.NaN] }]);
    await db.close();
    const { output } = await joust("cat", database, "t", "--json");
    expect(JSON.parse(output)).toEqual({ x: "NaN", v: [1, "Infinity", "NaN"] });
    expect((await joust("cat", database, "t")).lines[1]).toMatch(/NaN +\[1,"Infinity","NaN"\]/);
  });

  test("schema, log and stats line up what they show, and give programs the same", async () => {
    const { database } = await makeTable("lance");
    expect((await joust("schema", database, NAME)).lines.slice(0, 2)).toEqual([
      "COLUMN  TYPE           NULLS",
      "id      Float64        allowed",
    ]);
    expect(
      (await json("schema", database, NAME, "--version", "keep")).map(({ name }: { name: string }) => name),
    ).toEqual(["id", "name", "v"]);
    const log = await json("log", database, NAME, "--limit", "5");
    expect(
      log.map(({ version, rowsAdded, tags }: { version: number; rowsAdded: number; tags: string[] }) => [
        version,
        rowsAdded,
        ...tags,
      ]),
    ).toEqual([
      [6, 1],
      [5, 0],
      [4, 1],
      [3, 0],
      [2, 10, "keep"],
    ]);
    expect((await joust("log", database, NAME)).lines).toHaveLength(7);
    expect(await json("stats", database, NAME)).toMatchObject({ version: 6, versions: 6, rows: 25, tags: 1 });
    expect((await joust("stats", database, NAME)).output).toContain("rows                        25");
  });

  test("cat filters, selects, limits, goes back, and says what is left out", async () => {
    const { database } = await makeTable("parquet");
    const some = await joust("cat", database, NAME, "--where", "id > 20", "--select", "id,name", "--limit", "2");
    expect(some.lines).toEqual(["id  name", "21  name 21", "22  name 22"]);
    expect(some.errors).toContain("2 of 9 rows");
    const old = await joust("cat", database, NAME, "--version", "1", "--json", "--where", "id in (0, 7)");
    expect(old.lines.map((line) => JSON.parse(line))).toEqual([
      { id: 0, name: "name 0", v: [0, 0] },
      { id: 7, name: "name 7", v: [0, 3.5] },
    ]);
    const then = await joust("cat", database, NAME, "--version", "2020-01-01");
    expect(then).toMatchObject({ code: 1, errors: expect.stringMatching(/^NOT_FOUND: .*2020-01-01/) });
  });

  test("no value of a table steers the terminal, and times are readable", async () => {
    const database = freshDatabase();
    const db = await connect(database);
    await db.createTable("evil", [
      { text: "\u001b[2Jgone\r\n\u202e", when: new Date(1.7e12), big: 2n ** 60n, many: "x".repeat(99) },
    ]);
    await db.close();
    const { lines } = await joust("cat", database, "evil");
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      /^\\u001b\[2Jgone\\u000d\\u000a\\u202e +2023-11-14T22:13:20\.000Z +1152921504606846976 +x+…$/,
    );
    const [row] = (await joust("cat", database, "evil", "--json")).lines;
    expect(JSON.parse(row!)).toMatchObject({ when: "2023-11-14T22:13:20.000Z", big: "1152921504606846976" });
  });

  test("looking leaves the table as it was", async () => {
    const { database } = await makeTable("lance");
    const before = hashOf(database);
    const verbs = ["ls", "schema", "log", "cat", "stats", "verify", "doctor"];
    const ended = await Promise.all(verbs.map((verb) => joust(verb, database, ...(verb === "ls" ? [] : [NAME]))));
    expect(ended.map(({ code }) => code)).toEqual(verbs.map(() => 0));
    expect(hashOf(database)).toBe(before);
  });
});

describe("changing", () => {
  test("tags are created, listed, moved and deleted", async () => {
    const { database } = await makeTable("arrow");
    const tag = (verb: string, ...rest: string[]) => joust("tag", verb, database, NAME, ...rest);
    expect(await tag("create", "new")).toMatchObject({ code: 0, output: "new names version 6\n" });
    expect(await tag("create", "new")).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^ALREADY_EXISTS: .*\n$/),
    });
    expect((await tag("update", "new", "3")).code).toBe(0);
    expect((await tag("delete", "keep")).code).toBe(0);
    expect((await tag("list")).lines).toEqual(["TAG  VERSION", "new        3"]);
    expect(await json("tag", "list", database, NAME)).toMatchObject({ new: { version: 3 } });
  });

  test("vacuum tells of every version why, and changes nothing; without --dry-run it is refused", async () => {
    const { database } = await makeTable("lance");
    const before = hashOf(database);
    const { output, errors } = await joust("vacuum", database, NAME, "--dry-run", "--older-than", "now");
    expect(output).toMatch(/^2 +stay +tag 'keep' names it$/m);
    expect(errors).toMatch(/4 versions and \d+ files? of .* would go/);
    expect((await joust("vacuum", database, NAME)).code).toBe(2);
    expect(hashOf(database)).toBe(before);
  });

  test("optimize compacts, and removes versions on demand", async () => {
    const { database } = await makeTable("lance");
    const { prune } = await json("optimize", database, NAME, "--cleanup-older-than", "now");
    expect(prune.oldVersionsRemoved).toBeGreaterThan(0);
    expect((await json("stats", database, NAME)).fragments.numFragments).toBe(1);
    expect((await joust("verify", database, "--deep")).code).toBe(0);
  });
});

describe("finding and repairing damage", () => {
  test("verify and doctor end with 1 when there is damage, and print its name", async () => {
    const { database, directory } = await makeTable("lance");
    truncateSync(join(directory, manifestOf(6)), 0);
    const cat = await joust("cat", database, NAME);
    expect(cat.code).toBe(1);
    expect(cat.errors).toMatch(/^CORRUPT: [^\n]*npx joust doctor [^\n]* t --fix[^\n]*\n$/);
    expect(await joust("verify", database)).toMatchObject({
      code: 1,
      output: expect.stringContaining("J001-head-unreadable"),
    });
    const found = await json("doctor", database, NAME);
    expect(found).toMatchObject({
      errors: 1,
      fixed: 0,
      findings: [{ id: "J001-head-unreadable", severity: "error", fixed: false }],
    });
    const fixed = await joust("doctor", database, NAME, "--fix");
    expect(fixed).toMatchObject({
      code: 0,
      output: expect.stringMatching(/fixed.*J001.*\n.*\n.*quarantine.*may be lost/),
    });
    expect((await joust("cat", database, NAME)).code).toBe(0);
  });

  test("--fail-on decides what counts", async () => {
    const { database, directory } = await makeTable("arrow");
    writeFileSync(join(directory, "_versions/latest_version_hint.json"), "?");
    for (const [severity, code] of [
      ["error", 0],
      ["warning", 1],
      ["info", 1],
    ] as const) {
      expect((await joust("doctor", database, "--fail-on", severity)).code).toBe(code);
    }
    expect((await joust("doctor", database, "--fail-on", "doom")).code).toBe(2);
  });
});

describe("being called wrongly", () => {
  test("ends with 2 and says why on stderr, without a stack", async () => {
    const wrong = [
      [],
      ["frobnicate"],
      ["cat", ".", "t", "--limit", "many"],
      ["cat", ".", "t", "--frob"],
      ["schema", ".", "../t"],
      ["optimize", ".", "t", "--cleanup-older-than", "soon"],
    ];
    for (const { code, output, errors } of await Promise.all(wrong.map((args) => joust(...args)))) {
      expect({ code, output }).toEqual({ code: 2, output: "" });
      expect(errors).toMatch(/\S/);
      expect(errors).not.toMatch(/ at .*\.js/);
    }
  });

  test("a filter that makes no sense is told in one line", async () => {
    const { database } = await makeTable("arrow");
    const { code, errors } = await joust("cat", database, NAME, "--where", "id >>> 1");
    expect(code).toBe(2);
    expect(errors).toMatch(/^INVALID_ARGUMENT: [^\n\\]*id >>> 1\n$/);
  });

  test("help and version go to stdout and end with 0", async () => {
    const help = await joust("--help");
    expect(help).toMatchObject({ code: 0, errors: "", output: expect.stringContaining("Examples:") });
    expect((await joust("cat", "--help")).output).toContain("--where <filter>");
    expect((await joust("--version")).output).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
