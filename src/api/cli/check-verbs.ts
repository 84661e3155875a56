/** Verbs that look for damage: verify, and doctor, which also repairs. */
import { type Command, Option } from "commander";
import type { Diagnosis } from "../../chores/doctor.js";
import { isAtLeast, type Severity } from "../../chores/findings.js";
import type { VerifyProgress } from "../../chores/verify.js";
import { Failed, withDatabase } from "./context.js";
import { bytes, counted, escapeControl, note, Progress, paint, printJson, say } from "./output.js";

interface CheckOptions {
  readonly deep?: boolean;
  readonly fix?: boolean;
  readonly json?: boolean;
  readonly failOn: Severity;
}

const COLORS = { error: "red", warning: "yellow", info: "cyan" } as const;

export function addCheckVerbs(program: Command): void {
  const failOn = () =>
    new Option("--fail-on <severity>", "exit with 1 from this severity on")
      .choices(["info", "warning", "error"])
      .default("error");
  program
    .command("verify")
    .description("check that a table, or every table, holds what its versions promise; changes nothing")
    .argument("<database>")
    .argument("[table]")
    .option("--deep", "also read every page of every column of every version")
    .addOption(failOn())
    .option("--json", "an object for programs")
    .action(check);
  program
    .command("doctor")
    .description("verify, and repair what can be repaired (stop all writers before --fix)")
    .argument("<database>")
    .argument("[table]")
    .option("--deep", "also read every page of every column of every version")
    .option("--fix", "move an unreadable newest version aside, renew hints, remove left-overs")
    .addOption(failOn())
    .option("--json", "an object for programs")
    .action(check);
}

async function check(uri: string, name: string | undefined, options: CheckOptions): Promise<void> {
  const progress = new Progress();
  const found: Diagnosis[] = [];
  const tables = new Set<string>();
  const scope = {
    ...(name === undefined ? {} : { table: name }),
    deep: options.deep ?? false,
    fix: options.fix ?? false,
  };
  await withDatabase(uri, async (db) => {
    const tell = (at: VerifyProgress) => {
      tables.add(at.table);
      progress.tell(describe(at));
    };
    for await (const one of db.doctor({ ...scope, progress: tell })) {
      tables.add(one.table);
      found.push(one);
      progress.clear();
      if (!options.json) print(one);
    }
  });
  progress.clear();
  const open = found.filter(({ fixed }) => !fixed);
  const number = (severity: Severity) => open.filter((one) => one.severity === severity).length;
  const counts = {
    errors: number("error"),
    warnings: number("warning"),
    notes: number("info"),
    fixed: found.length - open.length,
  };
  if (options.json) printJson({ tables: [...tables], ...counts, findings: found });
  else {
    const { errors, warnings, notes, fixed } = counts;
    const parts = [counted(errors, "error"), counted(warnings, "warning"), counted(notes, "note")];
    note(
      `${counted(tables.size, "table")}: ${open.length === 0 ? "sound" : parts.join(", ")}${fixed === 0 ? "" : `; ${fixed} fixed`}`,
    );
  }
  if (open.some(({ severity }) => isAtLeast(severity, options.failOn))) throw new Failed();
}

function describe({ table, versionsDone, versionsTotal, filesDone, bytesRead }: VerifyProgress): string {
  const read = bytesRead === 0 ? "" : `, ${bytes(bytesRead)} read`;
  return `${table}: ${versionsDone} of ${counted(versionsTotal, "version")}, ${counted(filesDone, "file")}${read}`;
}

function print(one: Diagnosis): void {
  const place = [`table ${one.table}`, ...(one.version === undefined ? [] : [`version ${one.version}`])].join(", ");
  const mark = one.fixed ? paint("green", "fixed  ") : paint(COLORS[one.severity], one.severity.padEnd(7));
  say(`${mark}  ${paint("bold", one.id)}  ${place}`);
  say(`         ${escapeControl(one.message)}`);
  if (one.repair !== undefined) say(`         ${escapeControl(one.repair)}`);
  else if (one.fix !== undefined) say(`         ${paint("dim", escapeControl(one.fix))}`);
}
