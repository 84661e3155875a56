/**
 * The making and the removal of a branch meet trouble at each of their file-system calls. Afterwards there is the whole
 * branch or none, as the answer said; the name can be used; a cleanup takes nothing that a line needs, and what was
 * left behind.
 */
import { describe, expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { isTableError } from "../../src/support/errors.js";
import { callsOf, FAULTS, hitCall, KINDS } from "./faults.js";
import type { SimulatedProcess } from "./process.js";
import { connectIn, readRows, TABLE } from "./table-world.js";
import { everything, filesOf, NO_COMPACTION, shareIn } from "./vacuum-world.js";
import { type Fault, keepNothing, simulate, type World } from "./world.js";

const ROWS = [1, 2, 3].map((id) => ({ id, n: 10 * id }));
const BRANCH = "a/b";

interface Scene {
  readonly world: World;
  readonly process: SimulatedProcess;
  readonly main: Table;
}

/** Two rows at version 2, with a deletion file; the newest version holds another row alone. */
async function prepare(seed: number): Promise<Scene> {
  const world = simulate(seed);
  const process = world.process("maker");
  const main = await world.run(async () => {
    const table = await shareIn(process).createTable(TABLE, ROWS);
    await table.delete("id = 2");
    await table.add([{ id: 9, n: 90 }], { mode: "overwrite" });
    return table;
  });
  return { world, process, main };
}

/** Hits call `at` of `task`; undefined when it has fewer calls. */
async function faulted<T>({ world, process }: Scene, fault: Fault, at: number, task: () => Promise<T>) {
  const hit = hitCall(world, at, fault);
  const outcome = await world.run(() => process.spawn(task));
  if (hit() === undefined) return undefined;
  if (outcome.kind === "failed") expect(isTableError(outcome.error), String(outcome.error)).toBe(true);
  return outcome;
}

const isKnown = (outcome: { kind: string; error?: unknown }) =>
  outcome.kind === "done" || (outcome.kind === "failed" && !isTableError(outcome.error, "UNKNOWN_OUTCOME"));

async function idsIn(table: Table): Promise<number[]> {
  return (await readRows(table)).map(({ id }) => id).sort((a, b) => a - b);
}

/** A new process finds the branch whole or not at all, cleans up, and makes it if it is not there. */
async function recover({ world, process }: Scene, branchIds: readonly number[]): Promise<boolean> {
  process.kill();
  const next = world.process("next");
  return world.run(async () => {
    const main = await shareIn(next).openTable(TABLE);
    const branches = await main.branches();
    const there = Object.keys(await branches.list());
    if (there.length > 0) {
      expect(there).toEqual([BRANCH]);
      expect(await idsIn(await branches.checkout(BRANCH))).toEqual(branchIds);
    }
    // Longer than the term of a lease that a power cut made unreadable.
    await next.runtime.sleep(100_000);
    await main.optimize({ ...NO_COMPACTION, cleanupOlderThan: everything(world) });
    expect(await idsIn(main)).toEqual([9]);
    const other = world.process("other");
    const looked = await shareIn(other).openTable(TABLE);
    const table = await looked.branches();
    if (there.length > 0) {
      const branch = await table.checkout(BRANCH);
      expect(await idsIn(branch)).toEqual(branchIds);
      await branch.add([{ id: 7, n: 70 }]);
      expect(await idsIn(branch)).toEqual([...branchIds, 7].sort((a, b) => a - b));
      await branch.optimize({ ...NO_COMPACTION, cleanupOlderThan: everything(world) });
      expect(await idsIn(branch)).toEqual([...branchIds, 7].sort((a, b) => a - b));
    } else {
      expect(below(world, "tree/").filter((path) => path.endsWith(".manifest"))).toEqual([]);
      expect(below(world, "data/").length, "the newest version has one file").toBe(1);
      expect(await idsIn(await table.create(BRANCH))).toEqual([9]);
    }
    return there.length > 0;
  });
}

const below = (world: World, directory: string) => filesOf(world).filter((path) => path.startsWith(directory));

describe("each call of making a branch", () => {
  test.each(KINDS)("%s: the branch is whole or not there", async (kind) => {
    const { first, step } = callsOf(kind);
    for (let at = first; ; at += step) {
      const scene = await prepare(at);
      const make = async () => (await scene.main.branches()).create(BRANCH, "main", 2);
      const outcome = await faulted(scene, FAULTS[kind] as Fault, at, make);
      if (outcome === undefined) {
        expect(at, "making a branch makes file-system calls").toBeGreaterThan(20);
        return;
      }
      const there = await recover(scene, [1, 3]);
      if (isKnown(outcome)) expect(there, `call ${at}\n${scene.world.tail(30)}`).toBe(outcome.kind === "done");
    }
  });
});

describe("each call of removing a branch", () => {
  test.each(KINDS)("%s: the branch is whole or gone", async (kind) => {
    const { first, step } = callsOf(kind);
    for (let at = first; ; at += step) {
      const scene = await prepare(at);
      await scene.world.run(async () => {
        const branch = await (await scene.main.branches()).create(BRANCH, "main", 2);
        await branch.add([{ id: 5, n: 50 }]);
      });
      const remove = async () => (await scene.main.branches()).delete(BRANCH);
      const outcome = await faulted(scene, FAULTS[kind] as Fault, at, remove);
      if (outcome === undefined) {
        expect(at, "removing a branch makes file-system calls").toBeGreaterThan(20);
        return;
      }
      const there = await recover(scene, [1, 3, 5]);
      if (outcome.kind === "done") expect(there, `call ${at}\n${scene.world.tail(30)}`).toBe(false);
    }
  });
});

test("a branch survives a power cut with what it inherits, also from versions that nobody synced", async () => {
  const world = simulate(1);
  const careless = world.process();
  await world.run(async () => {
    const durability = "relaxed";
    const coordination = { mode: "auto" } as const;
    const db = connectIn(careless, { durability, coordination, maintenance: { auto: false }, dataFormat: "lance" });
    const table = await db.createTable(TABLE, ROWS);
    await table.delete("id = 2");
  });
  const careful = world.process();
  await world.run(async () => {
    const table = await shareIn(careful).openTable(TABLE);
    await (await table.branches()).create(BRANCH);
  });
  world.onCall = () => ({ powerCut: "before", keep: keepNothing });
  await world.run(() => careful.spawn(async () => (await shareIn(careful).openTable(TABLE)).countRows()));
  world.onCall = () => undefined;
  const ids = await world.run(async () => {
    const table = await shareIn(world.process()).openTable(TABLE, { branch: BRANCH });
    return idsIn(table);
  });
  expect(ids).toEqual([1, 3]);
});

test("processes that make one branch from different versions: one makes it, from its version", async () => {
  for (let seed = 0; seed < 12; seed++) {
    const { world, process } = await prepare(seed);
    const makers = [process, world.process(), world.process()];
    const outcomes = await world.run(() =>
      Promise.all(
        makers.map((maker, i) =>
          maker.spawn(async () => {
            const table = await shareIn(maker).openTable(TABLE);
            await (await table.branches()).create(BRANCH, "main", i + 1);
          }),
        ),
      ),
    );
    const made = outcomes.flatMap((one, i) => (one.kind === "done" ? [i + 1] : []));
    for (const one of outcomes) if (one.kind === "failed") expect(one.error).toMatchObject({ code: "ALREADY_EXISTS" });
    expect(made, `seed ${seed}\n${world.tail(40)}`).toHaveLength(1);
    const seen = await world.run(async () => {
      const table = await shareIn(world.process()).openTable(TABLE, { branch: BRANCH });
      const { parentVersion } = (await (await table.branches()).list())[BRANCH]!;
      return [parentVersion, ...(await table.listVersions()).map(({ version }) => version)];
    });
    expect(seen, `seed ${seed}`).toEqual([made[0], made[0]]);
  }
});
