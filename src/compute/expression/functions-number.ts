/** Functions over numbers. Those that round keep the float type and turn integers into double, as in LanceDB. */
import type { DataType } from "apache-arrow";
import { TableError } from "../../support/errors.js";
import { divideRound, fitFloat } from "./fit.js";
import type { FunctionRecord } from "./functions.js";
import { BOOL, decimalType, FLOAT64, INT64, isFloat, isInteger, isNumber, kindOf, shapeOf, typeText } from "./types.js";
import { nothing, outcomeOf, truth, type Vector } from "./vector.js";

/** The float type that an argument is computed in. */
function floatType(type: DataType): DataType | undefined {
  const kind = kindOf(type);
  if (isFloat(kind)) return type;
  return isNumber(kind) || kind === "null" || kind === "decimal" ? FLOAT64 : undefined;
}

/** One float to one float. */
function overFloat(name: string, one: (value: number) => number): FunctionRecord {
  return {
    usage: `${name}(number)`,
    resolve(types) {
      const type = types.length === 1 ? floatType(types[0] as DataType) : undefined;
      if (type === undefined) return undefined;
      const kernel = ([value]: readonly Vector[], _type: DataType, length: number): Vector => {
        if (value?.form !== "number") return nothing(type, length);
        const kind = kindOf(type);
        return { ...value, values: value.values.map((item) => fitFloat(one(item), kind)) };
      };
      return { args: [type], type, kernel };
    },
  };
}

/** Half away from zero; as many decimal places as asked for. */
function roundTo(value: number, places: number): number {
  if (!Number.isFinite(value)) return value;
  if (places === 0) return value < 0 ? -Math.round(-value) : Math.round(value);
  const scale = 10 ** places;
  const scaled = value * scale;
  if (!Number.isFinite(scaled)) return value;
  return (scaled < 0 ? -Math.round(-scaled) : Math.round(scaled)) / scale;
}

const round: FunctionRecord = {
  usage: "round(number[, places])",
  resolve(types) {
    const [first, second] = types;
    if (first === undefined || types.length > 2) return undefined;
    if (kindOf(first) === "decimal" && types.length === 1) return roundDecimal(first);
    const type = floatType(first);
    if (type === undefined || (second !== undefined && !isInteger(kindOf(second)))) return undefined;
    const kernel = ([value, places]: readonly Vector[], _type: DataType, length: number): Vector => {
      if (value?.form !== "number" || places?.form === "nothing") return nothing(type, length);
      const outcome = places === undefined ? outcomeOf(value) : outcomeOf(value, places);
      const kind = kindOf(type);
      const values = new Float64Array(outcome.count);
      for (let i = 0; i < values.length; i++) {
        const n = places?.form === "wide" ? Number(places.values[places.constant ? 0 : i]) : 0;
        values[i] = fitFloat(roundTo(value.values[value.constant ? 0 : i] as number, n), kind);
      }
      return { form: "number", type, length, constant: outcome.constant, valid: outcome.valid, values };
    };
    return { args: second === undefined ? [type] : [type, INT64], type, kernel };
  },
};

function roundDecimal(type: DataType): ReturnType<FunctionRecord["resolve"]> {
  const { precision, scale } = shapeOf(type) as { precision: number; scale: number };
  const result = decimalType(precision, 0);
  const down = 10n ** BigInt(scale);
  const kernel = ([value]: readonly Vector[], _type: DataType, length: number): Vector => {
    if (value?.form !== "wide") return nothing(result, length);
    return { ...value, type: result, values: Array.from(value.values, (item) => divideRound(item, down)) };
  };
  return { args: [type], type: result, kernel };
}

const abs: FunctionRecord = {
  usage: "abs(number)",
  resolve(types) {
    const [first] = types;
    if (types.length !== 1 || first === undefined) return undefined;
    const kind = kindOf(first);
    if (!isNumber(kind) && kind !== "decimal") return undefined;
    return { args: [first], type: first, kernel: ([value], type, length) => absolute(value as Vector, type, length) };
  },
};

/** The least value of each signed integer, which has no positive twin. */
const LEAST: Readonly<Record<string, number>> = { int8: -128, int16: -32768, int32: -(2 ** 31) };

function absolute(value: Vector, type: DataType, length: number): Vector {
  const overflow = () =>
    new TableError("INVALID_ARGUMENT", `abs() of the least ${typeText(type)} is out of its range.`);
  const { valid } = value;
  if (value.form === "number") {
    const least = LEAST[kindOf(type)];
    if (least !== undefined && value.values.some((item, i) => item === least && valid?.[i] !== 0)) throw overflow();
    return { ...value, values: value.values.map(Math.abs) };
  }
  if (value.form !== "wide") return nothing(type, length);
  const { values } = value;
  if (values instanceof BigUint64Array) return value;
  const flip = (item: bigint) => (item < 0n ? -item : item);
  if (!(values instanceof BigInt64Array)) return { ...value, values: Array.from(values, flip) };
  if (values.some((item, i) => item === -(2n ** 63n) && valid?.[i] !== 0)) throw overflow();
  return { ...value, values: values.map(flip) };
}

function floatTest(name: string, one: (value: number) => boolean): FunctionRecord {
  return {
    usage: `${name}(number)`,
    resolve(types) {
      const type = types.length === 1 ? floatType(types[0] as DataType) : undefined;
      if (type === undefined) return undefined;
      const kernel = ([value]: readonly Vector[], _type: DataType, length: number): Vector => {
        if (value?.form !== "number") return nothing(BOOL, length);
        return truth(
          Uint8Array.from(value.values, (item) => (one(item) ? 1 : 0)),
          outcomeOf(value),
          BOOL,
        );
      };
      return { args: [type], type: BOOL, kernel };
    },
  };
}

const power: FunctionRecord = {
  usage: "power(base, exponent)",
  resolve(types) {
    if (types.length !== 2 || !types.every((type) => floatType(type) !== undefined)) return undefined;
    const kernel = ([base, exponent]: readonly Vector[], type: DataType, length: number): Vector => {
      if (base?.form !== "number" || exponent?.form !== "number") return nothing(type, length);
      const { count, constant, valid } = outcomeOf(base, exponent);
      const values = new Float64Array(count);
      const [stepA, stepB] = [base.constant ? 0 : 1, exponent.constant ? 0 : 1];
      for (let i = 0; i < count; i++)
        values[i] = (base.values[i * stepA] as number) ** (exponent.values[i * stepB] as number);
      return { form: "number", type, length, constant, valid, values };
    };
    return { args: [FLOAT64, FLOAT64], type: FLOAT64, kernel };
  },
};

export const FLOAT_FUNCTIONS: Readonly<Record<string, FunctionRecord>> = {
  abs,
  round,
  power,
  pow: power,
  ceil: overFloat("ceil", Math.ceil),
  floor: overFloat("floor", Math.floor),
  trunc: overFloat("trunc", (value) => (value === 0 ? 0 : Math.trunc(value))),
  sqrt: overFloat("sqrt", Math.sqrt),
  exp: overFloat("exp", Math.exp),
  ln: overFloat("ln", Math.log),
  log10: overFloat("log10", Math.log10),
  signum: overFloat("signum", (value) => (value === 0 ? 0 : Math.sign(value))),
  isnan: floatTest("isnan", Number.isNaN),
  iszero: floatTest("iszero", (value) => value === 0),
};
