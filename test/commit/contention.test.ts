/** Who waits for whom where nobody commits for others: the opposite of a backoff that grows with every loss. */
import { describe, expect, test } from "vitest";
import { Contention } from "../../src/commit/contention.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";

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

describe("where writers do not reach each other", () => {
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
    expect((await contention.turn()).isExclusive).toBe(false);
  });
});
