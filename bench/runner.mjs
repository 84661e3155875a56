// Runs every workload on both engines in alternation and prints median, p50, p99 and the ratio of the two.
//   npm run bench -- [--only name] [--rounds 5] [--engine joust|native] [--small] [--json|--markdown]
//                    [--data-format f] [--dir d]
// Progress goes to stderr, figures to stdout. Exits 1 when a round of ours failed or an engine lost a write.
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DURABILITY, ENGINES } from "./engines.mjs";
import { median, percentile } from "./measure.mjs";
import { machine, printTable } from "./report.mjs";

/** Native LanceDB announces every table that it creates; only its errors are of interest here. */
const QUIET = { ...process.env, LANCEDB_LOG: "error", LANCE_LOG: "error", RUST_LOG: "error" };
const ROUND_MS_MAX = 180_000;

const { values: args } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    rounds: { type: "string" },
    engine: { type: "string", multiple: true, default: ENGINES },
    small: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    "data-format": { type: "string" },
    dir: { type: "string" },
  },
});
const rounds = Number(args.rounds ?? (args.small ? 1 : 5));
const say = (text) => process.stderr.write(`${text}\n`);

/** All workloads with their variants, as {name, file, size}, those that --only asks for. */
async function plan() {
  const folder = new URL("./workloads/", import.meta.url);
  const planned = [];
  for (const entry of readdirSync(folder).sort()) {
    const file = new URL(entry, folder).href;
    const { variants } = await import(file);
    // Small runs ask whether everything works; one variant of a workload answers that.
    for (const [variant, sizes] of Object.entries(variants).slice(0, args.small ? 1 : undefined)) {
      const name = entry.replace(".mjs", "") + (variant && `/${variant}`);
      planned.push({ name, file, size: args.small ? sizes.small : sizes.full });
    }
  }
  return planned.filter(({ name }) => args.only.length === 0 || args.only.some((part) => name.startsWith(part)));
}

class Host {
  constructor(engine, workload, root) {
    this.engine = engine;
    this.rounds = [];
    this.failure = undefined;
    const dir = join(root, workload.name.replaceAll("/", "-"), engine);
    this.child = fork(
      new URL("./host.mjs", import.meta.url),
      [JSON.stringify({ file: workload.file, engine, dir, size: workload.size, dataFormat: args["data-format"] })],
      { env: QUIET, execArgv: ["--expose-gc"], stdio: ["ignore", "ignore", "inherit", "ipc"] },
    );
  }

  /** Asks the process for one step; after a failure every further step is skipped. */
  async ask(action) {
    if (this.failure !== undefined) return undefined;
    const answered = new AbortController();
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(ROUND_MS_MAX), answered.signal]);
      const died = once(this.child, "exit", { signal }).then(([code]) => {
        throw new Error(`the process ended with code ${code}`);
      });
      died.catch(() => {});
      this.child.send(action);
      const [answer] = await Promise.race([once(this.child, "message", { signal }), died]);
      if (answer.error) throw new Error(answer.error);
      return answer.result;
    } catch (error) {
      this.failure = `${action}: ${error.name === "AbortError" ? `no answer in ${ROUND_MS_MAX / 1000} s` : error.message}`;
      say(`  ${this.engine} failed in ${this.failure}`);
      return undefined;
    } finally {
      answered.abort();
    }
  }
}

async function measure(workload, root) {
  say(workload.name);
  const hosts = args.engine.map((engine) => new Host(engine, workload, root));
  try {
    for (const host of hosts) await host.ask("setup");
    if (!args.small) for (const host of hosts) await host.ask("round");
    for (let i = 0; i < rounds; i++) {
      for (const host of i % 2 === 0 ? hosts : hosts.toReversed()) {
        settle();
        const result = await host.ask("round");
        if (result) host.rounds.push(result);
      }
      say(`  round ${i + 1}/${rounds}: ${hosts.map((host) => brief(host)).join("  ")}`);
    }
    for (const host of hosts) await host.ask("teardown");
  } finally {
    for (const host of hosts) host.child.kill();
  }
  return {
    name: workload.name,
    size: workload.size,
    ...Object.fromEntries(hosts.map((host) => [host.engine, sum(host)])),
  };
}

/**
 * Has the disk written what earlier rounds left in memory. Who syncs would otherwise pay for what the other engine did
 * not: a sync of ext4 waits for all data of its journal's transaction.
 */
function settle() {
  if (process.platform !== "win32") execFileSync("sync");
}

const brief = (host) =>
  `${host.engine} ${host.failure ? "failed" : `p50 ${median(host.rounds.at(-1).samplesMs).toFixed(2)} ms`}`;

/** Facts that are numbers are medians over the rounds, all others those of the last one. */
function factsOf(results) {
  const last = Object.entries(results.at(-1)?.facts ?? {});
  const each = (name) => results.map(({ facts }) => facts[name]).filter(Number.isFinite);
  return Object.fromEntries(
    last.map(([name, value]) => [name, typeof value === "number" ? median(each(name)) : value]),
  );
}

/** The medians over the rounds. p99 is absent where a round has too few samples to have one. */
function sum({ rounds: results, failure }) {
  const of = (pick) => median(results.map(pick));
  return {
    rounds: results.length,
    p50Ms: of((result) => percentile(result.samplesMs, 0.5)),
    p99Ms: results.every((result) => result.samplesMs.length >= 20)
      ? of((result) => percentile(result.samplesMs, 0.99))
      : undefined,
    perSecond: of((result) => (result.operations / result.wallMs) * 1000),
    errors: results.reduce((total, result) => total + result.errors, 0),
    firstError: results.find((result) => result.firstError)?.firstError,
    facts: factsOf(results),
    failure,
  };
}

const workloads = await plan();
if (workloads.length === 0 || !args.engine.every((engine) => ENGINES.includes(engine))) {
  say(`Nothing to run: no workload matches --only ${args.only}, or --engine is not one of ${ENGINES.join(", ")}.`);
  process.exit(2);
}
const root = mkdtempSync(join(args.dir ?? os.tmpdir(), "joust-bench-"));
const results = [];
try {
  const about = machine(root, { rounds, small: args.small });
  for (const workload of workloads) results.push(await measure(workload, root));
  if (args.json) console.log(JSON.stringify({ about, durability: DURABILITY, results }, null, 2));
  else printTable(about, args.engine, results, { markdown: args.markdown });
} finally {
  rmSync(root, { recursive: true, force: true });
}
process.exitCode = results.some((result) => result.joust?.failure || result.joust?.errors > 0) ? 1 : 0;
