/** Reader threads where their optional package is not installed. */
import * as arrow from "apache-arrow";
import { expect, test, vi } from "vitest";
import { connected, freshDirectory } from "./places.js";

vi.mock("piscina", () => {
  throw Object.assign(new Error("Cannot find package 'piscina'"), { code: "ERR_MODULE_NOT_FOUND" });
});

test("without piscina a large scan names the package to install, and everything else works", async () => {
  const db = await connected(freshDirectory(), { readers: 2 });
  const id = arrow.makeVector(Int32Array.from({ length: 400_000 }, (_, i) => i));
  const table = await db.createTable("t", new arrow.Table({ id }));
  await table.add([{ id: -1 }]);
  expect(await table.query().limit(2).toArray()).toHaveLength(2);
  await expect(table.toArrow()).rejects.toMatchObject({
    code: "NOT_SUPPORTED",
    message: expect.stringContaining("npm install piscina"),
    details: { package: "piscina" },
  });
  const plain = await connected(freshDirectory());
  expect(await (await plain.createTable("t", [{ id: 1 }])).countRows("id = 1")).toBe(1);
});
