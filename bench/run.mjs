// `npm run bench`: puts native LanceDB in place when it is needed and missing, then starts the runner.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { isBuilt, nativePath } from "./engines.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const flag = process.argv.indexOf("--engine");
const engine = flag > 0 ? process.argv[flag + 1] : undefined;

function npm(args, cwd) {
  const { status } = spawnSync("npm", args, { cwd, stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    console.error(
      `npm ${args.join(" ")} failed; the benchmarks need it. \`--engine joust\` runs without native LanceDB.`,
    );
    process.exit(1);
  }
}

if (engine !== "joust" && nativePath() === undefined) {
  console.error("Installing native LanceDB 0.39.0 into bench/node_modules to compare with (about 200 MB, once) ...");
  npm(["ci", "--no-audit", "--no-fund"], here);
}
if (engine !== "native" && !isBuilt()) npm(["run", "build"], fileURLToPath(new URL("..", import.meta.url)));

await import("./runner.mjs");
