/** The command, built, in a process of its own: what it prints, and how it ends. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../tidy/sources.js";

const { bin } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { bin: { joust: string } };
export const COMMAND = join(ROOT, bin.joust);

export async function joust(...args: readonly string[]) {
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, output, errors, lines: output.trimEnd().split("\n") };
}

export const json = async (...args: readonly string[]) => JSON.parse((await joust(...args, "--json")).output);
