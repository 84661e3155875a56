/** The hint follows the commits at a distance that a reader bridges name by name. */
import { expect, test } from "vitest";
import { HintWriter } from "../../src/commit/hint-writer.js";
import { decodeHint } from "../../src/format/hint.js";
import { HINT_PATH } from "../../src/format/layout.js";
import { memoryStore } from "../../src/store/memory.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";

const MANIFEST = "_versions/1.manifest";

async function bench() {
  const runtime = new HandRuntime();
  const store = memoryStore("", runtime);
  await store.write(MANIFEST, [new Uint8Array(1)], { durable: false });
  const writer = new HintWriter(store, runtime);
  let writes = 0;
  const replace = store.replace.bind(store);
  store.replace = (...args) => {
    writes++;
    return replace(...args);
  };
  return {
    runtime,
    store,
    writer,
    note: (version: number) => writer.note(version, MANIFEST),
    writes: () => writes,
    hint: async () => decodeHint(await store.get(HINT_PATH)),
  };
}

test("a row of commits writes it once for many versions, and a pause lets it catch up", async () => {
  const { runtime, note, writes, hint } = await bench();
  for (let version = 1; version <= 40; version++) {
    note(version);
    await turn();
    expect(version - ((await hint()) ?? 0)).toBeLessThan(16);
  }
  expect(writes()).toBe(3);
  await runtime.advance(50);
  expect(await hint()).toBe(40);
  expect(runtime.pending).toBe(0);
});

test("whoever closes the table waits until it has caught up", async () => {
  const { runtime, writer, note, hint } = await bench();
  for (const version of [1, 2, 3]) note(version);
  await writer.quiet();
  expect(await hint()).toBe(3);
  expect(runtime.pending).toBe(0);
});

test("a table that was made again gets its own small numbers", async () => {
  const { writer, note, hint } = await bench();
  note(100);
  await writer.quiet();
  note(1);
  await writer.quiet();
  expect(await hint()).toBe(1);
});

test("a failure is of no consequence", async () => {
  const { store, writer, note, hint } = await bench();
  const { replace } = store;
  store.replace = () => Promise.reject(new Error("disk full"));
  note(1);
  await writer.quiet();
  store.replace = replace;
  note(2);
  await writer.quiet();
  expect(await hint()).toBe(2);
});

test("a table that was removed meanwhile is not brought back", async () => {
  const { runtime, store, note } = await bench();
  note(1);
  await turn();
  note(2);
  await store.deleteTree("_versions");
  await runtime.advance(50);
  expect(await store.list("")).toEqual([]);
});

test("what another process has written is not written again, and is caught up with when it falls behind", async () => {
  const { runtime, writer, writes, hint } = await bench();
  for (let version = 40; version < 80; version += 4) {
    writer.note(version, MANIFEST, version - 3);
    await runtime.advance(10);
  }
  expect(writes()).toBe(0);
  writer.note(80, MANIFEST, 64);
  await turn();
  expect([writes(), await hint()]).toEqual([1, 80]);
  writer.note(81, MANIFEST, 80);
  await runtime.advance(50);
  expect([writes(), await hint(), runtime.pending]).toEqual([2, 81, 0]);
});
