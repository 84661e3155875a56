/**
 * Methods of LanceDB's connection and table that are not built here: each rejects with NOT_SUPPORTED and one sentence, so that a
 * program that only changed its import learns at once what is missing.
 */
import { TableError } from "../support/errors.js";

/** A rejected promise that says what is not there. */
export function notSupported(method: string, sentence: string): Promise<never> {
  return Promise.reject(
    new TableError("NOT_SUPPORTED", `${method}() is not supported: ${sentence}`, { details: { method } }),
  );
}

const INDEX = "indices are not built yet; searches and filters scan, and are exact.";
const BLOBS = "there are no blob columns; keep bytes in binary columns.";
const LSM = "there is no log-structured write path; the write queue batches small writes instead.";
const COMPUTED = "computed columns are not built yet; add the column and update it.";

const NAMESPACE = "a database is one flat list of tables.";
const VIEWS = "materialized views are not built yet.";
const JOBS = "every call ends before its promise settles, so there are no jobs.";

export abstract class UnbuiltConnection {
  listTables(..._args: unknown[]): Promise<never> {
    return notSupported("listTables", "use tableNames(), which pages by startAfter and limit.");
  }
  renameTable(..._args: unknown[]): Promise<never> {
    return notSupported("renameTable", "create a table of the new name from the rows of the old one.");
  }
  cloneTable(..._args: unknown[]): Promise<never> {
    return notSupported("cloneTable", "create a table from the rows of the other one.");
  }
  dropTableAsync(..._args: unknown[]): Promise<never> {
    return notSupported("dropTableAsync", "use dropTable().");
  }
  describeNamespace(..._args: unknown[]): Promise<never> {
    return notSupported("describeNamespace", NAMESPACE);
  }
  listNamespaces(..._args: unknown[]): Promise<never> {
    return notSupported("listNamespaces", NAMESPACE);
  }
  createNamespace(..._args: unknown[]): Promise<never> {
    return notSupported("createNamespace", NAMESPACE);
  }
  dropNamespace(..._args: unknown[]): Promise<never> {
    return notSupported("dropNamespace", NAMESPACE);
  }
  createMaterializedView(..._args: unknown[]): Promise<never> {
    return notSupported("createMaterializedView", VIEWS);
  }
  openMaterializedView(..._args: unknown[]): Promise<never> {
    return notSupported("openMaterializedView", VIEWS);
  }
  listMaterializedViews(): Promise<never> {
    return notSupported("listMaterializedViews", VIEWS);
  }
  openJob(..._args: unknown[]): Promise<never> {
    return notSupported("openJob", JOBS);
  }
  listJobs(): Promise<never> {
    return notSupported("listJobs", JOBS);
  }
  cancelJob(..._args: unknown[]): Promise<never> {
    return notSupported("cancelJob", JOBS);
  }
}

export abstract class UnbuiltTable {
  listIndices(): Promise<never> {
    return notSupported("listIndices", INDEX);
  }
  indexStats(..._args: unknown[]): Promise<never> {
    return notSupported("indexStats", INDEX);
  }
  blobColumns(): Promise<never> {
    return notSupported("blobColumns", BLOBS);
  }
  fetchBlobs(..._args: unknown[]): Promise<never> {
    return notSupported("fetchBlobs", BLOBS);
  }
  fetchBlobFiles(..._args: unknown[]): Promise<never> {
    return notSupported("fetchBlobFiles", BLOBS);
  }
  migrateManifestPathsV2(): Promise<never> {
    return notSupported(
      "migrateManifestPathsV2",
      "new tables have V2 names, and V1 names are read and written as they are.",
    );
  }
  createIndex(..._args: unknown[]): Promise<never> {
    return notSupported("createIndex", INDEX);
  }
  createIndexAsync(..._args: unknown[]): Promise<never> {
    return notSupported("createIndexAsync", INDEX);
  }
  dropIndex(..._args: unknown[]): Promise<never> {
    return notSupported("dropIndex", INDEX);
  }
  prewarmIndex(..._args: unknown[]): Promise<never> {
    return notSupported("prewarmIndex", INDEX);
  }
  prewarmData(..._args: unknown[]): Promise<never> {
    return notSupported("prewarmData", "data is read when a query needs it.");
  }
  waitForIndex(..._args: unknown[]): Promise<never> {
    return notSupported("waitForIndex", INDEX);
  }
  tokenize(..._args: unknown[]): Promise<never> {
    return notSupported("tokenize", "full-text search is not built yet.");
  }
  refreshColumn(..._args: unknown[]): Promise<never> {
    return notSupported("refreshColumn", COMPUTED);
  }
  refreshColumnAsync(..._args: unknown[]): Promise<never> {
    return notSupported("refreshColumnAsync", COMPUTED);
  }
  refreshMaterializedView(..._args: unknown[]): Promise<never> {
    return notSupported("refreshMaterializedView", "materialized views are not built yet.");
  }
  setUnenforcedPrimaryKey(..._args: unknown[]): Promise<never> {
    return notSupported("setUnenforcedPrimaryKey", "mergeInsert checks keys at commit without it.");
  }
  setLsmWriteSpec(..._args: unknown[]): Promise<never> {
    return notSupported("setLsmWriteSpec", LSM);
  }
  unsetLsmWriteSpec(): Promise<never> {
    return notSupported("unsetLsmWriteSpec", LSM);
  }
  getLsmWriteSpec(): Promise<never> {
    return notSupported("getLsmWriteSpec", LSM);
  }
  closeLsmWriters(): Promise<never> {
    return notSupported("closeLsmWriters", LSM);
  }
  flushLsm(): Promise<never> {
    return notSupported("flushLsm", LSM);
  }
  compactLsm(): Promise<never> {
    return notSupported("compactLsm", LSM);
  }
  checkpointLsm(): Promise<never> {
    return notSupported("checkpointLsm", LSM);
  }
  getLsmStats(..._args: unknown[]): Promise<never> {
    return notSupported("getLsmStats", LSM);
  }
  initialStorageOptions(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
  latestStorageOptions(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}
