#!/usr/bin/env node
/**
 * The command `joust`: looks at databases, and keeps them in order. Exit code 0: well; 1: findings, or it failed; 2: it
 * was called wrongly. docs/cli.md shows every verb.
 */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { isTableError } from "../../support/errors.js";
import { addChangeVerbs } from "./change-verbs.js";
import { addCheckVerbs } from "./check-verbs.js";
import { Failed } from "./context.js";
import { escapeControl, note, paint } from "./output.js";
import { addReadVerbs } from "./read-verbs.js";

const { version: VERSION } = createRequire(import.meta.url)("../../../package.json") as { readonly version: string };
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const EXAMPLES = `
Examples:
  joust ls ./data                                   tables, their rows and sizes
  joust log ./data flights --limit 5                the last five versions
  joust cat ./data flights --where "delay > 60" --select origin,delay
  joust cat ./data flights --version before-import --json | jq .origin
  joust tag create ./data flights before-import     name the newest version
  joust verify ./data --deep                        read everything, find damage
  joust doctor ./data flights --fix                 repair a table that does not open

A version is a number, a tag, or a date (2026-01-31T12:00:00Z: the newest one by then).
Exit codes: 0 well, 1 findings or failure, 2 wrong usage. NO_COLOR is respected.`;

function makeProgram(): Command {
  const program = new Command("joust")
    .description("Look at versioned tables, and keep them in order.")
    .version(VERSION, "-V, --version", "print the version of joust")
    .enablePositionalOptions()
    .addHelpText("after", EXAMPLES)
    .exitOverride();
  addReadVerbs(program);
  addChangeVerbs(program);
  addCheckVerbs(program);
  return program;
}

async function main(): Promise<number> {
  try {
    await makeProgram().parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (error instanceof Failed) return EXIT_FAILED;
    const code = isTableError(error) ? error.code : "INTERNAL";
    const message = error instanceof Error ? error.message : String(error);
    note(`${paint("red", code, process.stderr)}: ${escapeControl(oneLine(message))}`);
    return code === "INVALID_ARGUMENT" ? EXIT_USAGE : EXIT_FAILED;
  }
}

/** A message in one line, without the mark below a place in a filter. */
function oneLine(message: string): string {
  const lines = message.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !/^\^+$/.test(line)).join(" | ");
}

// Who pipes into head closes the pipe early.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});
process.exitCode = await main();
