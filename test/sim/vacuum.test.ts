/**
 * Random histories with vacuums: writers, pinned readers, taggers and vacuums on one disk, with deaths, stopped
 * processes, I/O errors and power cuts. Pinned readers never change and never fail unless they overslept their lease,
 * no acknowledged row and no tag is lost, and after quiet and one vacuum the disk holds what the versions need and no
 * byte more.
 *
 * SEED=n replays one seed; SEEDS=n runs so many. One seed gives one log.
 */
import { expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { isTableError } from "../../src/support/errors.js";
import type { Chance } from "./chance.js";
import type { SimulatedProcess } from "./process.js";
import { Oracle, readRows, TABLE, upsert } from "./table-world.js";
import { differences, everything, type Format, picture, shareIn } from "./vacuum-world.js";
import { type Fault, simulate, type World } from "./world.js";

const SEEDS = process.env.SEED === undefined ? Number(process.env.SEEDS ?? 24) : 1;
const FIRST = Number(process.env.SEED ?? 1);
const ROUNDS = 2;
const WRITERS = 2;
const STEPS = 6;
const READS = 6;
const VACUUMS = 3;
/** Longer than a lease lives and a vacuum watches it, in terms of a lease. */
const LONG_STOP_TERMS = 4;

interface History {
  readonly world: World;
  readonly sharing: { readonly dataFormat: Format; readonly leaseTtlMs: number };
  readonly oracle: Oracle;
  readonly wrong: string[];
  /** What each version was seen to hold: no two looks may differ. */
  readonly seen: Map<number, string>;
  /** Tags that were acknowledged. */
  readonly tags: Map<string, number>;
  nextId: number;
  /** Vacuums that removed a version, over all rounds. */
  removed: number;
}

interface Failed {
  readonly kind: string;
  readonly error?: unknown;
}

/** Without injected errors only a death, or a sleep of more than a lease's life, may keep a call from its answer. */
function note(history: History, who: SimulatedProcess, what: string, outcome: Failed): void {
  if (outcome.kind !== "failed") return;
  const code = isTableError(outcome.error) ? outcome.error.code : "";
  const allowed = ["UNAVAILABLE", "UNKNOWN_OUTCOME"];
  // Whoever waits for a vacuum that was stopped, or was stopped itself, may find that its time is over.
  if (who.stoppedUntilMs > 0 || /cleaning up/.test(String(outcome.error))) allowed.push("BUSY");
  if (who.stoppedUntilMs > 0 && !history.world.provable) allowed.push("SNAPSHOT_EXPIRED", "CONFLICT");
  if (!allowed.includes(code)) history.wrong.push(`${who.name} ${what} failed: ${outcome.error}`);
}

async function write(history: History, table: Table, who: SimulatedProcess, own: Set<number>, chance: Chance) {
  const changes = new Map<number, number | "absent">();
  const dice = chance.next();
  const id = own.size === 0 ? 0 : chance.pick([...own]);
  let run: () => Promise<unknown>;
  if (dice < 0.4 || own.size === 0) {
    const rows = Array.from({ length: 1 + chance.below(3) }, () => ({ id: history.nextId++, n: chance.below(100) }));
    for (const row of rows) {
      changes.set(row.id, row.n);
      own.add(row.id);
    }
    run = () => table.add(rows);
  } else if (dice < 0.6) {
    if (history.oracle.possible(id).has("absent")) return;
    const n = 100 + chance.below(100);
    changes.set(id, n);
    run = () => table.update({ where: `id = ${id}`, values: { n } });
  } else if (dice < 0.75) {
    changes.set(id, "absent");
    own.delete(id);
    run = () => table.delete(`id = ${id}`);
  } else if (dice < 0.85) {
    run = () => table.optimize({ cleanupOlderThan: new Date(0) });
  } else {
    const n = 200 + chance.below(100);
    changes.set(id, n);
    run = () => upsert(table, [{ id, n }]);
  }
  const outcome = await who.spawn(run);
  note(history, who, "write", outcome);
  history.oracle.record(changes, outcome);
}

async function writer(history: History, who: SimulatedProcess, chance: Chance): Promise<void> {
  const own = new Set<number>();
  const opened = await who.spawn(() => shareIn(who, history.sharing).openTable(TABLE));
  if (opened.kind !== "done") return;
  for (let i = 0; i < STEPS && who.alive; i++) await write(history, opened.value, who, own, chance);
}

function see(history: History, version: number, what: string): void {
  const before = history.seen.get(version);
  if (before !== undefined && before !== what) history.wrong.push(`version ${version} was ${before} and is ${what}`);
  history.seen.set(version, what);
}

/** Pins one version after another, reads it several times, and at times leaves a tag behind. */
async function reader(history: History, who: SimulatedProcess, chance: Chance): Promise<void> {
  const table = await shareIn(who, history.sharing).openTable(TABLE);
  for (let i = 0; i < 2; i++) {
    await table.checkoutLatest();
    const version = await table.version();
    try {
      await table.checkout(version);
    } catch (error) {
      if (!isTableError(error, "NOT_FOUND")) throw error;
      continue;
    }
    if (chance.flip(0.4)) {
      const name = `${who.name}-${i}`;
      await (await table.tags()).create(name, version);
      history.tags.set(name, version);
    }
    for (let read = 0; read < READS; read++) {
      see(history, version, await picture(table));
      await who.runtime.sleep(chance.below(6));
    }
  }
}

async function vacuums(history: History, who: SimulatedProcess, chance: Chance): Promise<void> {
  const table = await shareIn(who, history.sharing).openTable(TABLE);
  for (let i = 0; i < VACUUMS; i++) {
    await who.runtime.sleep(chance.below(15));
    const { prune } = await table.optimize({ targetRowsPerFragment: 1, cleanupOlderThan: everything(history.world) });
    if (prune.oldVersionsRemoved > 0) history.removed++;
  }
}

function faultOf(chance: Chance): Fault {
  const dice = chance.next();
  if (dice < 0.4) return { kill: chance.pick(["before", "after", "torn"] as const) };
  if (dice < 0.55) return { powerCut: chance.pick(["before", "after"] as const) };
  return { fail: chance.pick(["EIO", "ENOSPC"]), when: chance.pick(["before", "after"] as const) };
}

async function round(history: History): Promise<void> {
  const { world } = history;
  const { chance } = world;
  const faults = new Map<number, Fault>();
  for (let i = chance.below(4); i > 0; i--) faults.set(world.calls + chance.below(1500), faultOf(chance));
  const stops = new Set<number>();
  for (let i = chance.below(3); i > 0; i--) stops.add(world.calls + chance.below(1500));
  const running: SimulatedProcess[] = [];
  world.onCall = (call) => {
    const stopped = stops.has(call.number) ? running.find((one) => one.name === call.process) : undefined;
    if (stopped !== undefined)
      stopped.stoppedUntilMs = world.nowMs + (chance.flip() ? LONG_STOP_TERMS * history.sharing.leaseTtlMs : 20);
    return faults.get(call.number);
  };
  const start = (main: (history: History, who: SimulatedProcess, chance: Chance) => Promise<void>) => {
    const who = world.process();
    running.push(who);
    who.skewMs = chance.pick([0, -400 * 86_400_000, 400 * 86_400_000]);
    const mine = chance.fork();
    return who.spawn(() => main(history, who, mine)).then((outcome) => note(history, who, main.name, outcome));
  };
  await world.run(() =>
    Promise.all([
      ...Array.from({ length: WRITERS }, () => start(writer)),
      start(reader),
      start(reader),
      start(vacuums),
      ...(chance.flip(0.3) ? [start(vacuums)] : []),
    ]),
  );
  world.onCall = () => undefined;
  for (const one of running) one.stoppedUntilMs = 0;
  if (chance.flip()) world.crash();
  else for (const one of running) one.kill();
}

async function check(history: History): Promise<void> {
  const { world, oracle, wrong } = history;
  const who = world.process();
  await world.run(async () => {
    const table = await shareIn(who, history.sharing).openTable(TABLE);
    const rows = await readRows(table);
    wrong.push(...oracle.contradictions(rows));
    oracle.settle(rows);
    for (const version of (await table.listVersions()).map((one) => one.version)) {
      await table.checkout(version);
      see(history, version, await picture(table));
    }
    const tags = await (await table.tags()).list();
    for (const [name, version] of history.tags) {
      if (tags[name]?.version !== version) wrong.push(`tag ${name} is lost`);
      else await table.checkout(name);
    }
    await table.checkoutLatest();
    // What a power cut made of a lease may be unreadable: such a lease counts for its whole term.
    await who.runtime.sleep(100_000);
    // A write and a vacuum go on after whatever happened, and leave nothing behind that nobody needs.
    await table.add([{ id: history.nextId, n: 1 }]);
    oracle.record(new Map([[history.nextId++, 1]]), { kind: "done", value: undefined });
    await table.optimize({ cleanupOlderThan: everything(world) });
    // The hint is written behind the answer.
    await who.runtime.sleep(1000);
    const left = await differences(world, who);
    // Where native writers work too, a power cut between the removal of a deletion file and the end of the vacuum may
    // bring the file back after its maker gave back the lease: then it counts as a native writer's.
    const mayComeBack = history.sharing.dataFormat === "lance" && world.log.some((line) => line.endsWith("crash"));
    wrong.push(...left.filter((one) => !mayComeBack || !/^_deletions\/.* is not needed$/.test(one)));
    for (const version of (await table.listVersions()).map((one) => one.version)) {
      await table.checkout(version);
      see(history, version, await picture(table));
    }
  });
  who.kill();
}

async function play(seed: number): Promise<History> {
  const world = simulate(seed);
  world.provable = seed % 3 !== 0;
  // Where nobody dies of it, a short term makes heartbeats fast, so that leases let versions go while all are at work.
  const sharing = { dataFormat: seed % 2 === 0 ? "arrow" : "lance", leaseTtlMs: world.provable ? 30 : 60_000 } as const;
  const history: History = {
    world,
    sharing,
    oracle: new Oracle(),
    wrong: [],
    seen: new Map(),
    tags: new Map(),
    nextId: 1,
    removed: 0,
  };
  const founder = world.process();
  await world.run(() => shareIn(founder, sharing).createTable(TABLE, [{ id: 0, n: 0 }]));
  history.oracle.settle([{ id: 0, n: 0 }]);
  history.oracle.record(new Map([[0, 0]]), { kind: "done", value: undefined });
  founder.kill();
  for (let i = 0; i < ROUNDS && history.wrong.length === 0; i++) {
    await round(history);
    await check(history);
  }
  return history;
}

test(`${SEEDS} random histories with vacuums keep every promise`, { timeout: 300_000 }, async () => {
  let atWork = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const history = await play(seed).catch((error: unknown) => {
      throw new Error(`SEED=${seed}: ${error instanceof Error ? error.stack : error}`);
    });
    expect(history.wrong, `replay with SEED=${seed}\n${history.world.tail(60)}`).toEqual([]);
    if (history.removed > 0) atWork++;
  }
  // One seed alone may have none: its vacuums may all die, or find a sleeper that holds everything.
  expect(atWork, "histories whose vacuums remove versions while others are at work").toBeGreaterThanOrEqual(
    SEEDS === 1 ? 0 : SEEDS / 2,
  );
});

test("one seed gives one log", async () => {
  const first = await play(4711);
  const again = await play(4711);
  expect(again.world.log).toEqual(first.world.log);
});
