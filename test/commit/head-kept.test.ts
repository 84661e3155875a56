/**
 * A process that stays at a version which a tag or a branch keeps, while others commit and die before they write the
 * hint, and another program's cleanup removes every version between that one and the newest: nothing at the known name,
 * at the next one or in the hint tells of it.
 */
import { expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { encodeHint } from "../../src/format/hint.js";
import { HINT_PATH, manifestPath } from "../../src/format/layout.js";
import type { Table } from "../../src/index.js";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { WrappedStore } from "./wrapped-store.js";

const QUICK = { durable: false };
const ids = async (table: Table) => (await table.query().toArray()).map((row) => row.id as number).sort();

/** A table at version 2, which `keep` keeps, and the handle that stays there until time passes. */
async function world(keep: (table: Table) => Promise<unknown>) {
  const disk = memoryStore("");
  let passedMs = 0;
  const runtime = { ...systemRuntime, monotonicMs: () => systemRuntime.monotonicMs() + passedMs };
  const mine = new WrappedStore(disk);
  const process = (store: WrappedStore) =>
    new Connection(new Database(store, "memory://"), settingsOf({ runtime, maintenance: { auto: false } }));
  const others = await process(new WrappedStore(disk)).createTable("t", [{ id: 1 }]);
  await others.add([{ id: 2 }]);
  await keep(others);
  const stays = await process(mine).openTable("t");
  expect(await ids(stays)).toEqual([1, 2]);
  /** Versions 3 and 4 come and go, 5 is the head. */
  const pass = async () => {
    for (const id of [3, 4, 5]) await others.add([{ id }]);
    const table = within(disk, "t.lance");
    for (const version of [3, 4]) await table.delete(manifestPath(version, "v2"));
    await table.replace(HINT_PATH, [encodeHint(2)], QUICK);
    passedMs += 1000;
  };
  return { stays, mine, others, pass };
}

const tagged = async (table: Table) => (await table.tags()).create("kept", 2);
const branched = async (table: Table) => (await table.branches()).create("side", "main", 2);

test.each([
  ["tag", tagged],
  ["branch", branched],
])("a reader that stayed at a version which a %s keeps sees the newest one behind a gap", async (_what, keep) => {
  const { stays, pass } = await world(keep);
  await pass();
  expect([await stays.version(), await ids(stays)]).toEqual([5, [1, 2, 3, 4, 5]]);
});

test("a writer that stayed at a version which a tag keeps commits on the newest one behind a gap", async () => {
  const { stays, others, pass } = await world(tagged);
  await pass();
  expect((await stays.add([{ id: 6 }])).version).toBe(6);
  expect(await ids(others)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a writer that slept before its link while all that happened does not acknowledge a version in the gap", async () => {
  const { stays, mine, others, pass } = await world(tagged);
  let slept = false;
  mine.hooks.publish = async (path, publish) => {
    if (!slept && path.endsWith(".manifest")) {
      slept = true;
      await pass();
    }
    return publish();
  };
  expect((await stays.add([{ id: 6 }])).version).toBe(6);
  expect(slept).toBe(true);
  expect(await ids(others)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("who looks often lists nothing, tags or not", async () => {
  const { stays, mine } = await world(tagged);
  await stays.version();
  mine.forget();
  await stays.version();
  expect([mine.count("list"), mine.count("head")]).toEqual([0, 4]);
});
