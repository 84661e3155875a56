/** Who waits for whom: in line on one machine, elsewhere by the opposite of a backoff that grows with every loss. */
import { describe, expect, test } from "vitest";
import { Contention } from "../../src/commit/contention.js";
import { LINE, WriterLine } from "../../src/commit/writer-line.js";
import { memoryStore } from "../../src/store/memory.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";
import { ticketsOf, withTickets } from "./tickets.js";

/** Milliseconds until the wait ends, chance being 0.5. */
async function waitOf(runtime: HandRuntime, wait: () => Promise<void>): Promise<number> {
  let ended = false;
  void wait().then(() => {
    ended = true;
  });
  await turn();
  let waitedMs = 0;
  for (; !ended && waitedMs < 1000; waitedMs++) await runtime.advance(1);
  return waitedMs;
}

describe("where writers cannot wait for each other", () => {
  /** A contention whose last hundred commits lost so many races each, and took 10 ms. */
  async function afterLosing(losses: number) {
    const runtime = new HandRuntime();
    const contention = new Contention(runtime);
    for (let version = 1; version <= 100; version++) contention.won(version, losses, 10);
    await runtime.advance(10_000);
    return { runtime, contention };
  }

  test("nobody waits while races are lost rarely", async () => {
    const { runtime, contention } = await afterLosing(0);
    for (const losses of [1, 2, 10]) expect(await waitOf(runtime, () => contention.beforeRetry(losses))).toBe(0);
    expect(await waitOf(runtime, () => contention.beforeCommit())).toBe(0);
  });

  test("in a crowd who has lost once waits, who lost twice waits less, and who lost often does not wait", async () => {
    const { runtime, contention } = await afterLosing(8);
    const waits: number[] = [];
    for (const losses of [1, 2, 4, 6, 20]) waits.push(await waitOf(runtime, () => contention.beforeRetry(losses)));
    expect(waits).toEqual([25, 20, 10, 0, 0]);
  });

  test("after a commit that had to be fought for, others go first; after one that had not, nobody waits", async () => {
    const { runtime, contention } = await afterLosing(2);
    contention.won(101, 3, 10);
    expect(await waitOf(runtime, () => contention.beforeCommit())).toBe(15);
    contention.won(102, 0, 10);
    expect(await waitOf(runtime, () => contention.beforeCommit())).toBe(0);
  });

  test("no turn is exclusive", async () => {
    const { contention } = await afterLosing(8);
    await contention.beforeRetry(20);
    expect((await contention.turn(1000)).isExclusive).toBe(false);
  });
});

describe("where writers are processes of one machine", () => {
  function setUp() {
    const runtime = new HandRuntime();
    const store = withTickets(memoryStore("t", runtime));
    const contention = new Contention(runtime, new WriterLine(store, runtime));
    const tickets = async () => (await ticketsOf(store)).length;
    return { runtime, store, contention, tickets };
  }

  test("a writer that meets nobody never takes a ticket", async () => {
    const { contention, tickets } = setUp();
    for (let version = 1; version < 20; version++) {
      const mine = await contention.turn(1000);
      expect([mine.isExclusive, await tickets()]).toEqual([false, 0]);
      contention.won(version, 0, 1);
    }
  });

  test("a lost race puts a writer into the line, without a wait, until it has met nobody eight times", async () => {
    const { runtime, contention, tickets } = setUp();
    expect(await waitOf(runtime, () => contention.beforeRetry(1))).toBe(0);
    const exclusive: boolean[] = [];
    for (let version = 5; version < 16; version++) {
      const mine = await contention.turn(1000);
      exclusive.push(mine.isExclusive);
      expect(await tickets()).toBe(mine.isExclusive ? 1 : 0);
      await mine.end();
      contention.won(version, 0, 1);
    }
    expect(exclusive).toEqual([...Array<boolean>(9).fill(true), false, false]);
    expect(await tickets()).toBe(0);
  });

  test("how long a ticket may stand still follows the length of turns", async () => {
    const { runtime, store, contention } = setUp();
    await contention.beforeRetry(1);
    for (let i = 0; i < 60; i++) {
      const mine = await contention.turn(10_000);
      await runtime.advance(50);
      await mine.end();
      await runtime.advance(1000);
      await mine.end();
    }
    await store.write(`${LINE}/000000000000001`, [], { durable: false });
    const wait = async () => void (await contention.turn(10_000));
    const waitedMs = await waitOf(runtime, wait);
    expect(waitedMs).toBeGreaterThan(350);
    expect(waitedMs).toBeLessThan(550);
  });

  test("versions of others between two commits are a meeting, also when no race was lost", async () => {
    const { contention } = setUp();
    contention.won(1, 0, 1);
    contention.won(3, 0, 1);
    const mine = await contention.turn(1000);
    expect(mine.isExclusive).toBe(true);
    await mine.end();
  });
});
