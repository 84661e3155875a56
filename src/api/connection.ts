/** A connection: the tables of one place, by name. Names, arguments and results are LanceDB's. */
import type { Schema } from "apache-arrow";
import { planOverwrite } from "../change/overwrite.js";
import type { TableWrite } from "../change/write.js";
import { type Diagnosis, type DoctorOptions, doctor } from "../chores/doctor.js";
import { createFirstVersion } from "../commit/create.js";
import { DURABILITY_PROPERTY } from "../commit/durability.js";
import type { DataFormat } from "../data/codec.js";
import { CODECS, codecFor } from "../data/codecs.js";
import { adoptSchema, type SchemaLike } from "../data/columns/adopt.js";
import { checkTableName } from "../format/layout.js";
import { TableError } from "../support/errors.js";
import { readTwice } from "./append.js";
import { atLeast, type OptionKeys, optionsOf, shown, textOf } from "./arguments.js";
import { openLine } from "./branches.js";
import { checkMetadata } from "./commit-metadata.js";
import { type Database, type DatabaseMetrics, openDatabase } from "./database.js";
import { Findings } from "./findings.js";
import { type Input, type InputData, readInput } from "./input.js";
import { checkNamespace, type Namespace, splitNamespace } from "./namespace.js";
import { dataFormatOf, type OpenTable } from "./open-table.js";
import { type ConnectionOptions, checkDataFormat, type Settings, settingsOf, wantsStableRowIds } from "./options.js";
import type { Query } from "./query.js";
import { type SysTable, sysQuery } from "./sys.js";
import { Table } from "./table.js";
import {
  CREATE_TABLE,
  type CreateTableOptions,
  OPEN_TABLE,
  type OpenTableOptions,
  TABLE_NAMES,
  type TableNamesOptions,
} from "./table-options.js";
import { UnbuiltConnection } from "./unbuilt.js";

const DOCTOR: OptionKeys<DoctorOptions> = { table: true, fix: true, deep: true, progress: true };

/** What is settled for a table when it is made. */
interface TableKind {
  readonly dataFormat: DataFormat;
  readonly stableRowIds: boolean;
  /** What the caller says of the first version. */
  readonly said: ReadonlyMap<string, string> | undefined;
}

/**
 * Opens a database: a directory (made when the first table is), a file:// URL, or memory:// for one that lives as
 * long as the connection.
 * @throws NOT_SUPPORTED for other places, INVALID_ARGUMENT for options that make no sense
 */
export async function connect(
  uri: string | (ConnectionOptions & { readonly uri: string }),
  options: ConnectionOptions = {},
): Promise<Connection> {
  const given = typeof uri === "string" ? { uri, ...options } : uri;
  if (typeof given?.uri !== "string" || given.uri === "") {
    throw new TableError("INVALID_ARGUMENT", "connect() needs a path, a file:// URL, or memory://.");
  }
  const settings = settingsOf(given);
  return new Connection(openDatabase(given.uri, settings), settings);
}

export class Connection extends UnbuiltConnection {
  readonly #database: Database;
  readonly #settings: Settings;
  #closed = false;
  #left: Promise<void> | undefined;

  /** Connections are made by `connect`. */
  constructor(database: Database, settings: Settings) {
    super();
    this.#database = database;
    this.#settings = settings;
  }

  isOpen(): boolean {
    return !this.#closed;
  }

  /** Takes no more calls; resolves when every admitted write has its answer. */
  close(): Promise<void> {
    this.#closed = true;
    this.#left ??= this.#database.leave();
    return this.#left;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What this process has observed of the tables that it has open, by name, and the queues' counters together. */
  metrics(): DatabaseMetrics {
    return this.#database.metrics();
  }

  /** A query over what the database knows of itself. @throws NOT_FOUND for a name that is none of these */
  sys(name: SysTable): Query {
    this.#checkOpen();
    return sysQuery(name, this.#database.sysSource(this.#settings), this.#settings);
  }

  /**
   * Resolves when every commit to a table that this process has open, acknowledged before the call, survives a power
   * cut.
   * @throws UNAVAILABLE when one of them could not be made durable
   */
  async sync(): Promise<void> {
    this.#checkOpen();
    await this.#database.sync();
  }

  display(): string {
    return `Connection(${this.#database.store.display})`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.display();
  }

  /** Names of all tables, ascending. */
  async tableNames(
    namespaceOrOptions?: Namespace | TableNamesOptions,
    options: TableNamesOptions = {},
  ): Promise<string[]> {
    this.#checkOpen();
    const [namespace, paging] = splitNamespace<TableNamesOptions>(namespaceOrOptions, options, TABLE_NAMES);
    checkNamespace(namespace);
    if (paging.limit !== undefined) atLeast(0, paging.limit, "limit");
    const after = paging.startAfter === undefined ? undefined : textOf(paging.startAfter, "startAfter");
    const names = (await this.#database.tableNames()).filter((name) => after === undefined || name > after);
    return names.slice(0, paging.limit ?? names.length);
  }

  /**
   * Creates a table from rows, Arrow data or an iterable of either.
   * @throws ALREADY_EXISTS unless `existOk` or `mode: "overwrite"`; INVALID_ARGUMENT for a name that cannot be one
   */
  async createTable(
    nameOrOptions: string | (CreateTableOptions & { readonly name: string; readonly data: InputData }),
    dataOrNamespace?: InputData | Namespace,
    namespaceOrOptions?: Namespace | CreateTableOptions,
    lastOptions: CreateTableOptions = {},
  ): Promise<Table> {
    this.#checkOpen();
    if (typeof nameOrOptions === "object" && nameOrOptions !== null) {
      checkNamespace((dataOrNamespace ?? []) as Namespace);
      const { name, data, ...options } = nameOrOptions;
      return this.#create(name, data, optionsOf<CreateTableOptions>(options, "The options", CREATE_TABLE));
    }
    const [namespace, options] = splitNamespace<CreateTableOptions>(namespaceOrOptions, lastOptions, CREATE_TABLE);
    checkNamespace(namespace);
    return this.#create(nameOrOptions, dataOrNamespace as InputData, options);
  }

  /** Creates a table without rows. */
  async createEmptyTable(
    name: string,
    schema: SchemaLike,
    namespaceOrOptions?: Namespace | CreateTableOptions,
    lastOptions: CreateTableOptions = {},
  ): Promise<Table> {
    this.#checkOpen();
    const [namespace, options] = splitNamespace<CreateTableOptions>(namespaceOrOptions, lastOptions, CREATE_TABLE);
    checkNamespace(namespace);
    return this.#create(name, [], { ...options, schema });
  }

  /** @throws NOT_FOUND when there is no such table, branch or version */
  async openTable(
    name: string,
    namespaceOrOptions?: Namespace | OpenTableOptions,
    lastOptions: OpenTableOptions = {},
  ): Promise<Table> {
    this.#checkOpen();
    const [namespace, options] = splitNamespace<OpenTableOptions>(namespaceOrOptions, lastOptions, OPEN_TABLE);
    checkNamespace(namespace);
    checkTableName(name);
    const main = this.#database.table(name, this.#settings);
    await main.shared.refresh();
    const open = options.branch === undefined ? main : await openLine(main, options.branch);
    if (open !== main) await open.shared.refresh();
    await this.#database.prove(this.#settings, "open");
    const table = this.#handle(open);
    if (options.version !== undefined) await table.checkout(options.version);
    return table;
  }

  /** Removes a table with all its versions. @throws NOT_FOUND */
  async dropTable(name: string, namespace: Namespace = []): Promise<void> {
    this.#checkOpen();
    checkNamespace(namespace);
    checkTableName(name);
    await this.#database.drop(name, this.#settings);
  }

  async dropAllTables(namespace: Namespace = []): Promise<void> {
    this.#checkOpen();
    checkNamespace(namespace);
    for (const name of await this.#database.tableNames()) await this.#database.drop(name, this.#settings);
  }

  /**
   * Looks at every table, or at `table`, also at one that cannot be opened, and with `fix` repairs what can be repaired
   * (docs/doctor.md says what, and what may be lost). A table without findings is never changed.
   * @throws UNAVAILABLE when it cannot look, NOT_FOUND when there is no such table; never for what it finds
   */
  doctor(options: DoctorOptions = {}): Findings<Diagnosis> {
    this.#checkOpen();
    const asked = optionsOf(options, "The options of doctor()", DOCTOR);
    if (asked.table !== undefined) checkTableName(asked.table);
    const { store } = this.#database;
    return new Findings(() => doctor({ store, codecs: CODECS, runtime: this.#settings.runtime }, asked));
  }

  async #create(name: string, data: InputData, options: CreateTableOptions): Promise<Table> {
    checkTableName(name);
    const mode = options.mode ?? "create";
    if (mode !== "create" && mode !== "overwrite") {
      throw new TableError("INVALID_ARGUMENT", `mode is ${shown(mode)}; it may be "create" or "overwrite".`);
    }
    const open = this.#database.table(name, this.#settings);
    const exists = await open.shared.exists();
    if (exists && mode === "create") return this.#existing(open, options);
    const schema = options.schema === undefined ? undefined : adoptSchema(options.schema);
    const input = await readInput(data, schema);
    const dataFormat = checkDataFormat(options.dataFormat ?? this.#settings.dataFormat);
    const stableRowIds = wantsStableRowIds(options.storageOptions) ?? this.#settings.stableRowIds;
    const said = checkMetadata(options.metadata);
    if (exists) return this.#overwrite(open, input, options);
    await this.#database.prove(this.#settings, "create");
    const created = await this.#commitFirst(open, input, { dataFormat, stableRowIds, said });
    if (created) return this.#handle(open);
    if (mode === "create") return this.#existing(open, options);
    if (!Array.isArray(input.batches)) throw readTwice(name);
    return this.#overwrite(open, input, options);
  }

  async #existing(open: OpenTable, options: CreateTableOptions): Promise<Table> {
    if (!options.existOk) {
      throw new TableError(
        "ALREADY_EXISTS",
        `Table '${open.shared.name}' already exists. Open it with openTable(), or pass existOk or mode: "overwrite".`,
        { details: { table: open.shared.name } },
      );
    }
    const snapshot = await open.shared.refresh();
    if (options.schema !== undefined) checkSameColumns(open.shared.name, snapshot.schema.arrow, options.schema);
    return this.#handle(open);
  }

  async #commitFirst(open: OpenTable, input: Input, kind: TableKind): Promise<boolean> {
    const { durability, timeoutMs } = this.#settings;
    const { dataFormat, stableRowIds, said = [] } = kind;
    const plan = await planOverwrite({
      table: open.shared,
      schema: input.schema,
      batches: input.batches,
      dataFormat,
      codec: codecFor(dataFormat),
      durable: durability === "full",
      base: undefined,
    });
    const proposal = {
      intent: plan.intent,
      readVersion: 0,
      staged: plan.staged,
      stagedPaths: plan.stagedPaths,
      properties: new Map([...said, [DURABILITY_PROPERTY, durability]]),
    };
    const first = await createFirstVersion(open.shared, proposal, { durability, timeoutMs, stableRowIds });
    if (first !== undefined) await prepareWrites(open, first.version);
    return first !== undefined;
  }

  async #overwrite(open: OpenTable, input: Input, options: CreateTableOptions): Promise<Table> {
    const { dataFormat: wanted, metadata } = options;
    const durable = this.#settings.durability === "full";
    let read = false;
    const write: TableWrite = {
      kind: "alone",
      alone: true,
      rows: input.rows ?? 0,
      sizeBytes: 0,
      plan: async (base) => {
        const dataFormat = wanted ?? dataFormatOf(base.manifest);
        const { schema, batches } = input;
        if (read && !Array.isArray(batches)) throw readTwice(open.shared.name);
        read = true;
        const codec = codecFor(dataFormat);
        return planOverwrite({ table: open.shared, schema, batches, dataFormat, codec, durable, base: base.manifest });
      },
    };
    await open.write(write, { metadata });
    return this.#handle(open);
  }

  #handle(open: OpenTable): Table {
    return new Table(open, () => this.isOpen());
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new TableError("CLOSED", `Connection is closed (${this.#database.uri}). Call connect() again.`);
    }
  }
}

function checkSameColumns(table: string, schema: Schema, wanted: SchemaLike): void {
  const have = schema.fields.map((field) => `${field.name}: ${field.type}`).join(", ");
  const want = adoptSchema(wanted)
    .fields.map((field) => `${field.name}: ${field.type}`)
    .join(", ");
  if (have === want) return;
  throw new TableError(
    "SCHEMA_MISMATCH",
    `Table '${table}' already exists with another schema: it has (${have}), not (${want}).`,
    { details: { table } },
  );
}

/** Publishes the lease of a table that was just made, so that its first write does not wait for that. */
async function prepareWrites({ shared: { lease } }: OpenTable, version: number): Promise<void> {
  const end = lease.begin();
  lease.looked(version);
  // A write that needs it says what is wrong.
  await lease.ready().catch(() => {});
  end();
}
