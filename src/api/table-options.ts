/** Options of the calls that list, make and open tables. */
import type { DataFormat } from "../data/codec.js";
import type { SchemaLike } from "../data/columns/adopt.js";
import { NO_EMBEDDINGS, type OptionKeys } from "./arguments.js";
import type { CommitMetadata } from "./commit-metadata.js";

export interface CreateTableOptions {
  /** create: the table must be new; overwrite: a table of that name gets a new version with only these rows. */
  readonly mode?: "create" | "overwrite";
  /** With mode create: open the table if it is there. */
  readonly existOk?: boolean;
  readonly schema?: SchemaLike;
  /** Format of the data files; fixed for the table. */
  readonly dataFormat?: DataFormat;
  /** `newTableEnableStableRowIds`: "true" or "false", for a table that is new; see the option of connect(). */
  readonly storageOptions?: Readonly<Record<string, string>>;
  /** Kept with the first version, or with the one that mode overwrite makes, as listVersions() shows it. */
  readonly metadata?: CommitMetadata;
}

export interface OpenTableOptions {
  /** Shows this version, of the branch if one is named, and refuses writes until checkoutLatest(). */
  readonly version?: number;
  /** Reads and writes go to this branch. */
  readonly branch?: string;
  readonly storageOptions?: Readonly<Record<string, string>>;
  readonly indexCacheSize?: number;
}

export interface TableNamesOptions {
  /** Only names after this one. */
  readonly startAfter?: string;
  readonly limit?: number;
}

export const CREATE_TABLE: OptionKeys<
  CreateTableOptions,
  "dataStorageVersion" | "embeddingFunction" | "enableV2ManifestPaths"
> = {
  mode: true,
  existOk: true,
  schema: true,
  dataFormat: true,
  storageOptions: true,
  metadata: true,
  dataStorageVersion: true,
  embeddingFunction: NO_EMBEDDINGS,
  enableV2ManifestPaths: true,
};

export const OPEN_TABLE: OptionKeys<OpenTableOptions> = {
  version: true,
  branch: true,
  storageOptions: true,
  indexCacheSize: true,
};

export const TABLE_NAMES: OptionKeys<TableNamesOptions> = { startAfter: true, limit: true };
