/**
 * A reader that pins the newest version of a table and reads it when told to. As if on another machine, when asked:
 * nobody can prove then whether it runs.
 */
import { createInterface } from "node:readline";
import { connect } from "joust";
import { systemRuntime } from "../../../dist/support/runtime.js";
import { run, say } from "./say.mjs";

await run(async ({ dir, table: name, foreign, options }) => {
  const { processes, ...elsewhere } = systemRuntime;
  const db = await connect(dir, { ...options, runtime: foreign ? elsewhere : systemRuntime });
  const snapshot = await (await db.openTable(name)).snapshot();
  say({ pinned: await snapshot.version() });
  for await (const _line of createInterface({ input: process.stdin })) {
    try {
      say({ ids: (await snapshot.query().toArray()).map((row) => row.id).sort((a, b) => a - b) });
    } catch (error) {
      say({ code: error.code, message: error.message });
    }
  }
});
