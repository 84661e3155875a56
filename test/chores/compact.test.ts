import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { connect, type Table } from "../../src/index.js";

const QUIET = { maintenance: { auto: false } };
const dir = mkdtempSync(join(tmpdir(), "joust-compact-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

type Row = Record<string, unknown>;

async function rowsOf(table: Table): Promise<string[]> {
  return (await table.query().toArray()).map((row) => JSON.stringify({ ...row }));
}

async function fragmentsOf(table: Table): Promise<number> {
  return (await table.stats()).fragmentStats.numFragments;
}

function made(id: number): Row {
  return { id, text: id % 5 === 0 ? null : `text ${id}`, half: id / 2, flag: id % 3 === 0 };
}

async function tableOf(counts: readonly number[], options = {}): Promise<Table> {
  const db = await connect("memory://", { ...QUIET, ...options });
  let next = 0;
  const rows = (count: number) => Array.from({ length: count }, () => made(next++));
  const table = await db.createTable("t", [made(-1), ...rows(counts[0]!)]);
  for (const count of counts.slice(1)) await table.add(rows(count));
  return table;
}

describe("optimize", () => {
  test.each(["lance", "arrow", "parquet"] as const)(
    "merges small %s fragments, every row in its order",
    async (format) => {
      const table = await tableOf([3, 1, 4, 1, 5, 9, 2, 6], { dataFormat: format });
      await table.delete("id IN (0, 7, 30)");
      await table.addColumns([{ name: "twice", valueSql: "id * 2" }]);
      const before = await rowsOf(table);
      const { compaction } = await table.optimize();
      expect(compaction).toEqual({ fragmentsRemoved: 8, fragmentsAdded: 1, filesRemoved: 16 + 3, filesAdded: 1 });
      expect(await rowsOf(table)).toEqual(before);
      expect(await fragmentsOf(table)).toBe(1);
      const again = await table.optimize();
      expect(again.compaction).toEqual({ fragmentsRemoved: 0, fragmentsAdded: 0, filesRemoved: 0, filesAdded: 0 });
    },
  );

  test("keeps rows and their order where small files of every kind lie side by side", async () => {
    const db = await connect("memory://", QUIET);
    const whole = (id: number): Row => ({
      id,
      text: `text ${id}`,
      half: id / 2,
      flag: id % 3 === 0,
      vector: [id, -id],
    });
    const withNulls = (id: number): Row => (id % 2 === 0 ? whole(id) : { id });
    const table = await db.createTable("t", [whole(0)]);
    let next = 1;
    for (const [i, count] of [1, 6, 1, 4, 1, 4, 1, 1, 5, 1].entries()) {
      const make = i % 4 === 1 ? withNulls : whole;
      await table.add(Array.from({ length: count }, () => make(next++)));
    }
    // A row of a file with NULLs, rows of files without, all rows of a file; another file with NULLs stays whole.
    await table.delete("id IN (3, 8, 10, 11, 21, 22)");
    const before = await rowsOf(table);
    expect(before).toHaveLength(20);
    expect((await table.optimize()).compaction).toMatchObject({ fragmentsRemoved: 10, fragmentsAdded: 1 });
    expect(await rowsOf(table)).toEqual(before);
    expect((await table.optimize()).compaction.fragmentsRemoved, "deleted rows are not copied").toBe(0);
  });

  test("cuts files at the target, and never touches again what has it", async () => {
    const table = await tableOf([9, 10, 10, 10, 10]);
    const before = await rowsOf(table);
    await table.optimize({ targetRowsPerFragment: 20 });
    expect((await table.stats()).fragmentStats.lengths).toMatchObject({ min: 10, max: 20, mean: 16 });
    expect((await rowsOf(table)).sort()).toEqual([...before].sort());
    const version = await table.version();
    await table.optimize({ targetRowsPerFragment: 20 });
    expect(await table.version()).toBe(version);
  });

  test("rewrites a heavily deleted fragment, and leaves one alone of which little is gone", async () => {
    const table = await tableOf([100]);
    await table.delete("id < 9");
    expect((await table.optimize()).compaction.fragmentsRemoved).toBe(0);
    await table.delete("id = 10");
    expect((await table.optimize()).compaction).toMatchObject({ fragmentsRemoved: 1, fragmentsAdded: 1 });
    expect(await table.countRows()).toBe(90);
    expect((await table.optimize()).compaction.fragmentsRemoved).toBe(0);
  });

  test("gives up, and leaves nothing behind, when rows are so wide that no file would be saved", async () => {
    const db = await connect("memory://", QUIET);
    const wide = (id: number) => [{ id, text: "wide".repeat(50_000) }];
    const table = await db.createTable("t", wide(0));
    for (let id = 1; id < 4; id++) await table.add(wide(id));
    const version = await table.version();
    expect((await table.optimize({ maxBytes: 1 << 20 })).compaction.fragmentsAdded).toBeLessThan(4);
    expect(await table.countRows()).toBe(4);
    expect(await table.version()).toBeLessThanOrEqual(version + 1);
  });

  test("keeps every older version as it was", async () => {
    const table = await tableOf([3, 3, 3]);
    await table.delete("id = 4");
    const versions = (await table.listVersions()).map(({ version }) => version);
    const before: string[][] = [];
    for (const version of versions) {
      await table.checkout(version);
      before.push(await rowsOf(table));
    }
    await table.checkoutLatest();
    await table.optimize();
    for (const [i, version] of versions.entries()) {
      await table.checkout(version);
      expect(await rowsOf(table)).toEqual(before[i]);
    }
  });

  test("refuses bounds that make no sense, and a handle on an old version", async () => {
    const table = await tableOf([1]);
    await expect(table.optimize({ targetRowsPerFragment: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(table.optimize({ targetRowsPerFragment: 1.5 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(table.optimize({ maxBytes: 1000 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await table.checkout(1);
    await expect(table.optimize()).rejects.toMatchObject({ code: "READ_ONLY" });
  });

  test("keeps ids and versions of the rows of a table that native LanceDB made with stable row ids", async () => {
    cpSync(new URL("../../fixtures/format/row_ids.lance", import.meta.url), join(dir, "row_ids.lance"), {
      recursive: true,
    });
    const db = await connect(dir, QUIET);
    const table = await db.openTable("row_ids");
    await table.add((await table.query().limit(3).toArray()).map((row) => ({ ...row })));
    await table.delete(`${(await table.schema()).fields[0]!.name} IS NULL`);
    const lineage = async () =>
      (
        await table
          .query()
          .select([
            ...(await table.schema()).fields.map((field) => field.name),
            "_rowid",
            "_row_created_at_version",
            "_row_last_updated_at_version",
          ])
          .toArray()
      )
        .map((row) => JSON.stringify({ ...row }, (_, value) => (typeof value === "bigint" ? Number(value) : value)))
        .sort();
    const before = await lineage();
    expect((await table.optimize()).compaction.fragmentsAdded).toBe(1);
    expect(await lineage()).toEqual(before);
    expect(before.length).toBeGreaterThan(4);
  });
});

type Step =
  | { readonly kind: "add"; readonly count: number }
  | { readonly kind: "delete" | "update" | "merge"; readonly modulus: number; readonly rest: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    kind: fc.constantFrom("delete" as const, "update" as const, "merge" as const),
    modulus: fc.integer({ min: 2, max: 9 }),
    rest: fc.integer({ min: 0, max: 8 }),
  }),
);

/** The same steps on the table and on a map of what it has to hold. */
function apply(step: Step, model: Map<number, number>, table: Table): Promise<unknown> {
  if (step.kind === "add") {
    const first = 1000 + model.size * 100;
    const rows = Array.from({ length: step.count }, (_, i) => ({ id: first + i, n: 0 })).filter(
      ({ id }) => !model.has(id),
    );
    for (const { id, n } of rows) model.set(id, n);
    return rows.length === 0 ? Promise.resolve() : table.add(rows);
  }
  const { modulus, rest } = step;
  const hit = [...model.keys()].filter((id) => id % modulus === rest % modulus);
  if (step.kind === "delete") {
    for (const id of hit) model.delete(id);
    return table.delete(`id % ${modulus} = ${rest % modulus}`);
  }
  if (step.kind === "update") {
    for (const id of hit) model.set(id, model.get(id)! + 1);
    return table.update({ where: `id % ${modulus} = ${rest % modulus}`, valuesSql: { n: "n + 1" } });
  }
  const rows = [...hit.slice(0, 5), rest].map((id) => ({ id, n: 7 }));
  const unique = [...new Map(rows.map((row) => [row.id, row])).values()];
  for (const { id, n } of unique) model.set(id, n);
  return table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(unique);
}

test("random tables hold the same rows through compactions that run beside deletes, updates and upserts", async () => {
  let races = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 4, maxLength: 24 }), fc.nat(), async (history, salt) => {
      // Two connections: the compaction races with another queue, as in another process.
      const path = join(dir, `race-${races++}`);
      const db = await connect(path, { ...QUIET, durability: "relaxed" });
      const table = await db.createTable("t", [{ id: 0, n: 0 }]);
      const model = new Map([[0, 0]]);
      for (const [i, step] of history.entries()) {
        const written = apply(step, model, table);
        if ((i + salt) % 3 === 0) await Promise.all([written, table.optimize({ targetRowsPerFragment: 64 })]);
        else await written;
      }
      await table.optimize();
      const rows = (await table.query().toArray()).map(({ id, n }) => [id, n] as [number, number]);
      expect(new Map(rows)).toEqual(model);
      expect(rows).toHaveLength(model.size);
      await db.close();
    }),
    { numRuns: 40 },
  );
});
