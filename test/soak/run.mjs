/**
 * Runs soak scripts one after the other, all of them or those that are named; what follows the names goes to each.
 *
 * Usage: npm run test:soak -- [name...] [--flags], for example: npm run test:soak -- readers --seconds 300
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const DIRECTORY = fileURLToPath(new URL(".", import.meta.url));
const all = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith(".mjs") && file !== basename(import.meta.filename))
  .map((file) => basename(file, ".mjs"))
  .sort();
const given = process.argv.slice(2);
const firstFlag = given.findIndex((one) => one.startsWith("--"));
const names = firstFlag < 0 ? given : given.slice(0, firstFlag);
const flags = firstFlag < 0 ? [] : given.slice(firstFlag);
const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0) throw new Error(`There is no soak run ${unknown.join(", ")}; there are ${all.join(", ")}.`);

const failed = [];
for (const name of names.length > 0 ? names : all) {
  const { status } = spawnSync(process.execPath, [`${DIRECTORY}${name}.mjs`, ...flags], { stdio: "inherit" });
  if (status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "soak: all passed" : `soak: ${failed.join(", ")} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
