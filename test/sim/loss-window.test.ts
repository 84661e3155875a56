/**
 * What a cut of power takes from acknowledged commits, by durability: nothing, the newest few, or all since the last
 * sync. Whatever is left is the oldest part of them, without a hole.
 *
 * SEEDS=n plays so many power cuts for each; MEASURE=1 prints what was lost.
 */
import { describe, expect, test } from "vitest";
import type { Durability } from "../../src/commit/durability.js";
import { isTableError } from "../../src/support/errors.js";
import { connectIn, readRows, TABLE } from "./table-world.js";
import { keepByChance, keepNothing, simulate } from "./world.js";

const SEEDS = Number(process.env.SEEDS ?? 20);
const COMMITS = 40;

interface Loss {
  readonly acknowledged: number;
  readonly lost: number;
  /** Acknowledged before a `sync()` that was answered. */
  readonly synced: number;
  /** The ids that are there after the cut, ascending; undefined when the newest version is damaged, and said to be. */
  readonly left: readonly number[] | undefined;
}

/** Appends row after row until the power is cut at a random call; every tenth row is followed by a `sync()` if asked. */
async function cutPower(seed: number, durability: Durability, keep: "nothing" | "chance", syncs: boolean) {
  const world = simulate(seed);
  const quiet = { maintenance: { auto: false } };
  await world.run(() => connectIn(world.process(), quiet).createTable(TABLE, [{ id: 0, n: 0 }]));
  const writer = world.process();
  let acknowledged = 0;
  let synced = 0;
  const cutAt = world.calls + 60 + world.chance.below(500);
  const chance = world.chance.fork();
  world.onCall = ({ number }) =>
    number === cutAt
      ? { powerCut: "before", keep: keep === "nothing" ? keepNothing : keepByChance(chance) }
      : undefined;
  await world.run(() =>
    writer.spawn(async () => {
      const table = await connectIn(writer, { ...quiet, durability }).openTable(TABLE);
      for (let id = 1; id <= COMMITS; id++) {
        await table.add([{ id, n: id }]);
        acknowledged = id;
        if (syncs && id % 10 === 0) {
          await table.sync();
          synced = id;
        }
      }
    }),
  );
  if (writer.alive) world.crash(keepNothing);
  world.onCall = () => undefined;
  const left = await world.run(async () => {
    try {
      const rows = await readRows(await connectIn(world.process(), quiet).openTable(TABLE));
      return rows.map(({ id }) => id).sort((a, b) => a - b);
    } catch (error) {
      if (isTableError(error, "CORRUPT") || isTableError(error, "SNAPSHOT_EXPIRED")) return undefined;
      throw error;
    }
  });
  const there = left === undefined ? 0 : left.length - 1;
  return { acknowledged, synced, left, lost: Math.max(0, acknowledged - there) } satisfies Loss;
}

async function cuts(durability: Durability, keep: "nothing" | "chance", syncs = false): Promise<Loss[]> {
  const losses: Loss[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) losses.push(await cutPower(seed, durability, keep, syncs));
  if (process.env.MEASURE !== undefined) print(durability, keep, syncs, losses);
  return losses;
}

function print(durability: Durability, keep: string, syncs: boolean, losses: readonly Loss[]): void {
  const open = losses.filter((loss) => loss.left !== undefined);
  const lost = open.map((loss) => loss.lost).sort((a, b) => a - b);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  const share = (100 * sum(lost)) / sum(open.map((loss) => loss.acknowledged));
  const middle = lost[lost.length >> 1];
  const name = `${durability}${syncs ? " with a sync() every 10 commits" : ""}, disk keeps ${keep}`;
  const damaged = `${losses.length - open.length} of ${losses.length} heads damaged`;
  console.log(`${name}: ${share.toFixed(1)} % lost, p50 ${middle}, max ${lost.at(-1)} commits; ${damaged}`);
}

/** Left are row 0 and the oldest rows, all of the synced ones; one more may be there that was not answered yet. */
function expectOldest({ left, acknowledged, synced }: Loss): void {
  if (left === undefined) return;
  expect(left.length).toBeGreaterThan(synced);
  expect(left).toEqual(left.map((_, i) => i));
  expect(left.length).toBeLessThanOrEqual(acknowledged + 2);
}

describe("a cut of power", () => {
  test("takes nothing that was acknowledged with full durability", async () => {
    for (const keep of ["nothing", "chance"] as const) {
      for (const loss of await cuts("full", keep)) {
        expect([loss.lost, loss.left === undefined]).toEqual([0, false]);
        expectOldest(loss);
      }
    }
  });

  test("takes only the newest of asynchronous commits: the syncs follow at once", async () => {
    const losses = await cuts("async", "nothing");
    const open = losses.filter((loss) => loss.left !== undefined);
    expect(open.length).toBeGreaterThan(SEEDS / 2);
    for (const loss of open) {
      expectOldest(loss);
      expect(loss.lost).toBeLessThanOrEqual(6);
    }
    expect(open.some((loss) => loss.lost > 0)).toBe(true);
  });

  test("may take every relaxed commit since the last sync(), and none before it", async () => {
    for (const loss of await cuts("relaxed", "nothing")) expect(loss.left).toEqual([0]);
    for (const durability of ["relaxed", "async"] as const) {
      for (const loss of await cuts(durability, "nothing", true)) {
        expectOldest(loss);
      }
    }
  });

  test("may leave a newest version whose content is not there, which is then an error and not an older table", async () => {
    const losses = [...(await cuts("relaxed", "chance", true)), ...(await cuts("async", "chance", true))];
    for (const loss of losses) expectOldest(loss);
    expect(losses.some((loss) => loss.left === undefined)).toBe(true);
  });
});
