/**
 * Every file-system call of every kind of write fails once, is killed once and loses power once, before and after its
 * effect. What was acknowledged before must hold, the write itself must be there wholly or not at all as its answer
 * says, and the table must go on working.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { isTableError } from "../../src/support/errors.js";
import { FAULTS, hitCall } from "./faults.js";
import { checkVersions, connectIn, Oracle, readRows, TABLE, upsert } from "./table-world.js";
import { type Fault, simulate } from "./world.js";

interface Write {
  readonly changes: ReadonlyMap<number, number | "absent">;
  readonly run: (table: Table) => Promise<unknown>;
}

/** Writes that start together, to rows that no other of them touches. */
type Workload = readonly Write[];

const START = [
  { id: 1, n: 10 },
  { id: 2, n: 20 },
  { id: 3, n: 30 },
];

const WRITES: Readonly<Record<string, Write>> = {
  append: {
    changes: new Map([
      [4, 40],
      [5, 50],
    ]),
    run: (table) =>
      table.add([
        { id: 4, n: 40 },
        { id: 5, n: 50 },
      ]),
  },
  update: { changes: new Map([[2, 21]]), run: (table) => table.update({ where: "id = 2", valuesSql: { n: "n + 1" } }) },
  delete: {
    changes: new Map([
      [1, "absent"],
      [3, "absent"],
    ]),
    run: (table) => table.delete("id IN (1, 3)"),
  },
  merge: {
    changes: new Map([
      [3, 33],
      [6, 66],
    ]),
    run: (table) =>
      upsert(table, [
        { id: 3, n: 33 },
        { id: 6, n: 66 },
      ]),
  },
  overwrite: {
    changes: new Map<number, number | "absent">([
      [1, "absent"],
      [2, "absent"],
      [3, "absent"],
      [9, 90],
    ]),
    run: (table) => table.add([{ id: 9, n: 90 }], { mode: "overwrite" }),
  },
  "add a column": {
    changes: new Map(),
    run: (table) => table.addColumns([{ name: "twice", valueSql: "n * 2" }]),
  },
  restore: { changes: new Map(), run: (table) => table.restore(1) },
};

const WORKLOADS: Readonly<Record<string, Workload>> = {
  ...Object.fromEntries(Object.entries(WRITES).map(([name, write]) => [name, [write]])),
  "a group of writes": [
    { changes: new Map([[4, 40]]), run: (table) => table.add([{ id: 4, n: 40 }]) },
    { changes: new Map([[2, 21]]), run: (table) => table.update({ where: "id = 2", valuesSql: { n: "n + 1" } }) },
    { changes: new Map([[1, "absent"]]), run: (table) => table.delete("id = 1") },
    { changes: new Map(), run: (table) => table.delete("no such column = 1") },
  ],
};

const ALL_FAULTS: Readonly<Record<string, Fault>> = {
  ...FAULTS,
  "too many files": { fail: "EMFILE", when: "before" },
};

let runs = 0;

/** One run with a fault at call `at` of the workload; undefined when the workload has fewer calls. */
async function runOnce(workload: Workload, fault: Fault, at: number): Promise<readonly string[] | undefined> {
  runs++;
  const world = simulate(at);
  const oracle = new Oracle();
  const writer = world.process();
  const table = await world.run(() => connectIn(writer).createTable(TABLE, START));
  await world.settle();
  oracle.settle(START);
  const hit = hitCall(world, at, fault);
  const outcomes = await world.run(() => Promise.all(workload.map((write) => writer.spawn(() => write.run(table)))));
  await world.settle();
  if (hit() === undefined) return undefined;
  const wrong: string[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.kind === "failed" && !isTableError(outcome.error)) wrong.push(`not a TableError: ${outcome.error}`);
    oracle.record((workload[i] as Write).changes, outcome);
  }
  wrong.push(...(await recover(world, oracle)));
  if (writer.alive) {
    const again = await world.run(() => writer.spawn(() => table.add([{ id: 500, n: 5 }])));
    if (again.kind !== "done")
      wrong.push(`the writer does not work any more: ${String((again as { error?: unknown }).error)}`);
    if (world.openFiles > 0) wrong.push(`${world.openFiles} descriptors are open`);
  }
  return wrong;
}

/** A new process opens the table, compares it with the oracle, and writes once more. */
async function recover(world: ReturnType<typeof simulate>, oracle: Oracle): Promise<readonly string[]> {
  const reader = world.process();
  return world.run(async () => {
    const table = await connectIn(reader).openTable(TABLE);
    const rows = await readRows(table);
    const wrong = oracle.contradictions(rows);
    wrong.push(...(await checkVersions(table)));
    await table.add([{ id: 1000, n: 1 }]);
    const after = await readRows(table);
    if (after.length !== rows.length + 1) wrong.push(`one more row makes ${after.length} of ${rows.length}`);
    return wrong;
  });
}

describe.each(Object.keys(WORKLOADS))("each call of %s", (name) => {
  test.each(Object.keys(ALL_FAULTS))("%s: nothing lost, nothing half done", async (kind) => {
    const workload = WORKLOADS[name] as Workload;
    const fault = ALL_FAULTS[kind] as Fault;
    for (let at = 0; ; at++) {
      const wrong = await runOnce(workload, fault, at);
      if (wrong === undefined) {
        expect(at, "the workload makes file-system calls").toBeGreaterThan(8);
        return;
      }
      expect(wrong, `${name}, call ${at}, ${kind}`).toEqual([]);
    }
  });
});

describe("each call of creating a table", () => {
  test.each(Object.keys(ALL_FAULTS))("%s: the table is there with its rows, or can be created again", async (kind) => {
    for (let at = 0; ; at++) {
      const world = simulate(at);
      const writer = world.process();
      const hit = hitCall(world, at, ALL_FAULTS[kind] as Fault);
      const outcome = await world.run(() => writer.spawn(() => connectIn(writer).createTable(TABLE, START)));
      await world.settle();
      if (hit() === undefined) return;
      const rows = await world.run(async () => {
        const db = connectIn(world.process());
        const there = (await db.tableNames()).includes(TABLE);
        if (outcome.kind === "done") expect(there, `created, then lost: call ${at}`).toBe(true);
        const table = there ? await db.openTable(TABLE) : await db.createTable(TABLE, START);
        return readRows(table);
      });
      expect(rows, `call ${at}`).toEqual(START);
    }
  });
});

afterAll(() => {
  expect(runs).toBeGreaterThan(500);
});
