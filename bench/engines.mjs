// The two engines under test. Workloads use only what both have: LanceDB's Node API.
// Ours is loaded from the build output, so that it runs without anything installed in this folder.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const LOADERS = {
  joust: () => import(new URL("../dist/index.js", import.meta.url).href),
  native: () => import("@lancedb/lancedb"),
};

export const ENGINES = Object.keys(LOADERS);

/** What an acknowledged write has survived, as printed above the figures. */
export const DURABILITY = {
  joust: "full: data file, manifest and their directories are synced before every acknowledgement",
  native: "none: LanceDB never syncs, an acknowledged write may be lost with the power",
};

export const isBuilt = () => existsSync(new URL("../dist/index.js", import.meta.url));

/** Where native LanceDB is installed, or undefined. */
export function nativePath() {
  try {
    return createRequire(import.meta.url).resolve("@lancedb/lancedb");
  } catch {
    return undefined;
  }
}

/**
 * Opens `dir` with one engine. `create(name, data)` makes a table with the engine's options of this run;
 * `db` is the connection itself. Only ours knows `options`: the data format, and what to connect with.
 */
export async function openEngine(name, dir, options = {}) {
  const { connect } = await LOADERS[name]();
  const { dataFormat, connectOptions } = name === "joust" ? options : {};
  const db = await connect(dir, connectOptions);
  const extra = dataFormat ? { dataFormat } : {};
  return { name, db, create: (table, data) => db.createTable(table, data, { mode: "overwrite", ...extra }) };
}
