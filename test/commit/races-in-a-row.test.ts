/**
 * A commit that loses several races in a row judges each winner once, and goes on from the newest version that it has
 * taken into account, whatever becomes of older ones.
 */
import { expect, test } from "vitest";
import { manifestPath } from "../../src/format/layout.js";
import { memoryStore } from "../../src/store/memory.js";
import { processOn } from "./process-on.js";
import { WrappedStore } from "./wrapped-store.js";

/** A table with ten rows at version 1, and a process of its own that loses a race for each of `winners`. */
async function losing(winners: readonly ((other: Awaited<ReturnType<typeof opened>>) => Promise<unknown>)[]) {
  const disk = new WrappedStore(memoryStore(""));
  const ids = Array.from({ length: 10 }, (_, id) => ({ id, n: 0 }));
  await processOn(disk).createTable("t", ids);
  const other = await opened(disk);
  const mine = new WrappedStore(disk);
  const table = await opened(mine);
  const left = [...winners];
  mine.hooks.before = async (call, path) => {
    if (call === "publish" && path.endsWith(".manifest")) await left.shift()?.(other);
  };
  mine.forget();
  return { disk, mine, table, other };
}

const opened = (store: WrappedStore) => processOn(store).openTable("t");

test("each winner is judged once, however many races are lost after it", async () => {
  const { table } = await losing([1, 2, 3].map((id) => (other) => other.delete(`id = ${id}`)));
  expect(await table.update({ where: "id = 7", values: { n: 1 } })).toMatchObject({ version: 5 });
  expect(table.metrics().conflicts.byPair).toMatchObject([{ operation: "update", winner: "delete", rebased: 3 }]);
  expect(await table.countRows()).toBe(7);
});

test("the error of one that fails names each winner once", async () => {
  const winners = [0, 1].map((i) => (other: Awaited<ReturnType<typeof opened>>) => other.add([{ id: 20 + i, n: 0 }]));
  const { table } = await losing([
    ...winners,
    (other) => other.updateFieldMetadata([{ path: "n", metadata: { unit: "m" } }]),
  ]);
  const failed = table.updateFieldMetadata([{ path: "n", metadata: { unit: "s" } }]);
  const error = await failed.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "CONFLICT" });
  const named = (error as { details: { winners: { version: number }[] } }).details.winners;
  expect(named.map(({ version }) => version)).toEqual([2, 3, 4]);
});

test("versions that it has taken into account may be cleaned up meanwhile: rows are not written anew", async () => {
  const { mine, table, disk } = await losing([
    (other) => other.add([{ id: 20, n: 0 }]),
    async (other) => {
      // Native LanceDB's cleanup, which knows of no leases.
      await disk.delete(`t.lance/${manifestPath(1, "v2")}`);
      await other.add([{ id: 21, n: 0 }]);
    },
  ]);
  expect(await table.add([{ id: 22, n: 0 }])).toMatchObject({ version: 4, attempts: 3 });
  expect(mine.count("write", "/data/")).toBe(1);
  expect(await table.countRows()).toBe(13);
});
