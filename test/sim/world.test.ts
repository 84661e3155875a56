/** The simulated world: one seed, one log; kills, faults, clocks. And planted bugs, which it has to find. */
import { describe, expect, test } from "vitest";
import type { FileSystem } from "../../src/store/files.js";
import { localStore } from "../../src/store/local.js";
import { storeContract } from "../contract/store-contract.js";
import { keepNothing, simulate } from "./world.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const DURABLE = { durable: true };

storeContract("the local store on a simulated disk", async () => {
  const world = simulate(1);
  const stop = world.drive();
  return { store: world.process().store("/not/yet/there"), close: async () => stop() };
});

describe("a simulated world", () => {
  async function race(seed: number) {
    const world = simulate(seed);
    const outcomes = await world.run(() =>
      Promise.all(
        Array.from({ length: 4 }, (_, i) => {
          const process = world.process();
          return process.spawn(async () => {
            await process.runtime.sleep(process.runtime.random() * 2);
            return process.store("/db").create("t/v", [bytes(`writer ${i}`)], DURABLE);
          });
        }),
      ),
    );
    await world.settle();
    return { log: world.log, winner: world.disk.tree()["/db/t/v"], outcomes };
  }

  test("gives one log for one seed, and other seeds other schedules with other winners", async () => {
    const winners = new Set<string | undefined>();
    const logs = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const first = await race(seed);
      expect((await race(seed)).log).toEqual(first.log);
      expect(first.outcomes.filter((each) => each.kind === "done" && each.value === "created")).toHaveLength(1);
      winners.add(first.winner);
      logs.add(first.log.join("\n"));
    }
    expect(winners.size).toBe(4);
    expect(logs.size).toBe(20);
  });

  test("lets sleepers wake in the order of their times without anybody waiting", async () => {
    const world = simulate(3);
    const { runtime } = world.process();
    const order: number[] = [];
    const started = performance.now();
    await world.run(async () => {
      await Promise.all([50_000, 10, 5_000].map((ms) => runtime.sleep(ms).then(() => order.push(ms))));
      runtime.timer(1, () => order.push(-1)).cancel();
      await runtime.sleep(5);
      await runtime.yield();
    });
    expect(order).toEqual([10, 5_000, 50_000]);
    expect(runtime.monotonicMs()).toBeGreaterThan(50_000);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test("ends a sleep by its signal", async () => {
    const world = simulate(4);
    const { runtime } = world.process();
    const controller = new AbortController();
    await world.run(async () => {
      const sleeping = runtime.sleep(1_000, controller.signal);
      controller.abort("enough");
      await expect(sleeping).rejects.toBe("enough");
    });
  });

  test("says so when nothing is left that could wake the program", async () => {
    await expect(simulate(5).run(() => new Promise(() => {}))).rejects.toThrow(/deadlock/);
  });

  test("kills one process at a call while the others go on", async () => {
    const world = simulate(6);
    const [victim, other] = [world.process("victim"), world.process("other")];
    world.onCall = (call) => (call.process === "victim" && call.operation === "sync" ? { kill: "before" } : undefined);
    const outcomes = await world.run(() =>
      Promise.all(
        [victim, other].map((process) =>
          process.spawn(() => process.store("/db").write(process.name, [bytes("x")], DURABLE)),
        ),
      ),
    );
    expect(outcomes).toEqual([{ kind: "killed" }, { kind: "done", value: undefined }]);
    expect([victim.alive, other.alive, world.openFiles]).toEqual([false, true, 0]);
    await world.settle();
  });

  test("fails a call before or after its effect, once or for good", async () => {
    const world = simulate(7);
    const { files } = world.process();
    await world.run(async () => {
      world.onCall = () => ({ fail: "EIO", when: "before" });
      await expect(files.mkdir("/d")).rejects.toMatchObject({ code: "EIO" });
      await expect(files.mkdir("/d")).rejects.toMatchObject({ code: "EIO" });
      expect(world.disk.find("/d")).toBeUndefined();
      world.onCall = () => ({ fail: "EIO", when: "after" });
      await expect(files.mkdir("/d")).rejects.toMatchObject({ code: "EIO" });
      expect(world.disk.find("/d")).toBeDefined();
      await expect(files.openDirectory("/d")).rejects.toMatchObject({ code: "EIO" });
      expect(world.openFiles).toBe(0);
    });
  });

  test("cuts the power at a call: every process ends, what was not synced is lost, and a new process starts", async () => {
    const world = simulate(10);
    const [one, two] = [world.process(), world.process()];
    await world.run(() => one.store("/db").write("safe", [bytes("x")], DURABLE));
    world.onCall = (call) => (call.path.endsWith("late") ? { powerCut: "after", keep: keepNothing } : undefined);
    const outcomes = await world.run(() =>
      Promise.all([
        one.spawn(() => one.store("/db").write("late", [bytes("x")], DURABLE)),
        two.spawn(() => two.runtime.sleep(1_000_000)),
      ]),
    );
    expect(outcomes.map((each) => each.kind)).toEqual(["killed", "killed"]);
    expect(await world.run(() => world.process().store("/db").list(""))).toEqual([{ name: "safe", kind: "object" }]);
    expect(world.disk.tree()).toEqual({ "/db/safe": "x" });
  });

  test("tears the write during which a process is killed", async () => {
    const world = simulate(8);
    const process = world.process();
    world.onCall = (call) => (call.operation === "write" ? { kill: "torn" } : undefined);
    await world.run(() => process.spawn(() => process.store("/db").write("o", [bytes("abcdef")], DURABLE)));
    expect(world.disk.tree()).toEqual({ "/db/o": "abc" });
  });
});

describe("planted bugs that the simulated disk has to find", () => {
  /** What an acknowledged, durable write is worth after a power cut, when `spoil` broke the calls below the store. */
  async function survives(spoil: (files: FileSystem) => FileSystem): Promise<boolean> {
    const world = simulate(9);
    const process = world.process();
    const store = localStore("/db", { files: spoil(process.files), runtime: process.runtime });
    await world.run(async () => {
      await store.write("t/data/x", [bytes("x")], DURABLE);
      await store.create("t/v/1", [bytes("one")], DURABLE);
    });
    world.crash(keepNothing);
    const tree = world.disk.tree();
    return tree["/db/t/data/x"] === "x" && tree["/db/t/v/1"] === "one";
  }

  test("none: the store as it is keeps its word", async () => {
    expect(await survives((files) => files)).toBe(true);
  });

  test("a store that forgets to sync files", async () => {
    const spoiled = (files: FileSystem): FileSystem => ({
      ...files,
      openNew: async (path) => {
        const handle = await files.openNew(path);
        return {
          stat: () => handle.stat(),
          write: (chunks) => handle.write(chunks),
          read: (into, position) => handle.read(into, position),
          sync: async () => {},
          close: () => handle.close(),
        };
      },
    });
    expect(await survives(spoiled)).toBe(false);
  });

  test("a store that forgets to sync one directory, whichever it is", async () => {
    for (const forgotten of ["/db/t/v", "/db/t/data", "/db/t", "/db", "/"]) {
      const spoiled = (files: FileSystem): FileSystem => ({
        ...files,
        openDirectory: async (path) => {
          const handle = await files.openDirectory(path);
          const sync = path === forgotten ? async () => {} : () => handle.sync();
          return {
            stat: () => handle.stat(),
            write: (chunks) => handle.write(chunks),
            read: (into, position) => handle.read(into, position),
            sync,
            close: () => handle.close(),
          };
        },
      });
      expect(await survives(spoiled), forgotten).toBe(false);
    }
  });
});
