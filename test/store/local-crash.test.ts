/**
 * Kills and power cuts at every file-system call of a small life of the local store. After each: what was
 * acknowledged is there, a name given by compare-and-swap never shows less than its whole content, and the next
 * process goes on working.
 */
import { describe, expect, test } from "vitest";
import type { ObjectStore } from "../../src/store/contract.js";
import { Chance } from "../sim/chance.js";
import type { Fate, SimulatedDisk } from "../sim/simulated-disk.js";
import { keepAll, keepByChance, keepNothing, simulate } from "../sim/world.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const DURABLE = { durable: true };

/** Up to this many unsynced changes every subset is tried, above it a sample. */
const EXHAUSTIVE_CHANGES_MAX = 7;
const SAMPLES = 60;

const CONTENT: Record<string, string> = {
  "/db/t/data/a": "rows of one",
  "/db/t/v/1": "version one",
  "/db/t/data/b": "rows of two",
  "/db/t/v/2": "version two",
  "/db/u/v/1": "another table",
  "/db/hint": "2",
};

/** Versions need the data that was acknowledged before they were published. */
const NEEDS: Record<string, string> = { "/db/t/v/1": "/db/t/data/a", "/db/t/v/2": "/db/t/data/b" };

/** Two commits, a second table beside them, a hint that is replaced. Calls `acknowledge` with each durable path. */
async function life(store: ObjectStore, acknowledge: (path: string) => void): Promise<void> {
  const content = (path: string) => [bytes(CONTENT[`/db/${path}`] as string)];
  const write = async (path: string) => {
    await store.write(path, content(path), DURABLE);
    acknowledge(`/db/${path}`);
  };
  const publish = async (path: string) => {
    const staged = await store.stage(path, content(path), DURABLE);
    if ((await staged.publish()) === "created") acknowledge(`/db/${path}`);
  };
  await write("t/data/a");
  await publish("t/v/1");
  await Promise.all([write("t/data/b").then(() => publish("t/v/2")), publish("u/v/1")]);
  await store.replace("hint", [bytes("1")], DURABLE);
  await store.replace("hint", content("hint"), DURABLE);
  acknowledge("/db/hint");
}

function checkAfterCrash(disk: SimulatedDisk, acknowledged: readonly string[]): void {
  const tree = disk.tree();
  for (const path of acknowledged) expect(tree[path], `acknowledged: ${path}`).toBe(CONTENT[path]);
  for (const [path, content] of Object.entries(tree)) {
    if (path === "/db/hint") expect(["1", "2"]).toContain(content);
    if (!/\/v\/[12]$/.test(path)) continue;
    expect(content, `published: ${path}`).toBe(CONTENT[path]);
    const needed = NEEDS[path];
    if (needed !== undefined) expect(tree[needed], `needed by ${path}`).toBe(CONTENT[needed]);
  }
}

/** Every legal state of the disk after a power cut now, or a sample of them. */
function* crashes(disk: SimulatedDisk, chance: Chance): Generator<SimulatedDisk> {
  const count = disk.unsynced().length;
  const crashed = (fates: (index: number) => Fate) => {
    const copy = disk.copy();
    let index = 0;
    copy.crash(() => fates(index++));
    return copy;
  };
  if (count <= EXHAUSTIVE_CHANGES_MAX) {
    for (let subset = 0; subset < 1 << count; subset++) {
      yield crashed((index) => ((subset >> index) & 1 ? "kept" : "lost"));
    }
  }
  for (let sample = 0; sample < (count <= EXHAUSTIVE_CHANGES_MAX ? 8 : SAMPLES); sample++) {
    const copy = disk.copy();
    copy.crash(keepByChance(chance));
    yield copy;
  }
}

describe("power cuts", () => {
  test("at every call, with every subset of what was not synced, lose nothing acknowledged and tear no version", async () => {
    let states = 0;
    for (const seed of [1, 2, 3]) {
      const world = simulate(seed);
      const acknowledged: string[] = [];
      const chance = new Chance(seed);
      const check = () => {
        for (const disk of crashes(world.disk, chance)) {
          states++;
          checkAfterCrash(disk, acknowledged);
        }
        return undefined;
      };
      world.onCall = check;
      await world.run(() => life(world.process().store("/db"), (path) => acknowledged.push(path)));
      check();
      expect(acknowledged.toSorted()).toEqual(Object.keys(CONTENT).toSorted());
    }
    expect(states).toBeGreaterThan(2_000);
  });

  test("right after each of many concurrent acknowledgements find the name, although syncs are shared", async () => {
    const world = simulate(5);
    const store = world.process().store("/db");
    await world.run(() =>
      Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          await store.write(`t/data/${i}`, [bytes(`rows ${i}`)], DURABLE);
          const disk = world.disk.copy();
          disk.crash(keepNothing);
          expect(disk.tree()[`/db/t/data/${i}`]).toBe(`rows ${i}`);
        }),
      ),
    );
  });

  test("never bring a removed tree back", async () => {
    const world = simulate(6);
    const store = world.process().store("/db");
    await world.run(async () => {
      await store.create("t/v/1", [bytes("one")], DURABLE);
      await store.deleteTree("t");
    });
    world.crash(keepNothing);
    expect(await world.run(() => world.process().store("/db").list("t"))).toEqual([]);
  });

  test("find out a store that renames instead of syncing first", async () => {
    // The classic mistake: the name is durable, the content is not.
    const world = simulate(1);
    const { files } = world.process();
    await world.run(async () => {
      await files.mkdir("/db");
      const handle = await files.openNew("/db/tmp");
      await handle.write([bytes("version one")]);
      await handle.close();
      await files.rename("/db/tmp", "/db/v");
      for (const path of ["/db", "/"]) {
        const directory = await files.openDirectory(path);
        await directory.sync();
        await directory.close();
      }
    });
    const found = [...crashes(world.disk, new Chance(1))].map((disk) => disk.tree()["/db/v"]);
    expect(found).toContain("");
    expect(found).toContain("version one");
  });
});

describe("kills", () => {
  async function callsOfALife(seed: number): Promise<number> {
    const world = simulate(seed);
    await world.run(() => life(world.process().store("/db"), () => {}));
    return world.calls;
  }

  test.each(["before", "after", "torn"] as const)(
    "%s every call leave a store that the next process uses",
    async (when) => {
      for (const seed of [1, 2]) {
        const calls = await callsOfALife(seed);
        for (let n = 0; n < calls; n++) {
          const world = simulate(seed);
          const victim = world.process();
          const acknowledged: string[] = [];
          world.onCall = (call) => (call.number === n ? { kill: when } : undefined);
          const outcome = await world.run(() =>
            victim.spawn(() => life(victim.store("/db"), (path) => acknowledged.push(path))),
          );
          expect(outcome.kind).toBe("killed");
          checkAfterCrash(world.disk, acknowledged);
          world.onCall = () => undefined;
          if (n % 3 !== 0) world.crash(n % 3 === 1 ? keepNothing : keepByChance(world.chance));
          checkAfterCrash(world.disk, acknowledged);
          const next = world.process().store("/db");
          const outcomeOfNext = await world.run(() => next.create("t/v/3", [bytes("three")], DURABLE));
          expect(outcomeOfNext).toBe("created");
          world.crash(keepNothing);
          expect(world.disk.tree()["/db/t/v/3"]).toBe("three");
          checkAfterCrash(world.disk, acknowledged);
        }
      }
    },
  );

  test("of one of several processes that race for a name leave exactly one winner, and it is whole", async () => {
    for (let seed = 0; seed < 60; seed++) {
      const world = simulate(seed);
      const processes = [1, 2, 3].map(() => world.process());
      const killAt = 20 + world.chance.below(60);
      world.onCall = (call) => (call.number === killAt ? { kill: world.chance.pick(["before", "after"]) } : undefined);
      const outcomes = await world.run(() =>
        Promise.all(
          processes.map((process) =>
            process.spawn(() => process.store("/db").create("t/v/1", [bytes(`by ${process.name}`)], DURABLE)),
          ),
        ),
      );
      await world.settle();
      const created = outcomes.flatMap((each, i) =>
        each.kind === "done" && each.value === "created" ? [`by ${processes[i]?.name}`] : [],
      );
      expect(created.length).toBeLessThanOrEqual(1);
      const seen = world.disk.tree()["/db/t/v/1"];
      if (outcomes.some((each) => each.kind === "done")) expect(seen).toMatch(/^by p[123]$/);
      world.crash(keepAll);
      if (created.length > 0) expect(world.disk.tree()["/db/t/v/1"]).toBe(created[0]);
    }
  });
});
