/** Whether two Arrow types, perhaps of two copies of apache-arrow, have the same values and the same memory layout. */
import type {
  DataType,
  Date_,
  Decimal,
  Dictionary,
  FixedSizeBinary,
  FixedSizeList,
  Float,
  Int,
  Time,
  Timestamp,
} from "apache-arrow";
import { childrenOf, TYPE_ID } from "./layout.js";

/** Names of list items and map entries, nullability and metadata do not count; names of struct fields do. */
export function sameType(a: DataType, b: DataType): boolean {
  const id = a.typeId as number;
  if (id !== (b.typeId as number)) return false;
  if (id === TYPE_ID.dictionary) {
    const [x, y] = [a as Dictionary, b as Dictionary];
    return sameType(x.indices, y.indices) && sameType(x.dictionary as DataType, y.dictionary as DataType);
  }
  if (!sameParameters(id, a, b)) return false;
  const left = childrenOf(a);
  const right = childrenOf(b);
  if (left.length !== right.length) return false;
  return (
    left.every((field, i) => {
      const other = right[i]!;
      return (
        (id !== TYPE_ID.struct || field.name === other.name) && sameType(field.type as DataType, other.type as DataType)
      );
    }) ||
    (id === TYPE_ID.map && sameEntries(left[0]!.type as DataType, right[0]!.type as DataType))
  );
}

function sameEntries(a: DataType, b: DataType): boolean {
  const right = childrenOf(b);
  return childrenOf(a).every((field, i) => sameType(field.type as DataType, right[i]!.type as DataType));
}

function sameParameters(id: number, a: DataType, b: DataType): boolean {
  switch (id) {
    case TYPE_ID.int:
      return (a as Int).bitWidth === (b as Int).bitWidth && (a as Int).isSigned === (b as Int).isSigned;
    case TYPE_ID.float:
      return (a as Float).precision === (b as Float).precision;
    case TYPE_ID.decimal: {
      const [x, y] = [a as Decimal, b as Decimal];
      return x.bitWidth === y.bitWidth && x.precision === y.precision && x.scale === y.scale;
    }
    case TYPE_ID.time:
      return (a as Time).unit === (b as Time).unit && (a as Time).bitWidth === (b as Time).bitWidth;
    case TYPE_ID.date:
    case TYPE_ID.duration:
      return (a as Date_).unit === (b as Date_).unit;
    case TYPE_ID.timestamp:
      return (
        (a as Timestamp).unit === (b as Timestamp).unit &&
        ((a as Timestamp).timezone ?? "") === ((b as Timestamp).timezone ?? "")
      );
    case TYPE_ID.fixedSizeBinary:
      return (a as FixedSizeBinary).byteWidth === (b as FixedSizeBinary).byteWidth;
    case TYPE_ID.fixedSizeList:
      return (a as FixedSizeList).listSize === (b as FixedSizeList).listSize;
    default:
      return true;
  }
}
