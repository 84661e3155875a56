import { describe, expect, test } from "vitest";
import { Scratch, ScratchPool } from "../../src/data/scratch.js";

const MIB = 1 << 20;

describe("memory that is used again", () => {
  test("belongs to one taker until the reset, and to the next one of about that size after it", () => {
    const scratch = new Scratch();
    const [a, b] = [scratch.take(100_000), scratch.take(100_000)];
    expect(a.buffer).not.toBe(b.buffer);
    scratch.reset();
    const again = [scratch.take(99_000).buffer, scratch.take(101_000).buffer];
    expect(new Set(again)).toEqual(new Set([a.buffer, b.buffer]));
    expect(again).not.toContain(scratch.take(100_000).buffer);
    scratch.reset();
    // A large buffer does not go to a small taker.
    expect(again).not.toContain(scratch.take(5_000).buffer);
  });

  test("is no more than a pool may keep, however many reads there were at once and however large", () => {
    const pool = new ScratchPool();
    const scratches = Array.from({ length: 40 }, () => pool.take());
    for (const scratch of scratches) for (let i = 0; i < 5; i++) scratch.take(5 * MIB);
    for (const scratch of scratches) pool.giveBack(scratch);
    const known = new Set(scratches);
    let kept = 0;
    for (let next = pool.take(); known.has(next); next = pool.take()) kept += next.freeBytes;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThanOrEqual(32 * MIB);
  });
});
