/**
 * Vacuums beside writers, readers and taggers that sleep at the worst moments: whoever wakes goes on with what it holds,
 * begins anew, or is told that it has slept too long, and what came into use before anything was announced to go stays.
 */
import { describe, expect, test } from "vitest";
import type { Connection } from "../../src/api/connection.js";
import type { Table } from "../../src/api/table.js";
import type { SimulatedProcess } from "./process.js";
import { readRows, TABLE } from "./table-world.js";
import { differences, everything, filesOf, NO_COMPACTION, picture, ROWS, shareIn, vacuumIn } from "./vacuum-world.js";
import { type Call, simulate, type World } from "./world.js";

/** Stops `process` when `call` comes for the first time, until `wake` is called. */
function stopAt(world: World, process: SimulatedProcess, at: (call: Call, log: readonly string[]) => boolean) {
  const begin = world.log.length;
  let stopped: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  world.onCall = (call) => {
    if (call.process === process.name && process.stoppedUntilMs === 0 && at(call, world.log.slice(begin))) {
      process.stoppedUntilMs = Number.MAX_SAFE_INTEGER;
      stopped();
    }
    return undefined;
  };
  const wake = () => {
    process.stoppedUntilMs = 0;
    world.onCall = () => undefined;
  };
  return { reached, wake };
}

const PATIENT_MS = 1_000_000;

describe("a writer that sleeps through a vacuum on another machine", () => {
  const moments = {
    "between its looks and its link": (call: Call, log: readonly string[]) =>
      call.operation === "statPath" &&
      /_versions\/1844/.test(call.path) &&
      log
        .slice(log.findIndex((line) => /sleeper close .*\.tmp-1844/.test(line)))
        .some((line) => /sleeper statPath .*retired\.json/.test(line)) &&
      log.some((line) => /sleeper close .*\.tmp-1844/.test(line)),
    "before its looks": (call: Call) => call.operation === "openNew" && call.path.includes("/_versions/.tmp-1844"),
    "before it has written its rows": (call: Call) => call.operation === "openNew" && call.path.includes("/data/"),
  };

  /** Rows 1 and 2 at version 2, and a process each of two machines that cannot tell whether the other one runs. */
  async function twoMachines(seed: number) {
    const world = simulate(seed);
    world.provable = false;
    const sleeper = world.process("sleeper");
    const others = world.process("others");
    const [table, other] = await world.run(async () => {
      const mine = await shareIn(sleeper, { timeoutMs: PATIENT_MS }).createTable(TABLE, ROWS.slice(0, 1));
      await mine.add(ROWS.slice(1, 2));
      return [mine, await shareIn(others).openTable(TABLE)] as const;
    });
    return { world, sleeper, others, table, other };
  }

  /** Four versions more, until long after the sleeper's lease has ended. */
  async function goOn(other: Table, others: SimulatedProcess): Promise<void> {
    for (const row of ROWS.slice(3)) await other.add([row]);
    for (const n of [1, 2, 3]) await other.update({ where: "id = 4", values: { n } });
    await others.runtime.sleep(100_000);
  }

  test.each(Object.keys(moments))("%s writes its rows anew, on top of what came meanwhile", async (moment) => {
    const { world, sleeper, others, table, other } = await twoMachines(7);
    const { reached, wake } = stopAt(world, sleeper, moments[moment as keyof typeof moments]);
    const logged = world.log.length;
    await world.run(async () => {
      const added = table.add(ROWS.slice(2, 3));
      await reached;
      await goOn(other, others);
      const { prune } = await other.optimize({ ...NO_COMPACTION, cleanupOlderThan: everything(world) });
      expect(prune.oldVersionsRemoved, "the vacuum passes the version that the sleeper is after").toBe(5);
      wake();
      const { version } = await added;
      expect(version).toBe(await other.version());
      expect(version).toBe(7);
      expect(await picture(other)).toBe(await picture(table));
      expect((await readRows(other)).map((row) => row.id).sort()).toEqual([1, 2, 3, 4]);
    });
    const links = world.log.slice(logged).filter((line) => /sleeper link .*_versions/.test(line));
    const fenced = moment === "between its looks and its link";
    expect(links.map((line) => line.endsWith("ENOENT"))).toEqual(fenced ? [true, false] : [false]);
    sleeper.kill();
    const next = world.process();
    await world.run(async () => {
      await next.runtime.sleep(100_000);
      await vacuumIn(world, next);
      expect(await differences(world, next)).toEqual([]);
    });
  });

  test("and looks just before the vacuum announces what goes finds its temporary gone afterwards", async () => {
    const { world, sleeper, others, table, other } = await twoMachines(10);
    // After the four look-ups by which it finds the newest version, and before everything else.
    const hasFoundHead = (call: Call, log: readonly string[]) =>
      call.operation === "statPath" && log.filter((line) => line.includes("sleeper statPath")).length === 3;
    const asleep = stopAt(world, sleeper, hasFoundHead);
    const logged = world.log.length;
    await world.run(async () => {
      const added = table.add(ROWS.slice(2, 3));
      await asleep.reached;
      await goOn(other, others);
      const isAnnounced = (call: Call) => call.operation === "openNew" && call.path.includes(".tmp-retired.json");
      const announcing = stopAt(world, others, isAnnounced);
      const vacuumed = other.optimize({ ...NO_COMPACTION, cleanupOlderThan: everything(world) });
      await announcing.reached;
      asleep.wake();
      const looked = stopAt(world, sleeper, moments["between its looks and its link"]);
      await looked.reached;
      announcing.wake();
      expect((await vacuumed).prune.oldVersionsRemoved).toBe(5);
      looked.wake();
      expect(await added).toMatchObject({ version: 7 });
      expect((await readRows(other)).map((row) => row.id).sort()).toEqual([1, 2, 3, 4]);
    });
    const links = world.log.slice(logged).filter((line) => /sleeper link .*_versions/.test(line));
    expect(links.map((line) => line.endsWith("ENOENT"))).toEqual([true, false]);
  });

  test("takes no version from a vacuum that removed nothing but its files", async () => {
    const { world, sleeper, others, table, other } = await twoMachines(8);
    const { reached, wake } = stopAt(world, sleeper, moments["between its looks and its link"]);
    await world.run(async () => {
      const added = table.add(ROWS.slice(2, 3));
      await reached;
      const files = filesOf(world).filter((path) => path.startsWith("data/")).length;
      await others.runtime.sleep(100_000);
      await other.optimize({ ...NO_COMPACTION, cleanupOlderThan: new Date(0) });
      expect(filesOf(world).filter((path) => path.startsWith("data/")).length).toBe(files - 1);
      wake();
      await added;
      expect((await readRows(other)).map((row) => row.id).sort()).toEqual([1, 2, 3]);
      expect(await picture(other)).toBe(await picture(table));
    });
  });
});

describe("a reader that sleeps", () => {
  async function asleep(provable: boolean) {
    const world = simulate(9);
    world.provable = provable;
    const sleeper = world.process("sleeper");
    const others = world.process("others");
    const pinned = await world.run(() => shareIn(sleeper).createTable(TABLE, ROWS));
    await world.run(() => pinned.checkout(1));
    sleeper.stoppedUntilMs = Number.MAX_SAFE_INTEGER;
    await world.run(async () => {
      const table = await shareIn(others).openTable(TABLE);
      await table.add([{ id: 9, n: 9 }], { mode: "overwrite" });
      await others.runtime.sleep(400 * 86_400_000);
      others.skewMs = -800 * 86_400_000;
      await table.optimize({ cleanupOlderThan: everything(world) });
    });
    sleeper.stoppedUntilMs = 0;
    return { world, pinned };
  }

  test("keeps its version on the same machine, for however long", async () => {
    const { world, pinned } = await asleep(true);
    expect(await world.run(() => readRows(pinned))).toEqual(ROWS);
  });

  test("on another machine finds that its snapshot has expired, and never other rows", async () => {
    const { world, pinned } = await asleep(false);
    await expect(world.run(() => readRows(pinned))).rejects.toMatchObject({ code: "SNAPSHOT_EXPIRED" });
    await world.run(() => pinned.checkoutLatest());
    expect(await world.run(() => readRows(pinned))).toEqual([{ id: 9, n: 9 }]);
  });
});

test("a reader that sleeps past its term, and wakes while a vacuum of another machine watches, keeps its version", async () => {
  const world = simulate(13);
  world.provable = false;
  const sleeper = world.process("sleeper");
  const others = world.process("others");
  const pinned = await world.run(() => shareIn(sleeper).createTable(TABLE, ROWS));
  await world.run(() => pinned.checkout(1));
  const NAP_MS = 100_000;
  const WATCHED_MS = 5_000;
  sleeper.stoppedUntilMs = world.nowMs + NAP_MS + WATCHED_MS;
  await world.run(async () => {
    const table = await shareIn(others).openTable(TABLE);
    await table.add([{ id: 9, n: 9 }], { mode: "overwrite" });
    await others.runtime.sleep(NAP_MS);
    expect(sleeper.stoppedUntilMs, "asleep when the vacuum begins").toBeGreaterThan(world.nowMs);
    await table.optimize({ cleanupOlderThan: everything(world) });
    expect(sleeper.stoppedUntilMs, "awake when it ends").toBeLessThan(world.nowMs);
    expect((await table.listVersions()).map(({ version }) => version)).toEqual([1, 2]);
  });
  expect(await world.run(() => readRows(pinned))).toEqual(ROWS);
});

describe("what comes into use after a vacuum has looked, and before it announces what goes, stays:", () => {
  const OLD = ROWS.slice(0, 3);
  type Three = [SimulatedProcess, SimulatedProcess, SimulatedProcess];

  interface User {
    readonly world: World;
    readonly user: SimulatedProcess;
    readonly db: Connection;
  }

  /** A step that `use` takes while the vacuum sleeps at this call. */
  interface Step {
    readonly at: (call: Call, log: readonly string[]) => boolean;
    readonly use: (table: Table, by: User) => Promise<unknown>;
  }

  /** Version 2 holds OLD, in files that version 3 has no use for. */
  async function vacuumedAround(steps: readonly Step[]) {
    const world = simulate(12);
    const founder = world.process("founder");
    await world.run(async () => {
      const table = await shareIn(founder).createTable(TABLE, OLD.slice(0, 2));
      await table.add(OLD.slice(2));
      await table.add(ROWS.slice(3), { mode: "overwrite" });
      await (await table.tags()).create("newest", 3);
    });
    founder.kill();
    const [cleaner, user, later] = ["cleaner", "user", "later"].map((name) => world.process(name)) as Three;
    const db = shareIn(user);
    const table = await world.run(() => db.openTable(TABLE));
    await world.run(async () => {
      let asleep = stopAt(world, cleaner, steps[0]!.at);
      const vacuumed = vacuumIn(world, cleaner);
      for (const [i, { use }] of steps.entries()) {
        await asleep.reached;
        await use(table, { world, user, db });
        asleep.wake();
        const next = steps[i + 1];
        if (next !== undefined) asleep = stopAt(world, cleaner, next.at);
      }
      await vacuumed;
    });
    const open = () => shareIn(later).openTable(TABLE);
    const versions = await world.run(async () => (await (await open()).listVersions()).map((one) => one.version));
    return { world, table, versions, open };
  }

  const announces = ({ operation, path }: Call) => operation === "openNew" && path.includes(".tmp-retired.json");
  /** Leases and tags are listed after the temporaries of deletion files were; whichever comes first. */
  const looksAgain = ({ operation, path }: Call, log: readonly string[]) =>
    operation === "readdir" &&
    /_coord$|_refs\/tags$/.test(path) &&
    log.some((line) => / cleaner .*_deletions/.test(line));
  const tag = async (table: Table) => (await table.tags()).create("late", 2);

  /** Begins to tag version 2, and sleeps, with the tag unwritten, until it has to end. */
  function sleepyTagger() {
    let tagging: Promise<unknown> = Promise.resolve();
    let wake: () => void = () => {};
    const begins: Step = {
      at: announces,
      use: async (table, { world, user }) => {
        const writes = ({ operation, path }: Call) => operation === "openNew" && path.includes("_refs/tags/.tmp");
        const asleep = stopAt(world, user, writes);
        tagging = tag(table);
        wake = asleep.wake;
        await asleep.reached;
      },
    };
    const ends = async () => {
      wake();
      await tagging;
    };
    return { begins, ends };
  }

  test("a version that is pinned", async () => {
    const pin = (table: Table) => table.checkout(2);
    const { world, table, versions } = await vacuumedAround([{ at: announces, use: pin }]);
    expect(versions).toEqual([2, 3]);
    expect(await world.run(() => readRows(table))).toEqual(OLD);
  });

  test("a version that is tagged, and can be opened by its tag", async () => {
    const { world, versions, open } = await vacuumedAround([{ at: announces, use: tag }]);
    expect(versions).toEqual([2, 3]);
    const rows = await world.run(async () => {
      const table = await open();
      await table.checkout("late");
      return readRows(table);
    });
    expect(rows).toEqual(OLD);
  });

  test("a version that is pinned, and others find it all the while", async () => {
    let opening: Promise<unknown> = Promise.resolve();
    const { world, table } = await vacuumedAround([
      { at: announces, use: (one) => one.checkout(2) },
      {
        at: looksAgain,
        use: async (_, { db }) => {
          const other = await db.openTable(TABLE);
          opening = other.checkout(2).then(() => readRows(other));
        },
      },
    ]);
    expect(await world.run(() => opening)).toEqual(OLD);
    expect(await world.run(() => readRows(table))).toEqual(OLD);
  });

  test("a version that is being tagged, and is let go while the vacuum looks again", async () => {
    const tagger = sleepyTagger();
    const { world, versions, open } = await vacuumedAround([
      tagger.begins,
      {
        at: looksAgain,
        use: async (_, { db }) => {
          await tagger.ends();
          await db.close();
        },
      },
    ]);
    expect(versions).toEqual([2, 3]);
    await world.run(async () => (await open()).checkout("late"));
  });

  test("a version that is being tagged, by somebody who sleeps until the vacuum is over", async () => {
    const tagger = sleepyTagger();
    const { world, versions, open } = await vacuumedAround([tagger.begins]);
    expect(versions).toEqual([2, 3]);
    const rows = await world.run(async () => {
      await tagger.ends();
      const table = await open();
      await table.checkout("late");
      return readRows(table);
    });
    expect(rows).toEqual(OLD);
  });

  test("what a version that is restored consists of", async () => {
    const restore = (table: Table, { db }: User) => table.restore(2).then(() => db.close());
    const { world, versions, open } = await vacuumedAround([{ at: announces, use: restore }]);
    expect(versions).toEqual([3, 4]);
    expect(await world.run(async () => readRows(await open()))).toEqual(OLD);
  });
});
