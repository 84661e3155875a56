/** Random schemas and columns from a seed, and cells in a form that compares with ===. */
import * as arrow from "apache-arrow";

const field = (name, type, nullable = true) => new arrow.Field(name, type, nullable);
const item = (type) => field("item", type);

const PRIMITIVES = [
  () => new arrow.Int8(),
  () => new arrow.Int16(),
  () => new arrow.Int32(),
  () => new arrow.Int64(),
  () => new arrow.Uint8(),
  () => new arrow.Uint16(),
  () => new arrow.Uint32(),
  () => new arrow.Uint64(),
  () => new arrow.Float16(),
  () => new arrow.Float32(),
  () => new arrow.Float64(),
  () => new arrow.Bool(),
  () => new arrow.Utf8(),
  () => new arrow.Binary(),
  () => new arrow.FixedSizeBinary(7),
  () => new arrow.DateDay(),
  () => new arrow.DateMillisecond(),
  () => new arrow.TimeMillisecond(),
  () => new arrow.TimeMicrosecond(),
  () => new arrow.TimestampMicrosecond("UTC"),
  () => new arrow.TimestampMillisecond(),
  () => new arrow.TimestampSecond(),
  () => new arrow.TimestampNanosecond("Europe/Berlin"),
  () => new arrow.TimeSecond(),
  () => new arrow.TimeNanosecond(),
  () => new arrow.DurationNanosecond(),
  () => new arrow.Decimal(10, 30, 128),
];
const VECTOR_ITEMS = [
  () => new arrow.Float32(),
  () => new arrow.Float64(),
  () => new arrow.Int8(),
  () => new arrow.Float16(),
];

/** A generator of numbers in [0, 1) that says the same for the same seed. */
export function chance(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { next, below, pick: (list) => list[below(list.length)] };
}

/** A type that the data format holds; `depth` limits the nesting. */
export function randomType(random, version, depth = 2) {
  const kind = random.below(depth > 0 ? 13 : 10);
  if (kind < 7) return random.pick(PRIMITIVES)();
  if (kind < 9) return new arrow.FixedSizeList(random.pick([1, 3, 8, 64, 100]), item(random.pick(VECTOR_ITEMS)()));
  if (kind === 9) return new arrow.Dictionary(new arrow.Utf8(), random.pick([new arrow.Int8(), new arrow.Int32()]));
  if (kind === 10) {
    const count = 1 + random.below(3);
    const fields = Array.from({ length: count }, (_, i) => field(`f${i}`, randomType(random, version, depth - 1)));
    return new arrow.Struct(fields);
  }
  if (kind === 12 && version === "2.2") {
    const entry = new arrow.Struct([field("key", new arrow.Utf8(), false), field("value", new arrow.Int32())]);
    return new arrow.Map_(field("entries", entry, false));
  }
  return new arrow.List(item(randomType(random, version, depth - 1)));
}

/** One column of values; structs are never null when `nullStructs` is false. */
export function randomColumn(random, type, rows, nullStructs) {
  const share = random.pick([0, 0, 0.05, 0.5, 1]);
  const style = { share, nullStructs, long: random.below(4) === 0, distinct: random.pick([1, 3, 1000]) };
  const values = Array.from({ length: rows }, () => randomValue(random, type, style));
  // apache-arrow leaves the items of null vectors at the end without bytes, which native refuses: one more row is cut.
  values.push(randomValue(random, type, { ...style, share: 0, isLast: true }));
  return arrow.vectorFromArray(values, type).slice(0, rows);
}

function randomValue(random, type, style) {
  const isStruct = type.typeId === arrow.Type.Struct;
  if ((!isStruct || style.nullStructs) && random.next() < style.share) return null;
  const { below } = random;
  switch (type.typeId) {
    case arrow.Type.Int:
      if (type.bitWidth === 64)
        return BigInt(below(style.distinct)) * BigInt(below(2 ** 31)) * (type.isSigned ? -3n : 3n);
      return below(Math.min(2 ** type.bitWidth, style.distinct)) - (type.isSigned ? 2 ** (type.bitWidth - 1) : 0);
    case arrow.Type.Float:
      return type.precision === 0 ? below(100) / 4 : below(style.distinct) / 8;
    case arrow.Type.Utf8:
      return (
        (style.long && below(4) === 0 ? "é".repeat(below(600)) : `v${"ü".repeat(below(5))}`) + below(style.distinct)
      );
    case arrow.Type.Binary:
      return Uint8Array.from({ length: below(30) }, () => below(256));
    case arrow.Type.FixedSizeBinary:
      return Uint8Array.from({ length: type.byteWidth }, () => below(256));
    case arrow.Type.Bool:
      return below(2) === 0;
    case arrow.Type.Date:
      return new Date(below(20_000) * 86_400_000);
    case arrow.Type.Time:
      return type.bitWidth === 32 ? below(86_400) : BigInt(below(86_400)) * 1_000_000n;
    case arrow.Type.Timestamp:
      return below(2 ** 31) * 1000;
    case arrow.Type.Duration:
      return BigInt(below(2 ** 31));
    case arrow.Type.Decimal:
      return Uint32Array.of(below(2 ** 32), below(2 ** 32), below(100), 0);
    case arrow.Type.Dictionary:
      return random.pick(["red", "green", "blue", "a long name of a colour"]);
    case arrow.Type.FixedSizeList:
      return Array.from({ length: type.listSize }, () => randomValue(random, type.children[0].type, style) ?? 0);
    case arrow.Type.List:
      return Array.from({ length: style.isLast ? 1 : below(5) }, () =>
        randomValue(random, type.children[0].type, style),
      );
    case arrow.Type.Map:
      return new Map(Array.from({ length: below(4) }, (_, i) => [`k${i}`, below(1000)]));
    default:
      return Object.fromEntries(type.children.map((child) => [child.name, randomValue(random, child.type, style)]));
  }
}

/** Every cell of a column of any apache-arrow copy as text. */
export function cells(vector) {
  const found = [];
  for (let i = 0; i < vector.length; i++) found.push(JSON.stringify(plain(vector.get(i))));
  return found;
}

function plain(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : value;
  if (typeof value !== "object") return value;
  if (ArrayBuffer.isView(value)) return Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (typeof value.get === "function" && typeof value.length === "number") {
    return Array.from({ length: value.length }, (_, i) => plain(value.get(i)));
  }
  return [...value].map(([key, one]) => [key, plain(one)]);
}

/** Where two lists of columns differ; undefined when they do not. */
export function difference(expected, found) {
  if (expected.length !== found.length) return `${expected.length} columns became ${found.length}`;
  for (const [c, column] of expected.entries()) {
    if (column.length !== found[c].length) return `column ${c}: ${column.length} rows became ${found[c].length}`;
    const row = column.findIndex((cell, i) => cell !== found[c][i]);
    if (row >= 0) return `column ${c}, row ${row}: ${column[row].slice(0, 200)} became ${found[c][row].slice(0, 200)}`;
  }
  return undefined;
}
