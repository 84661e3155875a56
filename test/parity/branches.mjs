/**
 * Do native LanceDB and this package see the same branches, and may each write, clean up and remove what the other one
 * made? Random steps on the lines of one table, each by one of the two programs; after every step both, with fresh
 * handles, tell branches, rows, versions and tags of every line, and both must say what a model of the rows says.
 *
 * node branches.mjs [--runs 20] [--steps 25] [--seed 1]; exit code 1 when anything differs.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "@lancedb/lancedb";
import { joust } from "./joust.mjs";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "20" },
    steps: { type: "string", default: "25" },
    seed: { type: "string", default: "1" },
  },
});
const NAMES = ["a", "b", "feature/x", "feature/x/deep", "ümlaut"];
const MAIN = "main";

/** Numbers below `limit` from a seed, the same in every run. */
function chance(seed) {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    const mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % limit;
  };
}

async function lineOf(program, name) {
  const table = await program.openTable("t");
  return name === MAIN ? table : (await table.branches()).checkout(name);
}

/** What one program sees of all lines. */
async function look(program) {
  const table = await program.openTable("t");
  const branches = await (await table.branches()).list();
  const seen = {};
  for (const name of [MAIN, ...Object.keys(branches).sort()]) {
    const line = await lineOf(program, name);
    const rows = await line.query().toArray();
    const { parentBranch, parentVersion, manifestSize } = branches[name] ?? {};
    seen[name] = {
      rows: rows.map((row) => [Number(row.id), Number(row.n)]).sort((a, b) => a[0] - b[0]),
      count: await line.countRows(),
      some: await line.countRows("n > 50"),
      version: await line.version(),
      versions: (await line.listVersions()).map(({ version }) => version),
      from: [parentBranch ?? null, parentVersion ?? 0, manifestSize ?? 0],
      branch: line.currentBranch(),
    };
  }
  return JSON.stringify(seen);
}

async function run(seed, steps) {
  const directory = mkdtempSync(join(tmpdir(), "joust-branches-"));
  const pick = chance(seed);
  const theirs = await connect(directory, { readConsistencyInterval: 0 });
  const ours = await joust.connect(directory, { maintenance: { auto: false } });
  const programs = [theirs, ours];
  const log = [];
  /** Rows by line. */
  const model = new Map([
    [
      MAIN,
      new Map([
        [1, 10],
        [2, 20],
        [3, 30],
      ]),
    ],
  ]); // prettier-ignore
  const parents = new Map();
  let nextId = 100;
  const storageOptions = pick(2) === 0 ? {} : { newTableEnableStableRowIds: "true" };
  try {
    await programs[pick(2)].createTable(
      "t",
      [1, 2, 3].map((id) => ({ id, n: 10 * id })),
      { storageOptions },
    );
    for (let step = 0; step < steps; step++) {
      const who = pick(2);
      const lines = [...model.keys()];
      const name = lines[pick(lines.length)];
      const rows = model.get(name);
      const ids = [...rows.keys()];
      const id = ids.length === 0 ? 0 : ids[pick(ids.length)];
      const free = NAMES.filter((one) => !model.has(one));
      const STEPS = {
        add: async (line) => {
          const fresh = [nextId++, nextId++];
          await line.add(fresh.map((one) => ({ id: one, n: one % 90 })));
          for (const one of fresh) rows.set(one, one % 90);
        },
        update: async (line) => {
          await line.update({ where: `id = ${id}`, values: { n: 77 } });
          if (rows.has(id)) rows.set(id, 77);
        },
        delete: async (line) => {
          await line.delete(`id = ${id}`);
          rows.delete(id);
        },
        merge: async (line) => {
          const fresh = nextId++;
          const source = [{ id: fresh, n: 5 }, ...(rows.has(id) ? [{ id, n: 6 }] : [])];
          await line.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(source);
          for (const row of source) rows.set(row.id, row.n);
        },
        compact: (line) => line.optimize(),
        cleanup: (line) => line.optimize({ cleanupOlderThan: new Date(Date.now() + 1000) }),
        fork: async (line) => {
          if (free.length === 0) return;
          const branch = free[pick(free.length)];
          await (await line.branches()).create(branch, name);
          model.set(branch, new Map(rows));
          parents.set(branch, name);
        },
        remove: async (line) => {
          const isOrigin = [...parents.values()].includes(name);
          if (name === MAIN) return;
          const branches = await (await programs[who].openTable("t")).branches();
          line.close?.();
          const refused = await branches.delete(name).then(
            () => false,
            (error) => error,
          ); // prettier-ignore
          if (Boolean(refused) !== isOrigin) throw new Error(`removal of an origin: ${isOrigin}, refused: ${refused}`);
          if (isOrigin) return;
          model.delete(name);
          parents.delete(name);
        },
      };
      const kind = Object.keys(STEPS)[pick(Object.keys(STEPS).length)];
      log.push(`${who === 0 ? "native" : "joust"}: ${kind} on ${name}`);
      await STEPS[kind](await lineOf(programs[who], name));
      const [native, own] = await Promise.all(programs.map(look));
      if (native !== own) throw new Error(`they differ:\nnative ${native}\njoust  ${own}`);
      for (const [line, { rows: seen }] of Object.entries(JSON.parse(own))) {
        const expected = [...(model.get(line) ?? [])].sort((a, b) => a[0] - b[0]);
        if (JSON.stringify(seen) !== JSON.stringify(expected)) {
          throw new Error(`rows of ${line}: ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`);
        }
      }
    }
    const findings = await ours.doctor({ deep: true }).toArray();
    // Cleanups of native leave gaps that no boundary announces, and remove files of versions that branches began at.
    const heads = new Map();
    for (const name of model.keys()) {
      heads.set(name === MAIN ? "t" : `t@${name}`, await (await lineOf(ours, name)).version());
    }
    const bad = findings.filter(({ id, severity, table, version }) => {
      if (severity !== "error" || id === "J003-version-gap") return false;
      return id !== "J007-file-missing" || version === heads.get(table);
    });
    if (bad.length > 0) throw new Error(`doctor: ${JSON.stringify(bad)}`);
    return undefined;
  } catch (error) {
    return `seed ${seed}, step ${log.length}: ${error?.stack ?? error}\n${log.join("\n")}`;
  } finally {
    await ours.close();
    theirs.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

let failures = 0;
let done = 0;
for (let i = 0; i < Number(values.runs); i++) {
  const problem = await run(Number(values.seed) * 1000 + i, Number(values.steps));
  done++;
  if (problem === undefined) continue;
  failures++;
  console.log(problem);
}
console.log(`${done} runs of ${values.steps} steps on the lines of one table: ${failures} with differences`);
process.exitCode = failures === 0 ? 0 : 1;
