/**
 * Two processes on one table in memory: the first stops at a chosen step of its commit while the second one commits.
 *
 * Content and outcome are compared with the same two operations run one after the other.
 */
import * as arrow from "apache-arrow";
import { Connection } from "../../src/api/connection.js";
import { Database } from "../../src/api/database.js";
import { settingsOf } from "../../src/api/options.js";
import { listHead, listVersionNames } from "../../src/commit/head.js";
import { readManifest } from "../../src/commit/log.js";
import type { ConflictCount } from "../../src/commit/meters.js";
import { nextManifest } from "../../src/commit/next-manifest.js";
import { deletionPath, manifestPath } from "../../src/format/layout.js";
import { encodeManifest, type Manifest } from "../../src/format/manifest.js";
import type { Operation } from "../../src/format/operation.js";
import { encodeTransaction } from "../../src/format/transaction.js";
import type { Table } from "../../src/index.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { memoryStore } from "../../src/store/memory.js";
import { within } from "../../src/store/within.js";
import { systemRuntime } from "../../src/support/runtime.js";
import { WrappedStore } from "./wrapped-store.js";

/** What one writer does: through its handle, or by a transaction that is made by hand. */
export type Act = (table: Table, store: ObjectStore) => Promise<unknown>;

export type Stop = "before the manifest is staged" | "before the link" | "after the link";

export interface Ending {
  /** "done", or the code of the error. */
  readonly mine: string;
  readonly theirs: string;
  readonly result: unknown;
  /** What the resolver said of the first operation when it met others. */
  readonly verdicts: readonly ConflictCount[];
  readonly content: string;
  /** Files that no version names. */
  readonly leftovers: readonly string[];
}

const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), false),
  new arrow.Field("n", new arrow.Int32(), true),
  new arrow.Field("s", new arrow.Utf8(), true),
]);

function connection(store: ObjectStore): Connection {
  const runtime = { ...systemRuntime, sleep: async () => {} };
  const settings = settingsOf({ runtime, dataFormat: "arrow", maintenance: { auto: false } });
  return new Connection(new Database(store, "memory://"), settings);
}

/** A world of two fragments, ids 0 to 9 and 10 to 19, at version 2. */
async function world() {
  const store = new WrappedStore(memoryStore(""));
  const theirs = connection(store);
  const made = await theirs.createTable("t", rows(0), { schema: SCHEMA });
  await made.add(rows(10));
  return { store, theirs: made };
}

function rows(from: number) {
  return Array.from({ length: 10 }, (_, i) => ({ id: from + i, n: 0, s: `row ${from + i}` }));
}

/** Runs `mine`, stopped at `stop` while `theirs` runs. */
export async function race(mine: Act, theirs: Act, stop: Stop): Promise<Ending> {
  const { store, theirs: theirTable } = await world();
  const wrapped = new WrappedStore(store);
  const myTable = await connection(wrapped).openTable("t");
  let theirEnding: Promise<{ code: string }> | undefined;
  const once = async () => {
    theirEnding ??= ended(theirs(theirTable, within(store, "t.lance")));
    await theirEnding;
  };
  const isManifest = (path: string) => path.includes("_versions/");
  wrapped.hooks = {
    before: async (call, path) => {
      const at = stop === "before the manifest is staged" ? "stage" : "publish";
      if (stop !== "after the link" && call === at && isManifest(path)) await once();
    },
    publish: async (path, publish) => {
      const outcome = await publish();
      if (stop === "after the link" && isManifest(path)) await once();
      return outcome;
    },
  };
  const { code, value } = await ended(mine(myTable, within(wrapped, "t.lance")));
  return {
    mine: code,
    theirs: (await theirEnding)?.code ?? "never ran",
    result: value,
    verdicts: myTable.metrics().conflicts.byPair,
    content: await contentOf(theirTable),
    leftovers: await leftovers(within(store, "t.lance")),
  };
}

/** Runs the acts one after the other; the endings and what the table holds then. */
export async function serially(...acts: readonly Act[]): Promise<{ codes: string[]; content: string }> {
  const { store, theirs } = await world();
  const codes: string[] = [];
  for (const act of acts) codes.push((await ended(act(theirs, within(store, "t.lance")))).code);
  return { codes, content: await contentOf(theirs) };
}

async function ended(act: Promise<unknown>): Promise<{ code: string; value: unknown }> {
  try {
    return { code: "done", value: await act };
  } catch (error) {
    return { code: (error as { code?: string }).code ?? String(error), value: error };
  }
}

/** Rows in no order, columns with types and metadata, config. */
async function contentOf(table: Table): Promise<string> {
  const schema = await table.schema();
  const fields = schema.fields.map((f) => `${f}${f.nullable ? "?" : ""}${JSON.stringify([...f.metadata].sort())}`);
  const found = (await table.query().toArray()).map((row) =>
    JSON.stringify({ ...row }, (_name, value) => (typeof value === "bigint" ? Number(value) : value)),
  );
  return [...fields, ...found.sort()].join("\n");
}

/** Data and deletion files that no version names, and temporaries. */
async function leftovers(store: ObjectStore): Promise<string[]> {
  const named = new Set<string>();
  for (const { version, scheme } of await listVersionNames(store)) {
    const manifest = await readManifest(store, version, scheme);
    for (const fragment of manifest?.fragments ?? []) {
      for (const file of fragment.files) named.add(`data/${file.path}`);
      if (fragment.deletionFile !== undefined) named.add(deletionPath(fragment.id, fragment.deletionFile));
    }
  }
  const left: string[] = [];
  for (const directory of ["data", "_deletions"]) {
    for (const { name } of await store.list(directory)) if (!named.has(`${directory}/${name}`)) left.push(name);
  }
  for (const { name } of await store.list("_versions")) {
    if (!name.endsWith(".manifest") && name !== "latest_version_hint.json") left.push(name);
  }
  return left;
}

/** Commits an operation that only native LanceDB makes: the manifest as `change` leaves it, with its transaction. */
export async function commitByHand(
  store: ObjectStore,
  change: (head: Manifest) => Promise<{ readonly operation: Operation | Uint8Array; readonly manifest?: Manifest }>,
): Promise<void> {
  const head = await listHead(store);
  const manifest = head && (await readManifest(store, head.version, head.scheme));
  if (manifest === undefined) throw new Error("there is no head");
  const { operation, manifest: changed = manifest } = await change(manifest);
  const transaction =
    operation instanceof Uint8Array
      ? operation
      : encodeTransaction({
          readVersion: manifest.version,
          uuid: systemRuntime.uuid(),
          tag: "",
          properties: new Map(),
          operation,
        });
  const next = { ...changed, version: manifest.version + 1, transactionFile: "", transaction };
  await store.create(manifestPath(next.version, "v2"), encodeManifest(next), { durable: false });
}

/** The manifest that our own rules make of an operation, for kinds that are made here and by native alike. */
export function byOurRules(head: Manifest, operation: Operation): { operation: Operation; manifest: Manifest } {
  const manifest = nextManifest(head, operation, { nowMs: 0, transaction: new Uint8Array() });
  return { operation, manifest };
}
