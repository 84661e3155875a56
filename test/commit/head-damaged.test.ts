/** A newest manifest that cannot be read is named, with what repairs it; an older version is never shown instead. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { manifestPath } from "../../src/format/layout.js";
import { connect } from "../../src/index.js";
import { filesBelow } from "../api/places.js";

const DAMAGES: readonly [string, (path: string) => void][] = [
  ["empty", (path) => truncateSync(path, 0)],
  ["torn in the middle", (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2))],
  ["without its last byte", (path) => truncateSync(path, readFileSync(path).length - 1)],
  ["of zeros", (path) => writeFileSync(path, new Uint8Array(readFileSync(path).length))],
  ["another version's", (path) => writeFileSync(path, readFileSync(join(path, "..", "..", manifestPath(2, "v2"))))],
];

test.each(DAMAGES)("a newest manifest that is %s is CORRUPT for every reader and writer", async (_what, damage) => {
  const directory = mkdtempSync(join(tmpdir(), "joust-damaged-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const first = await connect(directory, { durability: "relaxed", dataFormat: "arrow" });
  const made = await first.createTable("t", [{ id: 1 }]);
  await made.add([{ id: 2 }]);
  await made.add([{ id: 3 }]);
  await first.close();
  const path = join(directory, "t.lance", manifestPath(3, "v2"));
  damage(path);

  const db = await connect(directory, { durability: "relaxed" });
  onTestFinished(() => db.close());
  const before = filesBelow(join(directory, "t.lance", "_versions"));
  const corrupt = {
    code: "CORRUPT",
    retry: "never",
    details: { table: "t", version: 3, path: expect.stringContaining("_versions/"), offset: expect.any(Number) },
    message: expect.stringMatching(/newest version of table 't', 3, cannot be read[\s\S]*doctor[\s\S]*--fix/),
  };
  const calls = [
    () => db.openTable("t"),
    () => db.openTable("t", { version: 2 }),
    () => db.createTable("t", [{ id: 9 }], { mode: "overwrite" }),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject(corrupt);
  expect(filesBelow(join(directory, "t.lance", "_versions"))).toEqual(before);
  await expect(db.createTable("t", [{ id: 9 }])).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
});

test("a handle that is open when the newest manifest is damaged by another version of it does not go back", async () => {
  const directory = mkdtempSync(join(tmpdir(), "joust-damaged-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const db = await connect(directory, { durability: "relaxed", dataFormat: "arrow" });
  onTestFinished(() => db.close());
  const table = await db.createTable("t", [{ id: 1 }]);
  await table.add([{ id: 2 }]);
  writeFileSync(join(directory, "t.lance", manifestPath(3, "v2")), "half a manif");
  await expect(table.countRows()).rejects.toMatchObject({ code: "CORRUPT", details: { version: 3 } });
  await expect(table.add([{ id: 3 }])).rejects.toMatchObject({ code: "CORRUPT", details: { version: 3 } });
  expect(
    await table.listVersions().then(
      () => "listed",
      (error: { code: string }) => error.code,
    ),
  ).toBe("CORRUPT");
  await table.checkout(1);
  expect(await table.countRows()).toBe(1);
});
