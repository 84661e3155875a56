/** Who leads: found, elected, replaced when it sleeps, gone when nobody needs it. In a simulated world. */
import { expect, test } from "vitest";
import { Contention } from "../../src/commit/contention.js";
import { LEADER_PATH, Leadership } from "../../src/commit/leadership.js";
import { memoryStore } from "../../src/store/memory.js";
import type { SimulatedProcess } from "../sim/process.js";
import { simulate, type World } from "../sim/world.js";
import { HandRuntime } from "../support/hand-runtime.js";

const ROOT = "/db/t.lance";

/** A process that leads or follows; its service answers `name:what was asked`. */
function member(world: World, name: string, service: { commit?: (writes: unknown) => Promise<unknown> } = {}) {
  const process = world.process(name);
  let turns = Promise.resolve();
  const leadership = new Leadership(process.store(ROOT), process.runtime, {
    commit: service.commit ?? (async (writes) => `${name}:${writes}`),
    turn: (action) => {
      turns = turns.then(action);
      return turns;
    },
    head: () => 5,
    commitMs: () => 2,
  });
  const ask = async (what: string) => (await leadership.follow())?.commit(what);
  return { process, leadership, ask };
}

function sleepFor(world: World, process: SimulatedProcess, ms: number): void {
  process.stoppedUntilMs = world.nowMs + ms;
}

test("of several processes that ask at once one leads, the others write through it and know what it had before", async () => {
  const world = simulate(1);
  const members = ["a", "b", "c", "d"].map((name) => member(world, name));
  await world.run(async () => {
    const followed = await Promise.all(members.map(({ leadership }) => leadership.follow()));
    expect(followed.filter((leader) => leader === undefined)).toHaveLength(1);
    const leader = ["a", "b", "c", "d"][followed.indexOf(undefined)];
    const answers = await Promise.all(members.map(({ ask }) => ask("x")));
    expect(answers.filter((answer) => answer === `${leader}:x`)).toHaveLength(3);
    for (const one of followed) expect(one?.after ?? 5).toBe(5);
  });
});

test("turns come one after the other, and one that is not ended is over after a while", async () => {
  const world = simulate(2);
  const [a, b, c] = ["a", "b", "c"].map((name) => member(world, name)) as [
    ReturnType<typeof member>,
    ReturnType<typeof member>,
    ReturnType<typeof member>,
  ];
  await world.run(async () => {
    await a.leadership.follow();
    const first = await (await b.leadership.follow())?.turn();
    let second: (() => void) | undefined;
    const waiting = (async () => {
      second = await (await c.leadership.follow())?.turn();
    })();
    await c.process.runtime.sleep(100);
    expect([typeof first, second]).toEqual(["function", undefined]);
    first?.();
    await waiting;
    expect(second).toBeTypeOf("function");
    const startedMs = world.nowMs;
    await (await b.leadership.follow())?.turn();
    expect(world.nowMs - startedMs).toBeGreaterThan(100);
  });
});

test("a leader that is only slow is waited for; one that sleeps is left, and replaced by the next who asks", async () => {
  const world = simulate(3);
  const a = member(world, "a", {
    commit: async (writes) => {
      await a.process.runtime.sleep(2000);
      return `slow:${writes}`;
    },
  });
  const b = member(world, "b");
  const c = member(world, "c");
  await world.run(async () => {
    await a.leadership.follow();
    expect(await b.ask("1")).toBe("slow:1");
    const asked = b.ask("2");
    await b.process.runtime.sleep(10);
    sleepFor(world, a.process, 5000);
    const startedMs = world.nowMs;
    expect(await asked).toBeUndefined();
    expect(world.nowMs - startedMs).toBeLessThan(400);
    expect(await b.leadership.follow()).toBeUndefined();
    expect(await c.ask("3")).toBe("b:3");
  });
});

test("who was asleep itself does not blame the leader", async () => {
  const world = simulate(4);
  const a = member(world, "a");
  const b = member(world, "b");
  await world.run(async () => {
    await a.leadership.follow();
    expect(await b.ask("1")).toBe("a:1");
    const asked = b.ask("2");
    sleepFor(world, b.process, 1000);
    expect(await asked).toBe("a:2");
    expect(await b.ask("3")).toBe("a:3");
  });
});

test("a leader that was replaced while it slept finds out when it doubts, and follows", async () => {
  const world = simulate(5);
  const a = member(world, "a");
  const b = member(world, "b");
  await world.run(async () => {
    await a.leadership.follow();
    expect(await b.ask("1")).toBe("a:1");
    await a.leadership.doubt();
    expect(a.leadership.isFollowed).toBe(true);
    sleepFor(world, a.process, 1000);
    expect(await b.ask("2")).toBeUndefined();
    await b.leadership.follow();
    await b.process.runtime.sleep(1500);
    await a.leadership.doubt();
    expect(await a.ask("3")).toBe("b:3");
  });
});

test("whoever is killed ends what was asked at once, and another one leads", async () => {
  const world = simulate(6);
  const a = member(world, "a", { commit: () => new Promise(() => {}) });
  const b = member(world, "b");
  const c = member(world, "c");
  await world.run(async () => {
    await a.leadership.follow();
    const asked = b.ask("1");
    await b.process.runtime.sleep(20);
    const startedMs = world.nowMs;
    a.process.kill();
    expect(await asked).toBeUndefined();
    expect(world.nowMs - startedMs).toBeLessThan(20);
    await b.leadership.follow();
    expect(await c.ask("2")).toBe("b:2");
  });
});

test("who writes nothing of its own for a while hands the lead back, after what it was asked for", async () => {
  const world = simulate(7);
  const a = member(world, "a");
  const b = member(world, "b");
  await world.run(async () => {
    await a.leadership.follow();
    expect(await b.ask("1")).toBe("a:1");
    await b.process.runtime.sleep(1500);
    expect(await b.ask("2")).toBe("a:2");
    await b.process.runtime.sleep(50);
    expect(await b.leadership.follow()).toBeUndefined();
    expect(await a.ask("3")).toBe("b:3");
  });
});

test("bytes of another protocol are not followed and not served", async () => {
  const world = simulate(8);
  const stranger = world.process("stranger");
  const b = member(world, "b");
  await world.run(async () => {
    const host = await stranger.store(ROOT).host?.(
      LEADER_PATH,
      (peer) => {
        peer.listen(
          () => {},
          () => {},
        );
        peer.send(Uint8Array.of(1, 2, 3));
      },
      false,
    );
    expect(await b.leadership.follow()).toBeUndefined();
    // It leads by itself then: the stranger's name was taken over.
    expect(await host?.isReached()).toBe(false);
    const peer = await stranger.store(ROOT).join?.(LEADER_PATH);
    let over = false;
    peer?.listen(
      () => {},
      () => {
        over = true;
      },
    );
    peer?.send(Uint8Array.of(9));
    await stranger.runtime.sleep(50);
    expect(over).toBe(true);
  });
});

test("whose name is taken away again and again before anybody follows is on a machine of its own, and stops for a while", async () => {
  const runtime = new HandRuntime();
  let hosted = 0;
  const store = memoryStore("t", runtime);
  store.host = async () => {
    hosted++;
    return { isReached: async () => false, close: async () => {} };
  };
  store.join = async () => undefined;
  const service = { commit: async () => [], turn: async () => {}, head: () => 0, commitMs: () => 2 };
  const leadership = new Leadership(store, runtime, service);
  for (let loss = 0; loss < 10; loss++) {
    expect(await leadership.follow()).toBeUndefined();
    await leadership.doubt();
  }
  expect([hosted, leadership.isApart]).toEqual([3, true]);
  await runtime.advance(31_000);
  await leadership.follow();
  expect([hosted, leadership.isApart]).toEqual([4, false]);
});

test("a process that has a turn needs no second one: its commits would wait for each other", async () => {
  const world = simulate(9);
  const a = member(world, "a");
  const b = member(world, "b");
  await world.run(async () => {
    await a.leadership.follow();
    const contention = new Contention(b.process.runtime);
    contention.meet(b.leadership);
    await contention.beforeRetry(1);
    const first = await contention.turn();
    const startedMs = world.nowMs;
    const second = await contention.turn();
    expect([first.isExclusive, second.isExclusive]).toEqual([true, false]);
    expect(world.nowMs - startedMs).toBeLessThan(10);
    first.end();
    first.end();
    expect((await contention.turn()).isExclusive).toBe(true);
  });
});
