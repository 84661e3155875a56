/**
 * The functions of the expression language, one record each: what arguments it takes, what it gives, how it computes.
 *
 * Names and argument types are LanceDB's; `trim`, `ceil` and `floor` are additions, because its grammar swallows them.
 */
import { type DataType, Timestamp } from "apache-arrow";
import type { Kernel } from "./bound.js";
import { castVector } from "./cast.js";
import { compareVectors } from "./compare.js";
import { concatVectors } from "./concat.js";
import { LIST_FUNCTIONS } from "./functions-list.js";
import { FLOAT_FUNCTIONS } from "./functions-number.js";
import { TEXT_FUNCTIONS } from "./functions-text.js";
import { BOOL, commonType, INT64, isFloat, isInteger, kindOf, NULL, typeText } from "./types.js";
import { isValid, nothing, physicalLength, type Vector } from "./vector.js";
import { repeat, takeVector } from "./write.js";

/** What a call becomes for given argument types. */
export interface Signature {
  /** The types that the arguments are cast to. */
  readonly args: readonly DataType[];
  readonly type: DataType;
  readonly kernel: Kernel;
}

export interface FunctionRecord {
  /** How it is called, for messages. */
  readonly usage: string;
  /** Undefined when the function does not take such arguments. */
  readonly resolve: (types: readonly DataType[]) => Signature | undefined;
}

/** The type in which all values meet, NULL set aside. */
function commonOfAll(types: readonly DataType[]): DataType | undefined {
  let common: DataType | undefined = NULL;
  for (const type of types) common = common === undefined ? undefined : commonType(common, type);
  return common;
}

/** The first value that is not NULL, row by row. */
function coalesce(args: readonly Vector[], type: DataType, length: number): Vector {
  const live = args.filter((arg) => arg.form !== "nothing");
  const first = live[0];
  if (first === undefined) return nothing(type, length);
  if (live.length === 1 || first.valid === undefined) return first;
  const columns = live.map((arg) => (arg.constant ? repeat({ ...arg, length }) : arg));
  const rows = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    const k = columns.findIndex((column) => isValid(column, i));
    rows[i] = Math.max(k, 0) * length + i;
  }
  return takeVector(concatVectors(columns), rows);
}

/** The first argument, NULL where it equals the second. */
function nullIf(args: readonly Vector[], type: DataType, length: number): Vector {
  const [value, other] = args as readonly [Vector, Vector];
  const equal = compareVectors("=", value, other);
  if (equal.form !== "truth") return value;
  const wide = value.constant && !equal.constant ? repeat({ ...value, length }) : value;
  if (wide.form === "nothing") return nothing(type, length);
  const valid = new Uint8Array(physicalLength(wide));
  for (let i = 0; i < valid.length; i++) {
    const at = equal.constant ? 0 : i;
    valid[i] = isValid(wide, i) && !(equal.values[at] === 1 && isValid(equal, at)) ? 1 : 0;
  }
  return { ...wide, valid };
}

function coalesceRecord(name: string, least: number, most: number): FunctionRecord {
  return {
    usage: `${name}(value, …)`,
    resolve(types) {
      const type = types.length < least || types.length > most ? undefined : commonOfAll(types);
      return type && { args: types.map(() => type), type, kernel: coalesce };
    },
  };
}

/** Text, seconds (whole or with fraction) or a time to an instant of the given unit. */
function toTimestamp(name: string, unit: number, whole: number): FunctionRecord {
  const type = new Timestamp(unit, null);
  return {
    usage: `${name}(text, number or timestamp)`,
    resolve(types) {
      const [first] = types;
      if (types.length !== 1 || first === undefined) return undefined;
      const kind = kindOf(first);
      if (isInteger(kind))
        return { args: [INT64], type, kernel: ([value]) => scaleSeconds(value as Vector, type, unit, whole) };
      if (isFloat(kind))
        return { args: [first], type, kernel: ([value]) => floatSeconds(value as Vector, type, unit, whole) };
      if (kind !== "utf8" && kind !== "timestamp" && kind !== "null") return undefined;
      return { args: [first], type, kernel: ([value]) => castVector(value as Vector, type, { safe: false }) };
    },
  };
}

function scaleSeconds(value: Vector, type: DataType, unit: number, whole: number): Vector {
  const counted = castVector(value, new Timestamp(whole, null), { safe: false });
  return unit === whole ? { ...counted, type } : castVector(counted, type, { safe: false });
}

function floatSeconds(value: Vector, type: DataType, unit: number, whole: number): Vector {
  if (value.form !== "number") return nothing(type, value.length);
  const scale = 1000 ** (unit - whole);
  const values = new BigInt64Array(value.values.length);
  const high = 2 ** 63;
  for (let i = 0; i < values.length; i++) {
    const units = Math.trunc((value.values[i] as number) * scale);
    // As in LanceDB: beyond the range the nearest instant, and the epoch for NaN.
    if (units >= high) values[i] = 2n ** 63n - 1n;
    else values[i] = units <= -high ? -(2n ** 63n) : BigInt(Number.isNaN(units) ? 0 : units);
  }
  return { ...value, form: "wide", type, values };
}

const RECORDS: Readonly<Record<string, FunctionRecord>> = {
  ...TEXT_FUNCTIONS,
  ...FLOAT_FUNCTIONS,
  ...LIST_FUNCTIONS,
  coalesce: coalesceRecord("coalesce", 1, 1000),
  ifnull: coalesceRecord("ifnull", 2, 2),
  nvl: coalesceRecord("nvl", 2, 2),
  nullif: {
    usage: "nullif(value, other)",
    resolve(types) {
      const type = types.length === 2 ? commonOfAll(types) : undefined;
      return type && { args: [type, type], type, kernel: nullIf };
    },
  },
  to_timestamp: toTimestamp("to_timestamp", 3, 0),
  to_timestamp_seconds: toTimestamp("to_timestamp_seconds", 0, 0),
  to_timestamp_millis: toTimestamp("to_timestamp_millis", 1, 1),
  to_timestamp_micros: toTimestamp("to_timestamp_micros", 2, 2),
  to_timestamp_nanos: toTimestamp("to_timestamp_nanos", 3, 3),
  is_valid: {
    usage: "is_valid(value)",
    resolve(types) {
      const [first] = types;
      if (types.length !== 1 || first === undefined) return undefined;
      return { args: [first], type: BOOL, kernel: ([value], _type, length) => validity(value as Vector, length) };
    },
  },
};

function validity(value: Vector, length: number): Vector {
  const values = new Uint8Array(physicalLength(value));
  for (let i = 0; i < values.length; i++) values[i] = isValid(value, i) ? 1 : 0;
  return { form: "truth", type: BOOL, length, constant: value.constant, values, valid: undefined };
}

/** The record of a function by its name in lower case. */
export function findFunction(name: string): FunctionRecord | undefined {
  return Object.hasOwn(RECORDS, name) ? RECORDS[name] : undefined;
}

export function functionNames(): readonly string[] {
  return Object.keys(RECORDS);
}

/** How a call looks with the types of its arguments, for messages. */
export function callText(name: string, types: readonly DataType[]): string {
  return `${name}(${types.map(typeText).join(", ")})`;
}
