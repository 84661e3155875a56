/**
 * How a column of each Arrow type is laid out in memory.
 *
 * Types are told apart by `typeId`, never by class, because data comes from any copy of apache-arrow. Unions and view
 * types are refused with NOT_SUPPORTED: no table can hold them.
 */

import type {
  DataType,
  Date_,
  Decimal,
  Dictionary,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float,
  Int,
  Time,
} from "apache-arrow";
import * as arrow from "apache-arrow";
import { TableError } from "../../support/errors.js";

/** Type ids of the Arrow format (Schema.fbs); -1 is apache-arrow's own mark for dictionary-encoded columns. */
export const TYPE_ID = {
  dictionary: -1,
  null: 1,
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  interval: 11,
  list: 12,
  struct: 13,
  union: 14,
  fixedSizeBinary: 15,
  fixedSizeList: 16,
  map: 17,
  duration: 18,
  largeBinary: 19,
  largeUtf8: 20,
  largeList: 21,
  binaryView: 23,
  utf8View: 24,
} as const;

export type Layout =
  | { readonly kind: "null" }
  | { readonly kind: "bool" }
  | { readonly kind: "fixed"; readonly width: number }
  | { readonly kind: "bytes"; readonly large: boolean }
  | { readonly kind: "list"; readonly large: boolean }
  | { readonly kind: "fixed-list"; readonly size: number }
  | { readonly kind: "struct" }
  | { readonly kind: "dictionary"; readonly width: number };

/** The memory layout of a type. @throws NOT_SUPPORTED for types that no Lance table can hold (unions, views, ...). */
export function layoutOf(type: DataType): Layout {
  switch (type.typeId as number) {
    case TYPE_ID.null:
      return { kind: "null" };
    case TYPE_ID.bool:
      return { kind: "bool" };
    case TYPE_ID.int:
    case TYPE_ID.time:
      return { kind: "fixed", width: (type as Int | Time).bitWidth >> 3 };
    case TYPE_ID.float:
      return { kind: "fixed", width: 2 << (type as Float).precision };
    case TYPE_ID.decimal:
      return { kind: "fixed", width: (type as Decimal).bitWidth >> 3 };
    case TYPE_ID.date:
      return { kind: "fixed", width: (type as Date_).unit === 0 ? 4 : 8 };
    case TYPE_ID.timestamp:
    case TYPE_ID.duration:
      return { kind: "fixed", width: 8 };
    case TYPE_ID.fixedSizeBinary:
      return { kind: "fixed", width: (type as FixedSizeBinary).byteWidth };
    case TYPE_ID.utf8:
    case TYPE_ID.binary:
      return { kind: "bytes", large: false };
    case TYPE_ID.largeUtf8:
    case TYPE_ID.largeBinary:
      return { kind: "bytes", large: true };
    case TYPE_ID.list:
    case TYPE_ID.map:
      return { kind: "list", large: false };
    case TYPE_ID.largeList:
      return { kind: "list", large: true };
    case TYPE_ID.fixedSizeList:
      return { kind: "fixed-list", size: (type as FixedSizeList).listSize };
    case TYPE_ID.struct:
      return { kind: "struct" };
    case TYPE_ID.dictionary:
      return { kind: "dictionary", width: (type as Dictionary).indices.bitWidth >> 3 };
    default:
      throw new TableError("NOT_SUPPORTED", `Columns of type ${String(type)} cannot be stored; convert them first.`, {
        details: { type: String(type) },
      });
  }
}

/** True for types whose children have field ids of their own; the item of a fixed-size list has none. */
export function hasChildFields(type: DataType): boolean {
  const id = type.typeId as number;
  return id === TYPE_ID.list || id === TYPE_ID.largeList || id === TYPE_ID.map || id === TYPE_ID.struct;
}

/** The child fields of a nested type; none for all others. */
export function childrenOf(type: DataType): readonly Field[] {
  return (type.children ?? []) as readonly Field[];
}

/** Elements of the values array that make one row: 4 for a 128-bit decimal, the width of fixed-size bytes, else 1. */
export function strideOf(type: DataType): number {
  const shape = type as DataType & { bitWidth?: number; byteWidth?: number; listSize?: number; unit?: number };
  if (type.typeId === 7) return (shape.bitWidth ?? 128) / 32;
  if (type.typeId === 11) return shape.unit === 2 ? 4 : 1 + (shape.unit ?? 0);
  if (type.typeId === 15) return shape.byteWidth ?? 1;
  if (type.typeId === 16) return shape.listSize ?? 1;
  return 1;
}

/** True when offsets are 64 bits wide: large binary, large utf8, large list. */
export function hasWideOffsets(type: DataType): boolean {
  return type.typeId >= 19 && type.typeId <= 21;
}

/** The class for lists with 64-bit offsets, which only newer apache-arrow versions have. @throws NOT_SUPPORTED */
export function largeListType(child: Field): DataType {
  const maker = (arrow as { readonly LargeList?: new (child: Field) => DataType }).LargeList;
  if (maker === undefined) {
    throw new TableError("NOT_SUPPORTED", "The loaded apache-arrow has no LargeList; install version 21 or newer.");
  }
  return new maker(child);
}
