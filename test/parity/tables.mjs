/**
 * Do native LanceDB and this package agree on tables that both of them change? Random tables and random steps from a
 * seed. Every step is done twice: on table "a" by one side, on table "b" by the other. After each step both sides read
 * both tables: version, schema, rows, counts, filters, row ids and lineage, tags, an older version; and the rows of a
 * and b, sorted by id, must be the same.
 *
 * node tables.mjs [--tables 100] [--seed 1] [--steps 8]; exit code 1 when anything differs.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "@lancedb/lancedb";
import { joust } from "./joust.mjs";
import { newRows, randomFilter, randomPlan, randomStep } from "./random-steps.mjs";
import { cells, chance, difference } from "./random-tables.mjs";

const { values: options } = parseArgs({
  options: { tables: { type: "string" }, seed: { type: "string" }, steps: { type: "string" }, one: { type: "string" } },
});
const TABLES = Number(options.tables ?? 100);
const SEED = Number(options.seed ?? 1);
const STEPS = Number(options.steps ?? 8);
const LINEAGE = ["_rowid", "_row_created_at_version", "_row_last_updated_at_version"];

/** Native's failures that are limits of its own; what they keep it from doing is skipped on both tables. */
const NATIVE_LIMITS = [
  // apache-arrow sends no bytes for booleans that are all null.
  /array of type Boolean, but got 0/,
  // Indices on types or tables that native cannot index.
  /index cannot be created|not enough rows|Not enough rows|requires training/i,
];

class Side {
  constructor(name, tables) {
    this.name = name;
    this.tables = tables;
  }

  static async open(name, database) {
    return new Side(name, { a: await database.openTable("a"), b: await database.openTable("b") });
  }
}

const columnsOf = (table) => table.schema.fields.map((_, i) => cells(table.getChildAt(i)));
const schemaOf = (schema) =>
  schema.fields.map((field) => `${field.name}: ${typeText(field.type)}${field.nullable ? "" : " not null"}`).join("; ");
// Two versions of apache-arrow print decimals differently.
const typeText = (type) => String(type).replace(/Decimal\[[^\]]*\]/, `Decimal${type.precision},${type.scale}`);

/** Runs one query on both sides; a text when the answers differ. */
async function compare(what, native, ours, ask, isEqual = (a, b) => (a === b ? undefined : `${a} became ${b}`)) {
  const [a, b] = await Promise.allSettled([ask(native), ask(ours)]);
  if (a.status === "rejected" && b.status === "rejected") return undefined;
  if (a.status === "rejected") return `${what}: only native fails: ${firstLine(a.reason)}`;
  if (b.status === "rejected") return `${what}: only joust fails: ${firstLine(b.reason)}`;
  const problem = isEqual(a.value, b.value);
  return problem === undefined ? undefined : `${what}: ${problem}`;
}

const firstLine = (error) => String(error?.message ?? error).slice(0, 240);

/** A result without rows has no columns in native. */
function sameTables(native, ours) {
  if (native.numRows === 0 && ours.numRows === 0) return undefined;
  return difference(columnsOf(native), columnsOf(ours));
}

async function readBoth(native, ours, random, plan) {
  const problems = [
    await compare("version", native, ours, (table) => table.version()),
    await compare("schema", native, ours, async (table) => schemaOf(await table.schema())),
    await compare("countRows", native, ours, (table) => table.countRows()),
    await compare("rows", native, ours, (table) => table.query().toArrow(), sameTables),
    await compare("tags", native, ours, async (table) => tagText(await (await table.tags()).list())),
    await compare("versions", native, ours, async (table) => versionText(await table.listVersions())),
  ];
  const filter = randomFilter(random, plan);
  problems.push(
    await compare(`rows where ${filter}`, native, ours, (table) => table.query().where(filter).toArrow(), sameTables),
    await compare(`count where ${filter}`, native, ours, (table) => table.countRows(filter)),
    await compare("row ids", native, ours, (table) => table.query().select(["id"]).withRowId().toArrow(), sameTables),
  );
  if (plan.stableRowIds) {
    problems.push(
      await compare(
        "lineage",
        native,
        ours,
        (table) =>
          table
            .query()
            .select(["id", ...LINEAGE])
            .toArrow(),
        sameTables,
      ),
    );
  }
  return problems;
}

const tagText = (tags) =>
  Object.keys(tags)
    .sort()
    .map((name) => `${name}=${tags[name].version}`)
    .join();
const versionText = (versions) => versions.map(({ version }) => version).join();

async function readOlder(native, ours, random) {
  const versions = await native.listVersions();
  const { version } = random.pick(versions);
  const read = async (table) => {
    await table.checkout(version);
    try {
      return await table.query().toArrow();
    } finally {
      await table.checkoutLatest();
    }
  };
  return [await compare(`version ${version}`, native, ours, read, sameTables)];
}

/** The rows of both tables in the order of their ids. */
async function sameContent(a, b) {
  const tables = await Promise.all([a.query().toArrow(), b.query().toArrow()]);
  const [one, other] = tables.map((table) => {
    const columns = columnsOf(table);
    const ids = columns[0] ?? [];
    const order = ids.map((_, i) => i).sort((x, y) => Number(ids[x]) - Number(ids[y]));
    return columns.map((column) => order.map((i) => column[i]));
  });
  if (tables.every((table) => table.numRows === 0)) return undefined;
  return difference(one, other);
}

async function checkTable(root, seed, report) {
  const random = chance(seed);
  const plan = randomPlan(random);
  const storageOptions = {
    newTableDataStorageVersion: plan.version,
    newTableEnableStableRowIds: String(plan.stableRowIds),
    newTableEnableV2ManifestPaths: String(plan.v2Names),
  };
  const nativeDatabase = await connect(root, { storageOptions, readConsistencyInterval: 0 });
  const ourDatabase = await joust.connect(root, { durability: "relaxed", dataFormat: "lance" });
  const oursFirst = plan.version === "2.2" && !plan.stableRowIds && plan.v2Names && random.below(2) === 0;
  const rows = newRows(random, plan);
  try {
    for (const name of ["a", "b"]) {
      const creator = oursFirst && name === "a" ? ourDatabase : nativeDatabase;
      await creator.createTable(name, rows);
    }
  } catch (error) {
    await ourDatabase.close();
    if (NATIVE_LIMITS.some((limit) => limit.test(String(error)))) return "limit";
    report(`create: ${firstLine(error)}`);
    return "done";
  }
  const native = await Side.open("native", nativeDatabase);
  const ours = await Side.open("joust", ourDatabase);
  plan.history = [];
  const log = [];
  try {
    for (let step = 0; step < STEPS; step++) {
      const { problems, limited } = await runStep(step, { random, plan, native, ours, log });
      for (const problem of problems) report(`${log.join(" | ")} => ${problem}`);
      if (limited) return "limit";
      if (problems.length > 0) break;
    }
  } finally {
    await ourDatabase.close();
    nativeDatabase.close();
  }
  return "done";
}

async function runStep(step, { random, plan, native, ours, log }) {
  const turn = random.below(2) === 0 ? { a: native, b: ours } : { a: ours, b: native };
  const change = step === 0 ? { text: "created", run: async () => {} } : randomStep(random, plan);
  log.push(`${change.text}${step === 0 ? "" : ` (a by ${change.nativeOnly ? "native" : turn.a.name})`}`);
  const problems = [];
  let failures = 0;
  let limited = false;
  for (const name of ["a", "b"]) {
    const side = change.nativeOnly ? native : turn[name];
    try {
      await change.run(side.tables[name], name);
    } catch (error) {
      failures++;
      if (change.optional) continue;
      if (side === native && NATIVE_LIMITS.some((limit) => limit.test(String(error)))) {
        limited = true;
        continue;
      }
      problems.push(`${side.name} fails: ${firstLine(error)}`);
    }
  }
  if (failures === 0) change.after?.();
  for (const name of ["a", "b"]) {
    for (const problem of await readBoth(native.tables[name], ours.tables[name], random, plan)) {
      if (problem !== undefined) problems.push(`table ${name}: ${problem}`);
    }
  }
  const older = random.below(3) === 0 ? await readOlder(native.tables.a, ours.tables.a, random) : [];
  problems.push(...older.filter((problem) => problem !== undefined));
  const content = limited ? undefined : await sameContent(ours.tables.a, ours.tables.b);
  if (content !== undefined) problems.push(`a and b: ${content}`);
  const versions = { a: await native.tables.a.version(), b: await native.tables.b.version() };
  plan.history.push({ step, versions, schema: plan.schema });
  // A limit of native's that hit one table leaves the two different: they end here.
  return { problems, limited };
}

async function main() {
  const root = mkdtempSync(join(tmpdir(), "joust-tables-"));
  const differences = [];
  let done = 0;
  let limits = 0;
  try {
    const wanted = options.one === undefined ? Array.from({ length: TABLES }, (_, i) => i) : [Number(options.one)];
    for (const i of wanted) {
      for (const name of ["a", "b"]) rmSync(join(root, `${name}.lance`), { recursive: true, force: true });
      const outcome = await checkTable(root, SEED * 1_000_003 + i, (problem) => {
        differences.push(problem);
        console.log(`table ${i}: ${problem}`);
      });
      if (outcome === "limit") limits++;
      else done++;
      if (done % 100 === 0) console.log(`${done} tables, ${differences.length} differences`);
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  console.log(
    `${done} pairs of tables (seed ${SEED}, ${STEPS} steps each), ${limits} cut short by a limit of native, ${differences.length} differences`,
  );
  process.exitCode = differences.length === 0 ? 0 : 1;
}

await main();
