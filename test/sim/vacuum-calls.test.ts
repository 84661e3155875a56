/**
 * A vacuum meets trouble at each of its file-system calls. Whatever happens, the versions in use stay whole, and the
 * next vacuum leaves what they need and no byte more.
 */
import { describe, expect, test } from "vitest";
import type { Table } from "../../src/api/table.js";
import { isTableError } from "../../src/support/errors.js";
import { callsOf, FAULTS, hitCall, KINDS } from "./faults.js";
import type { SimulatedProcess } from "./process.js";
import { readRows, TABLE } from "./table-world.js";
import {
  differences,
  everything,
  type Format,
  NO_COMPACTION,
  picture,
  ROWS,
  shareIn,
  vacuumIn,
} from "./vacuum-world.js";
import { type Fault, simulate, type World } from "./world.js";

interface Scene {
  readonly world: World;
  readonly reader: SimulatedProcess;
  /** Shows version 3 and holds it. */
  readonly pinned: Table;
  readonly before: string;
  readonly head: string;
}

/** Eight versions, one of them tagged, one pinned, and what two dead writers left. */
async function prepare(seed: number, format: Format): Promise<Scene> {
  const world = simulate(seed);
  const founder = world.process("founder");
  await world.run(async () => {
    const table = await shareIn(founder, { dataFormat: format }).createTable(TABLE, ROWS.slice(0, 1));
    await table.add(ROWS.slice(1, 3));
    await table.update({ where: "id = 2", values: { n: 21 } });
    await (await table.tags()).create("kept", 2);
  });
  const reader = world.process("reader");
  const pinned = await world.run(async () => {
    const table = await shareIn(reader).openTable(TABLE);
    await table.checkout(3);
    return table;
  });
  const before = await world.run(() => picture(pinned));
  await world.run(async () => {
    const table = await shareIn(founder).openTable(TABLE);
    for (const n of [31, 32]) await table.update({ where: "id = 3", values: { n } });
    await table.delete("id = 2");
    await table.add(ROWS.slice(3));
  });
  founder.kill();
  for (const operation of ["close", "link"]) {
    const writer = world.process();
    world.onCall = (call) =>
      call.process === writer.name && call.operation === operation && /(data|_versions)\//.test(call.path)
        ? { kill: "before" }
        : undefined;
    await world.run(() => writer.spawn(async () => (await shareIn(writer).openTable(TABLE)).delete("id = 1")));
    world.onCall = () => undefined;
    writer.kill();
  }
  const looker = world.process();
  const head = await world.run(async () => picture(await shareIn(looker).openTable(TABLE)));
  looker.kill();
  return { world, reader, pinned, before, head };
}

describe.each(["arrow", "lance"] as const)("each call of a vacuum of a table of %s files", (format) => {
  test.each(KINDS)("%s: nothing in use is lost, and the next vacuum finishes", async (kind) => {
    const { first, step } = callsOf(kind);
    for (let at = first; ; at += step) {
      const { world, reader, pinned, before, head } = await prepare(at, format);
      const cleaner = world.process("cleaner");
      const hit = hitCall(world, at, FAULTS[kind] as Fault);
      const outcome = await world.run(() => cleaner.spawn(() => vacuumIn(world, cleaner)));
      if (hit() === undefined) {
        expect(at, "a vacuum makes file-system calls").toBeGreaterThan(100);
        return;
      }
      const where = `call ${at}, ${kind}\n${world.tail(20)}`;
      if (outcome.kind === "failed") expect(isTableError(outcome.error), `${outcome.error} ${where}`).toBe(true);
      if (reader.alive) expect(await world.run(() => picture(pinned)), where).toBe(before);
      cleaner.kill();
      reader.kill();
      const next = world.process("next");
      await world.run(async () => {
        const table = await shareIn(next).openTable(TABLE);
        expect(await picture(table), where).toBe(head);
        await table.checkout("kept");
        expect(await readRows(table), where).toEqual(ROWS.slice(0, 3));
        await table.checkoutLatest();
        // Longer than the term of a lease that a power cut made unreadable.
        await next.runtime.sleep(100_000);
        await table.optimize({ ...NO_COMPACTION, cleanupOlderThan: everything(world) });
        expect((await table.listVersions()).length, where).toBe(2);
        expect(await picture(table), where).toBe(head);
        await next.runtime.sleep(1000);
        expect(await differences(world, next), where).toEqual([]);
      });
    }
  });
});
