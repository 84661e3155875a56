import { describe, expect, test } from "vitest";
import { newBoundaryMemo, writeBoundary } from "../../src/commit/boundary.js";
import { Lease } from "../../src/commit/lease.js";
import { leasePath, listLeases, readLease } from "../../src/commit/lease-file.js";
import { Snapshot } from "../../src/commit/snapshot.js";
import { dataFileName, deletionFileId, markOfDataFile, markOfDeletionFile } from "../../src/format/file-marks.js";
import type { Manifest } from "../../src/format/manifest.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { memoryStore } from "../../src/store/memory.js";
import { type Runtime, systemRuntime } from "../../src/support/runtime.js";

const TTL_MS = 60_000;

/** A clock that stands still until it is told, and timers that go off then. */
function stillRuntime() {
  let nowMs = 0;
  let timers: { at: number; action: () => void }[] = [];
  const runtime: Runtime = {
    ...systemRuntime,
    now: () => nowMs,
    monotonicMs: () => nowMs,
    timer(ms, action) {
      const timer = { at: nowMs + ms, action };
      timers.push(timer);
      const cancel = () => {
        timers = timers.filter((one) => one !== timer);
      };
      return { cancel };
    },
  };
  const pass = async (ms: number) => {
    nowMs += ms;
    const due = timers.filter((timer) => timer.at <= nowMs);
    timers = timers.filter((timer) => timer.at > nowMs);
    for (const timer of due) timer.action();
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const jump = (ms: number) => {
    nowMs += ms;
  };
  return { runtime, pass, jump, timers: () => timers.length };
}

function snapshotOf(version: number): Snapshot {
  return new Snapshot({ version, scheme: "v2", identity: String(version) }, { version } as Manifest);
}

function counting(store: ObjectStore) {
  const writes: string[] = [];
  const counted: ObjectStore = Object.assign(Object.create(store), {
    create: (path: string, ...rest: [never, never]) => {
      writes.push(path);
      return store.create(path, ...rest);
    },
    replace: (path: string, ...rest: [never, never]) => {
      writes.push(path);
      return store.replace(path, ...rest);
    },
    head: store.head.bind(store),
    get: store.get.bind(store),
    list: store.list.bind(store),
    delete: store.delete.bind(store),
  });
  return { store: counted, writes };
}

async function setUp(head = 1) {
  const clock = stillRuntime();
  const { store, writes } = counting(memoryStore("t", clock.runtime));
  await store.create("_versions/1.manifest", [new Uint8Array(1)], { durable: false });
  writes.length = 0;
  const table = {
    name: "t",
    store,
    runtime: clock.runtime,
    boundary: newBoundaryMemo(),
    head,
    async refresh() {
      lease.looked(table.head);
      return snapshotOf(table.head);
    },
  };
  const lease = new Lease(table, { published: true, ttlMs: TTL_MS });
  const read = (version?: number) =>
    lease.hold(async () => (version === undefined ? table.refresh() : snapshotOf(version)));
  const write = () => lease.hold(() => table.refresh(), "write");
  const content = async () => (await readLease(store, lease.holder))?.content;
  return { ...clock, store, writes, table, lease, read, write, content };
}

describe("a lease", () => {
  test("costs one write for the first of many reads and writes, whatever the head becomes", async () => {
    const { write, read, writes, table, lease } = await setUp();
    (await write()).release();
    for (let version = 1; version < 200; version++) {
      table.head = version;
      const holds = [await read(), await write()];
      for (const hold of holds) hold.release();
    }
    expect(writes).toEqual([leasePath(lease.holder)]);
  });

  test("says that an old version is read before it is read, and which", async () => {
    const { read, content } = await setUp(9);
    (await read()).release();
    await read(4);
    expect(await content()).toMatchObject({ versions: [4, 9], from: 9 });
  });

  test("moves on with its oldest use, and goes when nothing is in use", async () => {
    const { read, write, content, pass, table, store, lease } = await setUp(9);
    const pinned = await read();
    const building = await write();
    table.head = 30;
    (await read()).release();
    await pass(TTL_MS / 6);
    expect(await content()).toMatchObject({ versions: [9], from: 9 });
    building.release();
    await pass(TTL_MS / 6);
    expect(await content()).toMatchObject({ versions: [9] });
    expect((await content())?.from).toBeUndefined();
    pinned.release();
    await pass(TTL_MS / 6);
    expect(await listLeases(store)).toEqual([]);
    expect(lease.body).toBeUndefined();
  });

  test("knows which of its files belong to no write under way", async () => {
    const { write, lease, content } = await setUp();
    const first = await write();
    lease.mark();
    const second = await write();
    lease.mark();
    await lease.renew();
    expect((await content())?.settled).toBe(0);
    first.release();
    await lease.renew();
    expect((await content())?.settled).toBe(1);
    second.release();
    await lease.renew();
    expect((await content())?.settled).toBe(2);
  });

  test("does not believe in itself after a pause, by either clock", async () => {
    const { read, writes, jump } = await setUp();
    (await read()).release();
    jump(TTL_MS);
    (await read()).release();
    expect(writes).toHaveLength(2);
  });

  test("refuses a version that a vacuum has announced, and takes a newer one", async () => {
    const { read, store, table, lease } = await setUp(9);
    await writeBoundary(store, { upTo: 5, kept: new Set([3]), expelled: new Set() });
    (await read(3)).release();
    let asked = 0;
    const hold = await lease.hold(async () => snapshotOf(asked++ === 0 ? 4 : table.head));
    expect(hold.snapshot.version).toBe(9);
  });

  test("that a vacuum removed or expelled does not vouch for files made under it", async () => {
    for (const way of ["removed", "expelled"]) {
      const { write, lease, store, table } = await setUp();
      await write();
      const paths = [`data/${dataFileName(systemRuntime, lease.mark(), "arrow")}`];
      const { holder } = lease;
      expect(await lease.vouchesFor(paths, table.boundary)).toBe(true);
      if (way === "removed") await store.delete(leasePath(holder));
      await writeBoundary(store, { upTo: 0, kept: new Set(), expelled: new Set(way === "expelled" ? [holder] : []) });
      table.boundary.identity = (await store.head("_coord/retired.json"))?.identity;
      table.boundary.boundary = { upTo: 0, kept: new Set(), expelled: new Set(way === "expelled" ? [holder] : []) };
      expect(await lease.vouchesFor(paths, table.boundary), way).toBe(false);
      await write();
      expect(lease.holder).not.toBe(holder);
      const fresh = [`data/${dataFileName(systemRuntime, lease.mark(), "arrow")}`];
      expect(await lease.vouchesFor(fresh, table.boundary)).toBe(true);
    }
  });

  test("is never given new life by its own heartbeat after it was removed", async () => {
    const { read, lease, store, pass } = await setUp();
    await read();
    const { holder } = lease;
    await store.delete(leasePath(holder));
    await pass(TTL_MS / 6);
    expect(await readLease(store, holder)).toBeUndefined();
    expect((await listLeases(store)).map((one) => one.holder)).toEqual([lease.holder]);
  });

  test.each([0, 1, 2, 5, 10])(
    "is not published anew by a heartbeat that was under way when it was given back (%i steps)",
    async (steps) => {
      const { read, lease, store, pass, timers } = await setUp();
      (await read()).release();
      const beat = pass(TTL_MS / 6);
      for (let i = 0; i < steps; i++) await Promise.resolve();
      await lease.end();
      await beat;
      expect(await listLeases(store)).toEqual([]);
      expect(timers()).toBe(0);
    },
  );

  test("makes no directory for a table that was dropped", async () => {
    const { read, lease, store, pass } = await setUp();
    await read();
    await store.delete(leasePath(lease.holder));
    await store.delete("_versions/1.manifest");
    await pass(TTL_MS / 6);
    expect(await store.list("_coord")).toEqual([]);
  });

  test("stays behind, ended, when its process may have left files", async () => {
    const { write, lease, store } = await setUp();
    (await write()).release();
    lease.taint();
    const { holder } = lease;
    await lease.end();
    expect((await readLease(store, holder))?.content?.ended).toBe(true);
    (await write()).release();
    await lease.end();
    expect(await listLeases(store)).toHaveLength(1);
  });

  test("lets reads go on where it cannot be written, but no writes", async () => {
    const { read, write, store } = await setUp();
    const full = async () => {
      throw Object.assign(new Error("The disk is full: free some space."), { name: "TableError", code: "UNAVAILABLE" });
    };
    Object.assign(store, { create: full, replace: full });
    expect((await read()).snapshot.version).toBe(1);
    await expect(write()).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/Nothing was changed\. The disk is full: free some space\.$/),
    });
  });

  test("that is no lease is read as one that may need everything", async () => {
    const { store } = await setUp();
    for (const text of ["", "{", "null", '{"versions":[-1],"settled":0,"ttlMs":1}', '{"versions":"x"}']) {
      await store.replace(leasePath("0123abcd"), [new TextEncoder().encode(text)], { durable: false });
      expect((await readLease(store, "0123abcd"))?.content, text).toBeUndefined();
    }
  });
});

test("marks come back from the names of files, and other names bear none", () => {
  const mark = { holder: "00ab12ff", sequence: 0xfffffffe };
  expect(markOfDataFile(dataFileName(systemRuntime, mark, "lance"))).toEqual(mark);
  expect(markOfDeletionFile(`7-3-${deletionFileId(mark)}.bin`)).toEqual(mark);
  expect(markOfDataFile("010101010101010101010101a1b2c3d4e5f60718293a4b5c6d.lance")).toBeUndefined();
  expect(markOfDeletionFile("7-3-99999999999999999999.bin")).toBeUndefined();
  expect(markOfDeletionFile("7-3.bin")).toBeUndefined();
});

test.runIf(process.platform === "linux")(
  "a process tells a running one from one that has ended, and says so when it cannot know",
  () => {
    const { processes } = systemRuntime;
    const self = processes?.self();
    if (processes === undefined || self === undefined) throw new Error("The system has no processes.");
    expect(processes.stateOf(self)).toBe("running");
    expect(processes.stateOf({ ...self, startTime: "1" })).toBe("gone");
    expect(processes.stateOf({ ...self, pid: 2 ** 22 + 1, threadId: 2 ** 22 + 1 })).toBe("gone");
    expect(processes.stateOf({ ...self, bootId: "another" })).toBe("unknown");
    expect(processes.stateOf({ ...self, pidNamespace: "another" })).toBe("unknown");
  },
);
