/**
 * The whole comparison with native LanceDB, part by part; exit code 1 when one of them finds a difference. Installs
 * native into this folder when it is not there. Arguments go to the part that they name: `--tables 1000 --seed 7`.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    tables: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    operations: { type: "string", default: "100" },
  },
});
const HERE = fileURLToPath(new URL(".", import.meta.url));
const { tables, seed, operations } = options;
const PARTS = [
  ["indices.mjs"],
  ["branches.mjs", "--seed", seed],
  ["data-files.mjs", tables, seed],
  ["tables.mjs", "--tables", tables, "--seed", seed],
  ["mixed.mjs", "--operations", operations, "--seed", seed],
  ["mixed.mjs", "--operations", operations, "--seed", seed, "--stable"],
];

function run(command, args) {
  console.log(`\n== ${command === process.execPath ? "node" : command} ${args.join(" ")}`);
  const { status } = spawnSync(command, args, {
    cwd: HERE,
    stdio: "inherit",
    env: { RUST_LOG: "error", ...process.env },
  });
  return status === 0;
}

if (
  !existsSync(`${HERE}node_modules/@lancedb/lancedb`) &&
  !run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"])
) {
  process.exit(1);
}
const failed = PARTS.filter((part) => !run(process.execPath, part));
console.log(failed.length === 0 ? "\nno differences" : `\ndifferences in: ${failed.map(([file]) => file).join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
