/** Global buffer 0 of a Lance data file: its schema and row count (file.proto, FileDescriptor). */
import { writeBytesMap, writeField } from "../../../format/field.js";
import { fieldsFromSchema, nodesDepthFirst, type TableSchema } from "../../../format/schema.js";
import { WireWriter } from "../../../format/wire.js";

/** Writers append to one table again and again, often a row at a time: its schema is encoded once. */
const encodedSchemas = new WeakMap<TableSchema, Uint8Array>();
const textEncoder = new TextEncoder();

/** The FileDescriptor message. */
export function encodeDescriptor(schema: TableSchema, rows: number): Uint8Array {
  let message = encodedSchemas.get(schema);
  if (message === undefined) {
    message = encodeSchema(schema);
    encodedSchemas.set(schema, message);
  }
  const writer = new WireWriter(message.length + 24);
  writer.data(1, message);
  writer.uintIfSet(2, rows);
  return writer.finish();
}

function encodeSchema(schema: TableSchema): Uint8Array {
  const ids = nodesDepthFirst(schema).map((node) => node.id);
  const writer = new WireWriter();
  let next = 0;
  for (const column of schema.arrow.fields) {
    for (const field of fieldsFromSchema({ fields: [column] }, next)) {
      const parentId = field.parentId < 0 ? -1 : ids[field.parentId]!;
      const start = writer.begin(1);
      writeField(writer, { ...field, id: ids[field.id]!, parentId });
      writer.commit(start);
      next++;
    }
  }
  const metadata = [...schema.arrow.metadata].map(([key, value]) => [key, textEncoder.encode(value)] as const);
  writeBytesMap(writer, 5, new Map(metadata));
  return writer.finish();
}
