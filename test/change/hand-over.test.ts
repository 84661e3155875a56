/** Writers that know nothing of each other but the directory: once they have met, one commits for both. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromArrays } from "apache-arrow";
import { afterAll, expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { type ConnectionOptions, settingsOf } from "../../src/api/options.js";
import type { Table } from "../../src/api/table.js";
import { serveHandOver } from "../../src/change/hand-over.js";
import { HANDED_PROPERTY } from "../../src/commit/handed.js";
import { readTransaction } from "../../src/commit/log.js";
import { decodeManifest } from "../../src/format/manifest.js";
import { localStore } from "../../src/store/local.js";
import { TableError } from "../../src/support/errors.js";

const root = mkdtempSync(join(tmpdir(), "joust-hand-over-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const NO_MAINTENANCE = { maintenance: { auto: false } };

/** Two writers of one table that have met. */
async function twoWriters(name: string, options: readonly [ConnectionOptions, ConnectionOptions] = [{}, {}]) {
  const dir = join(root, name);
  const connect = (some: ConnectionOptions) =>
    new Connection(new Database(localStore(dir), dir), settingsOf({ ...NO_MAINTENANCE, ...some }));
  const [one, other] = options.map(connect) as [Connection, Connection];
  const mine = await one.createTable("t", [{ id: 0, text: "zero" }]);
  const theirs = await other.openTable("t");
  let id = 1;
  const add = (table: Table) => table.add([{ id: id++, text: "some" }]);
  for (let i = 0; i < 3; i++) await Promise.all([add(mine), add(theirs)]);
  for (const table of [mine, theirs]) await add(table);
  const store = localStore(join(dir, "t.lance"));
  const executions = (table: Table) => table.writeQueueMetrics().executions;
  const before = executions(mine);
  await add(theirs);
  const [leader, follower] = executions(mine) > before ? [mine, theirs] : [theirs, mine];
  /** True when the newest version says that it contains writes of another process. */
  const isHanded = async () => {
    const [newest] = (await store.list("_versions"))
      .map(({ name: file }) => file)
      .filter((file) => /^[0-9]+\.manifest$/.test(file));
    const path = `_versions/${newest}`;
    const transaction = await readTransaction(store, decodeManifest(await store.get(path), path));
    return transaction?.properties.has(HANDED_PROPERTY) === true;
  };
  return { one, other, mine, theirs, add, isHanded, leader, follower, store };
}

test("one of the writers commits what the other one adds, changes and deletes, and each gets its own answer", async () => {
  const { follower, leader, isHanded } = await twoWriters("all");
  const version = await leader.version();
  expect(await follower.add([{ id: 100, text: "a" }])).toMatchObject({ version: version + 1 });
  expect(await isHanded()).toBe(true);
  expect(await follower.update({ where: "id = 100", values: { text: "b" } })).toMatchObject({
    rowsUpdated: 1,
    version: version + 2,
  });
  expect(await isHanded()).toBe(true);
  expect(await follower.delete("id = 0")).toMatchObject({ version: version + 3 });
  expect(await isHanded()).toBe(true);
  const upsert = follower.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll();
  expect(await upsert.execute([{ id: 100 }, { id: 101 }])).toMatchObject({
    numUpdatedRows: 1,
    numInsertedRows: 1,
    version: version + 4,
  });
  expect(await isHanded()).toBe(true);
  // The source brought no text: the old row keeps its own, the new one has none.
  const found = await leader.query().where("id in (0, 100, 101)").orderBy({ columnName: "id" }).toArray();
  expect(found.map((row) => row.text)).toEqual(["b", null]);
  expect(await leader.countRows()).toBe(await follower.countRows());
});

test("many writes of both at once share commits, and every row is there once", async () => {
  const { mine, theirs, add, leader } = await twoWriters("many");
  const before = await leader.version();
  const rows = await leader.countRows();
  for (let i = 0; i < 10; i++) {
    await Promise.all(Array.from({ length: 20 }, (_, n) => add(n % 2 === 0 ? mine : theirs)));
  }
  expect(await leader.countRows()).toBe(rows + 200);
  expect((await leader.version()) - before).toBeLessThan(60);
  const ids = (await mine.query().toArray()).map((row) => row.id as number);
  expect(new Set(ids).size).toBe(ids.length);
});

test("what is wrong with a write is said to its own caller, in the words of the process that found out", async () => {
  const { follower, leader } = await twoWriters("wrong");
  const good = leader.add([{ id: 50, text: "good" }]);
  await expect(follower.add([{ id: 51, unknown: 1 }])).rejects.toMatchObject({
    code: "SCHEMA_MISMATCH",
    details: { column: "unknown" },
  });
  await expect(follower.update({ where: "id = 0", values: { nothing: 1 } })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("there are: id, text"),
  });
  await good;
  expect(await leader.countRows("id in (50, 51)")).toBe(1);
});

test("what is no plain value is committed by its own process, as it is", async () => {
  const { follower, isHanded } = await twoWriters("own");
  class Row {
    readonly id = 107;
    get text() {
      return "from a getter";
    }
  }
  await follower.add([new Row() as unknown as Record<string, unknown>]);
  expect(await isHanded()).toBe(false);
  await follower.add(tableFromArrays({ id: Float64Array.of(108), text: ["arrow"] }));
  expect(await isHanded()).toBe(false);
  await follower.add([{ id: 109, text: "said" }], { metadata: { job: "nightly" } });
  expect(await isHanded()).toBe(false);
  await follower
    .mergeInsert("id")
    .whenNotMatchedInsertAll()
    .execute([{ id: 110, text: "merged" }]);
  const found = await follower.query().where("id > 100").toArray();
  expect(found.map((row) => row.text)).toEqual(["from a getter", "arrow", "said", "merged"]);
});

test("writes that ask for another durability than the leader's are committed by their own process", async () => {
  const { follower, leader, isHanded } = await twoWriters("levels", [
    { durability: "full" },
    { durability: "relaxed" },
  ]);
  const { version } = await follower.add([{ id: 100, text: "mine" }]);
  expect(await isHanded()).toBe(false);
  expect(await leader.version()).toBe(version);
});

test("when the leader closes while it is being asked, the other one goes on, and nothing is lost or doubled", async () => {
  const { one, other, mine, leader, follower, add } = await twoWriters("closing");
  const rows = await follower.countRows();
  const busy = Array.from({ length: 20 }, () => add(follower));
  await (leader === mine ? one : other).close();
  await Promise.all(busy);
  for (let i = 0; i < 5; i++) await add(follower);
  expect(await follower.countRows()).toBe(rows + 25);
});

test("a reader that may be late still sees what its own process has had committed by another one", async () => {
  const late = { readConsistencyInterval: 3600 };
  const { follower, isHanded } = await twoWriters("late", [late, late]);
  for (let id = 200; id < 210; id++) {
    await follower.add([{ id, text: "mine" }]);
    expect(await isHanded()).toBe(true);
    expect(await follower.countRows(`id = ${id}`)).toBe(1);
  }
});

test("writers that are closed leave no name behind", async () => {
  const { one, other, store } = await twoWriters("rest");
  const names = async () => (await store.list("_coord")).map((entry) => entry.name);
  expect(await names()).toContain("leader");
  await one.close();
  await other.close();
  expect((await names()).filter((name) => name.startsWith("leader"))).toEqual([]);
});

test("a leader whose queue does not take a write says that it will not do it; what failed in it, it tells with code and details", async () => {
  const message = (count: number) => ({
    durability: "full",
    requests: Array.from({ length: count }, (_, i) => ({ origin: "o", number: i + 1, after: 1 })),
    writes: Array.from({ length: count }, () => ({ kind: "append", rows: [{ id: 1 }] })),
  });
  const codes = ["QUEUE_FULL", "QUEUE_CLOSED", "TIMEOUT", "CANCELED", "UNAVAILABLE", "UNKNOWN_OUTCOME"] as const;
  const left = [...codes];
  const submit = async () => {
    throw new TableError(left.shift() ?? "INTERNAL", "why", { details: { path: "p" } });
  };
  const answers = await serveHandOver(message(codes.length), submit, "full");
  const failed = (code: string) => ({ kind: "failed", code, message: "why", details: { path: "p" } });
  const refused = { kind: "refused" };
  expect(answers).toEqual([refused, refused, refused, refused, failed("UNAVAILABLE"), failed("UNKNOWN_OUTCOME")]);
  let asked = 0;
  const count = async () => {
    asked++;
    throw new Error("never asked");
  };
  expect(await serveHandOver(message(2), count, "relaxed")).toEqual([refused, refused]);
  expect(asked).toBe(0);
});
