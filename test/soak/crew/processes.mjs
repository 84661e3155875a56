/** Processes of a soak run: each gets its job as JSON, says JSON lines, and is told things line by line. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const ENDED = { ended: true };

/** Starts `crew/{script}`; what it says goes to `onLine`, if given, and to whoever waits in `hear`. */
export function start(script, job, onLine = () => {}) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, JSON.stringify(job)], { stdio: ["pipe", "pipe", "pipe"] });
  const lines = [];
  const waiting = [];
  let errors = "";
  let rest = "";
  let over = false;
  const deliver = (line) => {
    onLine(line);
    const next = waiting.shift();
    if (next === undefined) lines.push(line);
    else next(line);
  };
  child.stdout.on("data", (chunk) => {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop();
    for (const part of parts) deliver(JSON.parse(part));
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk.toString();
  });
  child.stdin.on("error", () => {});
  const ended = new Promise((resolve) =>
    child.on("close", (code, signal) => {
      over = true;
      if (code !== 0 && signal === null) deliver({ error: "exit", message: `exit code ${code}: ${errors.trim()}` });
      for (const one of waiting.splice(0)) one(ENDED);
      resolve();
    }),
  );
  return {
    child,
    ended,
    tell: (line) => child.stdin.write(`${line}\n`),
    /** The next line that was not heard yet; `{ ended: true }` when the process has nothing more to say. */
    hear: () => {
      const line = lines.shift();
      if (line !== undefined) return Promise.resolve(line);
      return over ? Promise.resolve(ENDED) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}
