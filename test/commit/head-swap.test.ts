/**
 * The head of a process only goes forward: what was read slowly, or committed a while ago, never takes the place of
 * something newer.
 */
import { expect, test } from "vitest";
import { SharedTable } from "../../src/commit/shared-table.js";
import { manifestPath } from "../../src/format/layout.js";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { processOn } from "./process-on.js";
import { WrappedStore } from "./wrapped-store.js";

/** A table at version 1, a process that has seen it so, and another one that writes. */
async function world() {
  const disk = new WrappedStore(memoryStore(""));
  const other = await processOn(disk).createTable("t", [{ id: 1 }]);
  const view = new WrappedStore(within(disk, "t.lance"));
  const shared = new SharedTable("t", view, systemRuntime);
  await shared.refresh();
  return { other, view, shared };
}

test("a version that was read slowly is not put in the place of a newer one", async () => {
  const { other, view, shared } = await world();
  await other.add([{ id: 2 }]);
  let goOn: () => void = () => {};
  let reading: () => void = () => {};
  const isReading = new Promise<void>((resolve) => {
    reading = resolve;
  });
  view.hooks.before = (call, path) => {
    if (call !== "get" || path !== manifestPath(2, "v2")) return;
    reading();
    return new Promise((resolve) => {
      goOn = resolve;
    });
  };
  const slow = shared.refresh();
  await isReading;
  await other.add([{ id: 3 }]);
  expect((await shared.refresh()).version).toBe(3);
  goOn();
  expect((await slow).version, "also for whoever asked first").toBe(3);
  expect(shared.head?.version).toBe(3);
});

test("a version that was committed before others is not put in the place of what they made since", async () => {
  const { other, shared } = await world();
  await other.add([{ id: 2 }]);
  const mine = await shared.refresh();
  const transaction = await shared.transaction(mine);
  await other.add([{ id: 3 }]);
  const newest = await shared.refresh();
  shared.committed(mine, new Map(), transaction!);
  expect(shared.head).toBe(newest);
  await shared.quiet();
});

test("a commit whose answer comes late leaves readers of its process at what others have committed since", async () => {
  const disk = new WrappedStore(memoryStore(""));
  const other = await processOn(disk).createTable("t", [{ id: 1 }]);
  const mine = new WrappedStore(disk);
  const db = processOn(mine, { readConsistencyInterval: 3600 });
  const table = await db.openTable("t");
  const reader = await db.openTable("t");
  mine.hooks.publish = async (path, publish) => {
    const outcome = await publish();
    if (!path.endsWith(manifestPath(2, "v2"))) return outcome;
    await other.add([{ id: 3 }]);
    await reader.checkoutLatest();
    expect(await reader.version()).toBe(3);
    return outcome;
  };
  expect(await table.add([{ id: 2 }])).toMatchObject({ version: 2 });
  expect(await reader.version()).toBe(3);
  expect(await reader.countRows()).toBe(3);
});
