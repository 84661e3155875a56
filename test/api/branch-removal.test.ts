/** What happens to tags, handles and cleanups while a branch is being removed or made by another process. */
import { expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { addBranchPaths } from "../../src/chores/reachable.js";
import { manifestPath, REFS_BRANCHES } from "../../src/format/layout.js";
import { memoryStore } from "../../src/store/memory.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { WrappedStore } from "../commit/wrapped-store.js";

/** Two processes on one table with a branch, each with its store; `waits` resolves when the second one waits. */
async function world() {
  const disk = memoryStore("");
  const stores = [new WrappedStore(disk), new WrappedStore(disk)] as const;
  let wake = () => {};
  const waits = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const waiting = {
    ...systemRuntime,
    sleep: (ms: number, signal?: AbortSignal) => {
      wake();
      return systemRuntime.sleep(ms, signal);
    },
  };
  const [one, two] = [systemRuntime, waiting].map((runtime, i) => {
    const settings = settingsOf({ runtime, maintenance: { auto: false } });
    return new Connection(new Database(stores[i]!, "memory://"), settings);
  }) as [Connection, Connection];
  const table = await one.createTable("t", [{ id: 1 }]);
  const side = await (await table.branches()).create("side");
  side.close();
  return { one, two, table, stores, waits };
}

test("a tag that another process gives to a branch while it is being deleted is refused, and none dangles", async () => {
  const { two, table, stores, waits } = await world();
  const theirs = await two.openTable("t");
  let tagging: Promise<unknown> = Promise.resolve();
  stores[0].hooks.before = async (call, path) => {
    if (call !== "delete" || !path.endsWith(`${REFS_BRANCHES}/side.json`)) return;
    stores[0].hooks = {};
    const side = await (await theirs.branches()).checkout("side");
    tagging = (await side.tags()).create("late", 1).catch((error: unknown) => error);
    await Promise.race([tagging, waits]);
  };
  await (await table.branches()).delete("side");
  expect(await tagging).toMatchObject({ code: "NOT_FOUND", message: expect.stringContaining("Branch 'side'") });
  expect(await (await table.tags()).list()).toEqual({});
});

test("a tag that was given to a branch before keeps the branch", async () => {
  const { two, table } = await world();
  const side = await (await (await two.openTable("t")).branches()).checkout("side");
  await (await side.tags()).create("early", 1);
  await (await side.tags()).update("early", 1);
  side.close();
  await two.close();
  await expect((await table.branches()).delete("side")).rejects.toMatchObject({ code: "CONFLICT" });
});

test("a handle of a branch that another process deleted says that the branch is gone, and of which table", async () => {
  const { two, stores } = await world();
  const handle = await two.openTable("t", { branch: "side" });
  await stores[0].deleteTree("t.lance/tree/side/_versions");
  for (const call of [() => handle.countRows(), () => handle.add([{ id: 2 }]), () => handle.version()]) {
    await expect(call()).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/^Branch 'side' of table 't' was not found/),
      details: { table: "t", branch: "side" },
    });
  }
});

test("a branch that gets its reference while a cleanup reads it counts, and its damage stops the cleanup", async () => {
  const store = new WrappedStore(memoryStore(""));
  const path = `tree/side/${manifestPath(1, "v2")}`;
  await store.write(path, [new TextEncoder().encode("torn")], { durable: false });
  await addBranchPaths(store, undefined, new Map());
  store.hooks.before = async (call, of) => {
    if (call !== "get" || of !== path) return;
    await store.inner.create(`${REFS_BRANCHES}/side.json`, [new TextEncoder().encode("{}")], { durable: false });
  };
  await expect(addBranchPaths(store, undefined, new Map())).rejects.toMatchObject({ code: "CORRUPT" });
});
