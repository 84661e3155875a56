/** A small table with a history, in a directory of its own, and ways to harm it. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type ConnectionOptions, connect, type DataFormat, type Row } from "../../src/index.js";

export const NAME = "t";

export interface OnDisk {
  readonly database: string;
  /** The table's directory. */
  readonly directory: string;
}

/** An empty directory, gone at the end of the test. */
export function freshDatabase(): string {
  const database = mkdtempSync(join(tmpdir(), "joust-doctor-"));
  onTestFinished(() => rmSync(database, { recursive: true, force: true }));
  return database;
}

/** Six versions: create, append, delete, update, tag on 2, a column, append. */
export async function makeTable(dataFormat: DataFormat, options: ConnectionOptions = {}): Promise<OnDisk> {
  const database = freshDatabase();
  const db = await connect(database, { dataFormat, ...options });
  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ id: from + i, name: `name ${from + i}`, v: [from, i / 2] }));
  const table = await db.createTable(NAME, rows(0, 20));
  await table.add(rows(20, 10));
  await (await table.tags()).create("keep", 2);
  await table.delete("id % 5 = 0");
  await table.update({ where: "id = 7", values: { name: "seven" } });
  await table.addColumns([{ name: "twice", valueSql: "id * 2" }]);
  await table.add([{ id: 99, name: "last", v: [9, 9], twice: 1 }]);
  await db.close();
  return { database, directory: join(database, `${NAME}.lance`) };
}

/** Files below a directory, relative to it, in order. */
export function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

/** Names and content of everything below a directory. */
export function hashOf(directory: string): string {
  const hash = createHash("sha256");
  for (const path of filesBelow(directory))
    hash
      .update(path)
      .update("\0")
      .update(readFileSync(join(directory, path)));
  return hash.digest("hex");
}

/** The rows of the newest version in a process that knows nothing yet. */
export async function readAll(database: string): Promise<Row[]> {
  const db = await connect(database);
  try {
    return await (await db.openTable(NAME)).query().toArray();
  } finally {
    await db.close();
  }
}

/** The path of a version's manifest inside the table's directory. */
export function manifestOf(version: number): string {
  return `_versions/${(2n ** 64n - 1n - BigInt(version)).toString()}.manifest`;
}
