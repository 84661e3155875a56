/** Verbs that show what is there: ls, schema, log, cat, stats. They change nothing. */
import type { Field } from "apache-arrow";
import type { Command } from "commander";
import type { Table } from "../table.js";
import { onBranch, type Place, versionName, wholeNumber, withDatabase, withTable } from "./context.js";
import {
  bytes,
  cell,
  count,
  counted,
  escapeControl,
  note,
  paint,
  printJson,
  printTable,
  say,
  toJson,
} from "./output.js";

/** Arrow's numbers for the types, the same in all its versions. */
const DATE_TYPE_ID = 8;
const TIMESTAMP_TYPE_ID = 10;
/** Rows that `cat` shows a person who did not say how many. */
const CAT_ROWS = 20;

export function addReadVerbs(program: Command): void {
  program
    .command("ls")
    .description("list the tables of a database")
    .argument("[database]", "a directory", ".")
    .option("--json", "a list for programs")
    .action((uri: string, options: { json?: boolean }) => list(uri, options.json ?? false));
  onBranch(program.command("schema"))
    .description("show the columns of a table")
    .argument("<database>")
    .argument("<table>")
    .option("--version <version>", "a number, a tag, or a date", versionName)
    .option("--json", "a list for programs")
    .action(showSchema);
  onBranch(program.command("log"))
    .description("show the versions of a table, newest first")
    .argument("<database>")
    .argument("<table>")
    .option("--limit <count>", "at most so many", wholeNumber(1))
    .option("--json", "a list for programs")
    .action(showLog);
  onBranch(program.command("cat"))
    .description("print rows of a table")
    .argument("<database>")
    .argument("<table>")
    .option("--where <filter>", "only rows for which this SQL expression is true")
    .option("--select <columns>", "only these columns, separated by commas", (text) =>
      text.split(",").map((one) => one.trim()),
    )
    .option("--limit <count>", `at most so many rows (default: ${CAT_ROWS}; all with --json)`, wholeNumber(0))
    .option("--version <version>", "a number, a tag, or a date", versionName)
    .option("--json", "one JSON object for each row and line")
    .action(printRows);
  onBranch(program.command("stats"))
    .description("show sizes of a table")
    .argument("<database>")
    .argument("<table>")
    .option("--json", "an object for programs")
    .action(showStats);
}

interface Common extends Place {
  readonly json?: boolean;
}

async function list(uri: string, json: boolean): Promise<void> {
  await withDatabase(uri, async (db) => {
    const tables: {
      name: string;
      version?: number;
      rows?: number;
      fragments?: number;
      bytes?: number;
      error?: string;
    }[] = [];
    for (const name of await db.tableNames()) {
      try {
        const table = await db.openTable(name);
        const { numRows: rows, totalBytes, fragmentStats } = await table.stats();
        tables.push({
          name,
          version: await table.version(),
          rows,
          fragments: fragmentStats.numFragments,
          bytes: totalBytes,
        });
      } catch (error) {
        tables.push({ name, error: error instanceof Error ? error.message : String(error) });
      }
    }
    if (json) return printJson(tables);
    if (tables.length === 0) return note(`No tables in '${uri}'.`);
    printTable(
      [{ title: "TABLE" }, ...["VERSION", "ROWS", "FRAGMENTS", "SIZE"].map((title) => ({ title, right: true }))],
      tables.map((one) => [
        one.name,
        one.version === undefined ? "-" : String(one.version),
        one.rows === undefined ? "-" : count(one.rows),
        one.fragments === undefined ? "-" : count(one.fragments),
        one.bytes === undefined ? "-" : bytes(one.bytes),
      ]),
    );
    for (const { name, error } of tables) if (error !== undefined) note(`${name}: ${escapeControl(error)}`);
  });
}

async function showSchema(uri: string, name: string, options: Common): Promise<void> {
  const schema = await withTable(uri, name, options, (table) => table.schema());
  const columns = schema.fields.map((field) => ({
    name: field.name,
    type: String(field.type),
    nullable: field.nullable,
    ...(field.metadata.size === 0 ? {} : { metadata: Object.fromEntries(field.metadata) }),
  }));
  if (options.json) return printJson(columns);
  printTable(
    [{ title: "COLUMN" }, { title: "TYPE" }, { title: "NULLS" }],
    columns.map((one) => [escapeControl(one.name), escapeControl(one.type), one.nullable ? "allowed" : "no"]),
  );
}

async function showLog(uri: string, name: string, options: Common & { limit?: number }): Promise<void> {
  await withTable(uri, name, options, async (table) => {
    const tags = await tagsOf(table);
    const versions = (await table.listVersions()).reverse().slice(0, options.limit);
    const listed = versions.map((one) => ({
      version: one.version,
      timestamp: one.timestamp.toISOString(),
      operation: one.operation,
      rowsAdded: one.rowsAdded,
      rowsRemoved: one.rowsRemoved,
      rows: Number(one.metadata.total_rows),
      tags: tags.filter(([, version]) => version === one.version).map(([tag]) => tag),
      metadata: one.commitMetadata,
    }));
    if (options.json) return printJson(listed);
    const right = true;
    printTable(
      [
        { title: "VERSION", right },
        { title: "TIME" },
        { title: "OPERATION" },
        { title: "ADDED", right },
        { title: "REMOVED", right },
        { title: "ROWS", right },
        { title: "TAGS" },
        { title: "METADATA" },
      ],
      listed.map((one) => [
        String(one.version),
        one.timestamp,
        one.operation ?? "?",
        change("+", one.rowsAdded),
        change("-", one.rowsRemoved),
        count(one.rows),
        one.tags.join(", "),
        cell(
          Object.entries(one.metadata)
            .map(([key, value]) => `${key}=${value}`)
            .join(" "),
        ),
      ]),
    );
  });
}

/** Tags of the line that the table shows, with their versions. */
async function tagsOf(table: Table): Promise<[string, number][]> {
  const tags = Object.entries(await (await table.tags()).list());
  const shown = tags.filter(([, { branch }]) => branch === table.currentBranch());
  return shown.map(([tag, { version }]) => [tag, version]);
}

function change(sign: string, rows: number | undefined): string {
  return rows === undefined ? "?" : rows === 0 ? "" : sign + count(rows);
}

interface CatOptions extends Common {
  readonly where?: string;
  readonly select?: string[];
  readonly limit?: number;
}

async function printRows(uri: string, name: string, options: CatOptions): Promise<void> {
  const read = async (table: Table) => {
    const limit = options.limit ?? (options.json ? undefined : CAT_ROWS);
    const query = table.query();
    if (options.where !== undefined) query.where(options.where);
    if (options.select !== undefined) query.select(options.select);
    if (limit !== undefined) query.limit(limit);
    const { fields } = await query.outputSchema();
    const columns = fields.map((field) => field.name);
    const shown: string[][] = [];
    for await (const batch of query) {
      for (const row of batch.toArray() as Record<string, unknown>[]) {
        const values = fields.map((field) => [field.name, readable(row[field.name], field)] as const);
        if (options.json) say(toJson(Object.fromEntries(values)));
        else shown.push(values.map(([, value]) => cell(value)));
      }
    }
    if (options.json) return;
    printTable(
      columns.map((title, i) => ({ title: cell(title), right: isNumeric(shown, i) })),
      shown,
    );
    const total = await table.countRows(options.where);
    note(
      shown.length < total
        ? `${count(shown.length)} of ${counted(total, "row")}; --limit shows more.`
        : counted(total, "row"),
    );
  };
  await withTable(uri, name, options, read);
}

/** Dates and times as such: Arrow gives milliseconds. */
function readable(value: unknown, { typeId }: Field): unknown {
  const isTime = typeId === DATE_TYPE_ID || typeId === TIMESTAMP_TYPE_ID;
  if (!isTime || typeof value !== "number" || Number.isNaN(new Date(value).getTime())) return value;
  const text = new Date(value).toISOString();
  return typeId === DATE_TYPE_ID ? text.slice(0, 10) : text;
}

function isNumeric(rows: readonly (readonly string[])[], column: number): boolean {
  return rows.length > 0 && rows.every((row) => /^(-?[\d.]+(e[+-]?\d+)?|null|NaN|-?Infinity)$/.test(row[column] ?? ""));
}

async function showStats(uri: string, name: string, options: Common): Promise<void> {
  await withTable(uri, name, options, async (table) => {
    const { numRows, totalBytes, numIndices, fragmentStats } = await table.stats();
    const versions = await table.listVersions();
    const facts = {
      version: await table.version(),
      versions: versions.length,
      oldest: versions[0]?.timestamp.toISOString(),
      rows: numRows,
      bytes: totalBytes,
      indices: numIndices,
      tags: (await tagsOf(table)).length,
      fragments: fragmentStats,
    };
    if (options.json) return printJson(facts);
    const { lengths, numFragments, numSmallFragments } = fragmentStats;
    const lines: [string, string][] = [
      ["version", String(facts.version)],
      ["versions kept", `${count(facts.versions)}, since ${facts.oldest ?? "?"}`],
      ["rows", count(numRows)],
      ["size of the newest version", bytes(totalBytes)],
      ["fragments", `${count(numFragments)}, ${count(numSmallFragments)} of them small`],
      ["rows in a fragment", `${count(lengths.min)} to ${count(lengths.max)}, half below ${count(lengths.p50)}`],
      ["indices", String(numIndices)],
      ["tags", String(facts.tags)],
    ];
    const width = Math.max(...lines.map(([label]) => label.length));
    for (const [label, value] of lines) say(`${paint("bold", label.padEnd(width))}  ${value}`);
  });
}
