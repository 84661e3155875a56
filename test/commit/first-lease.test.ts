/** The lease of a table that was just made: there before its first write, and no condition for the table. */
import { expect, test } from "vitest";
import { listLeases } from "../../src/commit/lease-file.js";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { TableError } from "../../src/support/errors.js";
import { processOn } from "./process-on.js";
import { WrappedStore } from "./wrapped-store.js";

const ROWS = [{ id: 1 }];

function setUp() {
  const disk = new WrappedStore(memoryStore(""));
  const leases = () => listLeases(within(disk.inner, "t.lance"));
  const leaseWrites = () => disk.count("create", "/lease-") + disk.count("replace", "/lease-");
  return { disk, leases, leaseWrites };
}

test("the first write of a table that this process has made does not wait for a lease: it is there, and says what the write needs", async () => {
  const { disk, leases, leaseWrites } = setUp();
  const table = await processOn(disk).createTable("t", ROWS);
  expect((await leases()).map(({ content }) => content?.from)).toEqual([1]);
  expect(leaseWrites()).toBe(1);
  await table.add(ROWS);
  await table.delete("id = 1");
  expect(leaseWrites()).toBe(1);
});

test("a table is made where no lease can be written; the first write says why it cannot be, and works once it can", async () => {
  const { disk, leases } = setUp();
  let isFull = true;
  disk.hooks.before = (call, path) => {
    if (isFull && (call === "create" || call === "replace") && path.includes("/lease-")) {
      throw new TableError("UNAVAILABLE", "The disk is full: free some space.");
    }
  };
  const table = await processOn(disk).createTable("t", ROWS);
  expect(await table.countRows()).toBe(1);
  await expect(table.add(ROWS)).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringMatching(/Nothing was changed\. The disk is full: free some space\.$/),
  });
  expect(await leases()).toEqual([]);
  isFull = false;
  await table.add(ROWS);
  expect(await table.countRows()).toBe(2);
});

test("the lease goes with the connection, though the table was never written again", async () => {
  const { disk, leases } = setUp();
  const connection = processOn(disk);
  await connection.createTable("t", ROWS);
  expect(await leases()).toHaveLength(1);
  await connection.close();
  expect(await leases()).toEqual([]);
});

test("of two processes that make one table at once, the one that comes too late leaves no lease and no file behind", async () => {
  const { disk, leases } = setUp();
  const [early, late] = [processOn(disk), processOn(disk)];
  let inBetween: Promise<unknown> | undefined;
  disk.hooks.publish = async (path, publish) => {
    if (inBetween === undefined && path.endsWith(".manifest")) {
      inBetween = early.createTable("t", ROWS);
      await inBetween;
    }
    return publish();
  };
  await expect(late.createTable("t", [{ id: 2 }])).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  expect(await leases()).toHaveLength(1);
  expect(await disk.inner.list("t.lance/data")).toHaveLength(1);
  await early.close();
  expect(await leases()).toEqual([]);
  await late.close();
  expect(await leases()).toEqual([]);
});
