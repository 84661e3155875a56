/** Starts worker processes on one table and collects what they say. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const WORKER = fileURLToPath(new URL("./worker.mjs", import.meta.url));

export interface Job {
  readonly dir: string;
  readonly table: string;
  readonly kind: "append" | "increment" | "delete" | "upsert" | "churn" | "compact";
  readonly worker: number;
  readonly [key: string]: unknown;
}

export interface Line {
  readonly intent?: number;
  readonly ack?: number;
  readonly version?: number;
  readonly error?: string;
  readonly message?: string;
  readonly [key: string]: unknown;
}

export interface Running {
  readonly process: ChildProcess;
  readonly lines: readonly Line[];
  /** Resolves when the process has ended, however. */
  readonly ended: Promise<void>;
}

export function start(job: Job): Running {
  const child = spawn(process.execPath, [WORKER, JSON.stringify(job)], { stdio: ["ignore", "pipe", "pipe"] });
  const lines: Line[] = [];
  let rest = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => {
    rest += chunk.toString();
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) lines.push(JSON.parse(part) as Line);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => {
    child.on("close", () => {
      if (errors.includes("Error")) lines.push({ error: "stderr", message: errors });
      resolve();
    });
  });
  return { process: child, lines, ended };
}

/** Runs jobs side by side to their end; what each said. */
export async function runAll(jobs: readonly Job[]): Promise<readonly (readonly Line[])[]> {
  const running = jobs.map(start);
  await Promise.all(running.map((one) => one.ended));
  return running.map((one) => one.lines);
}

/** Everything that went wrong, in the words of the workers. */
export function errorsOf(said: readonly (readonly Line[])[]): readonly string[] {
  return said.flat().flatMap((line) => (line.error === undefined ? [] : [`${line.error}: ${line.message}`]));
}
