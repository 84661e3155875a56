/** Types by name, as programs write them: the names of the format, and those of Arrow where they differ. */
import type { DataType } from "apache-arrow";
import { parseLogicalType } from "../../format/logical-type.js";

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["utf8", "string"],
  ["large_utf8", "large_string"],
  ["float16", "halffloat"],
  ["float32", "float"],
  ["float64", "double"],
  ["boolean", "bool"],
  ["date32", "date32:day"],
  ["date64", "date64:ms"],
]);

/** @param path of the field, for the message. @throws NOT_SUPPORTED for a name that no type has */
export function typeByName(name: string, path: string): DataType {
  const lower = name.toLowerCase();
  return parseLogicalType(ALIASES.get(lower) ?? lower, path);
}
