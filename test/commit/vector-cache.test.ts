/** How much memory the deletion vectors of a table take: so many bytes, however many fragments and rows it has. */
import { expect, test } from "vitest";
import { SharedTable } from "../../src/commit/shared-table.js";
import { encodeDeletionVector } from "../../src/format/deletion-file.js";
import { DeletionVector } from "../../src/format/deletion-vector.js";
import type { Fragment } from "../../src/format/fragment.js";
import { deletionPath } from "../../src/format/layout.js";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { processOn } from "./process-on.js";
import { WrappedStore } from "./wrapped-store.js";

/** A table with `count` fragments, of each of which the first `rows` rows are gone. */
async function world(count: number, rows: number) {
  const store = new WrappedStore(memoryStore(""));
  const bytes = encodeDeletionVector(DeletionVector.of(Uint32Array.from({ length: rows }, (_, i) => i)));
  const fragments: Fragment[] = [];
  for (let id = 0; id < count; id++) {
    const deletionFile = { kind: "bitmap", readVersion: 1, id: BigInt(id), deletedRows: rows } as const;
    await store.write(deletionPath(id, deletionFile), [bytes], { durable: false });
    fragments.push({ id, files: [], physicalRows: rows + 1, deletionFile });
  }
  const table = new SharedTable("t", store, systemRuntime);
  for (const fragment of fragments) expect((await table.deletions(fragment))?.size).toBe(rows);
  store.forget();
  return { table, fragments, store };
}

test("vectors of more than 64 MiB are not all kept: the one used longest ago is read again", async () => {
  const { table, fragments, store } = await world(17, 1 << 20);
  await table.deletions(fragments.at(-1)!);
  expect(store.count("get")).toBe(0);
  await table.deletions(fragments[0]!);
  expect(store.count("get")).toBe(1);
});

test("small vectors of many thousand fragments are kept", async () => {
  const { table, fragments, store } = await world(6000, 1);
  await table.deletions(fragments[0]!);
  expect(store.count("get")).toBe(0);
});

test("vectors that later versions replaced are forgotten, however small: a table that changes for long takes no memory", async () => {
  const disk = new WrappedStore(memoryStore(""));
  const rows = Array.from({ length: 400 }, (_, id) => ({ id }));
  const other = await processOn(disk).createTable("t", rows);
  const view = new WrappedStore(within(disk, "t.lance"));
  const shared = new SharedTable("t", view, systemRuntime);
  const held: Fragment[] = [];
  for (let id = 0; id < 300; id++) {
    await other.delete(`id = ${id}`);
    const [fragment] = (await shared.refresh()).manifest.fragments;
    expect((await shared.deletions(fragment!))?.size).toBe(id + 1);
    held.push(fragment!);
  }
  view.forget();
  await shared.deletions(held.at(-1)!);
  expect(view.count("get"), "the head's vector").toBe(0);
  for (const fragment of held.slice(-100)) await shared.deletions(fragment);
  expect(view.count("get"), "vectors of versions that readers may still hold").toBe(0);
  await shared.deletions(held[0]!);
  expect(view.count("get"), "the oldest vector").toBe(1);
});

test("a new version makes nobody read again what it took over, however many fragments with deletions there are", async () => {
  const disk = new WrappedStore(memoryStore(""));
  const other = await processOn(disk).createTable("t", [{ id: 0 }, { id: 1 }]);
  for (let i = 0; i < 300; i++) await other.add([{ id: 0 }, { id: 1 }]);
  await other.delete("id = 0");
  const view = new WrappedStore(within(disk, "t.lance"));
  const shared = new SharedTable("t", view, systemRuntime);
  for (const fragment of (await shared.refresh()).manifest.fragments) await shared.deletions(fragment);
  expect(view.count("get", "_deletions")).toBe(301);
  await other.add([{ id: 2 }]);
  view.forget();
  const { fragments } = (await shared.refresh()).manifest;
  expect(fragments.length).toBe(302);
  for (const fragment of fragments) await shared.deletions(fragment);
  expect(view.count("get", "_deletions")).toBe(0);
});
