/** The first version of a table: the same compare-and-swap as every commit, on a name that nobody has. */
import { FLAG_STABLE_ROW_IDS, requiredFlags } from "../format/flags.js";
import { FragmentList } from "../format/fragment-list.js";
import { manifestPath, VERSIONS } from "../format/layout.js";
import { encodeManifest, type Manifest } from "../format/manifest.js";
import { encodeTransaction, type Transaction } from "../format/transaction.js";
import { isTableError, TableError } from "../support/errors.js";
import type { CommitOptions } from "./commit-result.js";
import { publishVersion, readManifest, readTransaction, stageVersion } from "./log.js";
import { nextManifest } from "./next-manifest.js";
import type { Proposal } from "./proposal.js";
import type { SharedTable } from "./shared-table.js";
import { Snapshot } from "./snapshot.js";

const NOTHING: Manifest = {
  version: 0,
  fields: [],
  fragments: FragmentList.from([]),
  schemaMetadata: new Map(),
  timestamp: { seconds: 0n, nanos: 0 },
  readerFlags: 0n,
  writerFlags: 0n,
  maxFragmentId: undefined,
  transactionFile: "",
  nextRowId: 0n,
  dataFormat: undefined,
  config: new Map(),
  tableMetadata: new Map(),
  basePaths: [],
  tag: "",
  versionAuxData: 0n,
  unknown: new Uint8Array(),
  indexSection: undefined,
  transaction: undefined,
};

/**
 * Creates version 1 from an overwrite proposal.
 * @returns undefined when the table exists already; nothing of the proposal is left then
 * @throws UNKNOWN_OUTCOME
 */
export async function createFirstVersion(
  table: SharedTable,
  proposal: Proposal,
  options: CommitOptions & { readonly stableRowIds: boolean },
): Promise<Snapshot | undefined> {
  const { intent } = proposal;
  if (intent.kind !== "overwrite")
    throw new TableError("INTERNAL", "A table begins with an overwrite. Please report it.");
  const durable = options.durability === "full";
  const transaction: Transaction = {
    readVersion: 0,
    uuid: table.runtime.uuid(),
    tag: "",
    properties: proposal.properties,
    operation: {
      kind: "overwrite",
      fragments: intent.fragments,
      fields: intent.fields,
      schemaMetadata: intent.schemaMetadata,
      configUpserts: intent.config,
    },
  };
  const flags = options.stableRowIds ? FLAG_STABLE_ROW_IDS : 0n;
  const nothing = { ...NOTHING, schemaMetadata: intent.schemaMetadata, readerFlags: flags, writerFlags: flags };
  const first = nextManifest(nothing, transaction.operation, {
    nowMs: table.runtime.now(),
    transaction: encodeTransaction(transaction),
    dataFormat: intent.dataFormat,
  });
  const manifest = { ...first, ...requiredFlags(first) };
  const created = await publish(table, proposal, manifest, transaction.uuid, durable);
  if (!created) {
    await Promise.all(proposal.stagedPaths.map((path) => table.store.delete(path).catch(() => {})));
    return undefined;
  }
  const info = await table.store.head(manifestPath(1, "v2")).catch((error: unknown) => {
    throw unknownCreation(table, transaction.uuid, error);
  });
  if (info === undefined) return table.refresh();
  const snapshot = new Snapshot({ version: 1, scheme: "v2", identity: info.identity }, manifest);
  table.committed(snapshot, new Map(), transaction);
  if (durable) table.durable.reached(snapshot);
  if (options.durability === "async") table.durable.coverBehind(snapshot);
  return snapshot;
}

async function publish(
  table: SharedTable,
  proposal: Proposal,
  manifest: Manifest,
  uuid: string,
  durable: boolean,
): Promise<boolean> {
  const { store } = table;
  const staging = stageVersion(store, { version: 1, scheme: "v2" }, encodeManifest(manifest), durable);
  try {
    await Promise.all([proposal.staged, staging]);
    const names = await store.list(VERSIONS);
    const taken = names.some((entry) => entry.name.endsWith(".manifest"));
    const staged = await staging;
    if (!taken && (await publishVersion(store, staged, table.boundary)) === "created") return true;
    await staged.object.discard();
  } catch (error) {
    await staging.then((staged) => staged.object.discard()).catch(() => {});
    if (!isTableError(error, "UNKNOWN_OUTCOME")) {
      await proposal.staged.catch(() => {});
      await Promise.all(proposal.stagedPaths.map((path) => store.delete(path).catch(() => {})));
    }
    throw error;
  }
  try {
    const other = await readManifest(store, 1, "v2");
    return other !== undefined && (await readTransaction(store, other))?.uuid === uuid;
  } catch (error) {
    throw unknownCreation(table, uuid, error);
  }
}

function unknownCreation(table: SharedTable, uuid: string, cause: unknown): TableError {
  return new TableError(
    "UNKNOWN_OUTCOME",
    `It is not known whether table '${table.name}' was created. Look for transaction ${uuid} in its first version before repeating the call.`,
    { details: { version: 1, transaction: uuid }, cause },
  );
}
