/**
 * Tables of any apache-arrow copy as record batches of our own copy and of a given schema.
 *
 * Buffers are shared, not copied. Columns are matched by name: order is free, missing nullable columns become null,
 * unknown ones are refused; values of another type are converted where nothing is lost (cast.ts).
 */
import {
  Binary,
  Bool,
  type Data,
  type DataType,
  Date_,
  Decimal,
  Dictionary,
  Duration,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float,
  Int,
  type Int32,
  LargeBinary,
  LargeUtf8,
  List,
  Map_,
  Null,
  type RecordBatch,
  Schema,
  Struct,
  Time,
  Timestamp,
  Utf8,
  Vector,
} from "apache-arrow";
import { sameType } from "../../format/schema.js";
import { isTableError, TableError } from "../../support/errors.js";
import { makeBatch } from "../kernels/batches.js";
import { makeColumn, nullColumn, validityOf } from "../kernels/column.js";
import { childrenOf, largeListType, TYPE_ID } from "../kernels/layout.js";
import { castColumn } from "./cast.js";
import { CellError, refuseNull, toTableError, withinChild } from "./cell-error.js";
import { typeByName } from "./type-names.js";

/** What all copies of apache-arrow have in common, as far as it is needed here. */
export interface SchemaLike {
  readonly fields: readonly FieldLike[];
  readonly metadata?: ReadonlyMap<string, string> | null | undefined;
}

export interface FieldLike {
  readonly name: string;
  readonly type: unknown;
  readonly nullable?: boolean;
  readonly metadata?: ReadonlyMap<string, string> | null | undefined;
}

export interface BatchLike {
  readonly schema: SchemaLike;
  readonly data: unknown;
}

export interface TableLike {
  readonly schema: SchemaLike;
  readonly batches: readonly BatchLike[];
}

/** True for a table of any copy of apache-arrow. */
export function isTableLike(value: unknown): value is TableLike {
  return (
    typeof value === "object" &&
    value !== null &&
    "batches" in value &&
    "schema" in value &&
    Array.isArray(value.batches)
  );
}

/** True for a record batch of any copy of apache-arrow. */
export function isBatchLike(value: unknown): value is BatchLike {
  return typeof value === "object" && value !== null && "schema" in value && "data" in value && !("batches" in value);
}

/** The schema as objects of our own copy of apache-arrow. @throws SCHEMA_MISMATCH, NOT_SUPPORTED */
export function adoptSchema(schema: SchemaLike): Schema {
  if (!Array.isArray(schema?.fields)) {
    throw new TableError("SCHEMA_MISMATCH", "The schema passed in has no list of fields; pass an apache-arrow Schema.");
  }
  return new Schema(schema.fields.map(adoptField), new Map(schema.metadata ?? []));
}

function adoptField(field: FieldLike): Field {
  const type = typeof field.type === "string" ? typeByName(field.type, field.name) : namedType(field);
  return new Field(field.name, type, field.nullable !== false, new Map(field.metadata ?? []));
}

/** The type of a field; what is refused is refused with the name of the innermost field. */
function namedType(field: FieldLike): DataType {
  try {
    return adoptType(field.type as DataType);
  } catch (error) {
    if (!isTableError(error, "NOT_SUPPORTED") || "column" in error.details) throw error;
    throw new TableError("NOT_SUPPORTED", `Column '${field.name}': ${error.message}`, {
      details: { column: field.name },
    });
  }
}

/** The type as an object of our own copy; view types become their plain relatives. @throws NOT_SUPPORTED */
export function adoptType(type: DataType): DataType {
  switch (type?.typeId as number) {
    case TYPE_ID.null:
      return new Null();
    case TYPE_ID.bool:
      return new Bool();
    case TYPE_ID.int:
      return new Int((type as Int).isSigned, (type as Int).bitWidth);
    case TYPE_ID.float:
      return new Float((type as Float).precision);
    case TYPE_ID.utf8:
    case TYPE_ID.utf8View:
      return new Utf8();
    case TYPE_ID.largeUtf8:
      return new LargeUtf8();
    case TYPE_ID.binary:
    case TYPE_ID.binaryView:
      return new Binary();
    case TYPE_ID.largeBinary:
      return new LargeBinary();
    case TYPE_ID.fixedSizeBinary:
      return new FixedSizeBinary((type as FixedSizeBinary).byteWidth);
    case TYPE_ID.decimal:
      return new Decimal((type as Decimal).scale, (type as Decimal).precision, (type as Decimal).bitWidth);
    case TYPE_ID.date:
      return new Date_((type as Date_).unit);
    case TYPE_ID.time:
      return new Time((type as Time).unit, (type as Time).bitWidth as 32);
    case TYPE_ID.timestamp:
      return new Timestamp((type as Timestamp).unit, (type as Timestamp).timezone);
    case TYPE_ID.duration:
      return new Duration((type as Duration).unit);
    default:
      return adoptNestedType(type);
  }
}

function adoptNestedType(type: DataType): DataType {
  const children = () => childrenOf(type).map(adoptField);
  switch (type?.typeId as number) {
    case TYPE_ID.list:
      return new List(children()[0]!);
    case TYPE_ID.largeList:
      return largeListType(children()[0]!);
    case TYPE_ID.fixedSizeList:
      return new FixedSizeList((type as FixedSizeList).listSize, children()[0]!);
    case TYPE_ID.struct:
      return new Struct(children());
    case TYPE_ID.map:
      return new Map_(children()[0] as ConstructorParameters<typeof Map_>[0], (type as Map_).keysSorted);
    case TYPE_ID.dictionary: {
      const { dictionary, indices, id, isOrdered } = type as Dictionary;
      return new Dictionary(adoptType(dictionary as DataType), adoptType(indices) as Int32, id, isOrdered);
    }
    default:
      throw new TableError("NOT_SUPPORTED", `Columns of type ${String(type)} cannot be stored; convert them first.`);
  }
}

/**
 * The batches of a table (or one batch) as batches of `schema`, or of their own schema when none is given.
 * @throws SCHEMA_MISMATCH naming the column, and the row where one value is to blame
 */
export function normalizeBatches(data: TableLike | BatchLike, schema?: Schema, firstRow = 0): RecordBatch[] {
  const target = schema ?? adoptSchema(data.schema);
  const batches = isTableLike(data) ? data.batches : [data];
  const out: RecordBatch[] = [];
  let row = firstRow;
  for (const batch of batches) {
    const struct = batch.data as Data;
    if (struct.length > 0) out.push(normalizeBatch(batch.schema, struct, target, row));
    row += struct.length;
  }
  return out;
}

function normalizeBatch(source: SchemaLike, struct: Data, target: Schema, firstRow: number): RecordBatch {
  const places = new Map<string, number>();
  for (const [index, field] of source.fields.entries()) places.set(field.name, index);
  const known = new Set(target.fields.map((field) => field.name));
  for (const name of places.keys()) {
    if (known.has(name)) continue;
    throw new TableError("SCHEMA_MISMATCH", `Invalid input, field '${name}' does not exist in table schema.`, {
      details: { column: name },
    });
  }
  try {
    const columns = target.fields.map((field) => {
      const place = places.get(field.name);
      return withinChild(
        field.name,
        (i) => i,
        () => {
          if (place !== undefined) return adoptColumn(struct.children[place]!, field, struct.length);
          if (!field.nullable && struct.length > 0) refuseNull(0);
          return nullColumn(field.type as DataType, struct.length);
        },
      );
    });
    return makeBatch(target, columns, struct.length);
  } catch (error) {
    if (error instanceof CellError) throw toTableError(error, firstRow);
    throw error;
  }
}

/** One column chunk as our own, of the field's type. @throws CellError */
export function adoptColumn(data: Data, field: Field, length: number): Data {
  const type = field.type as DataType;
  const source = data.type as DataType;
  const cut = data.length === length ? data : data.slice(0, length);
  const column = sameType(source, type)
    ? rewrap(cut, type)
    : castColumn(isView(source) ? cut : rewrap(cut, source), type);
  if (!field.nullable) checkNoNulls(column);
  return column;
}

/** Views have any number of buffers, which only their own copy of apache-arrow can hold together. */
function isView(type: DataType): boolean {
  const id = type.typeId as number;
  return id === TYPE_ID.utf8View || id === TYPE_ID.binaryView;
}

/** The same buffers under a type object of our own copy. Buffers are checked against the length they claim. */
export function rewrap(data: Data, type: DataType): Data {
  const bits = validityOf(data);
  const children = data.children.map((child, i) =>
    rewrap(child, (childrenOf(type)[i]?.type ?? child.type) as DataType),
  );
  const dictionary =
    data.dictionary === undefined || data.dictionary === null
      ? undefined
      : new Vector(data.dictionary.data.map((chunk) => rewrap(chunk, (type as Dictionary).dictionary as DataType)));
  return makeColumn(type, {
    length: data.length,
    nullCount: data.nullCount,
    bitOffset: data.offset,
    validity: bits,
    offsets: data.valueOffsets as Int32Array | undefined,
    values: data.values as ArrayBufferView | undefined,
    children,
    dictionary,
  });
}

function checkNoNulls(data: Data): void {
  const bits = validityOf(data);
  if (bits === undefined) return;
  for (let i = 0; i < data.length; i++) {
    const at = data.offset + i;
    if (((bits[at >> 3]! >> (at & 7)) & 1) === 0) refuseNull(i);
  }
}
