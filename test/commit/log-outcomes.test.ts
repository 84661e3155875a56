/**
 * A failed compare-and-swap may have succeeded, and a link that succeeded may count for nothing: stores that lie, fail
 * at the worst moment, lose names or whole tables under a writer. The answer is true, or says that nobody knows.
 */
import { describe, expect, test } from "vitest";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { RETIRED_PATH } from "../../src/commit/boundary.js";
import { readManifest, readTransaction } from "../../src/commit/log.js";
import { HINT_PATH, manifestPath } from "../../src/format/layout.js";
import type { Table } from "../../src/index.js";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { TableError } from "../../src/support/errors.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { WrappedStore } from "./wrapped-store.js";

const QUICK = { durable: false };
const unknown = () => new TableError("UNKNOWN_OUTCOME", "the reply was lost");
const unavailable = () => new TableError("UNAVAILABLE", "the disk said no");
const isManifest = (path: string) => path.endsWith(".manifest");

function process(store: WrappedStore): Connection {
  const runtime = { ...systemRuntime, sleep: async () => {} };
  const settings = settingsOf({ runtime, dataFormat: "arrow", maintenance: { auto: false } });
  return new Connection(new Database(store, "memory://"), settings);
}

/** A table at version 2 with rows 1 and 2, a handle whose store can be told to fail, and one of another process. */
async function world() {
  const disk = new WrappedStore(memoryStore(""));
  const failing = new WrappedStore(disk);
  const otherDb = process(disk);
  const other = await otherDb.createTable("t", [{ id: 1 }]);
  await other.add([{ id: 2 }]);
  const table = await process(failing).openTable("t");
  const files = async () => (await disk.list("t.lance/data")).map((entry) => entry.name);
  return { disk, failing, table, other, otherDb, store: within(disk, "t.lance"), files, before: await files() };
}

const ids = async (table: Table) =>
  (await table.query().toArray()).map((row) => row.id as number).sort((a, b) => a - b);

/** Runs `action` at the first publication of a manifest. */
function atPublication(store: WrappedStore, action: NonNullable<WrappedStore["hooks"]["publish"]>): void {
  let done = false;
  store.hooks.publish = (path, publish) => {
    if (done || !isManifest(path)) return publish();
    done = true;
    return action(path, publish);
  };
}

describe("a publication", () => {
  test("that succeeded and was answered with 'exists' is a success, once", async () => {
    const { failing, table, other } = await world();
    atPublication(failing, async (_path, publish) => {
      await publish();
      return "exists";
    });
    expect(await table.add([{ id: 3 }])).toMatchObject({ version: 3 });
    expect([await ids(other), await other.version()]).toEqual([[1, 2, 3], 3]);
  });

  test("that succeeded and failed to say so is unknown, names its transaction, and loses nothing", async () => {
    const { failing, table, other, files, before } = await world();
    atPublication(failing, async (_path, publish) => {
      await publish();
      throw unknown();
    });
    const error = await table.add([{ id: 3 }]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "UNKNOWN_OUTCOME", details: { version: 3, transaction: expect.any(String) } });
    expect(await ids(other)).toEqual([1, 2, 3]);
    expect(await files()).toHaveLength(before.length + 1);
    expect(await table.add([{ id: 4 }])).toMatchObject({ version: 4 });
  });

  test("that failed without a word of its outcome is unknown, and removes no file", async () => {
    const { failing, table, other, files, before } = await world();
    atPublication(failing, async () => {
      throw unknown();
    });
    await expect(table.add([{ id: 3 }])).rejects.toMatchObject({ code: "UNKNOWN_OUTCOME" });
    expect(await ids(other)).toEqual([1, 2]);
    expect(await files()).toHaveLength(before.length + 1);
  });

  test("whose outcome is open until the name turns out to be somebody else's is a lost race, and is run on", async () => {
    const { failing, table, other } = await world();
    atPublication(failing, async () => {
      await other.add([{ id: 9 }]);
      throw unknown();
    });
    expect(await table.add([{ id: 3 }])).toMatchObject({ version: 4 });
    expect(await ids(other)).toEqual([1, 2, 3, 9]);
  });

  test("that failed for certain leaves nothing, and says why", async () => {
    const { failing, table, other, files, before } = await world();
    atPublication(failing, async () => {
      throw unavailable();
    });
    await expect(table.add([{ id: 3 }])).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect([await ids(other), await files()]).toEqual([[1, 2], before]);
    expect(await table.add([{ id: 3 }])).toMatchObject({ version: 3 });
  });

  test.each([
    ["an append", (table: Table) => table.add([{ id: 7 }]), [1, 2, 3, 4, 7]],
    ["a deletion of whole fragments", (table: Table) => table.delete("id = 1"), [2, 3, 4]],
    ["a deletion of a part of one", (table: Table) => table.delete("id = 3"), [1, 2, 4]],
    ["an update", (table: Table) => table.update({ where: "id = 3", values: { id: 8 } }), [1, 2, 4, 8]],
  ] as const)(
    "of %s after which the store cannot be asked is unknown, and removes no file",
    async (_what, write, after) => {
      const { failing, table, other } = await world();
      await other.add([{ id: 3 }, { id: 4 }]);
      await table.checkoutLatest();
      let published = false;
      atPublication(failing, async (_path, publish) => {
        published = true;
        return publish();
      });
      failing.hooks.before = (call) => {
        if (published && call === "head") throw unavailable();
      };
      await expect(write(table)).rejects.toMatchObject({ code: "UNKNOWN_OUTCOME" });
      expect(published).toBe(true);
      expect(failing.count("delete")).toBe(0);
      expect(await ids(other)).toEqual(after);
      failing.hooks.before = () => {};
      expect(await ids(table)).toEqual(after);
    },
  );
});

test("a transaction says what version it was computed on, also after a lost race", async () => {
  const { failing, table, other, store } = await world();
  atPublication(failing, async (_path, publish) => {
    await other.add([{ id: 9 }]);
    return publish();
  });
  await table.add([{ id: 3 }]);
  const manifest = await readManifest(store, 4, "v2");
  const transaction = manifest && (await readTransaction(store, manifest));
  expect([transaction?.readVersion, transaction?.operation.kind]).toEqual([2, "append"]);
});

describe("the first version of a table", () => {
  test.each([
    ["answered with 'exists' although it succeeded", "exists", "done"],
    ["that succeeded and failed to say so", "throws", "UNKNOWN_OUTCOME"],
  ] as const)("%s", async (_what, how, ending) => {
    const disk = new WrappedStore(memoryStore(""));
    const failing = new WrappedStore(disk);
    atPublication(failing, async (_path, publish) => {
      await publish();
      if (how === "throws") throw unknown();
      return "exists";
    });
    const created = await process(failing)
      .createTable("t", [{ id: 1 }])
      .then(
        () => "done",
        (error: TableError) => error.code,
      );
    expect(created).toBe(ending);
    expect(await ids(await process(disk).openTable("t"))).toEqual([1]);
  });

  test.each([
    ["created", "head"],
    ["exists", "get"],
  ] as const)(
    "answered with '%s', after which the store cannot be asked, is unknown, and its rows are there",
    async (answer, silent) => {
      const disk = new WrappedStore(memoryStore(""));
      const failing = new WrappedStore(disk);
      let published = false;
      atPublication(failing, async (_path, publish) => {
        await publish();
        published = true;
        return answer;
      });
      failing.hooks.before = (call, path) => {
        if (published && call === silent && isManifest(path)) throw unavailable();
      };
      await expect(process(failing).createTable("t", [{ id: 1 }])).rejects.toMatchObject({
        code: "UNKNOWN_OUTCOME",
        details: { version: 1, transaction: expect.any(String) },
      });
      expect(await ids(await process(disk).openTable("t"))).toEqual([1]);
    },
  );

  test("that failed for certain leaves nothing, and the name is free", async () => {
    const disk = new WrappedStore(memoryStore(""));
    const failing = new WrappedStore(disk);
    const db = process(failing);
    atPublication(failing, async () => {
      throw unavailable();
    });
    await expect(db.createTable("t", [{ id: 1 }])).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await disk.list("t.lance/data")).toEqual([]);
    expect(await ids(await db.createTable("t", [{ id: 2 }]))).toEqual([2]);
  });

  test("that somebody else made first is not overwritten, and nothing of the loser is left", async () => {
    const disk = new WrappedStore(memoryStore(""));
    const failing = new WrappedStore(disk);
    const other = process(disk);
    atPublication(failing, async (_path, publish) => {
      await other.createTable("t", [{ id: 1 }]);
      return publish();
    });
    await expect(process(failing).createTable("t", [{ id: 2 }])).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(await ids(await other.openTable("t"))).toEqual([1]);
    expect(await disk.list("t.lance/data")).toHaveLength(1);
  });
});

describe("the look after the link", () => {
  /** Four versions come, and native's cleanup, which writes no boundary, removes all but the newest. */
  async function cleanUp({ other, store }: Awaited<ReturnType<typeof world>>): Promise<void> {
    for (const id of [11, 12, 13, 14]) await other.add([{ id }]);
    for (const version of [1, 2, 3, 4, 5]) await store.delete(manifestPath(version, "v2"));
    await store.replace(HINT_PATH, [new TextEncoder().encode('{"version":6}')], QUICK);
  }

  test("finds that the version lies behind a gap, takes it back, and commits on the newest one", async () => {
    const all = await world();
    atPublication(all.failing, async (_path, publish) => {
      await cleanUp(all);
      return publish();
    });
    expect(await all.table.add([{ id: 3 }])).toMatchObject({ version: 7 });
    expect(await ids(all.other)).toEqual([1, 2, 3, 11, 12, 13, 14]);
    expect((await all.other.listVersions()).map((one) => one.version)).toEqual([6, 7]);
  });

  test("finds that the version is gone, and says that nobody knows", async () => {
    const all = await world();
    atPublication(all.failing, async (path, publish) => {
      const outcome = await publish();
      await all.disk.delete(path);
      return outcome;
    });
    await expect(all.table.add([{ id: 3 }])).rejects.toMatchObject({ code: "UNKNOWN_OUTCOME" });
  });

  test("is not fooled by a hint that is too high", async () => {
    const { failing, table, store } = await world();
    atPublication(failing, async (_path, publish) => {
      await store.replace(HINT_PATH, [new TextEncoder().encode('{"version":40}')], QUICK);
      return publish();
    });
    expect(await table.add([{ id: 3 }])).toMatchObject({ version: 3 });
  });
});

test.each(["stage", "publish"] as const)(
  "a version number that was retired while the writer slept before %s is not used again",
  async (stop) => {
    const { failing, table, other, store } = await world();
    let slept = false;
    failing.hooks.before = async (call, path) => {
      if (slept || call !== stop || !isManifest(path)) return;
      slept = true;
      await other.add([{ id: 9 }]);
      await other.add([{ id: 10 }]);
      await store.write(RETIRED_PATH, [new TextEncoder().encode('{"upTo":3}')], QUICK);
      for (const { name } of await store.list("_versions")) {
        if (name.startsWith(".tmp")) await store.delete(`_versions/${name}`);
      }
      // Version 2 stays, as one does that has a tag.
      for (const version of [1, 3]) await store.delete(manifestPath(version, "v2"));
    };
    const added = await table.add([{ id: 3 }]).then(
      (result) => result.version,
      (error: TableError) => error.code,
    );
    // The name of version 3 was free again, and a version there would have been one that nobody sees.
    expect([5, "UNKNOWN_OUTCOME"]).toContain(added);
    if (added === 5) expect(await ids(other)).toEqual([1, 2, 3, 9, 10]);
    expect((await other.listVersions()).map((one) => one.version)).not.toContain(3);
  },
);

describe("a table that is dropped and made anew between planning and publication", () => {
  test.each([
    ["with as many versions", 2],
    ["with fewer versions", 1],
    ["with more versions", 4],
  ])("%s gets the row or refuses it, and keeps its own content", async (_what, versions) => {
    for (const stop of ["stage", "write"] as const) {
      const { failing, table, otherDb } = await world();
      let done = false;
      failing.hooks.before = async (call, path) => {
        if (done || call !== stop || !(isManifest(path) || path.includes("/data/"))) return;
        done = true;
        await otherDb.dropTable("t");
        const anew = await otherDb.createTable("t", [{ other: "x" }]);
        for (let version = 1; version < versions; version++) await anew.add([{ other: "y" }]);
      };
      const ending = await table.add([{ id: 3 }]).then(
        () => "done",
        (error: TableError) => error.code,
      );
      expect(done).toBe(true);
      expect(ending).toBe("SCHEMA_MISMATCH");
      const anew = await otherDb.openTable("t");
      expect([await anew.version(), await anew.countRows()]).toEqual([versions, versions]);
      expect((await anew.schema()).fields.map((field) => field.name)).toEqual(["other"]);
      failing.hooks = {};
      await table.add([{ other: "z" }]);
      expect(await anew.countRows("other = 'z'")).toBe(1);
    }
  });
});
