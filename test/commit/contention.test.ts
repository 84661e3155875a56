/** Who waits for whom: the opposite of a backoff that grows with every loss. */
import { expect, test } from "vitest";
import { Contention } from "../../src/commit/contention.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";

/** A contention whose last hundred commits lost so many races each, and took 10 ms. */
async function after(losses: number) {
  const runtime = new HandRuntime();
  const contention = new Contention(runtime);
  for (let i = 0; i < 100; i++) contention.won(losses, 10);
  await runtime.advance(10_000);
  return { runtime, contention };
}

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

test("nobody waits while races are lost rarely", async () => {
  const { runtime, contention } = await after(0);
  for (const losses of [1, 2, 10]) expect(await waitOf(runtime, () => contention.beforeRetry(losses))).toBe(0);
  expect(await waitOf(runtime, () => contention.beforeCommit())).toBe(0);
});

test("in a crowd who has lost once waits, who lost twice waits less, and who lost often does not wait", async () => {
  const { runtime, contention } = await after(8);
  const waits: number[] = [];
  for (const losses of [1, 2, 4, 6, 20]) waits.push(await waitOf(runtime, () => contention.beforeRetry(losses)));
  expect(waits).toEqual([25, 20, 10, 0, 0]);
});

test("after a commit that had to be fought for, others go first; after one that had not, nobody waits", async () => {
  const { runtime, contention } = await after(2);
  contention.won(3, 10);
  expect(await waitOf(runtime, () => contention.beforeCommit())).toBe(15);
  contention.won(0, 10);
  expect(await waitOf(runtime, () => contention.beforeCommit())).toBe(0);
});
