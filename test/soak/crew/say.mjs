/** What a process of a soak run says to whoever started it. */
import { writeSync } from "node:fs";

/** Synchronous, so that a line that was said is in the pipe whatever happens to the process next. */
export const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);

/** Runs `main`; what it throws is said, with its code. */
export async function run(main) {
  try {
    await main(JSON.parse(process.argv[2]));
  } catch (error) {
    say({ error: error.code ?? "?", message: error.stack });
    process.exitCode = 1;
  }
}
