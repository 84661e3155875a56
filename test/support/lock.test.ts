/** Locks of one process: in order of arrival, bounded waits that name the holder, one order of taking them. */
import { describe, expect, test } from "vitest";
import { assertLockOrder, Lock } from "../../src/support/lock.js";
import { HandRuntime, turn } from "./hand-runtime.js";

/** An action that ends when it is told to. */
function held() {
  let end = () => {};
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { action: () => done, end };
}

test("callers run one at a time, in order of arrival, also after one that fails", async () => {
  const lock = new Lock("table", "t", new HandRuntime());
  const log: string[] = [];
  const step = (name: string, fails = false) =>
    lock.runExclusive(name, async () => {
      log.push(`${name} begins`);
      await turn();
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
    });
  await Promise.allSettled([step("a"), step("b", true), step("c")]);
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  expect(lock.metrics()).toMatchObject({ acquisitions: 3, waiting: 0, holder: undefined });
});

test("a wait that takes too long ends with the name of the operation that holds the lock", async () => {
  const runtime = new HandRuntime();
  const lock = new Lock("table", "flights", runtime);
  const slow = held();
  const first = lock.runExclusive("overwrite", slow.action);
  let ran = false;
  const second = lock
    .runExclusive(
      "append",
      async () => {
        ran = true;
      },
      100,
    )
    .catch((error: unknown) => error);
  const third = lock.runExclusive("delete", async () => "third");
  await runtime.advance(100);
  expect(await second).toMatchObject({ code: "BUSY", details: { holder: "overwrite", heldMs: 100, lock: "table" } });
  slow.end();
  await first;
  expect(await third).toBe("third");
  expect(ran).toBe(false);
  expect(lock.metrics()).toMatchObject({ timeouts: 1, acquisitions: 2 });
  expect(runtime.pending).toBe(0);
});

test("who holds a lock, for how long, and who waited how long for it is told", async () => {
  const runtime = new HandRuntime();
  const lock = new Lock("table", "flights", runtime);
  await runtime.advance(1000);
  const slow = held();
  const first = lock.runExclusive("overwrite", slow.action);
  const second = lock.runExclusive("append", async () => {}, 100);
  await runtime.advance(40);
  expect(lock.metrics()).toMatchObject({ holder: "overwrite", heldMs: 40, waiting: 1, waits: { count: 0 } });
  slow.end();
  await Promise.all([first, second]);
  expect(lock.metrics()).toMatchObject({ holder: undefined, heldMs: 0, waiting: 0, waits: { count: 1, maxMs: 40 } });
  await runtime.advance(100);
  expect(lock.metrics(), "whoever got the lock in time does not run out of it later").toMatchObject({ timeouts: 0 });
  expect(runtime.pending).toBe(0);
});

describe("the order", () => {
  assertLockOrder();
  const runtime = new HandRuntime();
  const database = new Lock("database", "db", runtime);
  const tables = ["a", "b"].map((name) => new Lock("table", name, runtime)) as [Lock, Lock];
  const maintenance = new Lock("maintenance", "a", runtime);
  const index = new Lock("index", "a.id", runtime);
  const nothing = async () => {};

  test("database, table, index is right, and so are two tables by name", async () => {
    await database.runExclusive("x", () =>
      tables[0].runExclusive("x", () =>
        tables[1].runExclusive("x", async () => {
          await turn();
          await index.runExclusive("x", nothing);
        }),
      ),
    );
    expect(index.metrics().acquisitions).toBe(1);
  });

  test.each([
    ["a table lock inside an index lock", index, tables[0]],
    ["a database lock inside a table lock", tables[0], database],
    ["a table lock inside a maintenance lock", maintenance, tables[0]],
    ["a maintenance lock inside an index lock", index, maintenance],
    ["a table before one with a smaller name", tables[1], tables[0]],
    ["the same lock twice", tables[0], tables[0]],
  ])("%s is an error at once, not a hang", async (_, outer, inner) => {
    const call = outer.runExclusive("outer", async () => {
      await turn();
      await inner.runExclusive("inner", nothing);
    });
    await expect(call).rejects.toMatchObject({ code: "INTERNAL" });
    await outer.runExclusive("after", nothing);
  });
});
