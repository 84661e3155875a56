/** The hint follows the commits at a distance that a reader bridges name by name. */
import { expect, test } from "vitest";
import { HintWriter } from "../../src/commit/hint-writer.js";
import { decodeHint } from "../../src/format/hint.js";
import { HINT_PATH } from "../../src/format/layout.js";
import { memoryStore } from "../../src/store/memory.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";

function bench() {
  const runtime = new HandRuntime();
  const store = memoryStore("", runtime);
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
    writes: () => writes,
    hint: async () => decodeHint(await store.get(HINT_PATH)),
  };
}

test("a row of commits writes it once for many versions, and a pause lets it catch up", async () => {
  const { runtime, writer, writes, hint } = bench();
  for (let version = 1; version <= 40; version++) {
    writer.note(version);
    await turn();
    expect(version - ((await hint()) ?? 0)).toBeLessThan(16);
  }
  expect(writes()).toBe(3);
  await runtime.advance(50);
  expect(await hint()).toBe(40);
  expect(runtime.pending).toBe(0);
});

test("whoever closes the table waits until it has caught up", async () => {
  const { runtime, writer, hint } = bench();
  for (const version of [1, 2, 3]) writer.note(version);
  await writer.quiet();
  expect(await hint()).toBe(3);
  expect(runtime.pending).toBe(0);
});

test("a table that was made again gets its own small numbers", async () => {
  const { writer, hint } = bench();
  writer.note(100);
  await writer.quiet();
  writer.note(1);
  await writer.quiet();
  expect(await hint()).toBe(1);
});

test("a failure is of no consequence", async () => {
  const { store, writer, hint } = bench();
  const { replace } = store;
  store.replace = () => Promise.reject(new Error("disk full"));
  writer.note(1);
  await writer.quiet();
  store.replace = replace;
  writer.note(2);
  await writer.quiet();
  expect(await hint()).toBe(2);
});
