/**
 * What a writer wants to commit, said relative to the version it read, so that it can be said again on a newer one.
 *
 * A proposal never names the outcome (fragment ids, merged deletion vectors, version number): `express` works those
 * out for the head of the moment, as often as the race is lost. Files that it refers to are already being written.
 */
import type { DeletionVector } from "../format/deletion-vector.js";
import type { DataFile, Fragment } from "../format/fragment.js";
import type { Operation, UpdateMap } from "../format/operation.js";
import type { LanceField } from "../format/schema.js";
import type { Request } from "./handed.js";

/** Rows by fragment id, as offsets inside the fragment. */
export type RowSets = ReadonlyMap<number, DeletionVector>;

/** Old fragments whose live rows, in order, became the rows of the new ones, in order. */
export interface RewriteGroup {
  readonly oldFragments: readonly Fragment[];
  /** The rows of each old fragment that were already gone when it was copied; absent means none. */
  readonly goneRows: RowSets;
  readonly newFragments: readonly Fragment[];
}

export type Intent =
  | { readonly kind: "append"; readonly fragments: readonly Fragment[] }
  | { readonly kind: "delete"; readonly rows: RowSets; readonly predicate: string }
  | {
      readonly kind: "update";
      readonly rows: RowSets;
      readonly newFragments: readonly Fragment[];
      /** True when new rows were added because their keys were absent: then rows that others added matter. */
      readonly insertsByKey: boolean;
      readonly fieldsModified: readonly number[];
    }
  | {
      readonly kind: "overwrite";
      readonly fragments: readonly Fragment[];
      readonly fields: readonly LanceField[];
      readonly schemaMetadata: ReadonlyMap<string, Uint8Array>;
      readonly config: ReadonlyMap<string, string>;
      readonly dataFormat: { readonly format: string; readonly version: string };
    }
  | { readonly kind: "restore"; readonly version: number }
  | {
      readonly kind: "merge";
      readonly fragments: readonly Fragment[];
      readonly fields: readonly LanceField[];
      readonly schemaMetadata: ReadonlyMap<string, Uint8Array>;
      readonly preservesNullability: boolean;
    }
  | {
      readonly kind: "project";
      readonly fields: readonly LanceField[];
      readonly schemaMetadata: ReadonlyMap<string, Uint8Array>;
      readonly preservesNullability: boolean;
    }
  | {
      readonly kind: "update_config";
      readonly config?: UpdateMap;
      readonly tableMetadata?: UpdateMap;
      readonly schemaMetadata?: UpdateMap;
      readonly fieldMetadata?: ReadonlyMap<number, UpdateMap>;
    }
  | { readonly kind: "rewrite"; readonly groups: readonly RewriteGroup[] }
  | { readonly kind: "reserve_fragments"; readonly count: number };

/** Kinds of operation that this package makes itself; native LanceDB makes the others too. */
export type IntentKind = Intent["kind"];

export interface Proposal {
  readonly intent: Intent;
  /** The version that the intent was computed on. */
  readonly readVersion: number;
  /** Resolves when every staged file is as durable as the commit has to be; rejects when one could not be written. */
  readonly staged: Promise<void>;
  /** Paths of the staged files, relative to the table, removed when the failure of the commit is definite. */
  readonly stagedPaths: readonly string[];
  /** Writes in it that another process may commit, too. */
  readonly requests?: readonly Request[];
  /** Goes into the transaction record, readable by every reader of the format. */
  readonly properties: ReadonlyMap<string, string>;
}

/** Ids of the columns in the data files that an intent adds. */
export function stagedFieldIds(files: readonly Fragment[]): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const fragment of files) for (const file of fragment.files) addLive(ids, file);
  return ids;
}

function addLive(ids: Set<number>, file: DataFile): void {
  for (const id of file.fields) if (id >= 0) ids.add(id);
}

/** Kinds of transaction that the format knows; a record of any other kind is `unknown`. */
export type OperationKind = Operation["kind"];
