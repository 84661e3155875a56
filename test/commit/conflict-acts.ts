/** The operations of the conflict matrix, each in the forms that overlap with the others in every way there is. */

import type { DataFile, Fragment } from "../../src/format/fragment.js";
import type { Manifest } from "../../src/format/manifest.js";
import type { Operation, OperationKind } from "../../src/format/operation.js";
import { reseal } from "../contract/reseal.js";
import { type Act, byOurRules, commitByHand } from "./two-writers.js";

export interface NamedAct {
  readonly kind: OperationKind;
  readonly act: Act;
}

const upsert =
  (id: number): Act =>
  (table) =>
    table
      .mergeInsert("id")
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute([{ id, n: 50, s: "upserted" }]);

const update =
  (where: string): Act =>
  (table) =>
    table.update({ where, valuesSql: { n: "n + 1" } });
const metadata =
  (path: string, key: string): Act =>
  (table) =>
    table.updateFieldMetadata([{ path, metadata: { [key]: "x" } }]);

/** What both sides can do: rows 3 and 4 share a fragment, row 13 is in the other one, key 100 is absent. */
export const ACTS = {
  "append 100": { kind: "append", act: (table) => table.add([{ id: 100, n: 1, s: "appended" }]) },
  "delete row 3": { kind: "delete", act: (table) => table.delete("id = 3") },
  "update row 3": { kind: "update", act: update("id = 3") },
  "upsert key 100": { kind: "update", act: upsert(100) },
  overwrite: { kind: "overwrite", act: (table) => table.add([{ id: 500, n: 5, s: "new" }], { mode: "overwrite" }) },
  "restore 1": { kind: "restore", act: (table) => table.restore(1) },
  "add a column": { kind: "merge", act: (table) => table.addColumns([{ name: "c", valueSql: "n + 1" }]) },
  "cast n": { kind: "merge", act: (table) => table.alterColumns([{ path: "n", dataType: "int64" }]) },
  "drop s": { kind: "project", act: (table) => table.dropColumns(["s"]) },
  "rename s": { kind: "project", act: (table) => table.alterColumns([{ path: "s", rename: "text" }]) },
  "metadata of s": { kind: "update_config", act: metadata("s", "unit") },
  compact: { kind: "rewrite", act: (table) => table.optimize() },
} as const satisfies Record<string, NamedAct>;

/** What only the other side does here: other overlaps, and operations of native LanceDB, made by hand. */
export const OTHER_ACTS = {
  "delete row 4": { kind: "delete", act: (table) => table.delete("id = 4") },
  "delete row 13": { kind: "delete", act: (table) => table.delete("id = 13") },
  "delete the fragment": { kind: "delete", act: (table) => table.delete("id < 10") },
  "update row 4": { kind: "update", act: update("id = 4") },
  "update row 13": { kind: "update", act: update("id = 13") },
  "upsert row 3": { kind: "update", act: upsert(3) },
  "metadata of n": { kind: "update_config", act: metadata("n", "unit") },
  "reserve fragments": {
    kind: "reserve_fragments",
    act: byHand(async (head) => byOurRules(head, { kind: "reserve_fragments", count: 5 })),
  },
  "create an index": {
    kind: "create_index",
    act: byHand(async () => ({ operation: { kind: "create_index", newIndices: [], removedIndices: [] } })),
  },
  "replace data of the fragment": {
    kind: "data_replacement",
    act: withNewFile((fragment, file) => ({
      kind: "data_replacement",
      replacements: [{ fragmentId: fragment.id, file }],
    })),
  },
  "rewrite columns of the fragment": {
    kind: "update",
    act: withNewFile((fragment) => ({
      kind: "update",
      removedFragmentIds: [],
      updatedFragments: [fragment],
      newFragments: [],
      fieldsModified: [1],
      mode: "columns",
    })),
  },
  clone: {
    kind: "clone",
    act: byHand(async () => ({
      operation: { kind: "clone", isShallow: true, refVersion: 1, refPath: "elsewhere" },
    })),
  },
  "a config key": {
    kind: "update_config",
    act: byHand(async (head) => {
      const config = { entries: [{ key: "a", value: "b" }], replace: false };
      return byOurRules(head, { kind: "update_config", config, fieldMetadata: new Map() });
    }),
  },
  "config in the old form": {
    kind: "update_config",
    act: byHand(async () => ({
      operation: {
        kind: "update_config",
        fieldMetadata: new Map(),
        old: { upserts: new Map([["a", "b"]]), deletedKeys: [], schemaMetadata: new Map(), fieldMetadata: new Map() },
      },
    })),
  },
  "an operation of tomorrow": {
    kind: "unknown",
    act: byHand(async () => ({ operation: { kind: "unknown", fieldNumber: 199, bytes: Uint8Array.of(8, 1) } })),
  },
} as const satisfies Record<string, NamedAct>;

function byHand(change: (head: Manifest) => Promise<{ operation: Operation; manifest?: Manifest }>): Act {
  return (_table, store) => commitByHand(store, change);
}

/** Puts a copy of the first fragment's file, under another name, in the place of the file. */
function withNewFile(operationOf: (fragment: Fragment, file: DataFile) => Operation): Act {
  return async (_table, store) => {
    await commitByHand(store, async (head) => {
      const fragment = head.fragments.byId(0);
      const [file] = fragment?.files ?? [];
      if (fragment === undefined || file === undefined) return { operation: operationOf(NO_FRAGMENT, NO_FILE) };
      const copy = { ...file, path: `copy-${file.path}` };
      const bytes = await store.get(`data/${file.path}`);
      // The checksums of the original hold for its name only.
      const sealed = reseal(bytes, (view) => view.getInt32(view.byteLength - 10, true) + 10);
      await store.write(`data/${copy.path}`, [sealed], { durable: false });
      const changed = { ...fragment, files: [copy, ...fragment.files.slice(1)] };
      const fragments = head.fragments.replace(new Map([[0, changed]]));
      return { operation: operationOf(changed, copy), manifest: { ...head, fragments } };
    });
  };
}

/** What the record names when the fragment went before; the manifest stays as it is then. */
const NO_FILE: DataFile = { path: "x", fields: [], columnIndices: [], majorVersion: 2, minorVersion: 2, sizeBytes: 0 };
const NO_FRAGMENT: Fragment = { id: 0, files: [NO_FILE], physicalRows: 0 };
