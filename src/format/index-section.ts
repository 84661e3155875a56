/**
 * The list of indices in a manifest, read as far as commits need it and otherwise carried over byte for byte.
 *
 * Message layout: lance-format table.proto, IndexSection and IndexMetadata.
 */
import { decodeRoaring, encodeRoaring } from "./roaring.js";
import { corrupt, joinUnknown, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

export interface IndexEntry {
  /** Lower case with hyphens. */
  readonly uuid: string;
  readonly name: string;
  /** Ids of the indexed fields. */
  readonly fields: readonly number[];
  /** Version of the table that the index was built from. */
  readonly datasetVersion: number;
  /** The number of the base whose directory holds its files; undefined: the table's own. */
  readonly baseId: number | undefined;
  /** Fragments that the index covers, ascending; undefined when it does not say. Decoded on each access. */
  readonly fragmentIds: Uint32Array | undefined;
  /** The IndexMetadata message as encoded. */
  readonly raw: Uint8Array;
}

export interface IndexSection {
  readonly entries: readonly IndexEntry[];
  /** Fields that are not known, as encoded. */
  readonly unknown?: Uint8Array;
}

const FRAGMENT_BITMAP_FIELD = 5;
const BASE_FIELD = 9;
const FRAGMENT_ID_LIMIT = 2 ** 32;

/** @throws CORRUPT */
export function decodeIndexSection(bytes: Uint8Array, path: string): IndexSection {
  const reader = new WireReader(bytes, path);
  const entries: IndexEntry[] = [];
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === 1) entries.push(decodeIndexEntry(reader.view(), path));
    else reader.keep(unknown);
  }
  const kept = joinUnknown(unknown);
  return { entries, ...(kept === undefined ? {} : { unknown: kept }) };
}

/** Entries in their order, each as its `raw` says. */
export function encodeIndexSection(section: IndexSection): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  for (const entry of section.entries) writer.data(1, entry.raw);
  writer.raw(section.unknown);
  return writer.finish();
}

/** Reads an IndexMetadata message, without tag and length. @throws CORRUPT */
export function decodeIndexEntry(raw: Uint8Array, path: string): IndexEntry {
  const reader = new WireReader(raw, path);
  let uuid = "";
  let name = "";
  let datasetVersion = 0;
  let bitmap: Uint8Array | undefined;
  let baseId: number | undefined;
  const fields: number[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        uuid = readUuid(reader.message());
        break;
      case 2:
        reader.int32s(fields);
        break;
      case 3:
        name = reader.string();
        break;
      case 4:
        datasetVersion = reader.uint();
        break;
      case FRAGMENT_BITMAP_FIELD:
        bitmap = reader.view();
        break;
      case BASE_FIELD:
        baseId = reader.uint();
        break;
      default:
        reader.skip();
    }
  }
  return {
    uuid,
    name,
    fields,
    datasetVersion,
    baseId,
    raw,
    get fragmentIds() {
      return bitmap === undefined || bitmap.length === 0 ? undefined : decodeRoaring(bitmap, path, FRAGMENT_ID_LIMIT);
    },
  };
}

/** The same index, covering these fragments; all other fields stay as they are. */
export function withFragmentIds(entry: IndexEntry, fragmentIds: Uint32Array): IndexEntry {
  const path = `index ${entry.name}`;
  const reader = new WireReader(entry.raw, path);
  const kept: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === FRAGMENT_BITMAP_FIELD) reader.skip();
    else reader.keep(kept);
  }
  const writer = new WireWriter();
  writer.raw(joinUnknown(kept));
  writer.data(FRAGMENT_BITMAP_FIELD, encodeRoaring(fragmentIds));
  return decodeIndexEntry(writer.finish(), path);
}

/** The same index, whose files lie in the directory of a base, unless they lie in one already. */
export function withBase(entry: IndexEntry, base: number): IndexEntry {
  if (entry.baseId !== undefined) return entry;
  const writer = new WireWriter();
  writer.raw(entry.raw);
  writer.uint(BASE_FIELD, base);
  return decodeIndexEntry(writer.finish(), `index ${entry.name}`);
}

function readUuid(reader: WireReader): string {
  let bytes: Uint8Array = new Uint8Array();
  while (reader.next()) {
    if (reader.field === 1) bytes = reader.view();
    else reader.skip();
  }
  if (bytes.length !== 16) throw corrupt(reader.path, reader.pos, "the uuid of an index does not have 16 bytes");
  const hex = Buffer.from(bytes).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
