/** From the address of a database to its store. Knows plain paths, file:// and memory://. */
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { TableError } from "../support/errors.js";
import type { ObjectStore } from "./contract.js";
import { type LocalStoreOptions, localStore } from "./local.js";
import { memoryStore } from "./memory.js";

// One letter before the colon is a drive, not a scheme.
const SCHEME = /^([a-z][a-z0-9+.-]+):\/\//i;

/**
 * The store at `uri`; nothing is read or written yet. Each call for memory:// makes a new, empty store.
 * @throws INVALID_ARGUMENT for an address that names no place, NOT_SUPPORTED for a scheme without a store
 */
export function openStore(uri: string, options: LocalStoreOptions = {}): ObjectStore {
  if (typeof uri !== "string" || uri === "" || uri.includes("\0")) {
    throw new TableError("INVALID_ARGUMENT", "The address of a database is a path, file://... or memory://.", {
      details: { uri },
    });
  }
  const scheme = SCHEME.exec(uri)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return localStore(uri, options);
    case "file":
      return localStore(pathOf(uri), options);
    case "memory":
      return memoryStore(uri.slice("memory://".length), options.runtime);
    default:
      throw new TableError(
        "NOT_SUPPORTED",
        `There is no store for ${scheme}:// yet: use a path, file:// or memory://.`,
        {
          details: { uri },
        },
      );
  }
}

/** False for a local directory that does not exist: there is no database yet. */
export function placeExists(uri: string): boolean {
  const store = openStore(uri);
  return store.scheme !== "file" || (statSync(store.display, { throwIfNoEntry: false })?.isDirectory() ?? false);
}

function pathOf(uri: string): string {
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw new TableError("INVALID_ARGUMENT", `${uri} is no path on this machine: use file:///absolute/path.`, {
      details: { uri },
      cause,
    });
  }
}
