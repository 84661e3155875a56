/**
 * What the columns of a table with Lance data files may be, checked before anything of it is written.
 *
 * Refuses what native LanceDB cannot open or what Lance files do not hold; the writer's own checks see rows, this one
 * sees the schema, so that a table without rows is refused as well. docs/lance-files.md, docs/compatibility.md.
 */
import type { DataType, Field, FixedSizeList, Schema, Timestamp } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { childrenOf, TYPE_ID } from "../kernels/layout.js";

/** @throws NOT_SUPPORTED naming the column, "a.b" for a field of a struct */
export function checkLanceSchema(schema: Schema, fileVersion: string): void {
  for (const field of schema.fields) checkField(field, field.name, fileVersion);
}

function checkField(field: Field, path: string, fileVersion: string): void {
  const { type } = field;
  switch (type.typeId as number) {
    case TYPE_ID.timestamp:
      checkTimezone((type as Timestamp).timezone ?? "", path);
      return;
    case TYPE_ID.fixedSizeList:
      checkVector(type as FixedSizeList, path);
      return;
    case TYPE_ID.map:
      if (fileVersion !== "2.2") throw refused(path, type, `tables of data format ${fileVersion} hold no maps`);
      break;
  }
  for (const child of childrenOf(type)) checkField(child, `${path}.${child.name}`, fileVersion);
}

/** Colons separate the parts of a type in the manifest; native LanceDB stops at one inside a time zone. */
function checkTimezone(timezone: string, path: string): void {
  if (!timezone.includes(":")) return;
  throw new TableError(
    "NOT_SUPPORTED",
    `Column "${path}" has the time zone "${timezone}", which native LanceDB cannot open; use a name, as in "UTC" or "Asia/Kolkata".`,
    { details: { column: path, timezone } },
  );
}

function checkVector(type: FixedSizeList, path: string): void {
  if (type.listSize < 1) throw refused(path, type, "a vector has at least one dimension");
  const item = childrenOf(type)[0]?.type;
  switch (item?.typeId as number) {
    case TYPE_ID.fixedSizeList:
      checkVector(item as FixedSizeList, path);
      return;
    case TYPE_ID.timestamp:
      checkTimezone((item as Timestamp).timezone ?? "", path);
      return;
    case TYPE_ID.bool:
    case TYPE_ID.int:
    case TYPE_ID.float:
    case TYPE_ID.decimal:
    case TYPE_ID.date:
    case TYPE_ID.time:
    case TYPE_ID.duration:
    case TYPE_ID.fixedSizeBinary:
      return;
    default:
      throw refused(path, type, "the items of a vector have a fixed width");
  }
}

function refused(path: string, type: DataType, why: string): TableError {
  return new TableError(
    "NOT_SUPPORTED",
    `Column "${path}" has type ${String(type)}, which Lance data files do not hold: ${why}. Cast it or leave it out.`,
    { details: { column: path, type: String(type) } },
  );
}
