/** A version that was committed and cleaned up before its writer looked at it again was committed. */
import { expect, test } from "vitest";
import { RETIRED_PATH } from "../../src/commit/boundary.js";
import { manifestPath } from "../../src/format/layout.js";
import { memoryStore } from "../../src/store/memory.js";
import { processOn } from "./process-on.js";
import { WrappedStore } from "./wrapped-store.js";

test.each([
  ["removed", true],
  ["announced to go", false],
] as const)("a writer whose version is %s before it looks again is told of its success", async (_what, isGone) => {
  const disk = new WrappedStore(memoryStore(""));
  const other = await processOn(disk).createTable("t", [{ id: 1 }]);
  const mine = new WrappedStore(disk);
  const table = await processOn(mine).openTable("t");
  mine.hooks.publish = async (path, publish) => {
    const outcome = await publish();
    if (!path.endsWith(manifestPath(2, "v2"))) return outcome;
    for (const id of [3, 4]) await other.add([{ id }]);
    // A vacuum that took this process for dead.
    const boundary = new TextEncoder().encode('{"upTo":3,"kept":[],"expelled":[]}');
    await disk.write(`t.lance/${RETIRED_PATH}`, [boundary], { durable: false });
    for (const version of isGone ? [1, 2, 3] : [1]) await disk.delete(`t.lance/${manifestPath(version, "v2")}`);
    return outcome;
  };
  expect(await table.add([{ id: 2 }])).toMatchObject({ version: 2, attempts: 1 });
  const ids = async () => (await table.query().toArray()).map((row) => row.id as number).sort();
  expect(await ids()).toEqual([1, 2, 3, 4]);
  expect(await table.add([{ id: 5 }])).toMatchObject({ version: 5 });
  expect(await ids()).toEqual([1, 2, 3, 4, 5]);
});
