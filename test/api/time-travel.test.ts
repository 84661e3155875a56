/** Versions by number, tag and date; what each did, and what its writer said of it. */
import { describe, expect, test } from "vitest";
import { connect, type Table } from "../../src/index.js";
import { HandRuntime } from "../support/hand-runtime.js";

const T0 = Date.parse("2026-01-01T00:00:00Z");

/** A clock that is set by hand, beside real timers. */
class SetClock extends HandRuntime {
  ms = T0;
  override now(): number {
    return this.ms;
  }
}

/** One version an hour: rows 1 to n. */
async function hourly(versions: number): Promise<{ table: Table; clock: SetClock }> {
  const clock = new SetClock();
  const db = await connect("memory://", { runtime: clock });
  const table = await db.createTable("t", [{ id: 1 }]);
  for (let id = 2; id <= versions; id++) {
    clock.ms += 3_600_000;
    await table.add([{ id }]);
  }
  return { table, clock };
}

const hoursIn = (hours: number) => new Date(T0 + hours * 3_600_000);

describe("checkout of a date", () => {
  test("shows the newest version that was made by then, to the millisecond", async () => {
    const { table } = await hourly(20);
    for (const [hours, version] of [
      [0, 1],
      [0.5, 1],
      [1, 2],
      [1.999, 2],
      [10, 11],
      [500, 20],
    ] as const) {
      await table.checkout(hoursIn(hours));
      expect([hours, await table.version(), await table.countRows()]).toEqual([hours, version, version]);
    }
    await expect(table.add([{ id: 0 }])).rejects.toMatchObject({ code: "READ_ONLY" });
  });

  test("before the first version is NOT_FOUND, says since when there are versions, and leaves the handle as it was", async () => {
    const { table } = await hourly(3);
    await expect(table.checkout(hoursIn(-1))).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("2026-01-01T00:00:00.000Z"),
    });
    expect(await table.version()).toBe(3);
  });

  test("goes by each version's own clock when one writer's clock is wrong", async () => {
    const { table, clock } = await hourly(3);
    clock.ms = hoursIn(-5).getTime();
    await table.add([{ id: 4 }]);
    await table.checkout(hoursIn(0));
    expect(await table.version()).toBe(4);
  });

  test("that is no date is refused", async () => {
    const { table } = await hourly(1);
    await expect(table.checkout(new Date("never"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

test("restore brings a version back that was found by date, as a new one", async () => {
  const { table } = await hourly(5);
  await table.checkout(hoursIn(1));
  await table.restore();
  expect([await table.version(), await table.countRows()]).toEqual([6, 2]);
});

describe("listVersions", () => {
  test("says what every version did, and how many rows came and went", async () => {
    const db = await connect("memory://");
    const table = await db.createTable(
      "t",
      Array.from({ length: 10 }, (_, id) => ({ id, n: 0 })),
    );
    await table.add([
      { id: 10, n: 0 },
      { id: 11, n: 0 },
    ]);
    await table.delete("id < 3");
    await table.update({ where: "id < 5", values: { n: 1 } });
    await table
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([
        { id: 5, n: 2 },
        { id: 50, n: 2 },
      ]);
    await table.addColumns([{ name: "m", valueSql: "n + 1" }]);
    await table.optimize();
    await table.add([{ id: 1, n: 1, m: 1 }], { mode: "overwrite" });
    await table.restore(2);
    const listed = (await table.listVersions()).map(({ version, operation, rowsAdded, rowsRemoved }) => [
      version,
      operation,
      rowsAdded,
      rowsRemoved,
    ]);
    expect(listed.filter(([, operation]) => operation !== "reserve_fragments").map(([, ...rest]) => rest)).toEqual([
      ["overwrite", 10, 0],
      ["append", 2, 0],
      ["delete", 0, 3],
      ["update", 2, 2],
      ["update", 2, 1],
      ["merge", 0, 0],
      ["rewrite", 0, 0],
      ["overwrite", 1, 10],
      ["restore", undefined, undefined],
    ]);
    await db.close();
  });

  test("keeps what the writer of each commit said, apart from what programs say", async () => {
    const db = await connect("memory://");
    const table = await db.createTable("t", [{ id: 1 }]);
    await table.add([{ id: 2 }], { metadata: { author: "ann", total_rows: "none" } });
    await table.update({ where: "id = 1", values: { id: 7 } }, { metadata: { why: "typo" } });
    await table.delete("id = 7", { metadata: { why: "gone" } });
    await table
      .mergeInsert("id")
      .whenNotMatchedInsertAll()
      .execute([{ id: 3 }], { metadata: { job: "17" } });
    await table.add([{ id: 4 }], { mode: "overwrite", metadata: { why: "fresh" } });
    const versions = await table.listVersions();
    expect(versions.map(({ commitMetadata }) => commitMetadata)).toEqual([
      {},
      { author: "ann", total_rows: "none" },
      { why: "typo" },
      { why: "gone" },
      { job: "17" },
      { why: "fresh" },
    ]);
    expect(versions[1]?.metadata).toMatchObject({
      author: "ann",
      total_rows: "2",
      "joust.durability": expect.any(String),
    });
    await db.close();
  });

  test("keeps what was said of a new table, of changes of the schema, a restore and a compaction", async () => {
    const db = await connect("memory://", { maintenance: { auto: false } });
    const table = await db.createTable("t", [{ id: 1 }], { metadata: { by: "create" } });
    await table.addColumns([{ name: "n", valueSql: "id * 2" }], { metadata: { by: "addColumns" } });
    await table.alterColumns([{ path: "n", rename: "m" }], { metadata: { by: "alterColumns" } });
    await table.updateFieldMetadata([{ path: "m", metadata: { a: "b" } }], { metadata: { by: "fields" } });
    await table.dropColumns(["m"], { metadata: { by: "dropColumns" } });
    await table.add([{ id: 2 }]);
    await table.optimize({ metadata: { by: "optimize" } });
    await table.restore(1, { metadata: { by: "restore" } });
    await db.createTable("t", [{ id: 5 }], { mode: "overwrite", metadata: { by: "again" } });
    await db.createEmptyTable("e", await table.schema(), { metadata: { by: "empty" } });
    const said = async (of: Table) => (await of.listVersions()).map(({ commitMetadata }) => commitMetadata.by);
    expect(await said(table)).toEqual([
      "create",
      "addColumns",
      "alterColumns",
      "fields",
      "dropColumns",
      undefined,
      "optimize",
      "restore",
      "again",
    ]);
    expect(await said(await db.openTable("e"))).toEqual(["empty"]);
    const refused = { metadata: { "joust.x": "" } };
    await expect(db.createTable("x", [{ id: 1 }], refused)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(table.optimize(refused)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await db.tableNames()).toEqual(["e", "t"]);
    await db.close();
  });

  test("never mixes what two callers said: a write with metadata shares its commit with no other", async () => {
    const db = await connect("memory://");
    const table = await db.createTable("t", [{ id: 0 }]);
    const names = ["a", "b", undefined, undefined, "c"];
    const results = await Promise.all(
      names.map((name, id) => table.add([{ id }], name === undefined ? {} : { metadata: { name } })),
    );
    const said = new Map(
      (await table.listVersions()).map(({ version, commitMetadata }) => [version, commitMetadata.name]),
    );
    expect(results.map(({ version }) => said.get(version))).toEqual(names);
    await db.close();
  });
});

test.each([
  { "joust.durability": "full" },
  { "lance.x": "1" },
  { "": "x" },
  { n: 1 as unknown as string },
  { big: "x".repeat(20_000) },
])("metadata that no version could keep is refused before anything is written: %j", async (metadata) => {
  const db = await connect("memory://");
  const table = await db.createTable("t", [{ id: 1 }]);
  await expect(table.add([{ id: 2 }], { metadata })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(await table.version()).toBe(1);
  await db.close();
});
