/** What the methods of a table answer. The fields of LanceDB's results have its names; ours come in addition. */

/** What every commit says of itself. */
export interface CommitInfo {
  readonly version: number;
  /** How often the commit was tried. */
  readonly attempts: number;
  /** Attempts that were expressed anew on what other writers had committed. */
  readonly rebases: number;
}

export interface AddResult extends CommitInfo {
  readonly rowsAdded: number;
}

export interface UpdateResult extends CommitInfo {
  readonly rowsUpdated: number;
}

export interface DeleteResult extends CommitInfo {
  readonly numDeletedRows: number;
}

export interface MergeResult extends CommitInfo {
  readonly numInsertedRows: number;
  readonly numUpdatedRows: number;
  readonly numDeletedRows: number;
  readonly numAttempts: number;
  readonly numRows: number;
}

export interface AddColumnsResult extends CommitInfo {}
export interface AlterColumnsResult extends CommitInfo {}
export interface DropColumnsResult extends CommitInfo {}

export interface WriteProgress {
  readonly outputRows: number;
  readonly outputBytes: number;
  readonly totalRows?: number;
  readonly elapsedSeconds: number;
  readonly activeTasks: number;
  readonly totalTasks: number;
  readonly done: boolean;
}

export interface Version {
  readonly version: number;
  readonly timestamp: Date;
  /** Totals of the version under LanceDB's names, and the properties of its transaction. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What made the version: append, delete, update, overwrite, rewrite, ...; absent when there is no record of it. */
  readonly operation?: string;
  /** Rows that the version has and the one before has not; absent when that is not known. */
  readonly rowsAdded?: number;
  readonly rowsRemoved?: number;
  /** What the writer said of its commit: the `metadata` of the write. */
  readonly commitMetadata: Readonly<Record<string, string>>;
}

export interface FragmentStatistics {
  readonly numFragments: number;
  readonly numSmallFragments: number;
  readonly lengths: {
    readonly min: number;
    readonly max: number;
    readonly mean: number;
    readonly p25: number;
    readonly p50: number;
    readonly p75: number;
    readonly p99: number;
  };
}

export interface TableStatistics {
  readonly totalBytes: number;
  readonly numRows: number;
  readonly numIndices: number;
  readonly fragmentStats: FragmentStatistics;
}
