/**
 * The small messages inside a manifest: base paths, writer version, timestamp, data format.
 *
 * Message layout: lance-format table.proto, Manifest.
 */
import { joinUnknown, type WireReader } from "./wire.js";
import type { WireWriter } from "./wire-writer.js";

/** Where else data files may lie: cloned and branched tables refer to their origin. */
export interface BasePath {
  readonly id: number;
  readonly name?: string;
  /** True: a table's directory; false: a directory of files. */
  readonly isDatasetRoot: boolean;
  /** Absolute. */
  readonly path: string;
  readonly unknown?: Uint8Array;
}

export interface WriterVersion {
  readonly library: string;
  readonly version: string;
  readonly prerelease?: string;
  readonly build?: string;
  readonly unknown?: Uint8Array;
}

/** Time since 1970, UTC. */
export interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** What kind of data files a table has, for example "lance" and "2.2". */
export interface DataFormatVersion {
  readonly format: string;
  readonly version: string;
}

export function writeBasePath(writer: WireWriter, base: BasePath): void {
  writer.uintIfSet(1, base.id);
  if (base.name !== undefined) writer.string(2, base.name);
  writer.bool(3, base.isDatasetRoot);
  writer.stringIfSet(4, base.path);
  writer.raw(base.unknown);
}

export function readBasePath(reader: WireReader): BasePath {
  let id = 0;
  let name: string | undefined;
  let isDatasetRoot = false;
  let path = "";
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === 1) id = reader.uint();
    else if (reader.field === 2) name = reader.string();
    else if (reader.field === 3) isDatasetRoot = reader.bool();
    else if (reader.field === 4) path = reader.string();
    else reader.keep(unknown);
  }
  const kept = joinUnknown(unknown);
  return {
    id,
    isDatasetRoot,
    path,
    ...(name === undefined ? {} : { name }),
    ...(kept === undefined ? {} : { unknown: kept }),
  };
}

export function writeWriterVersion(writer: WireWriter, field: number, value: WriterVersion | undefined): void {
  if (value === undefined) return;
  const start = writer.begin(field);
  writer.stringIfSet(1, value.library);
  writer.stringIfSet(2, value.version);
  if (value.prerelease !== undefined) writer.string(3, value.prerelease);
  if (value.build !== undefined) writer.string(4, value.build);
  writer.raw(value.unknown);
  writer.commit(start);
}

export function readWriterVersion(reader: WireReader): WriterVersion {
  let library = "";
  let version = "";
  let prerelease: string | undefined;
  let build: string | undefined;
  const unknown: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field === 1) library = reader.string();
    else if (reader.field === 2) version = reader.string();
    else if (reader.field === 3) prerelease = reader.string();
    else if (reader.field === 4) build = reader.string();
    else reader.keep(unknown);
  }
  const kept = joinUnknown(unknown);
  return {
    library,
    version,
    ...(prerelease === undefined ? {} : { prerelease }),
    ...(build === undefined ? {} : { build }),
    ...(kept === undefined ? {} : { unknown: kept }),
  };
}

export function writeTimestamp(writer: WireWriter, field: number, value: Timestamp): void {
  const start = writer.begin(field);
  if (value.seconds !== 0n) writer.int(1, value.seconds);
  if (value.nanos !== 0) writer.int(2, value.nanos);
  writer.commit(start);
}

export function readTimestamp(reader: WireReader): Timestamp {
  let seconds = 0n;
  let nanos = 0;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.bigInt();
    else if (reader.field === 2) nanos = reader.int32();
    else reader.skip();
  }
  return { seconds, nanos };
}

export function writeDataFormat(writer: WireWriter, field: number, value: DataFormatVersion | undefined): void {
  if (value === undefined) return;
  const start = writer.begin(field);
  writer.stringIfSet(1, value.format);
  writer.stringIfSet(2, value.version);
  writer.commit(start);
}

export function readDataFormat(reader: WireReader): DataFormatVersion {
  let format = "";
  let version = "";
  while (reader.next()) {
    if (reader.field === 1) format = reader.string();
    else if (reader.field === 2) version = reader.string();
    else reader.skip();
  }
  return { format, version };
}
