/** Verbs that change a table: tag and optimize; and vacuum, which only tells what a cleanup would do. */
import { type Command, Option } from "commander";
import { systemRuntime } from "../../support/runtime.js";
import type { Table } from "../table.js";
import { moment, onBranch, type Place, wholeNumber, withTable } from "./context.js";
import { bytes, count, counted, note, printJson, printTable, say } from "./output.js";

export function addChangeVerbs(program: Command): void {
  addTag(program.command("tag").description("list, create, move or delete names for versions"));
  onBranch(program.command("optimize"))
    .description("compact small fragments, and remove versions that are older than seven days and in nobody's use")
    .argument("<database>")
    .argument("<table>")
    .option("--cleanup-older-than <moment>", "a date, an age (7d, 12h, 30m), or now", moment)
    .option("--json", "an object for programs")
    .action(optimize);
  onBranch(program.command("vacuum"))
    .description("tell what a cleanup would remove, and why it keeps the rest; optimize does it")
    .argument("<database>")
    .argument("<table>")
    .addOption(new Option("--dry-run", "change nothing").makeOptionMandatory())
    .option("--older-than <moment>", "a date, an age (7d, 12h, 30m), or now; default: 7d", moment)
    .option("--json", "an object for programs")
    .action(vacuum);
}

function addTag(tag: Command): void {
  const verb = (name: string, description: string) =>
    tag.command(name).description(description).argument("<database>").argument("<table>");
  verb("list", "list the tags of a table")
    .option("--branch <name>", "only those of this branch")
    .option("--json", "an object for programs")
    .action(listTags);
  onBranch(verb("create", "name a version, the newest one unless told"))
    .argument("<name>")
    .argument("[version]", "its number", wholeNumber(1))
    .action((uri: string, table: string, name: string, version: number | undefined, options: Place) =>
      withTable(uri, table, options, (open) => setTag("create", open, name, version)),
    );
  onBranch(verb("update", "move a tag to another version"))
    .argument("<name>")
    .argument("<version>", "its number", wholeNumber(1))
    .action((uri: string, table: string, name: string, version: number, options: Place) =>
      withTable(uri, table, options, (open) => setTag("update", open, name, version)),
    );
  verb("delete", "delete a tag; the version stays")
    .argument("<name>")
    .action((uri: string, table: string, name: string) =>
      withTable(uri, table, {}, async (open) => (await open.tags()).delete(name)),
    );
}

async function listTags(uri: string, name: string, options: Place & { json?: boolean }): Promise<void> {
  const all = await withTable(uri, name, options, async (table) => (await table.tags()).list());
  const tags = Object.entries(all).filter(([, tag]) => options.branch === undefined || tag.branch === options.branch);
  if (options.json) return printJson(Object.fromEntries(tags));
  if (tags.length === 0) return note("No tags.");
  const columns = [{ title: "TAG" }, { title: "VERSION", right: true }];
  printTable(
    tags.some(([, { branch }]) => branch !== null) ? [...columns, { title: "BRANCH" }] : columns,
    tags.map(([tag, { version, branch }]) => [tag, String(version), branch ?? ""]),
  );
}

async function setTag(verb: "create" | "update", table: Table, tag: string, version?: number): Promise<void> {
  const wanted = version ?? (await table.version());
  await (await table.tags())[verb](tag, wanted);
  const branch = table.currentBranch();
  say(`${tag} names version ${wanted}${branch === null ? "" : ` of branch ${branch}`}`);
}

interface OptimizeFlags extends Place {
  readonly cleanupOlderThan?: (nowMs: number) => Date;
  readonly json?: boolean;
}

async function optimize(uri: string, name: string, options: OptimizeFlags): Promise<void> {
  const cleanupOlderThan = options.cleanupOlderThan?.(systemRuntime.now());
  const given = cleanupOlderThan === undefined ? {} : { cleanupOlderThan };
  const { compaction, prune } = await withTable(uri, name, options, (table) => table.optimize(given));
  if (options.json) return printJson({ compaction, prune });
  say(`compacted  ${counted(compaction.fragmentsRemoved, "fragment")} into ${count(compaction.fragmentsAdded)}`);
  say(`removed    ${counted(prune.oldVersionsRemoved, "version")}, ${bytes(prune.bytesRemoved)}`);
}

interface VacuumFlags extends Place {
  readonly olderThan?: (nowMs: number) => Date;
  readonly json?: boolean;
}

async function vacuum(uri: string, name: string, options: VacuumFlags): Promise<void> {
  const cleanupOlderThan = options.olderThan?.(systemRuntime.now());
  const given = { dryRun: true, ...(cleanupOlderThan === undefined ? {} : { cleanupOlderThan }) };
  const { report } = await withTable(uri, name, options, (table) => table.optimize(given));
  const { versions = [], files = [] } = report ?? {};
  if (options.json) return printJson({ versions, files });
  printTable(
    [{ title: "VERSION OR FILE" }, { title: "WOULD" }, { title: "SIZE", right: true }, { title: "WHY" }],
    [
      ...versions.map((one) => [String(one.version), one.keep ? "stay" : "go", "", one.why]),
      ...files.map((one) => [one.path, one.keep ? "stay" : "go", bytes(one.sizeBytes), one.why]),
    ],
  );
  const goingVersions = versions.filter(({ keep }) => !keep).length;
  const goingFiles = files.filter(({ keep }) => !keep);
  const size = bytes(goingFiles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  note(`${counted(goingVersions, "version")} and ${counted(goingFiles.length, "file")} of ${size} would go.`);
}
