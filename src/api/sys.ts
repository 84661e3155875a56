/** What a database knows of itself, as tables to query: `db.sys(name)`. Nothing of it is on disk. */
import { Field, Float64, Schema, TimestampMillisecond, Utf8 } from "apache-arrow";
import { planOverwrite } from "../change/overwrite.js";
import { createFirstVersion } from "../commit/create.js";
import { codecFor } from "../data/codecs.js";
import { buildBatches } from "../data/columns/build.js";
import type { Row } from "../data/columns/rows.js";
import { memoryStore } from "../store/memory.js";
import { isTableError, TableError } from "../support/errors.js";
import type { LockMetrics } from "../support/lock.js";
import { shown } from "./arguments.js";
import { OpenTable } from "./open-table.js";
import { type Settings, settingsOf } from "./options.js";
import { Query } from "./query.js";
import { COORDINATION_SCHEMA, coordinationRows, READERS_SCHEMA, readerRows } from "./sys-processes.js";
import { listVersions } from "./versions.js";

/** Tables of `db.sys()`. */
export type SysTable =
  | "write_queue_metrics"
  | "process_lock_metrics"
  | "process_coordination"
  | "process_readers"
  | "versions"
  | "fragments"
  | "conflicts";

/** What the tables are made of: `opened` are the tables of this process, `all` those of the database; with branches. */
export interface SysSource {
  readonly opened: () => readonly OpenTable[];
  readonly all: () => Promise<readonly OpenTable[]>;
  readonly locks: () => readonly LockMetrics[];
}

interface Definition {
  readonly schema: Schema;
  readonly rows: (source: SysSource) => readonly Row[] | Promise<readonly Row[]>;
}

const text = (...names: string[]) => names.map((name) => new Field(name, new Utf8(), true));
const numbers = (...names: string[]) => names.map((name) => new Field(name, new Float64(), true));

const DEFINITIONS: Readonly<Record<SysTable, Definition>> = {
  write_queue_metrics: {
    schema: new Schema([
      ...text("table", "branch"),
      ...numbers("depth", "admissions", "rejections", "timeouts", "cancellations", "executions", "commits", "failures"),
      ...numbers("groupedBatches", "physicalSyncs", "estimatedSyncsSaved"),
    ]),
    rows: ({ opened }) => opened().map((open) => ({ ...lineOf(open), ...open.queue.metrics })),
  },
  process_lock_metrics: {
    schema: new Schema([
      ...text("level", "name", "holder"),
      ...numbers("heldMs", "waiting", "acquisitions", "timeouts", "waitP50Ms", "waitP99Ms"),
    ]),
    rows: ({ locks }) =>
      locks().map(({ waits, holder, ...lock }) => ({
        ...lock,
        holder: holder ?? null,
        waitP50Ms: waits.p50Ms,
        waitP99Ms: waits.p99Ms,
      })),
  },
  process_coordination: {
    schema: COORDINATION_SCHEMA,
    rows: (source) => rowsOfAll(source, coordinationRows),
  },
  process_readers: {
    schema: READERS_SCHEMA,
    rows: (source) => rowsOfAll(source, readerRows),
  },
  versions: {
    schema: new Schema([
      ...text("table", "branch"),
      ...numbers("version"),
      new Field("timestamp", new TimestampMillisecond(), true),
      ...text("operation", "durability"),
      ...numbers("rows", "fragments"),
      ...text("error"),
    ]),
    rows: (source) => rowsOfAll(source, versionRows),
  },
  fragments: {
    schema: new Schema([
      ...text("table", "branch"),
      ...numbers("version", "fragment", "rows", "deletedRows", "files", "sizeBytes"),
      ...text("error"),
    ]),
    rows: (source) => rowsOfAll(source, fragmentRows),
  },
  conflicts: {
    schema: new Schema([
      ...text("table", "branch", "operation", "winner"),
      ...numbers("compatible", "rebased", "retried", "failed"),
    ]),
    rows: ({ opened }) =>
      opened().flatMap((open) => open.shared.meters.conflicts().map((pair) => ({ ...lineOf(open), ...pair }))),
  },
};

function lineOf({ name, branch }: OpenTable): Row {
  return { table: name, branch: branch ?? null };
}

/**
 * The rows of every line of every table. One that cannot be read has a single row, whose `error` says why; one that was
 * removed meanwhile has none.
 */
async function rowsOfAll(
  { all }: SysSource,
  rowsOf: (open: OpenTable) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const lines = (await all()).map(async (open): Promise<readonly Row[]> => {
    try {
      return (await rowsOf(open)).map((row) => ({ ...lineOf(open), ...row }));
    } catch (error) {
      if (!isTableError(error)) throw error;
      return error.code === "NOT_FOUND" ? [] : [{ ...lineOf(open), error: `${error.code}: ${error.message}` }];
    }
  });
  return (await Promise.all(lines)).flat();
}

async function versionRows({ shared }: OpenTable): Promise<readonly Row[]> {
  const versions = await listVersions(shared);
  return versions.map(({ version, timestamp, metadata }) => ({
    version,
    timestamp,
    operation: metadata.operation ?? null,
    durability: metadata["joust.durability"] ?? null,
    rows: Number(metadata.total_rows),
    fragments: Number(metadata.total_fragments),
  }));
}

async function fragmentRows({ shared }: OpenTable): Promise<readonly Row[]> {
  const { version, manifest } = await shared.refresh();
  return [...manifest.fragments].map((fragment) => ({
    version,
    fragment: fragment.id,
    rows: fragment.physicalRows,
    deletedRows: fragment.deletionFile?.deletedRows ?? 0,
    files: fragment.files.length,
    sizeBytes: fragment.files.reduce((sum, file) => sum + file.sizeBytes, 0),
  }));
}

/** A query over one of the tables, which is made anew for every execution. @throws NOT_FOUND for another name */
export function sysQuery(name: SysTable, source: SysSource, { runtime }: Settings): Query {
  const isKnown = typeof name === "string" && Object.hasOwn(DEFINITIONS, name);
  const definition = isKnown ? DEFINITIONS[name] : undefined;
  if (definition === undefined) {
    const names = Object.keys(DEFINITIONS).join(", ");
    throw new TableError(
      "NOT_FOUND",
      `There is no system table ${typeof name === "string" ? `'${name}'` : shown(name)}; there are: ${names}.`,
      {
        details: { table: name },
      },
    );
  }
  return new Query(async () => {
    const rows = await definition.rows(source);
    const settings = settingsOf({ runtime, durability: "relaxed", coordination: { mode: "single_process_unsafe" } });
    const open = new OpenTable(name, memoryStore("sys", runtime), settings);
    const plan = await planOverwrite({
      table: open.shared,
      schema: definition.schema,
      batches: buildBatches(rows, definition.schema),
      dataFormat: "arrow",
      codec: codecFor("arrow"),
      durable: false,
      base: undefined,
    });
    const proposal = {
      intent: plan.intent,
      readVersion: 0,
      staged: plan.staged,
      stagedPaths: plan.stagedPaths,
      properties: new Map<string, string>(),
    };
    await createFirstVersion(open.shared, proposal, settings);
    return {
      source: open.source(await open.shared.refresh()),
      release: () => {},
      explain: async (error) => error,
      runtime,
    };
  });
}
