/**
 * What a write that failed for certain leaves behind: nothing; or, where it could not remove its files, a lease that
 * tells the next cleanup whose they are.
 */
import { describe, expect, test } from "vitest";
import { listLeases } from "../../src/commit/lease-file.js";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { TableError } from "../../src/support/errors.js";
import { processOn } from "./process-on.js";
import { WrappedStore } from "./wrapped-store.js";

const full = () => new TableError("UNAVAILABLE", "the disk is full");
const ROWS = Array.from({ length: 4 }, (_, id) => ({ id, n: 0 }));

/** A table of two fragments, and a process on it that can neither stage a manifest nor, if told so, remove a file. */
async function world() {
  const disk = new WrappedStore(memoryStore(""));
  const other = await processOn(disk).createTable("t", ROWS.slice(0, 2));
  await other.add(ROWS.slice(2));
  const failing = new WrappedStore(disk);
  const db = processOn(failing);
  const table = await db.openTable("t");
  const store = within(disk, "t.lance");
  const files = async () => {
    const found: string[] = [];
    for (const directory of ["data", "_deletions", "_versions"]) {
      for (const { name } of await store.list(directory)) found.push(`${directory}/${name}`);
    }
    return found;
  };
  const leases = async () => (await listLeases(store)).map(({ holder }) => holder);
  return { failing, db, table, other, store, files, leases };
}

const WRITES = {
  append: (table) => table.add([{ id: 9, n: 9 }]),
  delete: (table) => table.delete("id IN (0, 2)"),
  update: (table) => table.update({ where: "id IN (0, 2)", values: { n: 1 } }),
  upsert: (table) =>
    table
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([
        { id: 0, n: 5 },
        { id: 9, n: 5 },
      ]),
  "add a column": (table) => table.addColumns([{ name: "twice", valueSql: "n * 2" }]),
} satisfies Record<string, (table: Awaited<ReturnType<typeof world>>["table"]) => Promise<unknown>>;

describe.each(Object.keys(WRITES) as (keyof typeof WRITES)[])("%s", (name) => {
  test.each(["stage", "publish"] as const)("that fails at the %s of its manifest leaves no file", async (step) => {
    const { failing, table, files } = await world();
    const before = await files();
    failing.hooks.before = (call, path) => {
      if (call === step && path.endsWith(".manifest")) throw full();
    };
    failing.forget();
    await expect(WRITES[name](table)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(failing.count("write"), "files were made").toBeGreaterThan(0);
    expect(await files()).toEqual(before);
  });

  test("that fails at a file of its own leaves none of the others", async () => {
    const { failing, table, files } = await world();
    const before = await files();
    let writes = 0;
    for (let hit = true; hit; writes++) {
      hit = false;
      let nth = 0;
      failing.hooks.before = (call) => {
        if (call !== "write" || nth++ !== writes) return;
        hit = true;
        throw full();
      };
      const outcome = await WRITES[name](table).then(
        () => "done",
        (error: { code?: string }) => error.code,
      );
      expect(outcome, `write ${writes}`).toBe(hit ? "UNAVAILABLE" : "done");
      if (hit) expect(await files(), `write ${writes}`).toEqual(before);
    }
    expect(writes, "writes that failed, and one that did not").toBeGreaterThan(1);
  });
});

describe("files that cannot be removed", () => {
  test.each([
    ["after the whole write has failed", "stage"],
    ["after an attempt has failed", "publish"],
  ] as const)("%s keep the lease of their maker, until a cleanup has removed both", async (_when, step) => {
    const { failing, db, table, other, files, leases } = await world();
    const before = await files();
    const [others] = await leases();
    failing.hooks.before = (call, path) => {
      if (call === step && path.endsWith(".manifest")) throw full();
      if (call === "delete" && path.includes("_deletions/")) throw full();
    };
    await expect(table.delete("id IN (0, 2)")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await files()).toHaveLength(before.length + 2);
    await db.close();
    expect((await leases()).filter((holder) => holder !== others)).toHaveLength(1);
    await other.optimize({ targetRowsPerFragment: 1, cleanupOlderThan: new Date(0) });
    expect(await files()).toEqual(before);
    expect(await leases()).toEqual([others]);
  });

  test("after a race was lost keep the lease as well, though the write succeeds at last", async () => {
    const { failing, db, table, other, files, leases } = await world();
    const [others] = await leases();
    let met = false;
    failing.hooks.before = async (call, path) => {
      if (call === "publish" && path.endsWith(".manifest") && !met) {
        met = true;
        await other.delete("id = 1");
      }
      if (call === "delete" && path.includes("_deletions/")) throw full();
    };
    expect(await table.delete("id = 2")).toMatchObject({ version: 4, rebases: 0 });
    await db.close();
    expect((await leases()).filter((holder) => holder !== others)).toHaveLength(1);
    await other.optimize({ targetRowsPerFragment: 1, maxDeletedShare: 1, cleanupOlderThan: new Date(0) });
    expect((await files()).filter((path) => path.startsWith("_deletions/"))).toHaveLength(2);
    expect(await leases()).toEqual([others]);
  });
});
