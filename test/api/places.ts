/** Every place and data format that the tests of the API run on, and small looks at tables. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach } from "vitest";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { Connection, type ConnectionOptions, connect, type DataFormat, type Table } from "../../src/index.js";
import { openStore } from "../../src/store/open.js";

/** No syncs, which other tests prove, and no compaction that commits a version of its own. */
const QUIET: ConnectionOptions = { durability: "relaxed", maintenance: { auto: false } };
const open: Connection[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A fresh directory, removed after the test. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "joust-api-"));
  directories.push(directory);
  return directory;
}

/** A connection that is closed after the test. */
export async function connected(uri: string, options: ConnectionOptions = {}): Promise<Connection> {
  const connection = await connect(uri, { ...QUIET, ...options });
  open.push(connection);
  return connection;
}

/** A connection that shares no memory with the others of this process: what another process would have. */
export async function connectedApart(directory: string, options: ConnectionOptions = {}): Promise<Connection> {
  const settings = settingsOf({ ...QUIET, ...options });
  const connection = new Connection(new Database(openStore(directory), directory), settings);
  open.push(connection);
  return connection;
}

export interface Place {
  readonly name: string;
  readonly connect: () => Promise<Connection>;
}

const onDisk = (dataFormat: DataFormat): Place => ({
  name: `${dataFormat} on disk`,
  connect: () => connected(freshDirectory(), { dataFormat }),
});

export const PLACES: readonly Place[] = [
  onDisk("arrow"),
  onDisk("parquet"),
  onDisk("lance"),
  { name: "arrow in memory", connect: () => connected("memory://", { dataFormat: "arrow" }) },
];

/** All rows as plain objects; vectors and lists as arrays. */
export async function rowsOf(table: Table): Promise<Record<string, unknown>[]> {
  return plain(await table.query().toArray());
}

export function plain(rows: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  return rows.map((row) => Object.fromEntries(Object.entries({ ...row }).map(([name, value]) => [name, cell(value)])));
}

function cell(value: unknown): unknown {
  const isList = typeof value === "object" && value !== null && Symbol.iterator in value && "get" in value;
  return isList ? Array.from(value as Iterable<unknown>) : value;
}

/** Every file below a directory with its size, but for the hint, which is written behind the answers. */
export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes("latest_version_hint.json"))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${relative(directory, path)} ${statSync(path).size}`;
    })
    .sort();
}
