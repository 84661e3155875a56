/**
 * A place with tables, opened once per process however many connections point at it.
 *
 * Connections to one place share head, queue and caches of each table; the options of the connection that opens a
 * table first decide its queue and durability.
 */
import { tableDirectory, tableNameOf, VERSIONS } from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import { openStore } from "../store/open.js";
import { TableError } from "../support/errors.js";
import { OpenTable } from "./open-table.js";
import type { Settings } from "./options.js";

const databases = new Map<string, Database>();

/** The database at `uri`; the same object for everybody in this process while it is open. */
export function openDatabase(uri: string, settings: Settings): Database {
  const store = openStore(uri, { runtime: settings.runtime });
  if (store.scheme === "memory") return new Database(store, uri);
  const key = `${store.scheme}:${store.display}`;
  const known = databases.get(key);
  if (known !== undefined) return known.join();
  const database = new Database(store, uri, () => databases.delete(key));
  databases.set(key, database);
  return database;
}

export class Database {
  readonly uri: string;
  readonly store: ObjectStore;
  readonly #onClose: () => void;
  readonly #tables = new Map<string, OpenTable>();
  #connections = 1;
  #proof: Promise<void> | undefined;

  constructor(store: ObjectStore, uri: string, onClose: () => void = () => {}) {
    this.store = store;
    this.uri = uri;
    this.#onClose = onClose;
  }

  join(): this {
    this.#connections++;
    return this;
  }

  /** Lets go of the database; the last one drains every queue. */
  async leave(): Promise<void> {
    if (--this.#connections > 0) return;
    this.#onClose();
    const closed = await Promise.allSettled([...this.#tables.values()].map((table) => table.close()));
    await this.store.close();
    for (const one of closed) if (one.status === "rejected") throw one.reason;
  }

  /** Makes durable what was acknowledged in the tables that this process has open. @throws UNAVAILABLE */
  async sync(): Promise<void> {
    const open = [...this.#tables.values()].filter((table) => table.shared.head !== undefined);
    await Promise.all(open.map((table) => table.shared.durable.sync()));
  }

  /** The state of a table in this process, whether the table exists or not. */
  table(name: string, settings: Settings): OpenTable {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const table = new OpenTable(name, this.store, settings);
    this.#tables.set(name, table);
    return table;
  }

  /** Proves once that the place keeps the promises that commits rely on. @throws FS_UNSUPPORTED */
  prove(settings: Settings): Promise<void> {
    if (settings.coordinationMode === "single_process_unsafe") return Promise.resolve();
    this.#proof ??= this.store.probe().catch((error: unknown) => {
      this.#proof = undefined;
      throw error;
    });
    return this.#proof;
  }

  /** Names of all tables in ascending order. A directory without a version is not a table yet. */
  async tableNames(): Promise<readonly string[]> {
    const names: string[] = [];
    for (const entry of await this.store.list("")) {
      const name = entry.kind === "directory" ? tableNameOf(entry.name) : undefined;
      if (name !== undefined && (await this.#hasVersion(name))) names.push(name);
    }
    return names;
  }

  /** @throws NOT_FOUND */
  async drop(name: string, settings: Settings): Promise<void> {
    const table = this.table(name, settings);
    await table.idle();
    if (!(await this.#exists(name))) {
      throw new TableError("NOT_FOUND", `Table '${name}' was not found in ${this.store.display}.`, {
        details: { table: name },
      });
    }
    await this.store.deleteTree(tableDirectory(name));
    table.shared.forget();
  }

  async #exists(name: string): Promise<boolean> {
    return (await this.store.list(tableDirectory(name))).length > 0;
  }

  async #hasVersion(name: string): Promise<boolean> {
    const entries = await this.store.list(`${tableDirectory(name)}/${VERSIONS}`);
    return entries.some((entry) => entry.name.endsWith(".manifest"));
  }
}
