/** Some seconds of the soak runs that matter most: readers under cleanups, and maintenance beside mixed work. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test.each([
  ["readers of old versions are never disturbed", "readers --seconds 3 --readers 3 --writers 2 --ttl-ms 1000"],
  ["maintenance gets into the way of nobody", "mixed --seconds 4 --processes 3"],
])("%s, for a moment", { timeout: 120_000 }, (_, command) => {
  const [name, ...flags] = command.split(" ");
  const script = fileURLToPath(new URL(`../soak/${name}.mjs`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...flags], { encoding: "utf8" });
  expect(status, `${stdout}\n${stderr}`).toBe(0);
  expect(stdout).toMatch(new RegExp(`^ok {3}${name} \\{`, "m"));
});
