// Several processes work on one table at the same time: writers append flights, one process updates and deletes rows,
// one reader stays on an early version. At the end every row is held against a serial replay of the source.
//   npm run demo -- [--rows 200000] [--writers 4] [--data-format arrow] [--dir path] [--large]
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "joust";
import { Crew } from "./crew.mjs";
import { batches } from "./plan.mjs";
import { answer, expectedTotals, readTotals, replay } from "./proof.mjs";
import { columns, heading, number, print, style } from "./screen.mjs";
import { readFlights, SOURCE_ROWS, schema } from "./source.mjs";

const HELP = `npm run demo -- [options]
  --rows n          flights to write (default: all of the source)
  --writers n       processes that append (default 4)
  --data-format f   format of the data files: lance, arrow or parquet
  --dir path        keep the tables in this folder (default: a temporary one, removed at the end)
  --large           3,000,000 flights instead of 200,000`;

const options = readOptions();
const checks = [];

async function main() {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "joust-demo-"));
  mkdirSync(dir, { recursive: true });
  print(style("bold", `joust demo: ${options.writers} writers, 1 changer, 1 pinned reader, one table`));
  print(`${number(options.rows)} flights of vega-datasets into ${dir}`);
  try {
    await run(dir);
  } finally {
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

async function run(dir) {
  const db = await connect(dir);
  const format = options.dataFormat === undefined ? {} : { dataFormat: options.dataFormat };
  const table = await db.createEmptyTable("flights", schema, { mode: "overwrite", ...format });
  const tally = await db.createTable("tally", [{ id: 0, batches: 0, rows: 0 }], { mode: "overwrite", ...format });

  const crew = new Crew({ ...options, dir });
  const story = await crew.work();

  await table.checkoutLatest();
  await showHistory(table, story);
  const flights = await readFlights({ large: options.large, from: 0, to: options.rows });
  await showTimeTravel(table, flights, story);
  await prove(table, tally, flights, story);
  db.close();
  conclude(story);
}

async function showHistory(table, { pinned }) {
  const versions = (await table.listVersions()).toSorted((a, b) => a.version - b.version);
  const head = versions.at(-1).version;
  heading("History");
  const lines = [["version", "time", "rows", ""]];
  const shown = new Set([versions[0].version, pinned.version, ...[0.25, 0.5, 0.75, 1].map((part) => pick(part))]);
  for (const { version, timestamp } of versions) {
    if (!shown.has(version)) continue;
    await table.checkout(version);
    const mark = version === pinned.version ? "<- the reader's" : "";
    lines.push([String(version), timestamp.toISOString().slice(11, 23), number(await table.countRows()), mark]);
  }
  await table.checkoutLatest();
  for (const line of columns(lines)) print(`  ${line.trimEnd()}`);
  check("versions without a gap", number(versions.length), number(head - versions[0].version + 1));

  function pick(part) {
    return versions[Math.floor((versions.length - 1) * part)].version;
  }
}

async function showTimeTravel(table, flights, { pinned, appended, changed }) {
  heading(`The same question, to version ${pinned.version} and to the newest`);
  await table.checkout(pinned.version);
  const then = await answer(table);
  await table.checkoutLatest();
  const now = await answer(table);
  const line = (name, { rows, delay, distance, penalty }) => [
    name,
    number(rows),
    rows === 0 ? "-" : (delay / rows).toFixed(2),
    rows === 0 ? "-" : (distance / rows).toFixed(1),
    number(penalty),
  ];
  const lines = [["", "rows", "mean delay", "mean distance", "penalty"], line("then", then), line("now", now)];
  for (const text of columns(lines)) print(`  ${text}`);
  const { rows, writers } = options;
  const past = replay(flights, { rows, writers, appended, changed, version: pinned.version });
  const { revision: _, ...expected } = expectedTotals(flights, past);
  for (const [name, value] of Object.entries(expected)) {
    check(`${label(name)} in version ${pinned.version}`, number(then[name]), number(value));
  }
  check("rows that the pinned reader saw", number(pinned.answer?.rows ?? 0), number(expected.rows));
  check("other answers that it got", number(pinned.changed), "0");
}

async function prove(table, tally, flights, { appended, changed }) {
  const { rows, writers } = options;
  const state = replay(flights, { rows, writers, appended, changed });
  const expected = expectedTotals(flights, state);
  const { totals, wrong } = await readTotals(table, flights, state);
  for (const [name, value] of Object.entries(expected)) check(label(name), number(totals[name]), number(value));
  for (const [name, count] of Object.entries(wrong)) check(`rows ${name}`, number(count), "0");
  const [counted] = await tally.query().toArray();
  const planned = Array.from({ length: writers }, (_, i) => batches(rows, writers, i).length).reduce((a, b) => a + b);
  check("batches acknowledged", number(appended.length), number(planned));
  check("batches in the shared row", number(counted.batches), number(planned));
  check("rows in the shared row", number(counted.rows), number(rows));
}

const label = (name) => (name === "rows" ? "rows" : `sum of ${name}`);

function check(what, found, expected) {
  checks.push({ what, found, expected, holds: found === expected });
}

function conclude({ seconds, commits, rebases, retries, errors }) {
  heading("Proof: the table against a serial replay of the source");
  const lines = columns([["", "table", "replay"], ...checks.map((each) => [each.what, each.found, each.expected])]);
  print(`    ${lines[0]}`);
  checks.forEach(({ holds }, i) => {
    print(`  ${holds ? style("green", "✓") : style("red", "✗")} ${lines[i + 1]}`);
  });
  for (const error of errors) print(style("red", error));
  const broken = checks.filter(({ holds }) => !holds).length + errors.length;
  const races = `${number(rebases)} rebases, ${number(retries)} retries`;
  const summary = `${number(commits)} commits in ${seconds.toFixed(1)} s by ${options.writers + 1} processes, ${races}`;
  print();
  print(
    broken === 0
      ? style("green", `All of it holds. ${summary}, no error for any caller.`)
      : style("red", `${broken} things are off. ${summary}.`),
  );
  process.exitCode = broken === 0 ? 0 : 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      rows: { type: "string" },
      writers: { type: "string", default: "4" },
      "data-format": { type: "string" },
      dir: { type: "string" },
      large: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    print(HELP);
    process.exit(0);
  }
  const most = values.large ? SOURCE_ROWS.large : SOURCE_ROWS.small;
  return {
    rows: whole("--rows", values.rows ?? String(most), most),
    writers: whole("--writers", values.writers, 64),
    dataFormat: values["data-format"],
    dir: values.dir === undefined ? undefined : resolve(values.dir),
    large: values.large,
  };
}

function whole(name, text, most) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  print(`${name} takes a whole number from 1 to ${number(most)}, not ${text}.\n\n${HELP}`);
  process.exit(2);
}

await main().catch((error) => {
  print(style("red", `${error.code ?? error.name}: ${error.message}`));
  process.exitCode = 1;
});
