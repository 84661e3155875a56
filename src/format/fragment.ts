/**
 * A fragment: rows with an id, the data files that hold their columns, and the file that says which rows are gone.
 *
 * Message layout: lance-format table.proto, DataFragment, DataFile, DeletionFile.
 */
import { isRelativePath } from "./names.js";
import { joinUnknown, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

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
  | {
      readonly kind: "external";
      readonly path: string;
      readonly offset: number;
      readonly sizeBytes: number;
      readonly unknown?: Uint8Array;
    };

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

const DELETION_KINDS = ["arrow", "bitmap"] as const;

/** One fragment as a DataFragment message, without tag and length. */
export function encodeFragment(fragment: Fragment): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  writeFragment(writer, fragment);
  return writer.finish();
}

/** Appends the fields of a DataFragment message. */
export function writeFragment(writer: WireWriter, fragment: Fragment): void {
  writer.uintIfSet(1, fragment.id);
  for (const file of fragment.files) {
    const start = writer.begin(2);
    writeDataFile(writer, file);
    writer.commit(start);
  }
  if (fragment.deletionFile !== undefined) {
    const start = writer.begin(3);
    writeDeletionFile(writer, fragment.deletionFile);
    writer.commit(start);
  }
  writer.uintIfSet(4, fragment.physicalRows);
  writeSequence(writer, 5, fragment.rowIds);
  writeSequence(writer, 7, fragment.lastUpdatedVersions);
  writeSequence(writer, 9, fragment.createdVersions);
  writer.raw(fragment.unknown);
}

/**
 * Reads a DataFragment message, without tag and length.
 * @param path the file that holds it, for errors
 * @throws CORRUPT, NOT_SUPPORTED
 */
export function decodeFragment(bytes: Uint8Array, path: string): Fragment {
  return readFragment(new WireReader(bytes, path));
}

/** As `decodeFragment`, from where the reader stands to its end. */
export function readFragment(reader: WireReader): Fragment {
  let id = 0;
  let physicalRows = 0;
  const files: DataFile[] = [];
  let deletionFile: DeletionFile | undefined;
  let rowIds: SequenceLocation | undefined;
  let lastUpdatedVersions: SequenceLocation | undefined;
  let createdVersions: SequenceLocation | undefined;
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        id = reader.uint();
        break;
      case 2:
        files.push(readDataFile(reader.message()));
        break;
      case 3:
        deletionFile = readDeletionFile(reader.message());
        break;
      case 4:
        physicalRows = reader.uint();
        break;
      case 5:
      case 6:
        rowIds = readSequence(reader);
        break;
      case 7:
      case 8:
        lastUpdatedVersions = readSequence(reader);
        break;
      case 9:
      case 10:
        createdVersions = readSequence(reader);
        break;
      default:
        reader.keep(unknown);
    }
  }
  const kept = joinUnknown(unknown);
  return {
    id,
    files,
    physicalRows,
    ...(deletionFile === undefined ? {} : { deletionFile }),
    ...(rowIds === undefined ? {} : { rowIds }),
    ...(lastUpdatedVersions === undefined ? {} : { lastUpdatedVersions }),
    ...(createdVersions === undefined ? {} : { createdVersions }),
    ...(kept === undefined ? {} : { unknown: kept }),
  };
}

/** Appends the fields of a DataFile message. */
export function writeDataFile(writer: WireWriter, file: DataFile): void {
  writer.string(1, file.path);
  writer.packed(2, file.fields);
  writer.packed(3, file.columnIndices);
  writer.uintIfSet(4, file.majorVersion);
  writer.uintIfSet(5, file.minorVersion);
  writer.uintIfSet(6, file.sizeBytes);
  if (file.baseId !== undefined) writer.uint(7, file.baseId);
  writer.raw(file.unknown);
}

/** Reads a DataFile message to the reader's end. @throws CORRUPT also for a path that leads outside the table */
export function readDataFile(reader: WireReader): DataFile {
  let path = "";
  const fields: number[] = [];
  const columnIndices: number[] = [];
  let majorVersion = 0;
  let minorVersion = 0;
  let sizeBytes = 0;
  let baseId: number | undefined;
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        path = reader.string();
        break;
      case 2:
        reader.int32s(fields);
        break;
      case 3:
        reader.int32s(columnIndices);
        break;
      case 4:
        majorVersion = reader.uint();
        break;
      case 5:
        minorVersion = reader.uint();
        break;
      case 6:
        sizeBytes = reader.uint();
        break;
      case 7:
        baseId = reader.uint();
        break;
      default:
        reader.keep(unknown);
    }
  }
  if (!isRelativePath(path)) reader.fail("the path of a data file may lead outside the table");
  const kept = joinUnknown(unknown);
  return {
    path,
    fields,
    columnIndices,
    majorVersion,
    minorVersion,
    sizeBytes,
    ...(baseId === undefined ? {} : { baseId }),
    ...(kept === undefined ? {} : { unknown: kept }),
  };
}

function writeDeletionFile(writer: WireWriter, file: DeletionFile): void {
  writer.uintIfSet(1, DELETION_KINDS.indexOf(file.kind));
  writer.uintIfSet(2, file.readVersion);
  writer.uintIfSet(3, file.id);
  writer.uintIfSet(4, file.deletedRows);
  if (file.baseId !== undefined) writer.uint(7, file.baseId);
  writer.raw(file.unknown);
}

function readDeletionFile(reader: WireReader): DeletionFile {
  let kind: DeletionFile["kind"] | undefined = "arrow";
  let readVersion = 0;
  let id = 0n;
  let deletedRows = 0;
  let baseId: number | undefined;
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        kind = DELETION_KINDS[reader.uint()];
        if (kind === undefined) reader.fail("a deletion file is of a kind that is not known");
        break;
      case 2:
        readVersion = reader.uint();
        break;
      case 3:
        id = reader.bigUint();
        break;
      case 4:
        deletedRows = reader.uint();
        break;
      case 7:
        baseId = reader.uint();
        break;
      default:
        reader.keep(unknown);
    }
  }
  const kept = joinUnknown(unknown);
  return {
    kind,
    readVersion,
    id,
    deletedRows,
    ...(baseId === undefined ? {} : { baseId }),
    ...(kept === undefined ? {} : { unknown: kept }),
  };
}

/** `field` is the number of the inline form; the external form has the next one. */
function writeSequence(writer: WireWriter, field: number, sequence: SequenceLocation | undefined): void {
  if (sequence === undefined) return;
  if (sequence.kind === "inline") {
    writer.data(field, sequence.bytes);
    return;
  }
  const start = writer.begin(field + 1);
  writer.string(1, sequence.path);
  writer.uintIfSet(2, sequence.offset);
  writer.uintIfSet(3, sequence.sizeBytes);
  writer.raw(sequence.unknown);
  writer.commit(start);
}

function readSequence(reader: WireReader): SequenceLocation {
  if (reader.field % 2 === 1) return { kind: "inline", bytes: reader.view() };
  const inner = reader.message();
  let path = "";
  let offset = 0;
  let sizeBytes = 0;
  const unknown: Uint8Array[] = [];
  while (inner.next()) {
    if (inner.field === 1) path = inner.string();
    else if (inner.field === 2) offset = inner.uint();
    else if (inner.field === 3) sizeBytes = inner.uint();
    else inner.keep(unknown);
  }
  if (!isRelativePath(path)) reader.fail("the path of a row sequence may lead outside the table");
  const kept = joinUnknown(unknown);
  return { kind: "external", path, offset, sizeBytes, ...(kept === undefined ? {} : { unknown: kept }) };
}
