/** The stores of the package, and the view of one directory, all keep the one contract. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localStore } from "../../src/store/local.js";
import { memoryStore } from "../../src/store/memory.js";
import { storeContract } from "../contract/store-contract.js";

storeContract("the local store on a real directory", async () => {
  const directory = await mkdtemp(join(tmpdir(), "joust-store-"));
  const store = localStore(join(directory, "not", "yet", "there"));
  return { store, close: () => rm(directory, { recursive: true }) };
});

storeContract("the memory store", async () => ({ store: memoryStore("test"), close: async () => {} }));
