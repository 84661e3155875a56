/** Processes that use one directory reach each other by a socket in it; here both ends are this process. */
import { existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Peer } from "../../src/store/contract.js";
import { localMeeting } from "../../src/store/local-meeting.js";

const root = mkdtempSync(join(tmpdir(), "joust-meeting-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** For what comes by itself: never waited for in full, on a slow machine neither. */
const SOON = { timeout: 30_000 };

let names = 0;
function place(...below: string[]): string {
  const directory = join(root, String(++names), ...below);
  mkdirSync(directory, { recursive: true });
  return join(directory, "leader");
}

/** A host that sends back what it gets. */
function echo(path: string, id = "1", takeOver = false) {
  return localMeeting.host(
    path,
    (peer) =>
      peer.listen(
        (message) => peer.send(message),
        () => {},
      ),
    id,
    takeOver,
  );
}

/** What a peer hears, and when it is over. */
function ear(peer: Peer) {
  const heard: Uint8Array[] = [];
  let over = false;
  peer.keepAlive(true);
  peer.listen(
    (message) => heard.push(message.slice()),
    () => {
      over = true;
    },
  );
  return { heard, isOver: () => over };
}

test("messages of every size arrive whole and in order", async () => {
  const path = place();
  const host = await echo(path);
  const peer = (await localMeeting.join(path))!;
  const { heard } = ear(peer);
  const sizes = [0, 1, 5, 100_000, 3, 2_000_000, 0, 17];
  const sent = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
  for (const message of sent) peer.send(message);
  await expect.poll(() => heard.length, SOON).toBe(sizes.length);
  expect(heard.map((message) => Buffer.from(message).equals(sent[heard.indexOf(message)]!))).not.toContain(false);
  peer.close();
  await host?.close();
});

test("nobody is found where nobody hosts, and where there is no directory", async () => {
  expect(await localMeeting.join(place())).toBeUndefined();
  expect(await localMeeting.join(join(root, "missing", "leader"))).toBeUndefined();
  expect(await echo(join(root, "missing", "leader"))).toBeUndefined();
  expect(existsSync(join(root, "missing"))).toBe(false);
});

test("the second who wants the name does not get it while the first answers, unless it takes it over", async () => {
  const path = place();
  const first = await echo(path, "1");
  expect(await echo(path, "2")).toBeUndefined();
  expect(await first?.isReached()).toBe(true);
  const third = await echo(path, "3", true);
  expect([await first?.isReached(), await third?.isReached()]).toEqual([false, true]);
  // Whoever was replaced takes nothing of its successor along.
  await first?.close();
  expect(await third?.isReached()).toBe(true);
  await third?.close();
  expect(readdirSync(join(path, ".."))).toEqual([]);
});

test("of many who want the name at once, one gets it", async () => {
  const path = place();
  const all = await Promise.all(Array.from({ length: 10 }, (_, i) => echo(path, `id${i}`)));
  const reached = await Promise.all(all.map(async (host) => (await host?.isReached()) === true));
  expect(reached.filter(Boolean)).toHaveLength(1);
  for (const host of all) await host?.close();
});

test("the socket of a process that died, and a file in its place, are replaced", async () => {
  const path = place();
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(`${path}.x`, resolve));
  linkSync(`${path}.x`, path);
  dead.close();
  expect(statSync(path).isSocket()).toBe(true);
  expect(await localMeeting.join(path)).toBeUndefined();
  const host = await echo(path);
  expect(await localMeeting.join(path)).toBeDefined();
  await host?.close();
  writeFileSync(path, "");
  expect(await (await echo(path))?.isReached()).toBe(true);
});

test("only the owner may connect", async () => {
  const path = place();
  const host = await echo(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await host?.close();
});

test.runIf(process.platform === "linux")("a path that is too long for a socket is reached all the same", async () => {
  const path = place("x".repeat(100), "y".repeat(100));
  const host = await echo(path);
  const { heard } = await (async () => {
    const peer = (await localMeeting.join(path))!;
    const listening = ear(peer);
    peer.send(Uint8Array.of(7));
    return listening;
  })();
  await expect.poll(() => heard.map((message) => [...message]), SOON).toEqual([[7]]);
  await host?.close();
  expect(readdirSync(join(path, ".."))).toEqual([]);
});

test("what was sent before the end arrives, and the end is heard", async () => {
  const path = place();
  const host = await localMeeting.host(
    path,
    (peer) => {
      peer.listen(
        () => {},
        () => {},
      );
      peer.send(Uint8Array.of(1));
      peer.close();
    },
    "1",
    false,
  );
  const { heard, isOver } = ear((await localMeeting.join(path))!);
  await expect.poll(isOver, SOON).toBe(true);
  expect(heard.map((message) => [...message])).toEqual([[1]]);
  await host?.close();
});

test("what is no message ends the connection", async () => {
  const path = place();
  const host = await echo(path);
  const { createConnection } = await import("node:net");
  const socket = createConnection(path);
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(Buffer.alloc(8, 0xff));
  await closed;
  await host?.close();
});
