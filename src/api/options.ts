/** Options of a connection, checked and with their defaults; one table in the README shows them all. */
import { MAINTENANCE_DEFAULTS, type MaintenanceOptions } from "../chores/maintain.js";
import type { Durability } from "../commit/durability.js";
import { LEASE_DEFAULTS } from "../commit/lease.js";
import { QUEUE_DEFAULTS, type QueueOptions } from "../commit/queue.js";
import type { DataFormat } from "../data/codec.js";
import { TableError } from "../support/errors.js";
import { type Runtime, systemRuntime } from "../support/runtime.js";
import { atLeast, entriesOf, type OptionKeys, optionsOf, shown, yesOrNo } from "./arguments.js";

export interface ConnectionOptions {
  /** Seconds for which a handle may show an older head; 0 (default): every read looks; Infinity: only checkoutLatest. */
  readonly readConsistencyInterval?: number;
  /** When an acknowledged write survives a power cut. Default "full". */
  readonly durability?: Durability;
  /** Data files of new tables. */
  readonly dataFormat?: DataFormat;
  readonly queue?: Partial<QueueOptions> & { readonly enabled?: boolean };
  readonly coordination?: {
    /**
     * auto (default): a place is tried out when a table is opened or created, and refused when it lacks what safe commits
     * need; required: it is also refused when it cannot be tried out; single_process_unsafe: nobody asks, and nobody but
     * this process may use the database.
     */
    readonly mode?: CoordinationMode;
    /** How long a write that may be rebased keeps trying, milliseconds. Default 30,000. */
    readonly timeoutMs?: number;
    /** After this long without a sign of life a process of another machine counts as dead. Default 60,000. */
    readonly leaseTtlMs?: number;
  };
  /** Compaction in the background, after commits; docs/maintenance.md. */
  readonly maintenance?: Partial<MaintenanceOptions>;
  /**
   * Threads that large scans, searches and counts of this database are shared with; 0 (default): none. Needs the
   * package piscina and a database on a local disk; elsewhere it has no effect. docs/performance.md.
   */
  readonly readers?: number;
  /**
   * `newTableEnableStableRowIds: "true"` gives new tables row ids that rows keep when they are updated or compacted, as in
   * LanceDB; createTable() may say otherwise. Other options of LanceDB have no effect: a local database needs none.
   */
  readonly storageOptions?: Readonly<Record<string, string>>;
  /** Clock, chance and ids; for simulations. */
  readonly runtime?: Runtime;
}

export type CoordinationMode = "auto" | "required" | "single_process_unsafe";

export interface Settings {
  readonly readConsistencyMs: number;
  readonly durability: Durability;
  readonly dataFormat: DataFormat;
  readonly queue: QueueOptions & { readonly enabled: boolean };
  readonly coordinationMode: CoordinationMode;
  readonly timeoutMs: number;
  readonly leaseTtlMs: number;
  readonly maintenance: MaintenanceOptions;
  readonly readers: number;
  /** New tables get stable row ids. */
  readonly stableRowIds: boolean;
  readonly runtime: Runtime;
}

type Group<K extends keyof ConnectionOptions> = OptionKeys<NonNullable<ConnectionOptions[K]>>;

const CONNECTION: OptionKeys<
  ConnectionOptions,
  | "uri"
  | "apiKey"
  | "clientConfig"
  | "hostOverride"
  | "manifestEnabled"
  | "namespaceClientProperties"
  | "oauthConfig"
  | "region"
  | "session"
> = {
  uri: true,
  readConsistencyInterval: true,
  durability: true,
  dataFormat: true,
  queue: true,
  coordination: true,
  maintenance: true,
  readers: true,
  storageOptions: true,
  runtime: true,
  apiKey: true,
  clientConfig: true,
  hostOverride: true,
  manifestEnabled: true,
  namespaceClientProperties: true,
  oauthConfig: true,
  region: true,
  session: true,
};
const QUEUE: Group<"queue"> = {
  enabled: true,
  capacity: true,
  maxBatch: true,
  maxGroupRows: true,
  maxGroupBytes: true,
  maxGroupDelayMs: true,
  strictGroupCommit: true,
  whenFull: true,
  defaultTimeoutMs: true,
};
const COORDINATION: Group<"coordination"> = { mode: true, timeoutMs: true, leaseTtlMs: true };
const MAINTENANCE: Group<"maintenance"> = {
  auto: true,
  minFragments: true,
  maxDeletedShare: true,
  intervalMs: true,
  maxBytes: true,
  retentionMs: true,
};

const DURABILITIES: readonly Durability[] = ["full", "relaxed", "async"];
const DATA_FORMATS: readonly DataFormat[] = ["lance", "arrow", "parquet"];
const MODES: readonly CoordinationMode[] = ["auto", "required", "single_process_unsafe"];
const DEFAULT_DATA_FORMAT: DataFormat = "lance";
const COORDINATION_TIMEOUT_MS = 30_000;
const READERS_MAX = 64;
const GROUP_DELAY_MS_MAX = 60_000;
const RUNTIME_PARTS = ["now", "monotonicMs", "random", "uuid", "sleep", "yield", "timer"] as const;

/** @throws INVALID_ARGUMENT naming the option and what it may be */
export function settingsOf(given: ConnectionOptions): Settings {
  const options = optionsOf(given, "The options of connect()", CONNECTION);
  const { enabled = true, ...queue } = optionsOf(options.queue, "queue", QUEUE);
  const coordination = optionsOf(options.coordination, "coordination", COORDINATION);
  const maintenance = withoutUndefined(optionsOf(options.maintenance, "maintenance", MAINTENANCE));
  const settings: Settings = {
    readConsistencyMs: atLeast(0, options.readConsistencyInterval ?? 0, "readConsistencyInterval") * 1000,
    durability: oneOf(DURABILITIES, options.durability ?? "full", "durability"),
    dataFormat: checkDataFormat(options.dataFormat ?? DEFAULT_DATA_FORMAT),
    queue: { ...QUEUE_DEFAULTS, ...withoutUndefined(queue), enabled: yesOrNo(enabled, "queue.enabled") },
    coordinationMode: oneOf(MODES, coordination.mode ?? "auto", "coordination.mode"),
    timeoutMs: atLeast(0, coordination.timeoutMs ?? COORDINATION_TIMEOUT_MS, "coordination.timeoutMs"),
    leaseTtlMs: atLeast(1, coordination.leaseTtlMs ?? LEASE_DEFAULTS.ttlMs, "coordination.leaseTtlMs"),
    maintenance: { ...MAINTENANCE_DEFAULTS, ...maintenance },
    readers: checkReaders(options.readers ?? 0),
    stableRowIds: wantsStableRowIds(options.storageOptions) ?? false,
    runtime: checkRuntime(options.runtime),
  };
  checkMaintenance(settings.maintenance);
  checkQueue(settings.queue);
  return settings;
}

function checkMaintenance(maintenance: MaintenanceOptions): void {
  yesOrNo(maintenance.auto, "maintenance.auto");
  atLeast(2, maintenance.minFragments, "maintenance.minFragments");
  atLeast(0, maintenance.maxDeletedShare, "maintenance.maxDeletedShare");
  atLeast(0, maintenance.intervalMs, "maintenance.intervalMs");
  atLeast(1 << 20, maintenance.maxBytes, "maintenance.maxBytes");
  atLeast(0, maintenance.retentionMs, "maintenance.retentionMs");
}

function checkQueue(queue: QueueOptions): void {
  atLeast(1, queue.capacity, "queue.capacity");
  atLeast(1, queue.maxBatch, "queue.maxBatch");
  atLeast(1, queue.maxGroupRows, "queue.maxGroupRows");
  atLeast(1, queue.maxGroupBytes, "queue.maxGroupBytes");
  if (atLeast(0, queue.maxGroupDelayMs, "queue.maxGroupDelayMs") > GROUP_DELAY_MS_MAX) {
    throw new TableError(
      "INVALID_ARGUMENT",
      `queue.maxGroupDelayMs is ${queue.maxGroupDelayMs}; every write would wait that long. ${GROUP_DELAY_MS_MAX} is the most.`,
      { details: { option: "queue.maxGroupDelayMs" } },
    );
  }
  if (queue.defaultTimeoutMs !== undefined) atLeast(0, queue.defaultTimeoutMs, "queue.defaultTimeoutMs");
  yesOrNo(queue.strictGroupCommit, "queue.strictGroupCommit");
  oneOf(["wait", "reject"], queue.whenFull, "queue.whenFull");
}

/** @throws INVALID_ARGUMENT */
export function checkDataFormat(format: unknown): DataFormat {
  return oneOf(DATA_FORMATS, format, "dataFormat");
}

function checkReaders(readers: unknown): number {
  if (Number.isInteger(atLeast(0, readers, "readers")) && (readers as number) <= READERS_MAX) return readers as number;
  throw new TableError(
    "INVALID_ARGUMENT",
    `readers is ${shown(readers)}; it has to be a whole number up to ${READERS_MAX}.`,
    {
      details: { option: "readers" },
    },
  );
}

/** LanceDB's storage option, under either of its names; undefined when it is not given. @throws INVALID_ARGUMENT */
export function wantsStableRowIds(options: Readonly<Record<string, string>> | undefined): boolean | undefined {
  const { newTableEnableStableRowIds, new_table_enable_stable_row_ids } = entriesOf(options, "storageOptions");
  const value = newTableEnableStableRowIds ?? new_table_enable_stable_row_ids;
  return value === undefined ? undefined : oneOf(["true", "false"], value, "newTableEnableStableRowIds") === "true";
}

function oneOf<T extends string>(allowed: readonly T[], value: unknown, name: string): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw new TableError("INVALID_ARGUMENT", `${name} is ${shown(value)}; it may be ${allowed.join(", ")}.`, {
    details: { option: name },
  });
}

function checkRuntime(runtime: Runtime | null | undefined): Runtime {
  const given = entriesOf(runtime, "runtime");
  if (runtime === undefined || runtime === null) return systemRuntime;
  const missing = RUNTIME_PARTS.find((part) => typeof given[part] !== "function");
  if (missing === undefined) return runtime;
  throw new TableError("INVALID_ARGUMENT", `runtime has no function '${missing}', which a runtime needs.`, {
    details: { option: "runtime" },
  });
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
