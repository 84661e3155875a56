/**
 * What a transaction did to the table, one kind per sort of change.
 *
 * Kinds that this version does not make are described as far as conflicts need it; `unknown` is everything else.
 * Meaning of the operations: lance-format table specification, "Transactions".
 */
import type { DataFile, Fragment } from "./fragment.js";
import type { IndexEntry } from "./index-section.js";
import type { BasePath } from "./manifest-parts.js";
import type { LanceField } from "./schema.js";

/** Changes to a map of texts. */
export interface UpdateMap {
  /** No value: the key goes. */
  readonly entries: readonly { readonly key: string; readonly value?: string }[];
  /** True: the entries are the whole map. */
  readonly replace: boolean;
}

export interface RewriteGroup {
  readonly oldFragments: readonly Fragment[];
  readonly newFragments: readonly Fragment[];
  readonly unknown?: Uint8Array;
}

export interface Replacement {
  readonly fragmentId: number;
  readonly file: DataFile;
}

/** The form of a config update that old writers use. */
export interface OldConfigUpdate {
  readonly upserts: ReadonlyMap<string, string>;
  readonly deletedKeys: readonly string[];
  readonly schemaMetadata: ReadonlyMap<string, string>;
  readonly fieldMetadata: ReadonlyMap<number, ReadonlyMap<string, string>>;
}

/** `newFragments` and `fragments` of append, overwrite and update have id 0 until the commit numbers them. */
export type Operation = (
  | { readonly kind: "append"; readonly fragments: readonly Fragment[] }
  | {
      readonly kind: "delete";
      /** With their new deletion files. */
      readonly updatedFragments: readonly Fragment[];
      readonly deletedFragmentIds: readonly number[];
      readonly predicate: string;
    }
  | {
      readonly kind: "overwrite";
      readonly fragments: readonly Fragment[];
      readonly fields: readonly LanceField[];
      readonly schemaMetadata: ReadonlyMap<string, Uint8Array>;
      readonly configUpserts: ReadonlyMap<string, string>;
      readonly initialBases?: readonly BasePath[];
    }
  | {
      readonly kind: "create_index";
      readonly newIndices: readonly IndexEntry[];
      readonly removedIndices: readonly IndexEntry[];
    }
  | {
      readonly kind: "rewrite";
      readonly groups: readonly RewriteGroup[];
      /** RewrittenIndex messages as encoded. */
      readonly rewrittenIndices: readonly Uint8Array[];
    }
  | {
      readonly kind: "merge";
      /** All fragments of the table after the change. */
      readonly fragments: readonly Fragment[];
      readonly fields: readonly LanceField[];
      readonly schemaMetadata: ReadonlyMap<string, Uint8Array>;
      readonly preservesNullability: boolean;
    }
  | { readonly kind: "restore"; readonly version: number }
  | { readonly kind: "reserve_fragments"; readonly count: number }
  | {
      readonly kind: "update";
      readonly removedFragmentIds: readonly number[];
      readonly updatedFragments: readonly Fragment[];
      readonly newFragments: readonly Fragment[];
      readonly fieldsModified: readonly number[];
      readonly fieldsForPreservingFragBitmap?: readonly number[];
      /** rows: changed rows moved to new fragments; columns: columns were written anew in place. */
      readonly mode: "rows" | "columns";
      /** The filter over the keys of inserted rows, as encoded. */
      readonly keyFilter?: Uint8Array;
    }
  | { readonly kind: "project"; readonly fields: readonly LanceField[]; readonly preservesNullability: boolean }
  | {
      readonly kind: "update_config";
      readonly config?: UpdateMap;
      readonly tableMetadata?: UpdateMap;
      readonly schemaMetadata?: UpdateMap;
      readonly fieldMetadata: ReadonlyMap<number, UpdateMap>;
      readonly old?: OldConfigUpdate;
    }
  | { readonly kind: "data_replacement"; readonly replacements: readonly Replacement[] }
  | {
      readonly kind: "clone";
      readonly isShallow: boolean;
      readonly refName?: string;
      readonly refVersion: number;
      readonly refPath: string;
      readonly branchName?: string;
    }
  | {
      readonly kind: "unknown";
      /** Number of the operation's field in the Transaction message. */
      readonly fieldNumber: number;
      /** Its value as encoded, without tag and length. */
      readonly bytes: Uint8Array;
    }
) & {
  /** Fields of the operation that are not known, as encoded. */
  readonly unknown?: Uint8Array;
};

export type OperationKind = Operation["kind"];
