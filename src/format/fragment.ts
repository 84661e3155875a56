/**
 * A fragment: rows with an id, the data files that hold their columns, and the file that says which rows are gone.
 *
 * Message layout: lance-format table.proto, DataFragment, DataFile, DeletionFile.
 */

/** One data file of a fragment; `path` is relative to the table's `data/` directory. */
export interface DataFile {
  readonly path: string;
  /** Field ids held here (-2: a column that no schema field refers to any more), parallel to `columnIndices`. */
  readonly fields: readonly number[];
  readonly columnIndices: readonly number[];
  readonly majorVersion: number;
  readonly minorVersion: number;
  /** 0 when unknown. */
  readonly sizeBytes: number;
  readonly baseId?: number;
  /** Fields this version does not know, as encoded; kept through a rewrite. */
  readonly unknown?: Uint8Array;
}

export interface DeletionFile {
  readonly kind: "arrow" | "bitmap";
  readonly readVersion: number;
  /** Random u64, part of the file's name. */
  readonly id: bigint;
  readonly deletedRows: number;
  readonly baseId?: number;
  readonly unknown?: Uint8Array;
}

/** Where a row-id or row-version sequence is kept. */
export type SequenceLocation =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "external"; readonly path: string; readonly offset: number; readonly sizeBytes: number };

export interface Fragment {
  readonly id: number;
  readonly files: readonly DataFile[];
  readonly deletionFile?: DeletionFile;
  /** Rows before deletion. */
  readonly physicalRows: number;
  readonly rowIds?: SequenceLocation;
  readonly lastUpdatedVersions?: SequenceLocation;
  readonly createdVersions?: SequenceLocation;
  readonly unknown?: Uint8Array;
}
