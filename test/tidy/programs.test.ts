/** The benchmarks, the demo and the examples run as they are, in small: what is printed in the documentation works. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { ROOT } from "./sources.js";

/** Runs one program of the project with Node, in an empty folder, and answers what it printed. */
async function run(file: string, ...args: string[]) {
  const cwd = mkdtempSync(join(tmpdir(), "joust-program-"));
  const child = spawn(process.execPath, [`${ROOT}${file}`, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  rmSync(cwd, { recursive: true, force: true });
  return { output, errors, code };
}

test("the package is built, because programs import the build", () => {
  expect(existsSync(`${ROOT}dist/index.js`), "run `npm run build`, or `npm test`, which does").toBe(true);
});

describe("the examples of the documentation", () => {
  const examples = readdirSync(`${ROOT}docs/examples`).filter((name) => name.endsWith(".mjs"));

  test.each(examples)("docs/examples/%s runs and ends well", async (name) => {
    const { errors, code } = await run(`docs/examples/${name}`);
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
  });

  test("the first lines of the README are the quickstart, word for word", () => {
    const quickstart = readFileSync(`${ROOT}docs/examples/quickstart.mjs`, "utf8");
    expect(readFileSync(`${ROOT}README.md`, "utf8")).toContain(`\`\`\`js\n${quickstart}\`\`\``);
  });

  test("the demo proves every row of a small run", async () => {
    const { output, errors, code } = await run("docs/examples/flights/demo.mjs", "--rows", "1500", "--writers", "3");
    expect({ code, errors }, output).toEqual({ code: 0, errors: "" });
    expect(output).toContain("All of it holds.");
  });
});

test("every benchmark runs on our side at its small size, and loses no write", async () => {
  const { output, errors, code } = await run("bench/runner.mjs", "--small", "--engine", "joust", "--json");
  expect(code, errors).toBe(0);
  const { results } = JSON.parse(output) as {
    results: { name: string; joust: { failure?: string; rounds: number } }[];
  };
  expect(results.filter(({ joust }) => joust.failure !== undefined || joust.rounds === 0)).toEqual([]);
  expect([...new Set(results.map(({ name }) => name.split("/")[0]))]).toEqual(workloads());
}, 120_000);

const workloads = () =>
  readdirSync(`${ROOT}bench/workloads`)
    .sort()
    .map((name) => name.replace(".mjs", ""));
