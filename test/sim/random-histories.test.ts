/**
 * Random histories: several simulated processes write, read, die and come back on one disk that loses what was not
 * synced. Each process writes rows of its own and a counter that all share; the oracle believes only answers.
 *
 * SEED=n replays one seed; SEEDS=n runs so many (300 in the suite). One seed gives one log.
 */
import { expect, test } from "vitest";
import type { ConnectionOptions } from "../../src/api/options.js";
import type { Table } from "../../src/api/table.js";
import { isTableError } from "../../src/support/errors.js";
import type { Chance } from "./chance.js";
import type { Outcome, SimulatedProcess } from "./process.js";
import { checkVersions, connectIn, hasHanded, Oracle, readRows, TABLE, type TestRow, upsert } from "./table-world.js";
import { type Fault, simulate, type World } from "./world.js";

const SEEDS = process.env.SEED === undefined ? Number(process.env.SEEDS ?? 180) : 1;
const FIRST = Number(process.env.SEED ?? 1);
const PROCESSES = 3;
const ROUNDS = 2;
const STEPS = 6;
const COUNTER = 0;
/** A process sleeps for up to so long, right behind a call: longer than others wait for a sign of life. */
const SLEEP_MS = 500;

/** Every second history compacts as often as it can. */
const EAGER = { maintenance: { minFragments: 2, intervalMs: 1 } };
const NEVER = { maintenance: { auto: false } };
/** In every third history processes know of each other: they hold leases, and one commits for all when they meet. */
const SHARED = { coordination: { mode: "auto" } } as const;

interface History {
  readonly world: World;
  readonly options: ConnectionOptions;
  readonly oracle: Oracle;
  /** Increments of the counter: acknowledged for certain, and perhaps. */
  sure: number;
  maybe: number;
  nextId: number;
  readonly wrong: string[];
  /** True once a process has committed what another one was asked for. */
  handed: boolean;
}

/** One random write of one process to rows of its own, or to the counter. */
async function step(history: History, table: Table, process: SimulatedProcess, own: Set<number>, chance: Chance) {
  const dice = chance.next();
  const changes = new Map<number, number | "absent">();
  let run: () => Promise<unknown>;
  if (dice < 0.3 || own.size === 0) {
    const rows = Array.from({ length: 1 + chance.below(3) }, () => ({ id: history.nextId++, n: chance.below(100) }));
    for (const row of rows) changes.set(row.id, row.n);
    run = () => table.add(rows);
    for (const row of rows) own.add(row.id);
  } else if (dice < 0.5) {
    const id = chance.pick([...own]);
    const n = 100 + chance.below(100);
    const there = !history.oracle.possible(id).has("absent");
    if (!there) return;
    changes.set(id, n);
    run = () => table.update({ where: `id = ${id}`, values: { n } });
  } else if (dice < 0.65) {
    const id = chance.pick([...own]);
    changes.set(id, "absent");
    own.delete(id);
    run = () => table.delete(`id = ${id}`);
  } else if (dice < 0.8) {
    const id = chance.pick([...own]);
    const fresh = history.nextId++;
    const n = 200 + chance.below(100);
    own.add(fresh);
    changes.set(id, n).set(fresh, n);
    const rows = [...changes.keys()].map((each) => ({ id: each, n }));
    run = () => upsert(table, rows);
  } else {
    await increment(history, table, process);
    return;
  }
  const outcome = await process.spawn(run);
  note(history, outcome);
  history.oracle.record(changes, outcome);
}

async function increment(history: History, table: Table, process: SimulatedProcess): Promise<void> {
  history.maybe++;
  const outcome = await process.spawn(() => table.update({ where: `id = ${COUNTER}`, valuesSql: { n: "n + 1" } }));
  note(history, outcome);
  if (outcome.kind === "done") history.sure++;
  if (outcome.kind === "failed" && !isTableError(outcome.error, "UNKNOWN_OUTCOME")) history.maybe--;
}

/** Without injected errors only a death may keep a write from its answer. */
function note(history: History, outcome: Outcome<unknown>): void {
  if (outcome.kind !== "failed") return;
  const { error } = outcome;
  const expected = isTableError(error, "UNAVAILABLE") || isTableError(error, "UNKNOWN_OUTCOME");
  if (!expected) history.wrong.push(`failed: ${error}`);
}

/** Reads one version again and again while others write: it never changes. */
async function pinned(history: History, process: SimulatedProcess): Promise<void> {
  const table = await connectIn(process).openTable(TABLE);
  await table.checkout(await table.version());
  const first = JSON.stringify(await readRows(table));
  for (let i = 0; i < 4; i++) {
    await process.runtime.sleep(3);
    const again = JSON.stringify(await readRows(table));
    if (again !== first) history.wrong.push(`a pinned version changed from ${first} to ${again}`);
  }
}

function faultOf(world: World, chance: Chance): Fault {
  const dice = chance.next();
  if (dice < 0.35) return { kill: chance.pick(["before", "after", "torn"] as const) };
  if (dice < 0.55) return { powerCut: chance.pick(["before", "after"] as const) };
  void world;
  return { fail: chance.pick(["EIO", "ENOSPC", "EMFILE"]), when: chance.pick(["before", "after"] as const) };
}

async function round(history: History): Promise<void> {
  const { world } = history;
  const { chance } = world;
  const faults = new Map<number, Fault>();
  for (let i = chance.below(4); i > 0; i--) faults.set(world.calls + chance.below(600), faultOf(world, chance));
  const sleeps = new Map<number, number>();
  for (let i = chance.below(4); i > 0; i--) sleeps.set(world.calls + chance.below(600), chance.below(SLEEP_MS));
  const processes = new Map<string, SimulatedProcess>();
  world.onCall = (call) => {
    const process = processes.get(call.process);
    const sleepMs = sleeps.get(call.number);
    if (process !== undefined && sleepMs !== undefined) process.stoppedUntilMs = world.nowMs + sleepMs;
    return faults.get(call.number);
  };
  await world.run(() =>
    Promise.all([
      ...Array.from({ length: PROCESSES }, async () => {
        const process = world.process();
        processes.set(process.name, process);
        const mine = chance.fork();
        const own = new Set<number>();
        const opened = await process.spawn(() => connectIn(process, history.options).openTable(TABLE));
        if (opened.kind !== "done") return;
        for (let i = 0; i < STEPS && process.alive; i++) await step(history, opened.value, process, own, mine);
      }),
      (async () => {
        const process = world.process();
        await process.spawn(() => pinned(history, process));
      })(),
    ]),
  );
  world.onCall = () => undefined;
  if (chance.flip()) world.crash();
  else await world.settle();
}

async function check(history: History): Promise<void> {
  const { world, oracle } = history;
  const reader = world.process();
  await world.run(async () => {
    const table = await connectIn(reader).openTable(TABLE);
    const rows = await readRows(table);
    const counter = rows.find((row) => row.id === COUNTER) as TestRow;
    const others = rows.filter((row) => row.id !== COUNTER);
    history.wrong.push(...oracle.contradictions(others));
    if (counter === undefined || counter.n < history.sure || counter.n > history.maybe) {
      history.wrong.push(`the counter is ${counter?.n}, acknowledged ${history.sure}, at most ${history.maybe}`);
    }
    history.wrong.push(...(await checkVersions(table)));
    history.handed ||= await hasHanded(reader);
    history.sure = counter?.n ?? 0;
    history.maybe = history.sure;
    oracle.settle(others);
  });
}

async function play(seed: number): Promise<History> {
  const world = simulate(seed);
  const options = { ...(seed % 2 === 0 ? EAGER : NEVER), ...(seed % 3 === 0 ? SHARED : {}) };
  const history: History = {
    world,
    options,
    oracle: new Oracle(),
    sure: 0,
    maybe: 0,
    nextId: 1,
    wrong: [],
    handed: false,
  };
  await world.run(() => connectIn(world.process()).createTable(TABLE, [{ id: COUNTER, n: 0 }]));
  for (let i = 0; i < ROUNDS; i++) {
    await round(history);
    await check(history);
    if (history.wrong.length > 0) break;
  }
  return history;
}

test(`${SEEDS} random histories with deaths, faults and power cuts keep every promise`, {
  timeout: 200_000,
}, async () => {
  let handed = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const history = await play(seed).catch((error: unknown) => {
      throw new Error(`SEED=${seed}: ${error instanceof Error ? error.stack : error}`);
    });
    expect(history.wrong, `replay with SEED=${seed}\n${history.world.tail(60)}`).toEqual([]);
    if (history.handed) handed++;
  }
  if (SEEDS > 1) expect(handed, "histories in which one process committed for another").toBeGreaterThan(SEEDS / 10);
});

test("one seed gives one log", async () => {
  const first = await play(4711);
  const again = await play(4711);
  expect(again.world.log).toEqual(first.world.log);
  expect(first.world.log.length).toBeGreaterThan(300);
  const together = await play(4713);
  expect((await play(4713)).world.log).toEqual(together.world.log);
});
