/**
 * What survives a power cut at each level of durability, on a simulated disk that loses everything that was not synced.
 */
import { expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { type Durability, isDurable } from "../../src/commit/durability.js";
import { isTableError } from "../../src/support/errors.js";
import type { SimulatedProcess } from "../sim/process.js";
import { ROOT, readRows, TABLE } from "../sim/table-world.js";
import { keepNothing, simulate, type World } from "../sim/world.js";

function connectWith(process: SimulatedProcess, durability: Durability): Connection {
  const coordination = { mode: "single_process_unsafe" } as const;
  return new Connection(
    new Database(process.store(ROOT), ROOT),
    settingsOf({ runtime: process.runtime, durability, coordination }),
  );
}

const open = (process: SimulatedProcess, durability: Durability) => connectWith(process, durability).openTable(TABLE);

/**
 * Cuts the power, and reads the table in a new process. The versions below are there without a gap; files that only
 * they need, and nobody synced, may be lost.
 */
async function afterPowerCut(world: World): Promise<{ ids: number[]; gapless: boolean }> {
  world.crash(keepNothing);
  return world.run(async () => {
    const table = await open(world.process(), "full");
    const rows = await readRows(table);
    const versions = (await table.listVersions()).map(({ version }) => version);
    const gapless = versions.every((version, i) => version === i + 1);
    return { ids: rows.map(({ id }) => id).sort((a, b) => a - b), gapless };
  });
}

const row = (id: number) => ({ id, n: 0 });

/** Paths of files and directories that were synced since the log had `from` lines. */
const syncsSince = (world: World, from: number) =>
  world.log.slice(from).flatMap((line) => (line.includes(" sync ") ? [line.split(" sync ")[1] as string] : []));

test("a transaction that says nothing, as native LanceDB's do, is not taken for durable", () => {
  expect(isDurable(undefined)).toBe(false);
});

for (const durability of ["relaxed", "async"] as const) {
  test(`a full commit by another process makes the ${durability} commits below it durable`, async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = simulate(seed);
      await world.run(async () => {
        const careless = await connectWith(world.process(), durability).createTable(TABLE, [row(1), row(2), row(3)]);
        await careless.add([row(4)]);
        await careless.delete("id = 2");
        await careless.update({ where: "id = 3", valuesSql: { n: "n + 1" } });
        await (await open(world.process(), "full")).add([row(5)]);
      });
      expect(await afterPowerCut(world), `seed ${seed}`).toEqual({ ids: [1, 3, 4, 5], gapless: true });
    }
  });
}

test("what full commits inherit is synced once: only what is new since the last durable version", async () => {
  const world = simulate(7);
  const { careful, careless } = await world.run(async () => {
    const careful = await connectWith(world.process(), "full").createTable(TABLE, [row(0)]);
    for (let id = 1; id <= 8; id++) await careful.add([row(id)]);
    return { careful, careless: await open(world.process(), "relaxed") };
  });
  for (let id = 9; id < 12; id++) {
    await world.run(() => careless.add([row(id)]));
    await world.settle();
    const from = world.log.length;
    await world.run(() => careful.add([row(100 + id)]));
    const files = syncsSince(world, from).filter((path) => path.includes("/data/"));
    expect(files, "the file of the relaxed commit and its own").toHaveLength(2);
  }
  expect((await afterPowerCut(world)).ids).toHaveLength(15);
});

test("a relaxed commit is acknowledged without a sync, and sync() makes it durable", async () => {
  const world = simulate(3);
  const table = await world.run(() => connectWith(world.process(), "relaxed").createTable(TABLE, [row(1)]));
  await world.run(() => table.add([row(2)]));
  await world.settle();
  expect(syncsSince(world, 0)).toEqual([]);
  await world.run(() => table.sync());
  expect(await afterPowerCut(world)).toEqual({ ids: [1, 2], gapless: true });
});

test("an async commit is acknowledged before its syncs, which follow by themselves", async () => {
  const world = simulate(4);
  const table = await world.run(() => connectWith(world.process(), "async").createTable(TABLE, [row(1)]));
  await world.settle();
  const from = world.log.length;
  const syncsAtAnswer = await world.run(() => table.add([row(2)]).then(() => syncsSince(world, from)));
  expect(syncsAtAnswer).toEqual([]);
  await world.settle();
  expect(syncsSince(world, from).filter((path) => path.includes("/data/")).length).toBeGreaterThan(0);
  expect(await afterPowerCut(world)).toEqual({ ids: [1, 2], gapless: true });
});

test("sync() is a barrier: what was acknowledged before it survives, also while others go on writing", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = simulate(seed);
    await world.run(async () => {
      const db = connectWith(world.process(), "async");
      const table = await db.createTable(TABLE, [row(0)]);
      await Promise.all([1, 2, 3].map((id) => table.add([row(id)])));
      const later = table.add([row(4)]);
      await db.sync();
      void later.catch(() => {});
    });
    const { ids } = await afterPowerCut(world);
    expect(ids.slice(0, 4), `seed ${seed}`).toEqual([0, 1, 2, 3]);
  }
});

test("closing the database waits for the syncs of async commits", async () => {
  const world = simulate(5);
  await world.run(async () => {
    const db = connectWith(world.process(), "async");
    const table = await db.createTable(TABLE, [row(1)]);
    await table.add([row(2)]);
    await db.close();
  });
  expect(await afterPowerCut(world)).toEqual({ ids: [1, 2], gapless: true });
});

async function codeOf(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => "done",
    (error: unknown) => (isTableError(error) ? error.code : String(error)),
  );
}

test("after a failed sync in the background nothing is acknowledged any more, and reads go on", async () => {
  const world = simulate(6);
  const process = world.process();
  const { db, table } = await world.run(async () => {
    const db = connectWith(process, "async");
    return { db, table: await db.createTable(TABLE, [row(1)]) };
  });
  await world.settle();
  let failed = false;
  world.onCall = (call) => {
    if (failed || call.operation !== "sync" || !call.path.includes("/data/")) return undefined;
    failed = true;
    return { fail: "EIO", when: "before" };
  };
  expect(await world.run(() => codeOf(table.add([row(2)])))).toBe("done");
  await world.settle();
  expect(failed).toBe(true);
  const said = await world.run(async () => [
    await codeOf(table.sync()),
    await codeOf(table.add([row(3)])),
    await codeOf(table.sync()),
    await codeOf(db.close()),
  ]);
  expect(said).toEqual(["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]);
  const reader = await world.run(async () => readRows(await open(world.process(), "full")));
  expect(reader.map(({ id }) => id)).toEqual([1, 2]);
});

test("a full commit on a version whose files cannot be synced is refused and leaves nothing", async () => {
  const world = simulate(8);
  const careful = await world.run(() => connectWith(world.process(), "full").createTable(TABLE, [row(1)]));
  await world.run(async () => (await open(world.process(), "relaxed")).add([row(2)]));
  await world.settle();
  let failed = false;
  world.onCall = (call) => {
    if (failed || call.operation !== "sync" || !call.path.includes("/data/")) return undefined;
    failed = true;
    return { fail: "EIO", when: "before" };
  };
  expect(await world.run(() => codeOf(careful.add([row(3)])))).toBe("UNAVAILABLE");
  expect(await world.run(async () => (await readRows(careful)).map(({ id }) => id))).toEqual([1, 2]);
});
