/**
 * Every file-system call of a compaction fails once, is killed once and loses power once, alone and beside writers that
 * change the rows being copied. No answer of any query changes by it, and no writer is failed by it.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { isTableError } from "../../src/support/errors.js";
import { FAULTS, hitCall, KINDS } from "./faults.js";
import type { Outcome } from "./process.js";
import { checkVersions, connectIn, Oracle, readRows, TABLE, upsert } from "./table-world.js";
import { type Fault, simulate, type World } from "./world.js";

const QUIET = { maintenance: { auto: false } };

interface Write {
  readonly changes: ReadonlyMap<number, number | "absent">;
  readonly run: (table: Table) => Promise<unknown>;
}

/** Each kind of fault takes every second (sixth) call, and together they take all; STRIDE=1 takes all of each. */
const STRIDES: Readonly<Record<string, number>> = { alone: 2, "beside writers of the same rows": 6 };

/** Fragments of three rows each, one with a deletion file. */
async function prepare(table: Table): Promise<void> {
  for (const from of [4, 7, 10]) await table.add([0, 1, 2].map((i) => ({ id: from + i, n: 10 * (from + i) })));
  await table.delete("id = 5");
}

const START = [1, 2, 3].map((id) => ({ id, n: 10 * id }));

const BESIDE: Readonly<Record<string, readonly Write[]>> = {
  alone: [],
  "beside writers of the same rows": [
    { changes: new Map([[2, 21]]), run: (table) => table.update({ where: "id = 2", values: { n: 21 } }) },
    {
      changes: new Map([
        [4, "absent"],
        [6, "absent"],
      ] as const),
      run: (table) => table.delete("id IN (4, 6)"),
    },
    { changes: new Map([[20, 200]]), run: (table) => table.add([{ id: 20, n: 200 }]) },
    {
      changes: new Map([
        [8, 88],
        [21, 88],
      ]),
      run: (table) =>
        upsert(table, [
          { id: 8, n: 88 },
          { id: 21, n: 88 },
        ]),
    },
  ],
};

let runs = 0;

/** One run with a fault at call `at` after the start; undefined when there were fewer calls. */
async function runOnce(writes: readonly Write[], fault: Fault, at: number): Promise<readonly string[] | undefined> {
  runs++;
  const world = simulate(at * 31 + writes.length);
  const oracle = new Oracle();
  const compactor = world.process();
  const writer = world.process();
  const tables = await world.run(async () => {
    const mine = await connectIn(compactor, QUIET).createTable(TABLE, START);
    await prepare(mine);
    oracle.settle(await readRows(mine));
    return [mine, await connectIn(writer, QUIET).openTable(TABLE)] as const;
  });
  await world.settle();
  const hit = hitCall(world, at, fault);
  const [compacted, ...outcomes] = await world.run(() =>
    Promise.all([
      compactor.spawn<unknown>(() => tables[0].optimize()),
      ...writes.map((write) => writer.spawn(() => write.run(tables[1]))),
    ]),
  );
  await world.settle();
  const hurt = hit()?.process;
  if (hurt === undefined) return undefined;
  const wrong: string[] = [];
  noteCompaction(compacted as Outcome<unknown>, wrong);
  for (const [i, outcome] of outcomes.entries()) {
    oracle.record(writes[i]!.changes, outcome);
    const mine = "powerCut" in fault || hurt === writer.name;
    if (outcome.kind !== "done" && !mine) wrong.push(`a writer was failed by a compaction: ${JSON.stringify(outcome)}`);
  }
  wrong.push(...(await recover(world, oracle)));
  if (compactor.alive && world.openFiles > 0) wrong.push(`${world.openFiles} descriptors are open`);
  return wrong;
}

function noteCompaction(outcome: Outcome<unknown>, wrong: string[]): void {
  if (outcome.kind !== "failed") return;
  if (!isTableError(outcome.error)) wrong.push(`not a TableError: ${outcome.error}`);
}

/** A new process compares the table with the oracle, compacts it to one fragment, and compares again. */
async function recover(world: World, oracle: Oracle): Promise<readonly string[]> {
  const reader = world.process();
  return world.run(async () => {
    const table = await connectIn(reader, QUIET).openTable(TABLE);
    const before = await readRows(table);
    const wrong = oracle.contradictions(before);
    await table.optimize();
    const after = await readRows(table);
    if (sorted(after) !== sorted(before)) wrong.push(`a compaction changed ${sorted(before)} to ${sorted(after)}`);
    if ((await table.stats()).fragmentStats.numFragments !== 1) wrong.push("a compaction left several fragments");
    wrong.push(...(await checkVersions(table)));
    return wrong;
  });
}

function sorted(rows: readonly { readonly id: number; readonly n: number }[]): string {
  return rows
    .map(({ id, n }) => `${id}=${n}`)
    .sort()
    .join(" ");
}

describe.each(Object.keys(BESIDE))("each call of a compaction %s", (name) => {
  test.each(KINDS)("%s: no row lost, none back, none twice", async (kind) => {
    const stride = Number(process.env.STRIDE ?? STRIDES[name]);
    for (let at = KINDS.indexOf(kind) % stride; ; at += stride) {
      const wrong = await runOnce(BESIDE[name]!, FAULTS[kind]!, at);
      if (wrong === undefined) {
        expect(at, "a compaction makes file-system calls").toBeGreaterThan(8);
        return;
      }
      expect(wrong, `${name}, call ${at}, ${kind}`).toEqual([]);
    }
  });
});

test("a compaction that was interrupted by an error leaves no file behind", async () => {
  for (let at = 0; ; at++) {
    const world = simulate(at);
    const process = world.process();
    const table = await world.run(async () => {
      const made = await connectIn(process, QUIET).createTable(TABLE, START);
      await prepare(made);
      return made;
    });
    await world.settle();
    const store = process.store(`/db/${TABLE}.lance`);
    const filesOf = () => world.run(async () => (await store.list("data")).map(({ name }) => name).sort());
    const before = await filesOf();
    const version = await world.run(() => table.version());
    const hit = hitCall(world, at, { fail: "EIO", when: "before" });
    const outcome = await world.run(() => process.spawn(() => table.optimize()));
    await world.settle();
    const operation = hit()?.operation;
    if (operation === undefined) return;
    // The one call that may leave something is the removal itself.
    const nothing = operation !== "unlink" && (await world.run(() => table.version())) === version;
    if (outcome.kind === "failed" && nothing) expect(await filesOf(), `call ${at}`).toEqual(before);
  }
});

afterAll(() => {
  expect(runs).toBeGreaterThan(200);
});
