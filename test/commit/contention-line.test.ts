/** The line of waiting writers: first come, first served, and nobody waits for a ticket that nobody stands behind. */
import { describe, expect, test } from "vitest";
import { LINE, WRITERS, WriterLine } from "../../src/commit/writer-line.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { memoryStore } from "../../src/store/memory.js";
import { TableError } from "../../src/support/errors.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";
import { ticketsOf, withTickets } from "./tickets.js";

const BEGIN_MS = new HandRuntime().now() - 1;
const WAIT = { patienceMs: 20, timeoutMs: 10_000 };

/** A place that tells of removals, as a local one does. */
function setUp({ hints = true } = {}) {
  const runtime = new HandRuntime();
  const store = withTickets(memoryStore("t", runtime));
  const watched = new Map<() => void, string>();
  store.watch = (path, changed) => {
    watched.set(changed, path);
    return () => watched.delete(changed);
  };
  const remove = store.delete.bind(store);
  store.delete = async (path) => {
    await remove(path);
    if (hints) for (const [changed, of] of watched) if (of === path) changed();
  };
  /** Places in the line, counted from the moment at which the clock began. */
  const tickets = async () => (await ticketsOf(store)).map((number) => number - BEGIN_MS);
  return { runtime, store, watched, tickets };
}

/** A writer of a process of its own that enters the line; `end` is there when it is its turn. */
async function enter(store: ObjectStore, runtime: HandRuntime, wait = WAIT) {
  const writer: { end: (() => Promise<void>) | undefined; isIn: boolean } = { end: undefined, isIn: false };
  void new WriterLine(store, runtime).enter(wait).then((end) => {
    writer.end = end;
    writer.isIn = true;
  });
  await turn();
  return writer;
}

describe("the line", () => {
  test("lets writers go one by one, in the order in which they came, each as soon as the one before it ends", async () => {
    const { runtime, store, tickets } = setUp();
    const writers = [await enter(store, runtime), await enter(store, runtime), await enter(store, runtime)];
    expect(await tickets()).toEqual([1, 2, 3]);
    for (let first = 0; first < 3; first++) {
      expect(writers.map((writer) => writer.isIn)).toEqual([0, 1, 2].map((i) => i <= first));
      await writers[first]?.end?.();
      await turn();
    }
    expect(await tickets()).toEqual([]);
    expect([runtime.monotonicMs(), runtime.pending]).toEqual([0, 0]);
  });

  test("puts writers that come at the same moment behind each other", async () => {
    const { runtime, store, tickets } = setUp();
    const both = [enter(store, runtime), enter(store, runtime), enter(store, runtime)];
    const writers = await Promise.all(both);
    expect(await tickets()).toEqual([1, 2, 3]);
    expect(writers.filter((writer) => writer.isIn)).toHaveLength(1);
  });

  test("goes on within its patience where no hint is given", async () => {
    const { runtime, store } = setUp({ hints: false });
    const first = await enter(store, runtime);
    const second = await enter(store, runtime);
    await first.end?.();
    await turn();
    expect(second.isIn).toBe(false);
    await runtime.advance(WAIT.patienceMs / 4);
    expect(second.isIn).toBe(true);
  });

  test("watches nothing and sleeps no more once a turn has come", async () => {
    const { runtime, store, watched } = setUp();
    const first = await enter(store, runtime);
    const second = await enter(store, runtime);
    expect([watched.size, runtime.pending]).toEqual([1, 1]);
    await first.end?.();
    await turn();
    expect(second.isIn).toBe(true);
    expect([watched.size, runtime.pending]).toEqual([0, 0]);
  });

  test("wakes only the next one when a turn ends", async () => {
    const { runtime, store, watched } = setUp();
    for (let i = 0; i < 5; i++) await enter(store, runtime);
    const numbers = [...watched.values()].map((path) => Number(path.slice(`${LINE}/`.length)) - BEGIN_MS);
    expect(numbers).toEqual([1, 2, 3, 4]);
  });
});

/** Milliseconds that pass until the writer has its turn. */
async function msUntil(writer: { readonly isIn: boolean }, runtime: HandRuntime): Promise<number> {
  const startedMs = runtime.monotonicMs();
  while (!writer.isIn && runtime.monotonicMs() - startedMs < 5000) await runtime.advance(1);
  return runtime.monotonicMs() - startedMs;
}

test("a writer whose file a vacuum has swept goes on without a turn, and makes another for the next", async () => {
  const { runtime, store, tickets } = setUp();
  const line = new WriterLine(store, runtime);
  await (await line.enter(WAIT))?.();
  for (const { name } of await store.list(WRITERS)) await store.delete(`${WRITERS}/${name}`);
  expect(await line.enter(WAIT)).toBeUndefined();
  const end = await line.enter(WAIT);
  expect([typeof end, await tickets()]).toEqual(["function", [expect.any(Number)]]);
  await end?.();
  await line.rest();
  expect([await tickets(), await store.list(WRITERS)]).toEqual([[], []]);
});

describe("a ticket that nobody stands behind", () => {
  test("is passed over and removed when it has been the first for too long, and costs its followers one patience", async () => {
    const { runtime, store, tickets } = setUp();
    await enter(store, runtime);
    const second = await enter(store, runtime);
    const third = await enter(store, runtime);
    expect(await msUntil(second, runtime)).toBeLessThanOrEqual(WAIT.patienceMs * 1.25);
    expect(second.isIn).toBe(true);
    expect(third.isIn).toBe(false);
    expect(await tickets()).toEqual([2, 3]);
    await second.end?.();
    await turn();
    expect(third.isIn).toBe(true);
  });

  test("holds up nobody who came before it", async () => {
    const { runtime, store } = setUp();
    const first = await enter(store, runtime);
    await enter(store, runtime);
    const third = await enter(store, runtime);
    for (let i = 0; i < 3; i++) {
      await runtime.advance(5);
      expect(third.isIn).toBe(false);
    }
    await first.end?.();
    expect(await msUntil(third, runtime)).toBeLessThanOrEqual(WAIT.patienceMs * 1.25);
  });

  test("does not make others jump the queue: while turns end, nobody is passed over", async () => {
    const { runtime, store, tickets } = setUp();
    const writers = [];
    for (let i = 0; i < 8; i++) writers.push(await enter(store, runtime));
    for (const [i, writer] of writers.entries()) {
      expect(writer.isIn).toBe(true);
      await runtime.advance(15);
      expect(await tickets()).toHaveLength(8 - i);
      await writer.end?.();
      await turn();
    }
  });

  test("is that of a sleeper: it wakes up, goes on as if nothing had happened, and takes nobody's place away", async () => {
    const { runtime, store, tickets } = setUp();
    const sleeper = await enter(store, runtime);
    const second = await enter(store, runtime);
    await msUntil(second, runtime);
    await second.end?.();
    const third = await enter(store, runtime);
    const fourth = await enter(store, runtime);
    await sleeper.end?.();
    await sleeper.end?.();
    await turn();
    expect([third.isIn, fourth.isIn, (await tickets()).length]).toEqual([true, false, 2]);
  });

  test("does not keep a writer longer than it is ready to wait at all", async () => {
    const { runtime, store, tickets } = setUp();
    await enter(store, runtime);
    const second = await enter(store, runtime, { patienceMs: 1000, timeoutMs: 50 });
    expect(await msUntil(second, runtime)).toBeLessThanOrEqual(300);
    expect(await tickets()).toEqual([1, 2]);
    await second.end?.();
    expect(await tickets()).toEqual([1]);
  });
});

describe("a place where no ticket can be made", () => {
  const failing = () => Promise.reject(new TableError("UNAVAILABLE", "The disk is full."));

  test("has no line: nobody waits and nothing is thrown", async () => {
    for (const call of ["list", "write"] as const) {
      const { runtime, store, tickets } = setUp();
      const works = store[call].bind(store);
      Object.assign(store, { [call]: failing });
      const writer = await enter(store, runtime);
      expect([writer.isIn, writer.end]).toEqual([true, undefined]);
      Object.assign(store, { [call]: works });
      expect(await tickets()).toEqual([]);
    }
  });

  test("leaves no ticket when the place fails while a writer waits", async () => {
    const { runtime, store, tickets } = setUp();
    const first = await enter(store, runtime);
    const second = await enter(store, runtime);
    const works = store.head.bind(store);
    store.head = failing;
    await first.end?.();
    await turn();
    store.head = works;
    expect([second.isIn, second.end]).toEqual([true, undefined]);
    expect(await tickets()).toEqual([]);
  });

  test("loses a ticket that cannot be removed, and nobody but its followers' time", async () => {
    const { runtime, store } = setUp();
    const first = await enter(store, runtime);
    const works = store.delete.bind(store);
    store.delete = failing;
    await first.end?.();
    store.delete = works;
    const second = await enter(store, runtime);
    expect(await msUntil(second, runtime)).toBeLessThanOrEqual(WAIT.patienceMs * 1.25);
  });

  test("other files in the directory of the line are nobody's tickets", async () => {
    const { runtime, store } = setUp();
    await store.write(`${LINE}/notes.txt`, [], { durable: false });
    await store.write(`${LINE}/999`, [], { durable: false });
    expect((await enter(store, runtime)).isIn).toBe(true);
  });
});
