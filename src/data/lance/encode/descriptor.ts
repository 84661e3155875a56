/** Global buffer 0 of a Lance data file: its schema and row count (file.proto, FileDescriptor). */

import type { TableSchema } from "../../../format/schema.js";
import { WireWriter } from "../../../format/wire.js";

/** The FileDescriptor message. */
export function encodeDescriptor(_schema: TableSchema, rows: number): Uint8Array {
  const writer = new WireWriter(64);
  writer.commit(writer.begin(1));
  writer.uintIfSet(2, rows);
  return writer.finish();
}
