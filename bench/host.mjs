// Runs one workload on one engine, in a process of its own, so that heaps, threads and crashes stay apart.
// The runner asks over IPC: setup, round (as often as it likes), teardown. It removes everything at the end: for minutes
// after files were removed, ext4 makes new ones slowly, because it leaves the inodes of the old ones alone.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openEngine } from "./engines.mjs";

const { file, engine, dir, size, dataFormat } = JSON.parse(process.argv[2]);
const workload = await import(file);
const options = { dataFormat, connectOptions: workload.connectOptions };
let shared;
let rounds = 0;

async function prepare(folder) {
  mkdirSync(folder, { recursive: true });
  const opened = await openEngine(engine, folder, options);
  const state = await workload.setup({ ...opened, dir: folder, engine, options, size });
  return { ...opened, dir: folder, engine, options, size, state };
}

async function round() {
  const folder = join(dir, String(rounds++));
  const context = shared ?? (await prepare(folder));
  globalThis.gc?.();
  const result = await workload.round(context);
  if (shared === undefined) context.db.close();
  return result;
}

const ACTIONS = {
  setup: async () => {
    if (workload.keepsTable) shared = await prepare(join(dir, "shared"));
  },
  round,
  teardown: async () => {
    shared?.db.close();
  },
};

process.on("message", async (action) => {
  try {
    process.send({ result: (await ACTIONS[action]()) ?? null });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
  if (action === "teardown") process.disconnect();
});
