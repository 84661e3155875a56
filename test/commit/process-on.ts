/** A process of its own on a store that several share: what it knows of a table is known to no other. */
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { type ConnectionOptions, settingsOf } from "../../src/api/options.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { systemRuntime } from "../../src/support/runtime.js";

/** Waits for nothing, and compacts nothing by itself. */
const QUICK: ConnectionOptions = {
  runtime: { ...systemRuntime, sleep: async () => {} },
  dataFormat: "arrow",
  maintenance: { auto: false },
};

export function processOn(store: ObjectStore, options: ConnectionOptions = {}): Connection {
  return new Connection(new Database(store, "memory://"), settingsOf({ ...QUICK, ...options }));
}
