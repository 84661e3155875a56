/**
 * Sequences of stable row ids and of the versions that rows were made and changed in, one value for each physical row.
 *
 * Ids above 2^53 - 1 are refused. Bitmaps hold the first value in the least significant bit, as writers do it.
 * Message layout: lance-format rowids.proto.
 */
import { corrupt, WireReader } from "./wire.js";
import { WireWriter } from "./wire-writer.js";

/** Some values of a sequence, in order. Ends are exclusive. */
export type RowIdSegment =
  | { readonly kind: "range"; readonly start: number; readonly end: number }
  | { readonly kind: "range_with_holes"; readonly start: number; readonly end: number; readonly holes: Float64Array }
  | { readonly kind: "range_with_bitmap"; readonly start: number; readonly end: number; readonly bitmap: Uint8Array }
  | { readonly kind: "sorted_array"; readonly values: Float64Array }
  | { readonly kind: "array"; readonly values: Float64Array };

/** As many rows as the span has values, all of one version. */
export interface VersionRun {
  readonly span: RowIdSegment;
  readonly version: number;
}

const KINDS = ["range", "range_with_holes", "range_with_bitmap", "sorted_array", "array"] as const;

/** A RowIdSequence message. */
export function encodeRowIdSequence(segments: readonly RowIdSegment[]): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  for (const segment of segments) writeSegment(writer, 1, segment);
  return writer.finish();
}

/** @throws CORRUPT */
export function decodeRowIdSequence(bytes: Uint8Array, path: string): RowIdSegment[] {
  const reader = new WireReader(bytes, path);
  const segments: RowIdSegment[] = [];
  while (reader.next()) {
    if (reader.field === 1) segments.push(readSegment(reader.message()));
    else reader.skip();
  }
  return segments;
}

/** A RowDatasetVersionSequence message. */
export function encodeVersionSequence(runs: readonly VersionRun[]): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  for (const { span, version } of runs) {
    const start = writer.begin(1);
    writeSegment(writer, 1, span);
    writer.uintIfSet(2, version);
    writer.commit(start);
  }
  return writer.finish();
}

/** @throws CORRUPT */
export function decodeVersionSequence(bytes: Uint8Array, path: string): VersionRun[] {
  const reader = new WireReader(bytes, path);
  const runs: VersionRun[] = [];
  while (reader.next()) {
    if (reader.field === 1) runs.push(readRun(reader.message()));
    else reader.skip();
  }
  return runs;
}

/** The shortest sequence of these ids: a range where they are consecutive. */
export function rowIdSequenceOf(ids: Float64Array): RowIdSegment[] {
  if (ids.length === 0) return [];
  const start = ids[0]!;
  if (ids.every((id, i) => id === start + i)) return [{ kind: "range", start, end: start + ids.length }];
  const sorted = ids.every((id, i) => i === 0 || id > ids[i - 1]!);
  return [{ kind: sorted ? "sorted_array" : "array", values: ids }];
}

/** Runs of these versions, one for each row. */
export function versionSequenceOf(versions: Float64Array): VersionRun[] {
  const runs: VersionRun[] = [];
  let start = 0;
  for (let i = 1; i <= versions.length; i++) {
    if (i < versions.length && versions[i] === versions[start]) continue;
    runs.push({ span: { kind: "range", start, end: i }, version: versions[start]! });
    start = i;
  }
  return runs;
}

/**
 * All ids of a sequence, in order.
 * @param rows how many there must be: the fragment's physical rows
 * @throws CORRUPT when there are more or fewer
 */
export function expandRowIds(segments: readonly RowIdSegment[], path: string, rows: number): Float64Array<ArrayBuffer> {
  checkCount(sequenceLength(segments), rows, path);
  const ids = new Float64Array(rows);
  let at = 0;
  for (const segment of segments) at = expandSegment(segment, ids, at);
  return ids;
}

/** How many ids a sequence has. */
export function sequenceLength(segments: readonly RowIdSegment[]): number {
  return segments.reduce((sum, segment) => sum + segmentLength(segment), 0);
}

/** The version of every row, in order. @throws CORRUPT when there are more or fewer than `rows` */
export function expandVersions(runs: readonly VersionRun[], path: string, rows: number): Float64Array<ArrayBuffer> {
  checkCount(
    runs.reduce((sum, { span }) => sum + segmentLength(span), 0),
    rows,
    path,
  );
  const versions = new Float64Array(rows);
  let at = 0;
  for (const { span, version } of runs) {
    const end = at + segmentLength(span);
    versions.fill(version, at, end);
    at = end;
  }
  return versions;
}

function checkCount(count: number, rows: number, path: string): void {
  if (count !== rows) throw corrupt(path, 0, `a row sequence has ${count} values for ${rows} rows`);
}

function segmentLength(segment: RowIdSegment): number {
  switch (segment.kind) {
    case "range":
      return segment.end - segment.start;
    case "range_with_holes":
      return segment.end - segment.start - segment.holes.length;
    case "range_with_bitmap":
      return countBits(segment.bitmap);
    default:
      return segment.values.length;
  }
}

/** Writes the values from `at` on, answers where they end. */
function expandSegment(segment: RowIdSegment, into: Float64Array, at: number): number {
  switch (segment.kind) {
    case "range":
      return fillRange(segment.start, segment.end, into, at);
    case "range_with_holes": {
      let next = segment.start;
      let end = at;
      for (const hole of segment.holes) {
        end = fillRange(next, hole, into, end);
        next = hole + 1;
      }
      return fillRange(next, segment.end, into, end);
    }
    case "range_with_bitmap": {
      let end = at;
      for (let i = 0; i < segment.end - segment.start; i++) {
        if ((segment.bitmap[i >> 3]! >> (i & 7)) & 1) into[end++] = segment.start + i;
      }
      return end;
    }
    default:
      into.set(segment.values, at);
      return at + segment.values.length;
  }
}

function fillRange(start: number, end: number, into: Float64Array, at: number): number {
  let next = at;
  for (let value = start; value < end; value++) into[next++] = value;
  return next;
}

function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function writeSegment(writer: WireWriter, field: number, segment: RowIdSegment): void {
  const outer = writer.begin(field);
  const inner = writer.begin(KINDS.indexOf(segment.kind) + 1);
  if (segment.kind === "sorted_array" || segment.kind === "array") writeArray(writer, segment.values);
  else {
    writer.uintIfSet(1, segment.start);
    writer.uintIfSet(2, segment.end);
    if (segment.kind === "range_with_holes") {
      const holes = writer.begin(3);
      writeArray(writer, segment.holes);
      writer.commit(holes);
    } else if (segment.kind === "range_with_bitmap") writer.data(3, segment.bitmap);
  }
  writer.commit(inner);
  writer.commit(outer);
}

function readRun(reader: WireReader): VersionRun {
  let span: RowIdSegment = { kind: "range", start: 0, end: 0 };
  let version = 0;
  while (reader.next()) {
    if (reader.field === 1) span = readSegment(reader.message());
    else if (reader.field === 2) version = reader.uint();
    else reader.skip();
  }
  return { span, version };
}

function readSegment(reader: WireReader): RowIdSegment {
  let segment: RowIdSegment | undefined;
  while (reader.next()) {
    const kind = KINDS[reader.field - 1];
    if (kind === undefined) reader.fail("a row sequence has a form that is not known");
    else if (kind === "sorted_array" || kind === "array") segment = { kind, values: readArray(reader.message()) };
    else segment = readRange(reader.message(), kind);
  }
  return segment ?? reader.fail("a row sequence has an empty segment");
}

function readRange(reader: WireReader, kind: (typeof KINDS)[0 | 1 | 2]): RowIdSegment {
  let start = 0;
  let end = 0;
  let holes = new Float64Array();
  let bitmap: Uint8Array = new Uint8Array();
  while (reader.next()) {
    if (reader.field === 1) start = reader.uint();
    else if (reader.field === 2) end = reader.uint();
    else if (reader.field === 3 && kind === "range_with_holes") holes = readArray(reader.message());
    else if (reader.field === 3 && kind === "range_with_bitmap") bitmap = reader.view();
    else reader.skip();
  }
  if (end < start) reader.fail("a range ends before it begins");
  switch (kind) {
    case "range":
      return { kind, start, end };
    case "range_with_holes":
      if (!holes.every((hole, i) => hole >= (i === 0 ? start : holes[i - 1]! + 1) && hole < end)) {
        reader.fail("the holes of a range do not ascend inside it");
      }
      return { kind, start, end, holes };
    case "range_with_bitmap":
      if (bitmap.length !== Math.ceil((end - start) / 8)) reader.fail("a bitmap does not fit its range");
      return { kind, start, end, bitmap: withoutSpareBits(bitmap, end - start) };
  }
}

/** Bits behind the last value mean nothing and must not be counted. */
function withoutSpareBits(bitmap: Uint8Array, length: number): Uint8Array {
  const spare = bitmap.length * 8 - length;
  if (spare === 0) return bitmap;
  const clean = bitmap.slice();
  clean[clean.length - 1] = clean[clean.length - 1]! & (0xff >> spare);
  return clean;
}

/** As offsets of 2 or 4 bytes from the least value where they fit, else as values of 8 bytes. */
function writeArray(writer: WireWriter, values: Float64Array): void {
  let base = values[0] ?? 0;
  let highest = base;
  for (const value of values) {
    if (value < base) base = value;
    if (value > highest) highest = value;
  }
  const span = highest - base;
  const width = span < 2 ** 16 ? 2 : span < 2 ** 32 ? 4 : 8;
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) {
    if (width === 2) view.setUint16(i * 2, value - base, true);
    else if (width === 4) view.setUint32(i * 4, value - base, true);
    else view.setBigUint64(i * 8, BigInt(value), true);
  }
  const start = writer.begin(width === 2 ? 1 : width === 4 ? 2 : 3);
  if (width !== 8) writer.uintIfSet(1, base);
  writer.data(2, bytes);
  writer.commit(start);
}

function readArray(reader: WireReader): Float64Array<ArrayBuffer> {
  let values = new Float64Array();
  while (reader.next()) {
    const width = [2, 4, 8][reader.field - 1];
    if (width === undefined) reader.fail("an array of row ids has a form that is not known");
    values = readOffsets(reader.message(), width);
  }
  return values;
}

function readOffsets(reader: WireReader, width: number): Float64Array<ArrayBuffer> {
  let base = 0;
  let bytes: Uint8Array = new Uint8Array();
  while (reader.next()) {
    if (reader.field === 1 && width !== 8) base = reader.uint();
    else if (reader.field === 2) bytes = reader.view();
    else reader.skip();
  }
  if (bytes.length % width !== 0) reader.fail("an array of row ids is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(bytes.length / width);
  for (let i = 0; i < values.length; i++) {
    if (width === 2) values[i] = base + view.getUint16(i * 2, true);
    else if (width === 4) values[i] = base + view.getUint32(i * 4, true);
    else values[i] = Number(view.getBigUint64(i * 8, true));
    if (values[i]! > Number.MAX_SAFE_INTEGER) reader.fail("a row id is above 2^53 - 1");
  }
  return values;
}
