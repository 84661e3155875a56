/** The view of one directory is a store like any other, and what it does stays below that directory. */
import { expect, test } from "vitest";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { storeContract } from "../contract/store-contract.js";

storeContract("the view of one directory of a store", async () => ({
  store: within(memoryStore("test"), "t.lance"),
  close: async () => {},
}));

test("a view names its objects below its directory, and closing it leaves the store open", async () => {
  const store = memoryStore("test");
  const view = within(store, "t.lance");
  await view.write("data/x", [new Uint8Array(1)], { durable: true });
  expect(await store.head("t.lance/data/x")).toMatchObject({ sizeBytes: 1 });
  expect((await view.open("data/x")).path).toBe("data/x");
  await view.close();
  expect(await store.list("")).toEqual([{ name: "t.lance", kind: "directory" }]);
});
