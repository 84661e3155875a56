/** Turns of real commits: two writers that know nothing of each other, on one directory. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import type { Table } from "../../src/api/table.js";
import { LINE } from "../../src/commit/writer-line.js";
import { type FileSystem, nodeFiles } from "../../src/store/files.js";
import { localStore } from "../../src/store/local.js";

const root = mkdtempSync(join(tmpdir(), "joust-turns-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What a test puts in the way of one writer. */
interface Trouble {
  openNew?: (path: string) => void;
  link?: (name: string) => void;
  syncDirectory?: (path: string) => Promise<void>;
}

function troubled(trouble: Trouble): FileSystem {
  return {
    ...nodeFiles,
    async openNew(path) {
      trouble.openNew?.(path);
      return nodeFiles.openNew(path);
    },
    async link(existing, name) {
      trouble.link?.(name);
      await nodeFiles.link(existing, name);
    },
    async openDirectory(path) {
      const handle = await nodeFiles.openDirectory(path);
      const sync = handle.sync.bind(handle);
      handle.sync = async () => {
        await trouble.syncDirectory?.(path);
        await sync();
      };
      return handle;
    },
  };
}

/** Two writers of one table that have met, so that both stand in line from now on. */
async function twoWriters(name: string) {
  const dir = join(root, name);
  const trouble: Trouble = {};
  const settings = settingsOf({ maintenance: { auto: false } });
  const connection = (files: FileSystem) => new Connection(new Database(localStore(dir, { files }), dir), settings);
  const mine = await connection(troubled(trouble)).createTable("t", [{ id: 0 }]);
  const others = connection(nodeFiles);
  const theirs = await others.openTable("t");
  let id = 1;
  const add = (table: Table) => table.add([{ id: id++ }]);
  for (let i = 0; i < 2; i++) for (const table of [mine, theirs]) await add(table);
  const line = join(dir, "t.lance", LINE);
  const tickets = () => (existsSync(line) ? readdirSync(line).filter((name) => /^[0-9]+$/.test(name)) : []);
  const versions = async () => (await theirs.listVersions()).map(({ version }) => version);
  return { mine, theirs, others, trouble, add, tickets, versions, line };
}

test("a turn ends when the version has its name: the next writer does not wait for the sync of the directory", async () => {
  const { mine, theirs, trouble, add, tickets, versions, line } = await twoWriters("early");
  let goOn = () => {};
  const synced = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let seen: string[] | undefined;
  let hadTicket = false;
  trouble.openNew = (path) => {
    hadTicket ||= path.startsWith(line);
  };
  const reached = new Promise<void>((resolve) => {
    trouble.syncDirectory = async (path) => {
      if (!path.endsWith("_versions")) return;
      seen = tickets();
      resolve();
      await synced;
    };
  });
  let answered = false;
  const commit = add(mine).then((result) => {
    answered = true;
    return result;
  });
  await reached;
  expect([hadTicket, seen]).toEqual([true, []]);
  const { version } = await add(theirs);
  expect([version, answered]).toEqual([7, false]);
  goOn();
  expect((await commit).version).toBe(6);
  expect(await versions()).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("in turns hardly any race is lost: each writer builds on what the one before it has committed", async () => {
  const { mine, theirs, add } = await twoWriters("races");
  const before = mine.metrics().conflicts.lostRaces + theirs.metrics().conflicts.lostRaces;
  for (let i = 0; i < 20; i++) await Promise.all([add(mine), add(theirs)]);
  expect(mine.metrics().conflicts.lostRaces + theirs.metrics().conflicts.lostRaces - before).toBeLessThan(5);
  expect(theirs.metrics().conflicts.resolution.count).toBeGreaterThan(10);
});

test("a commit that fails in its turn leaves no ticket, and the next writer goes on at once", async () => {
  const { mine, theirs, trouble, add, tickets } = await twoWriters("failing");
  trouble.openNew = (path) => {
    if (path.includes("_versions/")) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  };
  await expect(add(mine)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(tickets()).toEqual([]);
  expect((await add(theirs)).version).toBe(6);
});

test("a writer makes one file for all its tickets, and takes it away when it meets nobody any more or ends", async () => {
  const { mine, theirs, others, trouble, add, tickets, line } = await twoWriters("names");
  const made: string[] = [];
  let named = 0;
  trouble.openNew = (path) => {
    if (path.startsWith(line)) made.push(path);
  };
  trouble.link = (name) => {
    if (name.startsWith(line)) named++;
  };
  for (let i = 0; i < 10; i++) await Promise.all([add(mine), add(theirs)]);
  expect(named).toBeGreaterThanOrEqual(10);
  expect(made.length).toBeLessThanOrEqual(1);
  const kept = () => readdirSync(join(line, "writers"));
  expect(kept()).toHaveLength(2);
  for (let i = 0; i < 10; i++) await add(mine);
  await expect.poll(() => kept().length).toBe(1);
  await others.close();
  expect(kept()).toEqual([]);
  expect(tickets()).toEqual([]);
});

test("where no ticket can be written, commits go on without", async () => {
  const { mine, theirs, trouble, add, tickets, versions, line } = await twoWriters("unwritable");
  let refused = 0;
  const refuse = (path: string) => {
    if (!path.startsWith(line)) return;
    refused++;
    throw Object.assign(new Error("not allowed"), { code: "EACCES" });
  };
  trouble.openNew = refuse;
  trouble.link = refuse;
  const both = Array.from({ length: 10 }, () => Promise.all([add(mine), add(theirs)]));
  await Promise.all(both);
  expect(refused).toBeGreaterThan(0);
  expect(tickets()).toEqual([]);
  expect(await theirs.countRows()).toBe(25);
  expect(await versions()).toEqual(Array.from({ length: (await versions()).length }, (_, i) => i + 1));
});

test("versions are kept apart by their names alone: writers whose tickets vanish lose and double nothing", async () => {
  const { mine, theirs, trouble, add, line } = await twoWriters("vanishing");
  trouble.openNew = (path) => {
    if (path.includes("_versions/"))
      for (const name of readdirSync(line)) rmSync(join(line, name), { force: true, recursive: true });
  };
  const results = [];
  for (let i = 0; i < 30; i++) results.push(...(await Promise.all([add(mine), add(theirs)])));
  const versions = results.map(({ version }) => version);
  expect(new Set(versions).size).toBe(60);
  expect(Math.max(...versions)).toBe(65);
  expect(await mine.countRows()).toBe(65);
});

test("a ticket that nobody came back for goes with a vacuum a week later, a fresh one stays", async () => {
  const { mine, tickets, line } = await twoWriters("left");
  // What compaction commits would pass over both.
  await mine.optimize();
  mkdirSync(line, { recursive: true });
  for (const name of ["000001700000000", "000001700000001"]) writeFileSync(join(line, name), "");
  // What tickets name is left behind with them.
  const writers = () => readdirSync(join(line, "writers"));
  mkdirSync(join(line, "writers"), { recursive: true });
  for (const name of ["old", "fresh"]) writeFileSync(join(line, "writers", name), "");
  const weekAgo = Date.now() / 1000 - 8 * 86_400;
  for (const name of ["000001700000000", "writers/old"]) utimesSync(join(line, name), weekAgo, weekAgo);
  await mine.optimize({ cleanupOlderThan: new Date(Date.now() + 1000) });
  expect(tickets()).toEqual(["000001700000001"]);
  expect([writers().includes("old"), writers().includes("fresh")]).toEqual([false, true]);
  const findings = await mine.verify({ deep: true }).toArray();
  expect(findings).toEqual([]);
});
