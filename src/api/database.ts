/**
 * A place with tables, opened once per process however many connections point at it.
 *
 * Connections to one place share head, queue and caches of each table; the options of the connection that opens a
 * table first decide its queue and durability.
 */
import { branchNames } from "../chores/branch-files.js";
import { noQueueMetrics, type QueueMetrics } from "../commit/queue.js";
import { ReaderPool } from "../compute/readers/pool.js";
import { tableDirectory, tableNameOf, VERSIONS } from "../format/layout.js";
import type { ObjectStore } from "../store/contract.js";
import { openStore } from "../store/open.js";
import { isTableError, TableError } from "../support/errors.js";
import { Lock } from "../support/lock.js";
import { type ObservedMetrics, OpenTable, type TableLines } from "./open-table.js";
import type { Settings } from "./options.js";
import type { SysSource } from "./sys.js";

export interface DatabaseMetrics {
  /** The counters of all queues together. */
  readonly queue: QueueMetrics;
  /** By name of the table; of a branch, `{table}@{branch}`. */
  readonly tables: ReadonlyMap<string, ObservedMetrics>;
}

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
  #lock: Lock | undefined;
  #readers: ReaderPool | undefined;
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

  /** Lets go of the database: what was begun gets its answers, and the last one ends everything else. */
  async leave(): Promise<void> {
    const isLast = --this.#connections === 0;
    if (isLast) this.#onClose();
    const tables = [...this.#tables.values()];
    const closed = await Promise.allSettled(tables.map((table) => (isLast ? table.close() : table.settle())));
    if (isLast) {
      await this.#readers?.close();
      await this.store.close();
    }
    for (const one of closed) if (one.status === "rejected") throw one.reason;
  }

  metrics(): DatabaseMetrics {
    const tables = new Map(this.#opened().map((table) => [table.shared.name, table.metrics()]));
    const queue = noQueueMetrics();
    for (const one of tables.values()) {
      for (const name of Object.keys(queue) as (keyof QueueMetrics)[]) queue[name] += one.queue[name];
    }
    return { queue, tables };
  }

  /** What the system tables are made of. */
  sysSource(settings: Settings): SysSource {
    return {
      opened: () => this.#opened(),
      all: async () => {
        const lines = (await this.tableNames()).map((name) => this.#linesOf(name, settings));
        return (await Promise.all(lines)).flat();
      },
      locks: () =>
        [this.#lockOf(settings), ...this.#opened().map((table) => table.shared.publishing)].map((lock) =>
          lock.metrics(),
        ),
    };
  }

  /** A table and its branches; without those when nobody can tell which there are. */
  async #linesOf(name: string, settings: Settings): Promise<readonly OpenTable[]> {
    const main = this.table(name, settings);
    const branches = await branchNames(main.shared.store).catch(() => []);
    return [main, ...branches.map((branch) => this.table(name, settings, branch))];
  }

  /** Tables of which this process has seen a version. */
  #opened(): readonly OpenTable[] {
    return [...this.#tables.values()].filter((table) => table.shared.head !== undefined);
  }

  /** Makes durable what was acknowledged in the tables that this process has open. @throws UNAVAILABLE */
  async sync(): Promise<void> {
    await Promise.all(this.#opened().map((table) => table.shared.durable.sync()));
  }

  /** The state of a table, or of a branch of it, in this process, whether it exists or not. */
  table(name: string, settings: Settings, branch?: string): OpenTable {
    const key = branch === undefined ? name : `${name}@${branch}`;
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const lines: TableLines = {
      of: (other) => this.table(name, settings, other),
      exclusively: (operation, action) =>
        this.#lockOf(settings).runExclusive(`${operation} of table '${name}'`, action, settings.timeoutMs),
    };
    const table = new OpenTable(name, this.store, settings, this.#readersOf(settings), { branch, lines });
    this.#tables.set(key, table);
    return table;
  }

  /**
   * Proves once that the place keeps the promises that commits rely on: `auto` and `required` refuse a place that does
   * not; `required` also refuses one where it cannot be tried, such as a directory that may only be read.
   * @throws FS_UNSUPPORTED naming what is missing; UNAVAILABLE
   */
  async prove(settings: Settings, purpose: "create" | "open"): Promise<void> {
    const { coordinationMode } = settings;
    if (coordinationMode === "single_process_unsafe") return;
    this.#proof ??= this.store.probe();
    try {
      await this.#proof;
    } catch (error) {
      this.#proof = undefined;
      const untried = purpose === "open" && !isTableError(error, "FS_UNSUPPORTED");
      if (coordinationMode === "required" || !untried) throw error;
    }
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
  drop(name: string, settings: Settings): Promise<void> {
    const lock = this.#lockOf(settings);
    return lock.runExclusive(`drop of table '${name}'`, () => this.#drop(name, settings), settings.timeoutMs);
  }

  async #drop(name: string, settings: Settings): Promise<void> {
    const lines = [
      this.table(name, settings),
      ...[...this.#tables.values()].filter((one) => one.name === name && one.branch !== undefined),
    ];
    await Promise.all(lines.map((line) => line.idle()));
    if (!(await this.#exists(name))) {
      throw new TableError("NOT_FOUND", `Table '${name}' was not found in ${this.store.display}.`, {
        details: { table: name },
      });
    }
    await this.store.deleteTree(tableDirectory(name));
    for (const line of lines) line.shared.forget();
  }

  /** The threads that read for all tables; none where they could not open the files themselves. */
  #readersOf({ readers }: Settings): ReaderPool | undefined {
    if (readers === 0 || this.store.scheme !== "file") return undefined;
    this.#readers ??= new ReaderPool({ root: this.store.display, threads: readers });
    return this.#readers;
  }

  /** For what changes the list of tables; the outermost lock. */
  #lockOf({ runtime }: Settings): Lock {
    this.#lock ??= new Lock("database", this.uri, runtime);
    return this.#lock;
  }

  async #exists(name: string): Promise<boolean> {
    return (await this.store.list(tableDirectory(name))).length > 0;
  }

  async #hasVersion(name: string): Promise<boolean> {
    const entries = await this.store.list(`${tableDirectory(name)}/${VERSIONS}`);
    return entries.some((entry) => entry.name.endsWith(".manifest"));
  }
}
