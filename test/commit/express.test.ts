/** What a plan that fails half-way leaves behind: nothing. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connected, connectedApart, freshDirectory } from "../api/places.js";

test("a delete whose second fragment cannot be read leaves no deletion file of the first one", async () => {
  const directory = freshDirectory();
  const maker = await connected(directory);
  const made = await maker.createTable("t", [
    { id: 1, n: 1 },
    { id: 2, n: 1 },
  ]);
  await made.add([
    { id: 3, n: 1 },
    { id: 4, n: 1 },
  ]);
  await made.delete("id = 4");
  await maker.close();
  const deletions = join(directory, "t.lance", "_deletions");
  const [there, ...others] = readdirSync(deletions);
  expect(others).toEqual([]);
  const table = await (await connectedApart(directory)).openTable("t");
  // The reader has the file in its cache, so that the plan, and not the scan, is the first to miss it.
  expect(await table.countRows("n = 1")).toBe(3);
  rmSync(join(deletions, there!));
  await expect(table.delete("id = 1 OR id = 3")).rejects.toMatchObject({ code: expect.any(String) });
  expect(readdirSync(deletions)).toEqual([]);
});
