/**
 * Every file-system call of every operation of the local store fails once, or from then on, before its effect or
 * after it. Whatever happens: a typed error or success, no descriptor left open, nothing half visible, and what was
 * acknowledged survives a power cut. When the trouble is over the store works again.
 */
import { describe, expect, test } from "vitest";
import type { ObjectStore } from "../../src/store/contract.js";
import { systemCode } from "../../src/store/failures.js";
import type { FileSystem } from "../../src/store/files.js";
import { localStore } from "../../src/store/local.js";
import { temporaryTarget } from "../../src/store/paths.js";
import { isTableError, TableError } from "../../src/support/errors.js";
import type { Outcome } from "../sim/process.js";
import { type Fault, keepByChance, keepNothing, simulate, type World } from "../sim/world.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const DURABLE = { durable: true };
const RELAXED = { durable: false };

interface Scenario {
  readonly title: string;
  prepare(store: ObjectStore): Promise<unknown>;
  act(store: ObjectStore): Promise<unknown>;
  /** What the final names may show while the outcome is open. `after` alone counts when the call succeeded. */
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
  /** What else a definite failure may leave: half of an object under a name that nobody knows. */
  readonly leftover?: string;
}

const SCENARIOS: Scenario[] = [
  {
    title: "write into new directories",
    prepare: async () => {},
    act: (store) => store.write("t/data/x", [bytes("content")], DURABLE),
    before: {},
    after: { "/db/t/data/x": "content" },
    leftover: "/db/t/data/x",
  },
  {
    title: "stage and publish",
    prepare: (store) => store.write("t/v/0", [bytes("zero")], DURABLE),
    act: async (store) => {
      const staged = await store.stage("t/v/1", [bytes("one")], DURABLE);
      expect(await staged.publish()).toBe("created");
    },
    before: { "/db/t/v/0": "zero" },
    after: { "/db/t/v/0": "zero", "/db/t/v/1": "one" },
  },
  {
    title: "stage and publish in new directories",
    prepare: async () => {},
    act: async (store) => {
      const staged = await store.stage("t/v/1", [bytes("one")], DURABLE);
      expect(await staged.publish()).toBe("created");
    },
    before: {},
    after: { "/db/t/v/1": "one" },
  },
  {
    title: "publish under a name that is taken",
    prepare: (store) => store.create("t/v/1", [bytes("theirs")], DURABLE),
    act: async (store) => {
      const staged = await store.stage("t/v/1", [bytes("mine")], DURABLE);
      expect(await staged.publish()).toBe("exists");
    },
    before: { "/db/t/v/1": "theirs" },
    after: { "/db/t/v/1": "theirs" },
  },
  {
    title: "replace",
    prepare: (store) => store.replace("hint", [bytes("old")], DURABLE),
    act: (store) => store.replace("hint", [bytes("new")], DURABLE),
    before: { "/db/hint": "old" },
    after: { "/db/hint": "new" },
  },
  {
    title: "sync of what others wrote",
    prepare: (store) => store.write("t/data/x", [bytes("content")], RELAXED),
    act: (store) => store.sync(["t/data/x"]),
    before: { "/db/t/data/x": "content" },
    after: { "/db/t/data/x": "content" },
  },
  {
    title: "get, ranged read, head and list",
    prepare: (store) => store.write("t/data/x", [bytes("content")], DURABLE),
    act: async (store) => {
      expect(await store.get("t/data/x")).toEqual(bytes("content"));
      const handle = await store.open("t/data/x");
      try {
        expect(await handle.read(1, 3)).toEqual(bytes("on"));
      } finally {
        await handle.close();
      }
      expect(await store.head("t/data/x")).toMatchObject({ sizeBytes: 7 });
      expect(await store.list("t")).toEqual([{ name: "data", kind: "directory" }]);
    },
    before: { "/db/t/data/x": "content" },
    after: { "/db/t/data/x": "content" },
  },
  {
    title: "delete",
    prepare: (store) => store.write("t/data/x", [bytes("content")], DURABLE),
    act: (store) => store.delete("t/data/x"),
    before: { "/db/t/data/x": "content" },
    after: {},
  },
  {
    title: "deleteTree",
    prepare: async (store) => {
      for (const path of ["t/a", "t/b/c", "u/a"]) await store.write(path, [bytes(path)], DURABLE);
    },
    act: (store) => store.deleteTree("t"),
    before: { "/db/t/a": "t/a", "/db/t/b/c": "t/b/c", "/db/u/a": "u/a" },
    after: { "/db/u/a": "u/a" },
  },
  {
    title: "probe",
    prepare: async () => {},
    act: (store) => store.probe(),
    before: {},
    after: {},
  },
];

/** Final names only: what lies under a temporary name is invisible to the table layer. */
function visible(world: World): Record<string, string> {
  const isTemporary = (path: string) => path.split("/").some((segment) => temporaryTarget(segment) !== undefined);
  return Object.fromEntries(Object.entries(world.disk.tree()).filter(([path]) => !isTemporary(path)));
}

function without(tree: Record<string, string>, path: string | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(tree).filter(([each]) => each !== path));
}

interface Trial {
  readonly world: World;
  readonly outcome: Outcome<unknown>;
  readonly store: ObjectStore;
  /** How many calls the operation made. */
  readonly calls: number;
}

/** Runs the scenario with `fault` at the n-th call of the operation, and with `sticky` at all later ones. */
async function attempt(scenario: Scenario, n: number, fault: Fault | undefined, sticky: boolean): Promise<Trial> {
  const world = simulate(n + 1);
  const process = world.process();
  const store = process.store("/db");
  await world.run(() => scenario.prepare(store));
  const first = world.calls;
  world.onCall = ({ number }) => (number === first + n || (sticky && number > first + n) ? fault : undefined);
  const outcome = await world.run(() => process.spawn(() => scenario.act(store)));
  const calls = world.calls - first;
  await world.settle();
  world.onCall = () => undefined;
  return { world, outcome, store, calls };
}

function checkOutcome(scenario: Scenario, { world, outcome }: Trial, code: string): void {
  const seen = visible(world);
  expect(world.openFiles, "open descriptors").toBe(0);
  if (outcome.kind === "done") {
    expect(seen).toEqual(scenario.after);
    return;
  }
  if (outcome.kind !== "failed") throw new Error("Nobody killed it.");
  const { error } = outcome;
  if (!isTableError(error)) throw error;
  expect(["UNAVAILABLE", "UNKNOWN_OUTCOME"]).toContain(error.code);
  // A publish whose loss cannot be confirmed has two causes, and names the first.
  expect([code, "EEXIST"]).toContain(systemCode(error.cause));
  expect(error.message).toContain("/db");
  if (
    error.code === "UNAVAILABLE" &&
    ["write into", "stage", "publish", "replace"].some((w) => scenario.title.startsWith(w))
  ) {
    expect(without(seen, scenario.leftover)).toEqual(scenario.before);
  } else {
    expect([scenario.before, scenario.after]).toContainEqual(seen);
  }
}

describe.each(SCENARIOS)("$title, with every call failing", (scenario) => {
  test.each(["EIO", "ENOSPC", "EDQUOT", "EMFILE", "EACCES", "EROFS", "ENOMEM"])("by %s", async (code) => {
    const { calls, outcome } = await attempt(scenario, -1, undefined, false);
    expect(outcome.kind).toBe("done");
    expect(calls).toBeGreaterThan(0);
    for (let n = 0; n < calls; n++) {
      for (const when of ["before", "after"] as const) {
        for (const sticky of [false, true]) {
          const trial = await attempt(scenario, n, { fail: code, when }, sticky);
          const where = `call ${n} ${when}, ${sticky ? "sticky" : "once"}\n${trial.world.tail(12)}`;
          try {
            checkOutcome(scenario, trial, code);
          } catch (error) {
            throw new Error(`${where}\n${error instanceof Error ? error.message : error}`, { cause: error });
          }
          // The trouble is over: the same store takes writes again, durably.
          await trial.world.run(() => trial.store.write("t/later", [bytes("later")], DURABLE));
          const seen = visible(trial.world);
          trial.world.crash(trial.world.chance.flip() ? keepNothing : keepByChance(trial.world.chance));
          const survived = visible(trial.world);
          expect(survived["/db/t/later"], where).toBe("later");
          if (trial.outcome.kind === "done") expect(survived, where).toMatchObject(scenario.after);
          for (const path of Object.keys(survived)) {
            if (path.includes("/v/")) expect([seen[path], scenario.before[path]], where).toContain(survived[path]);
          }
        }
      }
    }
  });
});

test("a file whose sync failed is never synced again, so that a false success cannot cover it", async () => {
  const world = simulate(1);
  const store = world.process().store("/db");
  await world.run(async () => {
    await store.write("x", [bytes("content")], RELAXED);
    world.onCall = (call) =>
      call.operation === "sync" && call.path === "/db/x" ? { fail: "EIO", when: "before" } : undefined;
    await expect(store.sync(["x"])).rejects.toMatchObject({ code: "UNAVAILABLE" });
    world.onCall = () => undefined;
    await expect(store.sync(["x"])).rejects.toThrow(/anew under another name/);
    await store.delete("x");
    await store.write("x", [bytes("again")], RELAXED);
    await store.sync(["x"]);
  });
  world.crash(keepNothing);
  expect(world.disk.tree()).toEqual({ "/db/x": "again" });
});

test("a write that fails on the way removes what it wrote", async () => {
  for (const operation of ["write", "sync", "close"]) {
    const world = simulate(1);
    const store = world.process().store("/db");
    await world.run(async () => {
      await store.write("t/kept", [bytes("kept")], DURABLE);
      world.onCall = (call) => (call.operation === operation ? { fail: "EIO", when: "before" } : undefined);
      await expect(store.write("t/x", [bytes("x")], DURABLE)).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await expect(store.stage("t/y", [bytes("y")], DURABLE)).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await expect(store.replace("t/z", [bytes("z")], DURABLE)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    });
    expect(world.disk.tree()).toEqual({ "/db/t/kept": "kept" });
  }
});

test("a link that was made but reported as failed is found by its inode and counts as created", async () => {
  for (const code of ["EIO", "EEXIST", "ESTALE"]) {
    const world = simulate(2);
    const store = world.process().store("/db");
    world.onCall = (call) => (call.operation === "link" ? { fail: code, when: "after" } : undefined);
    await world.run(async () => {
      const staged = await store.stage("v/1", [bytes("one")], DURABLE);
      expect(await staged.publish()).toBe("created");
    });
    world.crash(keepNothing);
    expect(world.disk.tree()).toEqual({ "/db/v/1": "one" });
  }
});

test("when even the look at the final name fails, the outcome is unknown and the temporary stays", async () => {
  const world = simulate(3);
  const store = world.process().store("/db");
  await world.run(async () => {
    const staged = await store.stage("v/1", [bytes("one")], DURABLE);
    world.onCall = (call) =>
      call.operation === "link" || call.operation === "statPath" ? { fail: "EIO", when: "after" } : undefined;
    await expect(staged.publish()).rejects.toMatchObject({ code: "UNKNOWN_OUTCOME", retry: "after-refresh" });
  });
  expect(Object.values(world.disk.tree())).toEqual(["one", "one"]);
});

test("a directory sync that fails after the link makes the outcome unknown, and deletes nothing", async () => {
  const world = simulate(4);
  const store = world.process().store("/db");
  await world.run(async () => {
    const staged = await store.stage("v/1", [bytes("one")], DURABLE);
    world.onCall = (call) => (call.operation === "sync" ? { fail: "EIO", when: "before" } : undefined);
    const failure = await staged.publish().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TableError);
    expect(failure).toMatchObject({ code: "UNKNOWN_OUTCOME" });
  });
  expect(world.disk.tree()["/db/v/1"]).toBe("one");
});

test("a full disk, a read-only one, too many open files and missing rights each say what to do", async () => {
  const advice = { ENOSPC: /Free some space/, EROFS: /read-only/, EMFILE: /ulimit/, EACCES: /user/, EDQUOT: /quota/ };
  for (const [code, sentence] of Object.entries(advice)) {
    const world = simulate(5);
    const store = world.process().store("/db");
    world.onCall = (call) => (call.operation === "openNew" ? { fail: code, when: "before" } : undefined);
    await world.run(async () => {
      const failure = store.write("x", [bytes("x")], DURABLE);
      await expect(failure).rejects.toThrow(sentence);
      await expect(failure).rejects.toMatchObject({
        code: "UNAVAILABLE",
        details: { path: "/db/x", systemCode: code },
      });
    });
  }
});

test("a file system without exclusive links, renames or directory sync is refused by name", async () => {
  const lacks: [string, string, RegExp][] = [
    ["link", "EPERM", /hard links/],
    ["sync", "EINVAL", /sync of (files|directories)/],
    ["rename", "ENOSYS", /atomic renaming/],
  ];
  for (const [operation, code, sentence] of lacks) {
    const world = simulate(6);
    const store = world.process().store("/db");
    world.onCall = (call) => (call.operation === operation ? { fail: code, when: "before" } : undefined);
    await world.run(async () => {
      const failure = store.probe();
      await expect(failure).rejects.toMatchObject({ code: "FS_UNSUPPORTED" });
      await expect(failure).rejects.toThrow(sentence);
    });
    expect([world.disk.tree(), world.openFiles]).toEqual([{}, 0]);
  }
});

test("a file system whose links or renames lie is refused by name", async () => {
  const lies: [string, (files: FileSystem) => FileSystem, RegExp][] = [
    [
      "links replace what has the name",
      (files) => ({
        ...files,
        link: async (existing, name) => {
          await files.unlink(name).catch(() => {});
          await files.link(existing, name);
        },
      }),
      /exclusive hard links/,
    ],
    [
      "links do nothing when the name is taken, and say that they did",
      (files) => ({ ...files, link: (existing, name) => files.link(existing, name).catch(() => {}) }),
      /exclusive hard links/,
    ],
    [
      "links are copies",
      (files) => ({ ...files, link: async (_existing, name) => (await files.openNew(name)).close() }),
      /true hard links/,
    ],
    ["renames do nothing", (files) => ({ ...files, rename: async () => {} }), /atomic renaming/],
  ];
  for (const [title, spoil, sentence] of lies) {
    const world = simulate(7);
    const process = world.process();
    const store = localStore("/db", { files: spoil(process.files), runtime: process.runtime });
    await world.run(async () => {
      await expect(store.probe(), title).rejects.toThrow(sentence);
    });
    expect([world.disk.tree(), world.openFiles]).toEqual([{}, 0]);
  }
});
