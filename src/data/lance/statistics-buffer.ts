/**
 * Column statistics as global buffer 1 of a data file, where native, which keeps none, does not look.
 *
 * "JOUSTSTA", then a message: repeated 1 {1 field id + 1, 2 null count + 1, 3 min, 4 max}; a bound is {1 boolean + 1}
 * or {2 eight bytes of a double} or {3 i64} or {4 u64 beyond that} or {5 text}. docs/lance-files.md.
 */
import { corrupt, WireReader, WireWriter } from "../../format/wire.js";
import type { ColumnStatistics, Scalar } from "../codec.js";

const MAGIC = new TextEncoder().encode("JOUSTSTA");
const I64_MAX = 2n ** 63n - 1n;

/** The buffer for statistics by field id. */
export function encodeStatistics(statistics: ReadonlyMap<number, ColumnStatistics>): Uint8Array {
  const writer = new WireWriter(64 + statistics.size * 64);
  writer.raw(MAGIC);
  for (const [fieldId, { min, max, nullCount }] of statistics) {
    const start = writer.begin(1);
    writer.uint(1, fieldId + 1);
    if (nullCount !== undefined) writer.uint(2, nullCount + 1);
    if (min !== undefined) writeScalar(writer, 3, min);
    if (max !== undefined) writeScalar(writer, 4, max);
    writer.commit(start);
  }
  return writer.finish();
}

function writeScalar(writer: WireWriter, field: number, value: Scalar): void {
  const start = writer.begin(field);
  switch (typeof value) {
    case "boolean":
      writer.uint(1, value ? 2 : 1);
      break;
    case "number":
      writer.data(2, new Uint8Array(Float64Array.of(value).buffer));
      break;
    case "bigint":
      if (value > I64_MAX) writer.uint(4, value);
      else writer.int(3, value);
      break;
    default:
      writer.string(5, value);
  }
  writer.commit(start);
}

/** True for bytes that begin as such a buffer does. */
export function isStatistics(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, i) => bytes[i] === byte);
}

/** Statistics by field id. @throws CORRUPT */
export function decodeStatistics(bytes: Uint8Array, path: string): ReadonlyMap<number, ColumnStatistics> {
  if (!isStatistics(bytes)) throw corrupt(path, 0, "its statistics do not begin as they should");
  const statistics = new Map<number, ColumnStatistics>();
  const reader = new WireReader(bytes, path, MAGIC.length);
  while (reader.next()) {
    if (reader.field === 1) readColumn(reader.message(), statistics);
    else reader.skip();
  }
  return statistics;
}

function readColumn(reader: WireReader, into: Map<number, ColumnStatistics>): void {
  let fieldId = 0;
  const found: { min?: Scalar; max?: Scalar; nullCount?: number } = {};
  while (reader.next()) {
    if (reader.field === 1) fieldId = reader.uint() - 1;
    else if (reader.field === 2) found.nullCount = reader.uint() - 1;
    else if (reader.field === 3 || reader.field === 4) {
      const key = reader.field === 3 ? "min" : "max";
      const value = readScalar(reader.message());
      if (value !== undefined) found[key] = value;
    } else reader.skip();
  }
  into.set(fieldId, found);
}

function readScalar(reader: WireReader): Scalar | undefined {
  let value: Scalar | undefined;
  while (reader.next()) {
    if (reader.field === 1) value = reader.uint() === 2;
    else if (reader.field === 2) value = readDouble(reader);
    else if (reader.field === 3) value = reader.bigInt();
    else if (reader.field === 4) value = reader.bigUint();
    else if (reader.field === 5) value = reader.string();
    else reader.skip();
  }
  return value;
}

function readDouble(reader: WireReader): number {
  const bytes = reader.view();
  if (bytes.length !== 8) reader.fail("a bound is not a double");
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
}
