/** For whom a leader waits before it commits, and how long. */
import { expect, test } from "vitest";
import { Leader } from "../../src/commit/leader.js";
import { encode } from "../../src/commit/messages.js";
import type { Peer } from "../../src/store/contract.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";

const COMMIT_MS = 100;

/** A leader whose commits take a tenth of a second; a follower that asks and is answered when it is told. */
function setUp() {
  const runtime = new HandRuntime();
  const answering: (() => void)[] = [];
  const service = {
    commit: () => new Promise<unknown>((resolve) => answering.push(() => resolve("done"))),
    turn: async () => {},
    head: () => 1,
    commitMs: () => COMMIT_MS,
  };
  const leader = new Leader(runtime, service);
  const join = () => {
    let receive: (message: Uint8Array) => void = () => {};
    let leave = () => {};
    const peer: Peer = {
      listen: (onMessage, onEnd) => {
        receive = onMessage;
        leave = onEnd;
      },
      send: () => {},
      keepAlive: () => {},
      close: () => {},
    };
    leader.accept(peer);
    let id = 0;
    const ask = () => receive(encode({ kind: "commit", id: id++, writes: [] }));
    /** Asks, and is answered; asks again after each of the pauses. */
    const askAfter = async (...pausesMs: readonly number[]) => {
      for (const pauseMs of [0, ...pausesMs]) {
        await runtime.advance(pauseMs);
        ask();
        answering.pop()?.();
        await turn();
      }
    };
    return { ask, askAfter, leave: () => leave() };
  };
  /** Begins to wait; what comes back tells whether it still does. */
  const wait = () => {
    let isWaiting = true;
    void leader.company().then(() => {
      isWaiting = false;
    });
    return async () => {
      await turn();
      return isWaiting;
    };
  };
  return { runtime, join, wait };
}

test("those who have just been answered and ask again within a commit are waited for until the last has asked", async () => {
  const { join, wait } = setUp();
  const [a, b] = [join(), join()];
  await a.askAfter(5, 5);
  await b.askAfter(5, 5);
  const isWaiting = wait();
  expect(await isWaiting()).toBe(true);
  a.ask();
  expect(await isWaiting(), "one of two").toBe(true);
  b.ask();
  expect(await isWaiting()).toBe(false);
});

test("a pause of nearly a whole commit is waited for, and no longer than that", async () => {
  const { runtime, join, wait } = setUp();
  await join().askAfter(0.9 * COMMIT_MS, 0.9 * COMMIT_MS);
  const isWaiting = wait();
  await runtime.advance(0.95 * COMMIT_MS);
  expect(await isWaiting()).toBe(true);
  await runtime.advance(0.1 * COMMIT_MS);
  expect(await isWaiting()).toBe(false);
});

test("nobody is waited for who pauses for longer than a commit, was answered a commit ago, or has gone", async () => {
  const { runtime, join, wait } = setUp();
  await join().askAfter(1.2 * COMMIT_MS, 1.2 * COMMIT_MS);
  expect(await wait()(), "a long pause").toBe(false);
  await join().askAfter(5, 5);
  await runtime.advance(1.2 * COMMIT_MS);
  expect(await wait()(), "an old answer").toBe(false);
  const last = join();
  await last.askAfter(5, 5);
  const isWaiting = wait();
  expect(await isWaiting()).toBe(true);
  last.leave();
  expect(await isWaiting(), "gone").toBe(false);
});

test("who asks for the first time is not waited for: nobody knows whether it asks again", async () => {
  const { join, wait } = setUp();
  await join().askAfter();
  expect(await wait()()).toBe(false);
});
