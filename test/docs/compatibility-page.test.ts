import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PAGE = new URL("../../docs/compatibility.md", import.meta.url);

test("every proof that the compatibility page names is a file, and every link in it has one", () => {
  const text = readFileSync(PAGE, "utf8");
  const targets = new Map([...text.matchAll(/^\[(\w+)\]: (\S+)$/gm)].map(([, name, path]) => [name!, path!]));
  expect(targets.size).toBeGreaterThan(5);
  for (const path of targets.values()) expect(existsSync(fileURLToPath(new URL(path, PAGE))), path).toBe(true);
  const used = new Set([...text.matchAll(/\]\[(\w+)\]/g)].map(([, name]) => name!));
  expect([...used].sort()).toEqual([...targets.keys()].sort());
});
