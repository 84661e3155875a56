/**
 * Writers that meet hand their writes to one of them. At every call of a run, whoever makes it is killed there, or
 * sleeps for longer than the others wait: each write is committed once, and each answer is true.
 *
 * CALLS=all tries every call, otherwise every 17th and each that makes a version; CALL=n replays one; SEED=n takes another order of events.
 */
import { expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { isTableError } from "../../src/support/errors.js";
import type { SimulatedProcess } from "./process.js";
import { checkVersions, connectIn, hasHanded, readRows, TABLE } from "./table-world.js";
import { type Call, type Fault, keepNothing, simulate, type World } from "./world.js";

const WRITERS = 3;
const STEPS = 6;
const EACH = process.env.CALLS === "all" ? 1 : 17;
const SHARED = { coordination: { mode: "auto" }, maintenance: { auto: false } } as const;
/** Longer than the patience with a silent leader, and the term of a turn. */
const SLEEP_MS = Number(process.env.SLEEP_MS ?? 700);
const SEED = Number(process.env.SEED ?? 7);
const TIMEOUT_MS = EACH === 1 ? 1_000_000 : 120_000;

interface Trial {
  readonly world: World;
  /** Rows that were acknowledged, and rows that may be there. */
  readonly sure: Set<number>;
  readonly maybe: Set<number>;
  increments: number;
  incrementsMaybe: number;
  readonly wrong: string[];
  /** True for an answer behind which the power is cut. */
  isLastAnswer: () => boolean;
}

async function write(
  trial: Trial,
  process: SimulatedProcess,
  table: Table,
  id: number,
  allowed: ReadonlySet<string>,
): Promise<void> {
  const isIncrement = id % 3 === 2;
  const run = isIncrement
    ? () => table.update({ where: "id = 0", valuesSql: { n: "n + 1" } })
    : () => table.add([{ id, n: id }]);
  const outcome = await process.spawn<unknown>(run);
  if (outcome.kind === "done") {
    if (trial.isLastAnswer()) trial.world.crash(keepNothing);
    if (isIncrement) trial.increments++;
    else trial.sure.add(id);
  } else if (outcome.kind === "killed" || isTableError(outcome.error, "UNKNOWN_OUTCOME")) {
    if (isIncrement) trial.incrementsMaybe++;
    else trial.maybe.add(id);
  } else if (!(isTableError(outcome.error) && allowed.has(outcome.error.code))) {
    trial.wrong.push(`${id} failed: ${outcome.error}`);
  }
}

type Disturb = (call: Call, process: SimulatedProcess, world: World) => Fault | undefined;

/** @param allowed codes of failures that are no wonder; what fails with them must not be there */
async function play(
  disturb: Disturb,
  {
    allowed = new Set<string>(),
    isLastAnswer = () => false,
  }: Partial<Pick<Trial, "isLastAnswer">> & {
    readonly allowed?: ReadonlySet<string>;
  } = {},
) {
  const world = simulate(SEED);
  const trial: Trial = {
    world,
    sure: new Set(),
    maybe: new Set(),
    increments: 0,
    incrementsMaybe: 0,
    wrong: [],
    isLastAnswer,
  };
  await world.run(() => connectIn(world.process(), SHARED).createTable(TABLE, [{ id: 0, n: 0 }]));
  const processes = new Map<string, SimulatedProcess>();
  const first = world.calls;
  world.onCall = (call) => {
    const process = processes.get(call.process);
    if (process === undefined) return undefined;
    return disturb({ ...call, number: call.number - first }, process, world);
  };
  await world.run(() =>
    Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        const process = world.process();
        processes.set(process.name, process);
        const opened = await process.spawn(() => connectIn(process, SHARED).openTable(TABLE));
        if (opened.kind !== "done") return;
        for (let i = 0; i < STEPS && process.alive; i++) {
          await write(trial, process, opened.value, 1 + writer * STEPS + i, allowed);
        }
      }),
    ),
  );
  const calls = world.calls - first;
  world.onCall = () => undefined;
  // Whoever still sleeps wakes up.
  await world.settle(2000);
  const reader = world.process();
  const handed = await world.run(async () => {
    const table = await connectIn(reader, SHARED).openTable(TABLE);
    const rows = await readRows(table);
    const ids = rows.map((row) => row.id);
    if (new Set(ids).size !== ids.length) trial.wrong.push(`a row is there twice: ${ids.join()}`);
    for (const id of trial.sure) if (!ids.includes(id)) trial.wrong.push(`acknowledged row ${id} is not there`);
    for (const id of ids) {
      if (id !== 0 && !trial.sure.has(id) && !trial.maybe.has(id)) trial.wrong.push(`row ${id} was never written`);
    }
    const n = rows.find((row) => row.id === 0)?.n ?? -1;
    if (n < trial.increments || n > trial.increments + trial.incrementsMaybe) {
      trial.wrong.push(`${n} increments, ${trial.increments} acknowledged, ${trial.incrementsMaybe} perhaps`);
    }
    trial.wrong.push(...(await checkVersions(table)));
    return hasHanded(reader);
  });
  return { trial, calls, handed };
}

const links = new Set<number>();
const { calls, handed } = await play((call) => {
  if (call.operation === "link") links.add(call.number);
  return undefined;
});
const isChosen = (number: number) => number % EACH === 0 || links.has(number);
const numbers = Array.from({ length: calls }, (_, number) => number).filter(isChosen);
const chosen = process.env.CALL === undefined ? numbers : [Number(process.env.CALL)];

test("undisturbed, writers that meet hand their writes over", () => {
  expect(handed).toBe(true);
});

test(`whoever is killed at any of ${calls} calls, each write is committed once and each answer is true`, {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const number of chosen) {
    const { trial } = await play((call) => (call.number === number ? { kill: "after" } : undefined));
    expect(trial.wrong, `CALL=${number}\n${trial.world.tail(60)}`).toEqual([]);
  }
});

test(`whoever is killed at any of ${calls} calls, the next answer survives a power cut`, {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const number of chosen) {
    let isKilled = false;
    let isCut = false;
    const { trial } = await play(
      (call) => {
        isKilled ||= call.number === number;
        return call.number === number ? { kill: "after" } : undefined;
      },
      {
        isLastAnswer: () => {
          const isLast = isKilled && !isCut;
          isCut ||= isLast;
          return isLast;
        },
      },
    );
    expect(trial.wrong, `CALL=${number}\n${trial.world.tail(60)}`).toEqual([]);
  }
});

test(`whoever sleeps at any of ${calls} calls, each write is committed once and each answer is true`, {
  timeout: TIMEOUT_MS,
}, async () => {
  for (const number of chosen) {
    const { trial } = await play((call, process, world) => {
      if (call.number === number) process.stoppedUntilMs = world.nowMs + SLEEP_MS;
      return undefined;
    });
    expect(trial.wrong, `CALL=${number}\n${trial.world.tail(60)}`).toEqual([]);
  }
});

test("who was asked, slept, and wakes up to do it makes no liar of one who could not do it alone", {
  timeout: TIMEOUT_MS,
}, async () => {
  let unknown = 0;
  for (const number of chosen) {
    let sleeper: SimulatedProcess | undefined;
    const { trial } = await play(
      (call, process, world) => {
        if (call.number === number) {
          sleeper = process;
          process.stoppedUntilMs = world.nowMs + SLEEP_MS;
        }
        // While it sleeps, the others find the disk full.
        const isFull = sleeper !== undefined && sleeper !== process && world.nowMs < sleeper.stoppedUntilMs;
        const isManifest = call.operation === "openNew" && call.path.includes("/_versions/");
        return isFull && isManifest ? { fail: "ENOSPC", when: "before" } : undefined;
      },
      { allowed: new Set(["UNAVAILABLE"]) },
    );
    expect(trial.wrong, `CALL=${number}\n${trial.world.tail(60)}`).toEqual([]);
    unknown += trial.maybe.size + trial.incrementsMaybe;
  }
  if (chosen.length > 1) expect(unknown, "writes that were taken back from a sleeper and failed").toBeGreaterThan(0);
});
