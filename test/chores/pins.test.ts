/** What holds a version holds it until its own end, whatever else has read the version and ended. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { connected, freshDirectory, rowsOf } from "../api/places.js";

const DAY_MS = 86_400_000;
/** No heartbeat comes in between, however slow the machine is. */
const STILL = { coordination: { leaseTtlMs: DAY_MS } };

/** A table with row 1 at version 1, and a handle that takes no notice of what others hold. */
async function prepare() {
  const db = await connected(freshDirectory(), STILL);
  const table = await db.createTable("t", [{ id: 1 }]);
  const other = await db.openTable("t");
  const leaveBehind = () => other.add([{ id: 2 }], { mode: "overwrite" });
  const versionsLeft = async () => {
    await other.optimize({ cleanupOlderThan: new Date(Date.now() + DAY_MS) });
    return (await other.listVersions()).map(({ version }) => version);
  };
  return { table, leaveBehind, versionsLeft };
}

test("a snapshot keeps its version after queries on it have ended", async () => {
  const { table, leaveBehind, versionsLeft } = await prepare();
  const snapshot = await table.snapshot();
  const ids = async () => (await snapshot.query().toArray()).map(({ id }) => id);
  expect([await ids(), await snapshot.countRows()]).toEqual([[1], 1]);
  await leaveBehind();
  expect(await versionsLeft()).toEqual([1, 2]);
  expect(await ids()).toEqual([1]);
  snapshot.close();
  snapshot.close();
  expect(await versionsLeft()).toEqual([2]);
});

test("a handle keeps the version that it was moved to after queries on it have ended, by number and by tag", async () => {
  for (const named of [1, "first"]) {
    const { table, leaveBehind, versionsLeft } = await prepare();
    const tags = await table.tags();
    await tags.create("first", 1);
    await table.checkout(named);
    await tags.delete("first");
    expect(await rowsOf(table)).toEqual([{ id: 1 }]);
    expect(await table.countRows()).toBe(1);
    await leaveBehind();
    expect(await versionsLeft(), String(named)).toEqual([1, 2]);
    expect(await rowsOf(table)).toEqual([{ id: 1 }]);
    await table.checkoutLatest();
    expect(await versionsLeft(), String(named)).toEqual([2]);
  }
});

test("two holds of one version are two: the end of one is not that of the other", async () => {
  const { table, leaveBehind, versionsLeft } = await prepare();
  const [first, second] = [await table.snapshot(), await table.snapshot()];
  await leaveBehind();
  for (let i = 0; i < 3; i++) first.close();
  expect(await versionsLeft()).toEqual([1, 2]);
  expect((await second.query().toArray()).map(({ id }) => id)).toEqual([1]);
  second.close();
  expect(await versionsLeft()).toEqual([2]);
});

const HOLDS: Readonly<Record<string, (table: Table) => Promise<unknown>>> = {
  "a handle that is checked out": (table) => table.checkout(1),
  "a snapshot": (table) => table.snapshot(),
};

describe.each(Object.keys(HOLDS))("%s", (name) => {
  test("ends with its connection, though other connections of the place go on", async () => {
    const directory = freshDirectory();
    const table = await (await connected(directory, STILL)).createTable("t", [{ id: 1 }]);
    const other = await connected(directory, STILL);
    await HOLDS[name]!(await other.openTable("t"));
    await other.close();
    await table.add([{ id: 2 }], { mode: "overwrite" });
    await table.optimize({ cleanupOlderThan: new Date(Date.now() + DAY_MS) });
    expect((await table.listVersions()).map(({ version }) => version)).toEqual([2]);
  });

  test("ends with the last connection: the lease of the process is given back", async () => {
    const directory = freshDirectory();
    const db = await connected(directory, STILL);
    await HOLDS[name]!(await db.createTable("t", [{ id: 1 }]));
    const leases = () => readdirSync(join(directory, "t.lance/_coord")).filter((file) => file.startsWith("lease-"));
    expect(leases()).toHaveLength(1);
    await db.close();
    expect(leases()).toEqual([]);
  });
});
