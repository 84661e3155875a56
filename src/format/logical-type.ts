/**
 * Lance's text for a type without children, and the Arrow type that it stands for.
 *
 * A text that is not known is refused by name: extensions (json, blob, bfloat16) are not read yet.
 * Table of texts: lance-format table specification, "Logical types".
 */
import * as arrow from "apache-arrow";
import { type DataType, type TimeUnit, Type } from "apache-arrow";
import { TableError } from "../support/errors.js";

/** Logical types whose meaning includes child fields. */
export const NESTED = {
  struct: "struct",
  list: "list",
  listOfStruct: "list.struct",
  largeList: "large_list",
  largeListOfStruct: "large_list.struct",
  map: "map",
} as const;

/** Type id of the list with 64-bit offsets, also for an apache-arrow without it. */
const LARGE_LIST_TYPE_ID = 21;
/** Indexed by Arrow's TimeUnit. */
const TIME_UNITS = ["s", "ms", "us", "ns"] as const;
const LIST_ITEM = "item";
const LENGTH_MAX = 0x7fff_ffff;
// A fixed-size list inside another one nests the text; nobody needs more than this.
const TEXT_DEPTH_MAX = 8;

const SIMPLE: ReadonlyMap<string, () => DataType> = new Map<string, () => DataType>([
  ["null", () => new arrow.Null()],
  ["bool", () => new arrow.Bool()],
  ["int8", () => new arrow.Int8()],
  ["int16", () => new arrow.Int16()],
  ["int32", () => new arrow.Int32()],
  ["int64", () => new arrow.Int64()],
  ["uint8", () => new arrow.Uint8()],
  ["uint16", () => new arrow.Uint16()],
  ["uint32", () => new arrow.Uint32()],
  ["uint64", () => new arrow.Uint64()],
  ["halffloat", () => new arrow.Float16()],
  ["float", () => new arrow.Float32()],
  ["double", () => new arrow.Float64()],
  ["string", () => new arrow.Utf8()],
  ["large_string", () => new arrow.LargeUtf8()],
  ["binary", () => new arrow.Binary()],
  ["large_binary", () => new arrow.LargeBinary()],
  ["date32:day", () => new arrow.DateDay()],
  ["date64:ms", () => new arrow.DateMillisecond()],
  ["time32:s", () => new arrow.TimeSecond()],
  ["time32:ms", () => new arrow.TimeMillisecond()],
  ["time64:us", () => new arrow.TimeMicrosecond()],
  ["time64:ns", () => new arrow.TimeNanosecond()],
]);

/**
 * The Arrow type of a logical type that has no children.
 * @param column for the message
 * @throws NOT_SUPPORTED naming the text
 */
export function parseLogicalType(text: string, column: string): DataType {
  const type = parse(text, 0);
  if (type !== undefined) return type;
  throw new TableError("NOT_SUPPORTED", `Column ${column} has the type "${text}", which is not supported.`, {
    details: { column, logicalType: text },
  });
}

/**
 * The logical type of an Arrow type; of nested types only the outermost part.
 * @throws NOT_SUPPORTED naming type and column
 */
export function printLogicalType(type: DataType, column: string): string {
  const text = printFlatType(type) ?? printNested(type);
  if (text !== undefined) return text;
  throw new TableError("NOT_SUPPORTED", `Column ${column} has the type ${type}, which a table cannot hold.`, {
    details: { column, type: String(type) },
  });
}

/** True for the list with 64-bit offsets. */
export function isLargeList(type: DataType): boolean {
  return (type.typeId as number) === LARGE_LIST_TYPE_ID;
}

/** The Arrow list with 64-bit offsets. @throws NOT_SUPPORTED when the installed apache-arrow has none */
export function largeListOf(child: arrow.Field): DataType {
  const LargeList = (arrow as { readonly LargeList?: new (child: arrow.Field) => DataType }).LargeList;
  if (LargeList !== undefined) return new LargeList(child);
  throw new TableError(
    "NOT_SUPPORTED",
    `Column ${child.name} is in a large list, which the installed apache-arrow does not have; use apache-arrow 21.`,
    { details: { column: child.name } },
  );
}

function parse(text: string, depth: number): DataType | undefined {
  const simple = SIMPLE.get(text);
  if (simple !== undefined) return simple();
  const colon = text.indexOf(":");
  if (colon < 0 || depth >= TEXT_DEPTH_MAX) return undefined;
  const rest = text.slice(colon + 1);
  switch (text.slice(0, colon)) {
    case "timestamp":
      return parseTimestamp(rest);
    case "duration":
      return timeUnit(rest, (unit) => new arrow.Duration(unit));
    case "decimal":
      return parseDecimal(rest);
    case "fixed_size_binary":
      return withLength(rest, (length) => new arrow.FixedSizeBinary(length));
    case "fixed_size_list":
      return parseFixedSizeList(rest, depth);
    case "dict":
      return parseDictionary(rest, depth);
    default:
      return undefined;
  }
}

function parseTimestamp(rest: string): DataType | undefined {
  const colon = rest.indexOf(":");
  if (colon < 0) return undefined;
  // A zone may hold colons itself: "+05:30".
  const zone = rest.slice(colon + 1);
  return timeUnit(rest.slice(0, colon), (unit) => new arrow.Timestamp(unit, zone === "-" ? null : zone));
}

function parseDecimal(rest: string): DataType | undefined {
  const match = /^(128|256):([0-9]{1,2}):(-?[0-9]{1,3})$/.exec(rest);
  if (match === null) return undefined;
  const [, bits, precision, scale] = match;
  return new arrow.Decimal(Number(scale), Number(precision), Number(bits));
}

function parseFixedSizeList(rest: string, depth: number): DataType | undefined {
  const colon = rest.lastIndexOf(":");
  const item = colon < 0 ? undefined : parse(rest.slice(0, colon), depth + 1);
  if (item === undefined) return undefined;
  return withLength(
    rest.slice(colon + 1),
    (length) => new arrow.FixedSizeList(length, arrow.Field.new(LIST_ITEM, item, true)),
  );
}

function parseDictionary(rest: string, depth: number): DataType | undefined {
  const parts = rest.split(":");
  const ordered = parts.pop();
  const index = parse(parts.pop() ?? "", depth + 1);
  const value = parse(parts.join(":"), depth + 1);
  if (index?.typeId !== Type.Int || value === undefined || (ordered !== "false" && ordered !== "true"))
    return undefined;
  return new arrow.Dictionary(value, index as arrow.Int32, undefined, ordered === "true");
}

function timeUnit(text: string, make: (unit: TimeUnit) => DataType): DataType | undefined {
  const unit = (TIME_UNITS as readonly string[]).indexOf(text);
  return unit < 0 ? undefined : make(unit);
}

function withLength(text: string, make: (length: number) => DataType): DataType | undefined {
  const length = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return length <= LENGTH_MAX ? make(length) : undefined;
}

/** The logical type of an Arrow type without children of its own; undefined for all others. */
export function printFlatType(type: DataType): string | undefined {
  switch (type.typeId) {
    case Type.Null:
      return "null";
    case Type.Bool:
      return "bool";
    case Type.Utf8:
      return "string";
    case Type.LargeUtf8:
      return "large_string";
    case Type.Binary:
      return "binary";
    case Type.LargeBinary:
      return "large_binary";
    case Type.Int: {
      const { isSigned, bitWidth } = type as arrow.Int;
      return `${isSigned ? "int" : "uint"}${bitWidth}`;
    }
    case Type.Float:
      return ["halffloat", "float", "double"][(type as arrow.Float).precision];
    case Type.Date:
      return ["date32:day", "date64:ms"][(type as arrow.Date_).unit];
    case Type.Time: {
      const { bitWidth, unit } = type as arrow.Time;
      return `time${bitWidth}:${TIME_UNITS[unit]}`;
    }
    case Type.Timestamp: {
      const { unit, timezone } = type as arrow.Timestamp;
      return `timestamp:${TIME_UNITS[unit]}:${timezone || "-"}`;
    }
    case Type.Duration:
      return `duration:${TIME_UNITS[(type as arrow.Duration).unit]}`;
    case Type.Decimal: {
      const { bitWidth, precision, scale } = type as arrow.Decimal;
      return bitWidth === 128 || bitWidth === 256 ? `decimal:${bitWidth}:${precision}:${scale}` : undefined;
    }
    case Type.FixedSizeBinary:
      return `fixed_size_binary:${(type as arrow.FixedSizeBinary).byteWidth}`;
    case Type.FixedSizeList: {
      const { valueType, listSize } = type as arrow.FixedSizeList;
      const item = printFlatType(valueType);
      return item === undefined ? undefined : `fixed_size_list:${item}:${listSize}`;
    }
    case Type.Dictionary: {
      const { dictionary, indices } = type as arrow.Dictionary;
      const value = printFlatType(dictionary);
      return value === undefined ? undefined : `dict:${value}:${printFlatType(indices)}:false`;
    }
    default:
      return undefined;
  }
}

function printNested(type: DataType): string | undefined {
  switch (type.typeId as number) {
    case Type.Struct:
      return NESTED.struct;
    case Type.List:
      return itemIsStruct(type) ? NESTED.listOfStruct : NESTED.list;
    case LARGE_LIST_TYPE_ID:
      return itemIsStruct(type) ? NESTED.largeListOfStruct : NESTED.largeList;
    case Type.Map:
      return NESTED.map;
    default:
      return undefined;
  }
}

function itemIsStruct(type: DataType): boolean {
  return type.children[0]?.type.typeId === Type.Struct;
}
