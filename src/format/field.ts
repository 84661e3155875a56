/**
 * One schema field as the manifest and transactions keep it.
 *
 * The enum fields `type` and `encoding`, dictionary offsets and key marks are kept as they are and never interpreted.
 * Message layout: lance-format file.proto, Field.
 */
import type { LanceField } from "./schema.js";
import { joinUnknown, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

/** A Field message, without tag and length. */
export function encodeField(field: LanceField): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  writeField(writer, field);
  return writer.finish();
}

/** Appends the fields of a Field message. */
export function writeField(writer: WireWriter, field: LanceField): void {
  writer.string(2, field.name);
  if (field.id !== 0) writer.int(3, field.id);
  if (field.parentId !== 0) writer.int(4, field.parentId);
  writer.string(5, field.logicalType);
  writer.bool(6, field.nullable);
  if (field.extensionName !== undefined) writer.string(9, field.extensionName);
  writeBytesMap(writer, 10, field.metadata);
  writer.raw(field.unknown);
}

/** @throws CORRUPT */
export function decodeField(bytes: Uint8Array, path: string): LanceField {
  return readField(new WireReader(bytes, path));
}

/** Reads a Field message to the reader's end. @throws CORRUPT */
export function readField(reader: WireReader): LanceField {
  let id = 0;
  let parentId = 0;
  let name = "";
  let logicalType = "";
  let nullable = false;
  let extensionName: string | undefined;
  const metadata = new Map<string, Uint8Array>();
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        name = reader.string();
        break;
      case 3:
        id = reader.int32();
        break;
      case 4:
        parentId = reader.int32();
        break;
      case 5:
        logicalType = reader.string();
        break;
      case 6:
        nullable = reader.bool();
        break;
      case 9:
        extensionName = reader.string();
        break;
      case 10:
        readBytesMapEntry(reader.message(), metadata);
        break;
      default:
        reader.keep(unknown);
    }
  }
  const kept = joinUnknown(unknown);
  return {
    id,
    parentId,
    name,
    logicalType,
    nullable,
    metadata,
    ...(extensionName === undefined ? {} : { extensionName }),
    ...(kept === undefined ? {} : { unknown: kept }),
  };
}

/** Appends a map<string, bytes>. */
export function writeBytesMap(writer: WireWriter, field: number, map: ReadonlyMap<string, Uint8Array>): void {
  for (const [key, value] of map) {
    const start = writer.begin(field);
    writer.string(1, key);
    writer.data(2, value);
    writer.commit(start);
  }
}

/** Adds one entry of a map<string, bytes>. */
export function readBytesMapEntry(reader: WireReader, into: Map<string, Uint8Array>): void {
  let key = "";
  let value: Uint8Array = new Uint8Array();
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) value = reader.view();
    else reader.skip();
  }
  into.set(key, value);
}

/** Appends a map<string, string>. */
export function writeTextMap(writer: WireWriter, field: number, map: ReadonlyMap<string, string>): void {
  for (const [key, value] of map) {
    const start = writer.begin(field);
    writer.string(1, key);
    writer.string(2, value);
    writer.commit(start);
  }
}

/** Adds one entry of a map<string, string>. */
export function readTextMapEntry(reader: WireReader, into: Map<string, string>): void {
  let key = "";
  let value = "";
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) value = reader.string();
    else reader.skip();
  }
  into.set(key, value);
}
