/**
 * A version of a table: the manifest file, decoded and encoded.
 *
 * Fragments, indices and the transaction stay encoded; fields that are not known are kept.
 * Message layout: lance-format table.proto, Manifest.
 */
import { assert } from "../support/errors.js";
import { readBytesMapEntry, readField, readTextMapEntry, writeBytesMap, writeField, writeTextMap } from "./field.js";
import { FRAGMENTS_FIELD } from "./fragment-block.js";
import { FragmentList } from "./fragment-list.js";
import { ManifestFileWriter, openManifestFile, sectionAt } from "./manifest-file.js";
import {
  type BasePath,
  type DataFormatVersion,
  readBasePath,
  readDataFormat,
  readTimestamp,
  readWriterVersion,
  type Timestamp,
  type WriterVersion,
  writeBasePath,
  writeDataFormat,
  writeTimestamp,
  writeWriterVersion,
} from "./manifest-parts.js";
import { isRelativePath } from "./names.js";
import type { LanceField } from "./schema.js";
import { concat, corrupt, joinUnknown, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

export { MANIFEST_BYTES_MAX } from "./manifest-file.js";
export type { BasePath, DataFormatVersion, Timestamp, WriterVersion } from "./manifest-parts.js";

export interface Manifest {
  readonly version: number;
  /** Depth first. */
  readonly fields: readonly LanceField[];
  readonly fragments: FragmentList;
  readonly schemaMetadata: ReadonlyMap<string, Uint8Array>;
  readonly timestamp: Timestamp;
  readonly readerFlags: bigint;
  readonly writerFlags: bigint;
  /** The highest id that was ever used; undefined while there was no fragment yet. */
  readonly maxFragmentId: number | undefined;
  /** Name inside `_transactions`, empty when the transaction stands in the manifest file only. */
  readonly transactionFile: string;
  readonly writerVersion?: WriterVersion;
  /** Used with stable row ids only. */
  readonly nextRowId: bigint;
  readonly dataFormat: DataFormatVersion | undefined;
  readonly config: ReadonlyMap<string, string>;
  readonly tableMetadata: ReadonlyMap<string, string>;
  readonly basePaths: readonly BasePath[];
  readonly branch?: string;
  readonly tag: string;
  readonly versionAuxData: bigint;
  /** Fields that are not known, as encoded. */
  readonly unknown: Uint8Array;
  /** The IndexSection message as encoded. */
  readonly indexSection: Uint8Array | undefined;
  /** The Transaction message as encoded. */
  readonly transaction: Uint8Array | undefined;
}

const INDEX_SECTION_FIELD = 6;
const TRANSACTION_SECTION_FIELD = 21;
const U32_MAX = 0xffff_ffff;

type Draft = { -readonly [K in keyof Manifest]: Manifest[K] };

/**
 * Reads a whole manifest file. Views of `bytes` live on in the answer.
 * @param path of the file, for errors
 * @throws CORRUPT (details: path, offset), NOT_SUPPORTED for a newer container version or too many fragments
 */
export function decodeManifest(bytes: Uint8Array, path: string): Manifest {
  const { start, end } = openManifestFile(bytes, path);
  return readManifest(new WireReader(bytes, path, start, end));
}

/** What a manifest file says of the transaction that made it. */
export type MadeBy = Pick<Manifest, "version" | "transactionFile" | "transaction">;

/**
 * Reads of a whole manifest file only what made it, whatever its fragments are. A view of `bytes` lives on in the answer.
 * @param path of the file, for errors
 * @throws CORRUPT (details: path, offset), NOT_SUPPORTED for a newer container version
 */
export function decodeMadeBy(bytes: Uint8Array, path: string): MadeBy {
  const { start, end } = openManifestFile(bytes, path);
  const reader = new WireReader(bytes, path, start, end);
  const m = emptyDraft();
  while (reader.next()) {
    if (reader.field === TRANSACTION_SECTION_FIELD) m.transaction = sectionAt(bytes, reader.uint(), start, path);
    else if (reader.field === 3 || reader.field === 12) readSingular(reader, m);
    else reader.skip();
  }
  return m;
}

/** The manifest file in pieces; fragments, indices and transaction are views of what the manifest holds. */
export function encodeManifest(manifest: Manifest): Uint8Array[] {
  assert(Number.isSafeInteger(manifest.version) && manifest.version > 0, "a version is a positive safe integer");
  const file = new ManifestFileWriter();
  const transactionAt = file.add(manifest.transaction);
  const indexAt = file.add(manifest.indexSection);
  const head = new WireWriter();
  for (const field of manifest.fields) {
    const start = head.begin(1);
    writeField(head, field);
    head.commit(start);
  }
  return file.finish([head.finish(), ...manifest.fragments.chunks(), tailOf(manifest, transactionAt, indexAt)]);
}

function readManifest(reader: WireReader): Manifest {
  const { bytes, path, pos: start, end } = reader;
  const fields: LanceField[] = [];
  const schemaMetadata = new Map<string, Uint8Array>();
  const config = new Map<string, string>();
  const tableMetadata = new Map<string, string>();
  const basePaths: BasePath[] = [];
  const unknown: Uint8Array[] = [];
  const entries: FragmentEntries = { starts: [], ends: [] };
  const m = emptyDraft();
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        fields.push(readField(reader.message()));
        break;
      case FRAGMENTS_FIELD:
        entries.starts.push(reader.tagStart);
        reader.pos = reader.delimitedEnd();
        entries.ends.push(reader.pos);
        break;
      case 5:
        readBytesMapEntry(reader.message(), schemaMetadata);
        break;
      case INDEX_SECTION_FIELD:
        m.indexSection = sectionAt(bytes, reader.uint(), start, path);
        break;
      case 16:
        readTextMapEntry(reader.message(), config);
        break;
      case 18:
        basePaths.push(readBasePath(reader.message()));
        break;
      case 19:
        readTextMapEntry(reader.message(), tableMetadata);
        break;
      case TRANSACTION_SECTION_FIELD:
        m.transaction = sectionAt(bytes, reader.uint(), start, path);
        break;
      default:
        if (!readSingular(reader, m)) reader.keep(unknown);
    }
  }
  if (m.version === 0) throw corrupt(path, start, "the manifest has no version");
  return {
    ...m,
    fields,
    fragments: listOf(bytes, entries, end, path),
    schemaMetadata,
    config,
    tableMetadata,
    basePaths,
    unknown: joinUnknown(unknown) ?? new Uint8Array(),
  };
}

/** Reads one of the fields that occur once; false when the field is not one of them. */
function readSingular(reader: WireReader, m: Draft): boolean {
  switch (reader.field) {
    case 3:
      m.version = reader.uint();
      return true;
    case 4:
      m.versionAuxData = reader.bigUint();
      return true;
    case 7:
      m.timestamp = readTimestamp(reader.message());
      return true;
    case 8:
      m.tag = reader.string();
      return true;
    case 9:
      m.readerFlags = reader.bigUint();
      return true;
    case 10:
      m.writerFlags = reader.bigUint();
      return true;
    case 11:
      m.maxFragmentId = reader.uint();
      if (m.maxFragmentId > U32_MAX) reader.fail("the highest fragment id is out of range");
      return true;
    case 12:
      m.transactionFile = reader.string();
      if (m.transactionFile !== "" && !isRelativePath(m.transactionFile)) {
        reader.fail("the name of the transaction file may lead outside the table");
      }
      return true;
    case 13:
      m.writerVersion = readWriterVersion(reader.message());
      return true;
    case 14:
      m.nextRowId = reader.bigUint();
      return true;
    case 15:
      m.dataFormat = readDataFormat(reader.message());
      return true;
    case 20:
      m.branch = reader.string();
      return true;
    default:
      return false;
  }
}

function emptyDraft(): Draft {
  return {
    version: 0,
    fields: [],
    fragments: FragmentList.empty,
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
}

interface FragmentEntries {
  readonly starts: number[];
  readonly ends: number[];
}

/** The fragments' entries as one list; entries with other fields between them are brought together first. */
function listOf(bytes: Uint8Array, { starts, ends }: FragmentEntries, end: number, path: string): FragmentList {
  const sideBySide = ends.every((entryEnd, i) => i + 1 === starts.length || starts[i + 1] === entryEnd);
  if (sideBySide) return FragmentList.fromEntries(bytes, starts, ends[ends.length - 1] ?? end, path);
  let moved = 0;
  const movedStarts = ends.map((entryEnd, i) => {
    const at = moved;
    moved += entryEnd - starts[i]!;
    return at;
  });
  const together = concat(starts.map((start, i) => bytes.subarray(start, ends[i])));
  return FragmentList.fromEntries(together, movedStarts, moved, path);
}

/** Every field but schema fields and fragments. */
function tailOf(manifest: Manifest, transactionAt: number | undefined, indexAt: number | undefined): Uint8Array {
  const writer = new WireWriter();
  writer.uint(3, manifest.version);
  writer.uintIfSet(4, manifest.versionAuxData);
  writeBytesMap(writer, 5, manifest.schemaMetadata);
  if (indexAt !== undefined) writer.uint(INDEX_SECTION_FIELD, indexAt);
  writeTimestamp(writer, 7, manifest.timestamp);
  writer.stringIfSet(8, manifest.tag);
  writer.uintIfSet(9, manifest.readerFlags);
  writer.uintIfSet(10, manifest.writerFlags);
  if (manifest.maxFragmentId !== undefined) writer.uint(11, manifest.maxFragmentId);
  writer.stringIfSet(12, manifest.transactionFile);
  writeWriterVersion(writer, 13, manifest.writerVersion);
  writer.uintIfSet(14, manifest.nextRowId);
  writeDataFormat(writer, 15, manifest.dataFormat);
  writeTextMap(writer, 16, manifest.config);
  for (const base of manifest.basePaths) {
    const start = writer.begin(18);
    writeBasePath(writer, base);
    writer.commit(start);
  }
  writeTextMap(writer, 19, manifest.tableMetadata);
  if (manifest.branch !== undefined) writer.string(20, manifest.branch);
  if (transactionAt !== undefined) writer.uint(TRANSACTION_SECTION_FIELD, transactionAt);
  writer.raw(manifest.unknown);
  return writer.finish();
}
