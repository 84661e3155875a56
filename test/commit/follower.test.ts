/** When a follower gives its leader up: after a silence that was the leader's, not after one that was its own. */
import { expect, test } from "vitest";
import { Follower } from "../../src/commit/follower.js";
import { encode, type FromLeader } from "../../src/commit/messages.js";
import type { Peer } from "../../src/store/contract.js";
import { HandRuntime } from "../support/hand-runtime.js";

/** A follower that has asked something, and what its leader sends. */
function setUp() {
  const runtime = new HandRuntime();
  let onMessage: (message: Uint8Array) => void = () => {};
  let turns = 0;
  const waiting = new Map<number, FromLeader>();
  // A turn of the event loop brings what lies in the socket.
  runtime.yield = async () => {
    const message = waiting.get(++turns);
    if (message !== undefined) onMessage(encode(message));
  };
  const peer: Peer = {
    listen: (receive) => {
      onMessage = receive;
    },
    send: () => {},
    keepAlive: () => {},
    close: () => {},
  };
  const follower = new Follower(peer, runtime);
  const send = (message: FromLeader) => onMessage(encode(message));
  send({ kind: "hello", head: 3 });
  const answers: unknown[] = [];
  void follower.commit("x").then((answer) => answers.push(answer));
  return { runtime, follower, send, answers, waiting };
}

test.each([1, 2])(
  "who was asleep itself hears what came meanwhile in turn %i of the event loop before it blames the leader",
  async (turn) => {
    const { runtime, follower, send, answers, waiting } = setUp();
    waiting.set(turn, { kind: "alive" });
    await runtime.advance(1000);
    expect(follower.isOver).toBe(false);
    send({ kind: "answer", id: 0, answer: "done" });
    await runtime.advance(0);
    expect(answers).toEqual(["done"]);
  },
);

test("an answer that came while it was asleep is taken", async () => {
  const { runtime, follower, answers, waiting } = setUp();
  waiting.set(2, { kind: "answer", id: 0, answer: "done" });
  await runtime.advance(1000);
  expect(answers).toEqual(["done"]);
  expect(follower.isOver).toBe(false);
  await runtime.advance(1000);
  expect(follower.isOver, "nothing is waited for").toBe(false);
});

test("a leader that had nothing to say for long, because nothing was asked, has its whole time to answer", async () => {
  const { runtime, follower, send } = setUp();
  send({ kind: "answer", id: 0, answer: "done" });
  await runtime.advance(10_000);
  const answer = follower.commit("y");
  await runtime.advance(150);
  expect(follower.isOver).toBe(false);
  send({ kind: "answer", id: 1, answer: "again" });
  expect(await answer).toBe("again");
});

test("a leader that shows signs of life is waited for however long it takes; a silent one ends every question", async () => {
  const { runtime, follower, send, answers } = setUp();
  for (let i = 0; i < 100; i++) {
    await runtime.advance(80);
    send({ kind: "alive" });
  }
  expect([follower.isOver, answers]).toEqual([false, []]);
  await runtime.advance(150);
  expect([follower.isOver, answers]).toEqual([false, []]);
  await runtime.advance(50);
  expect([follower.isOver, answers]).toEqual([true, [undefined]]);
  expect(await follower.commit("y"), "whoever asks afterwards").toBeUndefined();
});
