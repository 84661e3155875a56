/**
 * What tests of vacuums share: connections whose leases other processes see, what lies on the disk, and what the
 * versions that are left need of it.
 */
import type { Connection } from "../../src/api/connection.js";
import type { Table } from "../../src/api/table.js";
import { addPaths } from "../../src/chores/reachable.js";
import { listVersionNames } from "../../src/commit/head.js";
import { readManifest } from "../../src/commit/log.js";
import { within } from "../../src/store/within.js";
import type { SimulatedProcess } from "./process.js";
import { connectIn, ROOT, readRows, TABLE } from "./table-world.js";
import type { World } from "./world.js";

export type Format = "arrow" | "lance";

interface Sharing {
  readonly dataFormat?: Format;
  readonly timeoutMs?: number;
  readonly leaseTtlMs?: number;
}

/** A connection of one simulated process, whose lease every other one sees. */
export function shareIn(process: SimulatedProcess, sharing: Sharing = {}): Connection {
  const { dataFormat = "arrow", timeoutMs = 30_000, leaseTtlMs = 60_000 } = sharing;
  const coordination = { mode: "auto", timeoutMs, leaseTtlMs } as const;
  return connectIn(process, { coordination, maintenance: { auto: false }, dataFormat });
}

/** Four rows for tables of these tests. */
export const ROWS = [1, 2, 3, 4].map((id) => ({ id, n: 10 * id }));
/** A cleanup that leaves every fragment as it is. */
export const NO_COMPACTION = { targetRowsPerFragment: 1, maxDeletedShare: 1 };

/** Rows in the order of their ids, as text. */
export async function picture(table: Table): Promise<string> {
  const rows = await readRows(table);
  return JSON.stringify(rows.sort((a, b) => a.id - b.id).map(({ id, n }) => [id, n]));
}

/** Every version older than this moment. */
export function everything(world: World): Date {
  return new Date(world.startMs + world.nowMs + 86_400_000);
}

/** Removes every version that nothing needs. */
export async function vacuumIn(world: World, process: SimulatedProcess): Promise<void> {
  const table = await shareIn(process).openTable(TABLE);
  await table.optimize({ ...NO_COMPACTION, cleanupOlderThan: everything(world) });
}

/** Paths of all files of the table, relative to it. */
export function filesOf(world: World, directory = `${ROOT}/${TABLE}.lance`, prefix = ""): string[] {
  const inode = world.disk.find(directory);
  if (inode?.kind !== "directory") return [];
  return [...inode.entries].flatMap(([name, entry]) =>
    entry.kind === "directory" ? filesOf(world, `${directory}/${name}`, `${prefix}${name}/`) : [`${prefix}${name}`],
  );
}

/** Paths of the files that the versions of the table need. */
export async function neededFiles(process: SimulatedProcess): Promise<string[]> {
  const store = within(process.store(ROOT), `${TABLE}.lance`);
  const paths = new Map<string, number>();
  for (const { version, scheme } of await listVersionNames(store)) {
    const manifest = await readManifest(store, version, scheme);
    if (manifest !== undefined) addPaths(manifest, paths);
  }
  return [...paths.keys()].sort();
}

const CONTENT = /^(data|_deletions|_transactions|_indices)\//;

/** Files that nothing needs, and files that are needed and not there; empty when both are the same. */
export async function differences(world: World, process: SimulatedProcess): Promise<string[]> {
  const needed = new Set(await neededFiles(process));
  const there = filesOf(world);
  const content = new Set(there.filter((path) => CONTENT.test(path)));
  return [
    ...[...content].filter((path) => !needed.has(path)).map((path) => `${path} is not needed`),
    ...[...needed].filter((path) => !content.has(path)).map((path) => `${path} is missing`),
    // What a killed tagger left looks like a native writer's and goes after seven days.
    ...there
      .filter((path) => /(^|\/)\.tmp/.test(path) && !path.startsWith("_refs/"))
      .map((path) => `${path} is a temporary`),
    ...there
      .filter((path) => path.startsWith("_coord/lease-"))
      .slice(1)
      .map((path) => `${path} is a dead lease`),
  ];
}
