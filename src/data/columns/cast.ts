/**
 * Column chunks as another type, where no value is lost: wider and narrower integers (checked), integers to floats and
 * whole floats to integers, float precisions, 32- and 64-bit strings and lists, dictionaries to their values, lists of
 * equal length to vectors, units of time (checked). Text is never read as numbers, nor numbers printed.
 */
import {
  type Data,
  type DataType,
  type Date_,
  type Dictionary,
  Field,
  type Int,
  type Timestamp,
  Vector,
} from "apache-arrow";
import { sameType } from "../../format/schema.js";
import { bitAt } from "../kernels/bits.js";
import { bytesOf, makeColumn, nullColumn, type Offsets, validityOf } from "../kernels/column.js";
import { gather } from "../kernels/gather.js";
import { childrenOf, layoutOf, TYPE_ID } from "../kernels/layout.js";
import { splice } from "../kernels/splice.js";
import { buildColumn } from "./build.js";
import { CellError, refuse } from "./cell-error.js";
import { fromFloat16 } from "./float16.js";

type Family = "number" | "text" | "binary" | "time" | "list" | "struct" | "other";

const FAMILIES: Readonly<Record<number, Family>> = {
  [TYPE_ID.int]: "number",
  [TYPE_ID.float]: "number",
  [TYPE_ID.utf8]: "text",
  [TYPE_ID.largeUtf8]: "text",
  [TYPE_ID.utf8View]: "text",
  [TYPE_ID.binary]: "binary",
  [TYPE_ID.largeBinary]: "binary",
  [TYPE_ID.binaryView]: "binary",
  [TYPE_ID.fixedSizeBinary]: "binary",
  [TYPE_ID.date]: "time",
  [TYPE_ID.timestamp]: "time",
  [TYPE_ID.list]: "list",
  [TYPE_ID.largeList]: "list",
  [TYPE_ID.fixedSizeList]: "list",
  [TYPE_ID.struct]: "struct",
};

function familyOf(type: DataType): Family {
  return FAMILIES[type.typeId as number] ?? "other";
}

/** The chunk as a chunk of `type`. @throws CellError for the first value that does not fit */
export function castColumn(data: Data, type: DataType): Data {
  const source = data.type as DataType;
  if (sameType(source, type)) return data;
  if ((source.typeId as number) === TYPE_ID.dictionary) return castColumn(decodeDictionary(data), type);
  if ((source.typeId as number) === TYPE_ID.null) return nullColumn(type, data.length);
  if ((type.typeId as number) === TYPE_ID.dictionary) {
    const plain = castColumn(data, (type as Dictionary).dictionary as DataType);
    return buildColumn(new Field("", type, true), valuesOf(plain), data.length);
  }
  const family = familyOf(source);
  if (family === "other" || family !== familyOf(type)) {
    throw new CellError(0, [], `a column of type ${String(source)} cannot be written as ${String(type)}`);
  }
  if (family === "list") return castList(data, type);
  if (family === "struct") return castStruct(data, type);
  if (family === "time") return buildColumn(new Field("", type, true), timesOf(data, type), data.length);
  return castFloats(data, type) ?? buildColumn(new Field("", type, true), valuesOf(data), data.length);
}

/** The plain column that a dictionary-encoded one stands for. */
export function decodeDictionary(data: Data): Data {
  const { indices, dictionary } = data.type as Dictionary;
  const valueType = dictionary as DataType;
  // Behind the values lies one null, for rows that have no index.
  const whole = splice([...((data.dictionary?.data ?? []) as Data[]), nullColumn(valueType, 1)]);
  const size = whole.length - 1;
  const picked = new Uint32Array(data.length);
  const places = makeColumn(indices as Int, {
    length: data.length,
    nullCount: data.nullCount,
    bitOffset: data.offset,
    validity: validityOf(data),
    values: data.values as ArrayBufferView,
  });
  const present = valuesOf(places);
  for (let i = 0; i < data.length; i++) {
    const place = present[i] == null ? size : Number(present[i]);
    if (present[i] != null && (place < 0 || place >= size))
      refuse(i, place, data.type as DataType, "an index within the dictionary");
    picked[i] = place;
  }
  return gather(whole, picked);
}

function isPresent(data: Data): (index: number) => boolean {
  const bits = validityOf(data);
  return bits === undefined ? () => true : (index) => bitAt(bits, data.offset + index);
}

/** The values as JavaScript values, null where missing: numbers, bigints, strings or bytes. */
function valuesOf(data: Data): ArrayLike<unknown> {
  const type = data.type as DataType;
  const present = isPresent(data);
  const out = new Array<unknown>(data.length);
  const half = (type.typeId as number) === TYPE_ID.float && layoutWidth(type) === 2;
  const family = familyOf(type);
  if (family === "number") {
    const values = data.values as ArrayLike<number | bigint>;
    for (let i = 0; i < out.length; i++) {
      out[i] = present(i) ? (half ? fromFloat16(values[i] as number) : values[i]) : null;
    }
    return out;
  }
  const vector = new Vector([data]);
  for (let i = 0; i < out.length; i++) out[i] = vector.get(i);
  return out;
}

function layoutWidth(type: DataType): number {
  const layout = layoutOf(type);
  return layout.kind === "fixed" ? layout.width : 0;
}

/** Float32 ↔ Float64 at the speed of the engine's own conversion; undefined for any other pair. */
function castFloats(data: Data, type: DataType): Data | undefined {
  const { values } = data;
  const To = type.ArrayType as Float32ArrayConstructor | Float64ArrayConstructor;
  const isFloat = (x: unknown) => x === Float32Array || x === Float64Array;
  if (!isFloat((values as Float32Array).constructor) || !isFloat(To)) return undefined;
  return makeColumn(type, {
    length: data.length,
    nullCount: data.nullCount,
    bitOffset: data.offset,
    validity: validityOf(data),
    values: new To((values as Float32Array).subarray(0, data.length)),
  });
}

const UNITS_PER_SECOND = [1n, 1000n, 1_000_000n, 1_000_000_000n] as const;
const DAY_SECONDS = 86_400n;

/** Counts in the unit of the target, exact: a count that is not whole in that unit is refused. */
function timesOf(data: Data, type: DataType): ArrayLike<unknown> {
  const source = data.type as DataType;
  const [fromUnits, fromSeconds] = rateOf(source);
  const [toUnits, toSeconds] = rateOf(type);
  const present = isPresent(data);
  const bytes = bytesOf(data.values as ArrayBufferView).slice();
  const counts = layoutWidth(source) === 4 ? new Int32Array(bytes.buffer) : new BigInt64Array(bytes.buffer);
  const out = new Array<unknown>(data.length);
  for (let i = 0; i < out.length; i++) {
    if (!present(i)) continue;
    const numerator = BigInt(counts[i]!) * fromSeconds * toUnits;
    const denominator = fromUnits * toSeconds;
    if (numerator % denominator !== 0n) refuse(i, BigInt(counts[i]!), type, "a whole number of its unit");
    out[i] = numerator / denominator;
  }
  return out;
}

/** A count of `units` stands for `seconds` seconds. */
function rateOf(type: DataType): readonly [units: bigint, seconds: bigint] {
  const { unit } = type as Timestamp | Date_;
  if ((type.typeId as number) === TYPE_ID.timestamp) return [UNITS_PER_SECOND[unit]!, 1n];
  return unit === 0 ? [1n, DAY_SECONDS] : [1000n, 1n];
}

function castStruct(data: Data, type: DataType): Data {
  const places = new Map(childrenOf(data.type as DataType).map((field, index) => [field.name, index]));
  const fields = childrenOf(type);
  const known = new Set(fields.map((field) => field.name));
  for (const name of places.keys()) {
    if (!known.has(name)) throw new CellError(0, [name], "there is no such field in the table's schema");
  }
  const children = fields.map((field) => {
    const place = places.get(field.name);
    if (place === undefined && !field.nullable) throw new CellError(0, [field.name], "a value is required");
    return place === undefined
      ? nullColumn(field.type as DataType, data.length)
      : castColumn(data.children[place]!, field.type as DataType);
  });
  const { length, nullCount, offset } = data;
  return makeColumn(type, { length, nullCount, bitOffset: offset, validity: validityOf(data), children });
}

/** Lists of all kinds into each other, through offsets; a vector wants every list to have its length. */
function castList(data: Data, type: DataType): Data {
  const from = layoutOf(data.type as DataType);
  const to = layoutOf(type);
  const child = castColumn(data.children[0]!, childrenOf(type)[0]!.type as DataType);
  const { length, nullCount, offset } = data;
  const base = { length, nullCount, bitOffset: offset, validity: validityOf(data) };
  const bounds = new Float64Array(length + 1);
  for (let i = 0; i <= length; i++) {
    bounds[i] = from.kind === "fixed-list" ? i * from.size : Number((data.valueOffsets as Offsets)[i]);
  }
  if (to.kind === "fixed-list") return castVectors(data, type, child, bounds, to.size);
  const large = to.kind === "list" && to.large;
  const offsets = large ? BigInt64Array.from(bounds, BigInt) : Int32Array.from(bounds);
  return makeColumn(type, { ...base, offsets, children: [child] });
}

function castVectors(data: Data, type: DataType, child: Data, bounds: Float64Array, size: number): Data {
  const present = isPresent(data);
  const { length, nullCount, offset } = data;
  const items = new Uint32Array(length * size);
  for (let i = 0; i < length; i++) {
    if (!present(i)) continue;
    const start = bounds[i]!;
    if (bounds[i + 1]! - start !== size) refuse(i, `a list of ${bounds[i + 1]! - start} items`, type);
    for (let k = 0; k < size; k++) items[i * size + k] = start + k;
  }
  const element = childrenOf(type)[0]!.type as DataType;
  const source = child.length === 0 && items.length > 0 ? nullColumn(element, 1) : child;
  const children = [gather(source, items)];
  return makeColumn(type, { length, nullCount, bitOffset: offset, validity: validityOf(data), children });
}
