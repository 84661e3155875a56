/**
 * Conversion of values from one type to another: CAST, TRY_CAST, and fitting a value to a column.
 *
 * Never wraps: what the target cannot hold is an error, or NULL for TRY_CAST. Fractions are cut off towards zero on the
 * way to an integer and rounded on the way to a decimal, as in LanceDB.
 */
import { type Data, type DataType, Type } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { castToText, textParser } from "./cast-text.js";
import { divideRound, fitDecimal, fitFloat, fitInteger, type Scalar } from "./fit.js";
import { readVector } from "./read.js";
import { localToUtc, zoneOffset } from "./temporal.js";
import {
  isFloat,
  isInteger,
  isNumber,
  itemType,
  type Kind,
  kindOf,
  shapeOf,
  typeText,
  unitDigits,
  valueType,
} from "./types.js";
import { isValid, nothing, physicalLength, type Vector } from "./vector.js";
import { writeData } from "./write.js";

/** Undefined where the value has no place in the target. */
type Convert = (value: Scalar) => Scalar | undefined;

/** `data` as `type`. @throws INVALID_ARGUMENT for a value that does not fit, SCHEMA_MISMATCH for types that never do */
export function castData(data: Data, type: DataType): Data {
  if (typeText(data.type as DataType) === typeText(type)) return data;
  if (type.typeId === Type.Dictionary) {
    throw new TableError(
      "SCHEMA_MISMATCH",
      `A value of ${typeText(data.type as DataType)} cannot become ${typeText(type)}.`,
    );
  }
  return writeData(castVector(readVector(data), type, { safe: false }));
}

/** Whether a cast between these types exists; single values may still not fit. */
export function canCast(from: DataType, to: DataType): boolean {
  const [a, b] = [kindOf(from), kindOf(to)];
  if (a === "null" || typeText(valueType(from)) === typeText(to)) return true;
  if (a === "other" || b === "other" || b === "null") return false;
  if (a === "list" && b === "list") return canCast(itemType(from), itemType(to));
  if (a === "struct" || b === "struct" || b === "list") return false;
  if (b === "utf8") return a !== "list" || canCast(itemType(from), to);
  if (a === "list") return false;
  if (a === "utf8") return b !== "duration";
  if (a === "binary" || b === "binary") return a === b;
  return converter(valueType(from), to) !== undefined;
}

/** `vector` as `type`; with `safe`, NULL where a value does not fit. @throws INVALID_ARGUMENT, SCHEMA_MISMATCH */
export function castVector(vector: Vector, type: DataType, options: { readonly safe: boolean }): Vector {
  const from = vector.type;
  if (vector.form === "nothing") return nothing(type, vector.length);
  if (typeText(from) === typeText(type)) return vector;
  if (!canCast(from, type)) throw notCastable(from, type);
  const [a, b] = [kindOf(from), kindOf(type)];
  if (b === "utf8") return a === "utf8" ? { ...vector, type } : castToText(vector, type);
  if (vector.form === "list") return castList(vector, type, options);
  if (vector.form === "bytes") {
    if (b === "binary") return castBinary(vector, type);
    return convert(vector, type, options, textParser(vector, type));
  }
  if (vector.form === "struct") throw notCastable(from, type);
  const one = converter(from, type) as Convert;
  const { values } = vector;
  return convert(vector, type, options, (i) => one(values[i] as Scalar));
}

function notCastable(from: DataType, to: DataType): TableError {
  return new TableError("SCHEMA_MISMATCH", `A value of type ${typeText(from)} cannot become ${typeText(to)}.`);
}

/** Applies `one` to every valid element and stores the results in the form of `type`. */
function convert(
  vector: Vector,
  type: DataType,
  options: { readonly safe: boolean },
  one: (i: number) => Scalar | undefined,
): Vector {
  const count = physicalLength(vector);
  const { length, constant } = vector;
  const values = allocate(type, count) as { [i: number]: Scalar };
  let valid = vector.valid;
  for (let i = 0; i < count; i++) {
    if (vector.valid !== undefined && vector.valid[i] === 0) continue;
    const value = one(i);
    if (value !== undefined) values[i] = value;
    else if (options.safe) {
      if (valid === vector.valid) valid = valid?.slice() ?? new Uint8Array(count).fill(1);
      (valid as Uint8Array)[i] = 0;
    } else throw doesNotFit(vector, i, type);
  }
  const head = { type, length, constant, valid };
  if (values instanceof Float64Array) return { ...head, form: "number", values };
  if (values instanceof Uint8Array) return { ...head, form: "truth", values };
  return { ...head, form: "wide", values: values as BigInt64Array };
}

function allocate(
  type: DataType,
  count: number,
): Float64Array | Uint8Array | BigInt64Array | BigUint64Array | bigint[] {
  const kind = kindOf(type);
  if (kind === "bool") return new Uint8Array(count);
  if (kind === "decimal") return new Array<bigint>(count).fill(0n);
  if (kind === "uint64") return new BigUint64Array(count);
  if (kind === "time" ? shapeOf(type).bitWidth === 64 : WIDE.has(kind)) return new BigInt64Array(count);
  return new Float64Array(count);
}

const WIDE: ReadonlySet<Kind> = new Set<Kind>(["int64", "date64", "timestamp", "duration"]);

function doesNotFit(vector: Vector, i: number, type: DataType): TableError {
  const text = castToText({ ...vector, valid: undefined } as Vector);
  const shown =
    text.form === "bytes" ? new TextDecoder().decode(text.bytes.subarray(text.offsets[i], text.offsets[i + 1])) : "";
  const value = kindOf(vector.type) === "utf8" ? `'${shown.slice(0, 80)}'` : shown.slice(0, 80);
  const hint = "Use TRY_CAST in an expression to get NULL instead.";
  return new TableError(
    "INVALID_ARGUMENT",
    `Cast error: the value ${value} of type ${typeText(vector.type)} does not fit ${typeText(type)}. ${hint}`,
    { details: { value: shown.slice(0, 80), type: typeText(type) } },
  );
}

function castList(
  vector: Extract<Vector, { form: "list" }>,
  type: DataType,
  options: { readonly safe: boolean },
): Vector {
  const child = castVector(vector.child, itemType(type), options);
  const size = shapeOf(type).listSize;
  if (size !== undefined) {
    for (let i = 0; i < physicalLength(vector); i++) {
      const found = (vector.offsets[i + 1] as number) - (vector.offsets[i] as number);
      if (isValid(vector, i) && found !== size) {
        throw new TableError("INVALID_ARGUMENT", `A list of ${found} items does not fit ${typeText(type)}.`);
      }
    }
    if (vector.valid !== undefined || vector.offsets[0] !== 0) return padFixed(vector, child, type, size);
  }
  return { ...vector, type, child };
}

/** A fixed-size list holds items for NULL rows too; they repeat item 0. */
function padFixed(vector: Extract<Vector, { form: "list" }>, child: Vector, type: DataType, size: number): Vector {
  const count = physicalLength(vector);
  if (child.length === 0 && count > 0) return { ...nothing(type, vector.length) };
  const rows = new Uint32Array(count * size);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < size; k++) rows[i * size + k] = isValid(vector, i) ? (vector.offsets[i] as number) + k : 0;
  }
  const offsets = Int32Array.from({ length: count + 1 }, (_, i) => i * size);
  return { ...vector, type, offsets, child: takeChild(child, rows) };
}

function takeChild(child: Vector, rows: Uint32Array): Vector {
  return readVector(writeData(child), rows);
}

function castBinary(vector: Extract<Vector, { form: "bytes" }>, type: DataType): Vector {
  const width = shapeOf(type).byteWidth;
  if (width !== undefined) {
    for (let i = 0; i < physicalLength(vector); i++) {
      const found = (vector.offsets[i + 1] as number) - (vector.offsets[i] as number);
      if (found !== width) {
        throw new TableError("INVALID_ARGUMENT", `A value of ${found} bytes does not fit ${width} fixed bytes.`);
      }
    }
  }
  return { ...vector, type };
}

/** How one element converts, or undefined when the pair of types has no cast. Text and binary are elsewhere. */
function converter(from: DataType, to: DataType): Convert | undefined {
  const [a, b] = [kindOf(from), kindOf(to)];
  if (a === "decimal") return fromDecimal(shapeOf(from).scale as number, to, b);
  if (a === "bool") {
    if (b === "bool") return (value) => value;
    if (b === "decimal") return (value) => fitDecimal(BigInt(value) * 10n ** BigInt(shapeOf(to).scale as number), to);
    return isNumber(b) ? (value) => (isFloat(b) ? value : fitInteger(value, b)) : undefined;
  }
  if (isNumber(a)) return fromNumber(a, to, b);
  return fromTime(from, a, to, b);
}

function fromNumber(a: Kind, to: DataType, b: Kind): Convert | undefined {
  if (b === "bool") return (value) => (Number(value) === 0 ? 0 : 1);
  if (isFloat(b)) return (value) => fitFloat(Number(value), b);
  if (isInteger(b)) return (value) => fitInteger(typeof value === "number" ? Math.trunc(value) : value, b);
  if (b === "decimal") {
    const scale = shapeOf(to).scale as number;
    const up = 10n ** BigInt(scale);
    if (isInteger(a)) return (value) => fitDecimal(BigInt(value) * up, to);
    return (value) => {
      const scaled = Number(value) * 10 ** scale;
      if (!Number.isFinite(scaled)) return undefined;
      return fitDecimal(BigInt(scaled < 0 ? -Math.round(-scaled) : Math.round(scaled)), to);
    };
  }
  if (isFloat(a)) return undefined;
  if (b === "date32") return a === "int32" || a === "int64" ? (value) => fitInteger(value, "date32") : undefined;
  if (b === "time") {
    const kind = shapeOf(to).bitWidth === 64 ? "int64" : "time32";
    return (value) => fitInteger(value, kind);
  }
  if (b === "date64" || b === "timestamp" || b === "duration") return (value) => fitInteger(value, "int64");
  return undefined;
}

function fromDecimal(scale: number, to: DataType, b: Kind): Convert | undefined {
  const down = 10n ** BigInt(scale);
  if (b === "decimal") {
    const shift = (shapeOf(to).scale as number) - scale;
    if (shift >= 0) return (value) => fitDecimal(BigInt(value) * 10n ** BigInt(shift), to);
    return (value) => fitDecimal(divideRound(BigInt(value), 10n ** BigInt(-shift)), to);
  }
  if (isInteger(b)) return (value) => fitInteger(BigInt(value) / down, b);
  if (isFloat(b)) return (value) => fitFloat(Number(value) / Number(down), b);
  return undefined;
}

const NANOS_PER_DAY = 86_400_000_000_000n;

/** Nanoseconds in one unit of a temporal type. */
function nanosOf(type: DataType, kind: Kind): bigint {
  if (kind === "date32") return NANOS_PER_DAY;
  if (kind === "date64") return 1_000_000n;
  return 10n ** BigInt(9 - unitDigits(type));
}

function fromTime(from: DataType, a: Kind, to: DataType, b: Kind): Convert | undefined {
  if (isInteger(b)) return (value) => fitInteger(value, b);
  const days = (kind: Kind) => kind === "date32" || kind === "date64" || kind === "timestamp";
  const same = a === b && (a === "time" || a === "duration");
  const clock = a === "timestamp" && b === "time";
  if (!same && !clock && !(days(a) && days(b))) return undefined;
  const [unitFrom, unitTo] = [nanosOf(from, a), nanosOf(to, b)];
  const fit = b === "date32" ? "date32" : b === "time" && shapeOf(to).bitWidth === 32 ? "time32" : "int64";
  const [zoneFrom, zoneTo] = [shapeOf(from).timezone ?? undefined, shapeOf(to).timezone ?? undefined];
  // Only a wall clock that gains a zone, or an instant that loses its time of day, depends on where it is.
  const enters = zoneFrom === undefined && zoneTo !== undefined && b === "timestamp";
  const leaves = zoneFrom !== undefined && (b === "date32" || b === "time");
  const floors = b === "date32" || clock;
  return (value) => {
    let nanos = BigInt(value) * unitFrom;
    if (enters) nanos += shift(nanos, (seconds) => localToUtc(zoneTo, seconds) - seconds);
    if (leaves) nanos += shift(nanos, (seconds) => zoneOffset(zoneFrom, seconds));
    if (floors) {
      const rest = ((nanos % NANOS_PER_DAY) + NANOS_PER_DAY) % NANOS_PER_DAY;
      nanos = clock ? rest : nanos - rest;
    }
    return fitInteger(nanos / unitTo, fit);
  };
}

function shift(nanos: bigint, offset: (seconds: number) => number): bigint {
  return BigInt(offset(Number(nanos / 1_000_000_000n))) * 1_000_000_000n;
}
