/**
 * Arrow types as the expression language sees them: one kind per family, and which types meet in a comparison or sum.
 *
 * The rules are those of LanceDB's planner (DataFusion): numbers widen, text yields to numbers and times, text never
 * meets booleans.
 */
import {
  Binary,
  Bool,
  type DataType,
  DateMillisecond,
  Decimal,
  Duration,
  Field,
  Float16,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  Null,
  TimeNanosecond,
  Timestamp,
  Type,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from "apache-arrow";

export type NumberKind = `${"int" | "uint"}${8 | 16 | 32 | 64}` | `float${16 | 32 | 64}`;

export type Kind =
  | NumberKind
  | "null"
  | "bool"
  | "decimal"
  | "utf8"
  | "binary"
  | "date32"
  | "date64"
  | "time"
  | "timestamp"
  | "duration"
  | "list"
  | "struct"
  | "other";

/** The fields of the concrete types that this language reads; `DataType` itself does not show them. */
interface TypeShape {
  readonly typeId: number;
  readonly isSigned?: boolean;
  readonly bitWidth?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly unit?: number;
  readonly timezone?: string | null;
  readonly listSize?: number;
  readonly byteWidth?: number;
  readonly dictionary?: DataType;
  readonly children?: readonly Field[] | null;
}

export function shapeOf(type: DataType): TypeShape {
  return type as unknown as TypeShape;
}

export function kindOf(type: DataType): Kind {
  const shape = shapeOf(type);
  switch (shape.typeId) {
    case Type.Null:
      return "null";
    case Type.Int:
      return `${shape.isSigned ? "int" : "uint"}${shape.bitWidth as 8 | 16 | 32 | 64}`;
    case Type.Float:
      return (["float16", "float32", "float64"] as const)[shape.precision as 0 | 1 | 2];
    case Type.Bool:
      return "bool";
    case Type.Decimal:
      return "decimal";
    case Type.Utf8:
    case Type.LargeUtf8:
      return "utf8";
    case Type.Binary:
    case Type.LargeBinary:
    case Type.FixedSizeBinary:
      return "binary";
    case Type.Date:
      return shape.unit === 0 ? "date32" : "date64";
    case Type.Time:
      return "time";
    case Type.Timestamp:
      return "timestamp";
    case Type.Duration:
      return "duration";
    case Type.List:
    case Type.FixedSizeList:
      return "list";
    case Type.Struct:
      return "struct";
    case Type.Dictionary:
      return kindOf(shape.dictionary as DataType);
    default:
      return "other";
  }
}

/** The type of the values: a dictionary's values, every other type itself. */
export function valueType(type: DataType): DataType {
  return type.typeId === Type.Dictionary ? (shapeOf(type).dictionary as DataType) : type;
}

export function itemType(type: DataType): DataType {
  const children = shapeOf(type).children as readonly Field[];
  return (children[0] as Field).type;
}

export const NULL = new Null();
export const BOOL = new Bool();
export const INT32 = new Int32();
export const INT64 = new Int64();
export const UINT64 = new Uint64();
export const FLOAT64 = new Float64();
export const UTF8 = new Utf8();
export const BINARY = new Binary();

const NUMBERS: Readonly<Record<NumberKind, DataType>> = {
  int8: new Int8(),
  int16: new Int16(),
  int32: INT32,
  int64: INT64,
  uint8: new Uint8(),
  uint16: new Uint16(),
  uint32: new Uint32(),
  uint64: UINT64,
  float16: new Float16(),
  float32: new Float32(),
  float64: FLOAT64,
};

export function isNumber(kind: Kind): kind is NumberKind {
  return kind in NUMBERS;
}

export function isFloat(kind: Kind): boolean {
  return kind === "float16" || kind === "float32" || kind === "float64";
}

export function isInteger(kind: Kind): boolean {
  return isNumber(kind) && !isFloat(kind);
}

export function listOf(item: DataType): DataType {
  return new List(new Field("item", item, true));
}

/** Name for messages, and the identity of a type: equal text, equal type. */
export function typeText(type: DataType): string {
  const shape = shapeOf(type);
  const kind = kindOf(type);
  if (type.typeId === Type.Dictionary) return `dictionary<${typeText(valueType(type))}>`;
  switch (kind) {
    case "decimal":
      return `decimal(${shape.precision}, ${shape.scale})`;
    case "timestamp":
      return `timestamp(${unitDigits(type)})${shape.timezone ? ` with zone ${shape.timezone}` : ""}`;
    case "time":
    case "duration":
      return `${kind}(${unitDigits(type)})`;
    case "utf8":
      return type.typeId === Type.Utf8 ? "utf8" : "large_utf8";
    case "list":
      return `${shape.listSize === undefined ? "list" : `list[${shape.listSize}]`}<${typeText(itemType(type))}>`;
    case "struct":
      return `struct<${shape.children?.map((child) => `${child.name}: ${typeText(child.type)}`).join(", ")}>`;
    default:
      return kind === "other" ? String(type) : kind;
  }
}

/** Decimal digits of a second that the unit keeps: 0, 3, 6 or 9. */
export function unitDigits(type: DataType): number {
  return (shapeOf(type).unit as number) * 3;
}

const INTEGER_DIGITS: Readonly<Record<string, number>> = { "8": 3, "16": 5, "32": 10, "64": 20 };

/** The decimal that holds every value of an integer type, or the decimal itself. */
export function asDecimal(type: DataType): DataType {
  const shape = shapeOf(type);
  if (kindOf(type) === "decimal") return type;
  return new Decimal(0, INTEGER_DIGITS[String(shape.bitWidth)] as number, 128);
}

export function decimalType(precision: number, scale: number): DataType {
  return new Decimal(Math.min(scale, 38), Math.min(precision, 38), 128);
}

/** The type in which two numbers meet, or undefined when one is none. */
export function commonNumber(left: DataType, right: DataType): DataType | undefined {
  const a = kindOf(left);
  const b = kindOf(right);
  if (a === "decimal" || b === "decimal") return commonDecimal(left, right, a, b);
  if (!isNumber(a) || !isNumber(b)) return undefined;
  for (const float of ["float64", "float32", "float16"] as const) if (a === float || b === float) return NUMBERS[float];
  const [signedA, widthA] = [a.startsWith("i"), shapeOf(left).bitWidth as number];
  const [signedB, widthB] = [b.startsWith("i"), shapeOf(right).bitWidth as number];
  if (signedA === signedB) return widthA >= widthB ? left : right;
  const unsigned = signedA ? widthB : widthA;
  if (unsigned === 64) return decimalType(20, 0);
  const width = Math.max(signedA ? widthA : widthB, unsigned * 2) as 16 | 32 | 64;
  return NUMBERS[`int${width}`];
}

function commonDecimal(left: DataType, right: DataType, a: Kind, b: Kind): DataType | undefined {
  if (isFloat(a) || isFloat(b)) return FLOAT64;
  if (!(a === "decimal" || isNumber(a)) || !(b === "decimal" || isNumber(b))) return undefined;
  const [x, y] = [shapeOf(asDecimal(left)), shapeOf(asDecimal(right))];
  const scale = Math.max(x.scale as number, y.scale as number);
  const whole = Math.max((x.precision as number) - (x.scale as number), (y.precision as number) - (y.scale as number));
  return decimalType(whole + scale, scale);
}

/** The type in which two values are compared, or undefined when they cannot be. */
export function commonType(left: DataType, right: DataType): DataType | undefined {
  const [x, y] = [valueType(left), valueType(right)];
  const [a, b] = [kindOf(x), kindOf(y)];
  if (a === "null") return y;
  if (b === "null") return x;
  if (a === "other" || b === "other") return undefined;
  if (typeText(x) === typeText(y)) return x;
  const number = commonNumber(x, y);
  if (number !== undefined) return number;
  if (a === "utf8" && b === "utf8") return x;
  if (a === "binary" && (b === "binary" || b === "utf8")) return x;
  if (b === "binary" && a === "utf8") return y;
  if (a === "utf8" && (isNumber(b) || b === "decimal" || isTemporal(b))) return y;
  if (b === "utf8" && (isNumber(a) || a === "decimal" || isTemporal(a))) return x;
  if (a === "list" && b === "list") {
    const item = commonType(itemType(x), itemType(y));
    return item === undefined ? undefined : listOf(item);
  }
  return commonTime(x, y, a, b);
}

export function isTemporal(kind: Kind): boolean {
  return kind === "date32" || kind === "date64" || kind === "time" || kind === "timestamp";
}

function commonTime(x: DataType, y: DataType, a: Kind, b: Kind): DataType | undefined {
  const dateA = a === "date32" || a === "date64";
  const dateB = b === "date32" || b === "date64";
  if (dateA && dateB) return new DateMillisecond();
  if (dateA && b === "timestamp") return y;
  if (dateB && a === "timestamp") return x;
  if (a !== b) return undefined;
  if (a === "time") return new TimeNanosecond();
  const unit = Math.max(shapeOf(x).unit as number, shapeOf(y).unit as number);
  if (a === "duration") return new Duration(unit);
  if (a !== "timestamp") return undefined;
  return new Timestamp(unit, shapeOf(x).timezone ?? shapeOf(y).timezone ?? null);
}
