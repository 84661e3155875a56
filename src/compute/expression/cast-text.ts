/** Values as text and text as values, in the spelling of LanceDB: 5.0, inf, 2024-01-01T00:00:00Z, [x, y]. */
import type { DataType } from "apache-arrow";
import { divideRound, fitDecimal, fitFloat, fitInteger, type Scalar } from "./fit.js";
import {
  formatDate,
  formatTime,
  formatTimestamp,
  localToUtc,
  parseDate,
  parseTime,
  parseTimestamp,
} from "./temporal.js";
import { isFloat, type Kind, kindOf, shapeOf, UTF8, unitDigits } from "./types.js";
import { type BytesVector, isValid, nothing, physicalLength, textAt, textVector, type Vector } from "./vector.js";

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Every value as text. Binary that is not UTF-8 has none and becomes NULL. */
export function castToText(vector: Vector, type: DataType = UTF8): Vector {
  if (vector.form === "nothing") return nothing(type, vector.length);
  const texts: (string | undefined)[] = [];
  const one = formatter(vector);
  const count = physicalLength(vector);
  for (let i = 0; i < count; i++) texts.push(isValid(vector, i) ? one(i) : undefined);
  return textVector(texts, type, vector);
}

/** The text of element `i`. */
function formatter(vector: Vector): (i: number) => string | undefined {
  const { type } = vector;
  const kind = kindOf(type);
  switch (vector.form) {
    case "truth":
      return (i) => (vector.values[i] === 1 ? "true" : "false");
    case "number":
    case "wide": {
      const { values } = vector;
      const one = scalarFormatter(type, kind);
      return (i) => one(values[i] as Scalar);
    }
    case "bytes":
      return (i) => {
        if (kind === "utf8") return textAt(vector, i);
        try {
          return STRICT.decode(vector.bytes.subarray(vector.offsets[i], vector.offsets[i + 1]));
        } catch {
          return undefined;
        }
      };
    case "list": {
      const item = formatter(vector.child);
      return (i) => {
        const items: string[] = [];
        for (let k = vector.offsets[i] as number; k < (vector.offsets[i + 1] as number); k++) {
          items.push(isValid(vector.child, k) ? (item(k) ?? "") : "");
        }
        return `[${items.join(", ")}]`;
      };
    }
    default:
      return () => "";
  }
}

function scalarFormatter(type: DataType, kind: Kind): (value: Scalar) => string {
  switch (kind) {
    case "float16":
    case "float32":
    case "float64":
      return (value) => formatFloat(value as number, kind);
    case "decimal": {
      const scale = shapeOf(type).scale as number;
      return (value) => formatDecimal(value as bigint, scale);
    }
    case "date32":
      return (value) => formatDate(value as number);
    case "date64":
      return (value) => formatTimestamp(value as bigint, 3, undefined);
    case "time":
      return (value) => formatTime(BigInt(value), unitDigits(type));
    case "timestamp": {
      const zone = shapeOf(type).timezone ?? undefined;
      return (value) => formatTimestamp(value as bigint, unitDigits(type), zone);
    }
    default:
      return String;
  }
}

export function formatDecimal(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled);
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The shortest digits that read back as the same float, in Rust's layout: 5.0, 1e16, 1e-6. */
export function formatFloat(value: number, kind: Kind): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa = "", exponentText = "0"] = shortest(value, kind).split("e");
  const sign = mantissa.startsWith("-") ? "-" : "";
  const digits = mantissa.replace("-", "").replace(".", "");
  const point = Number(exponentText) + 1;
  if (point > 16 || point <= -5) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${fraction}e${point - 1}`;
  }
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (digits.length <= point) return `${sign}${digits.padEnd(point, "0")}.0`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function shortest(value: number, kind: Kind): string {
  if (kind === "float64") return value.toExponential();
  for (let digits = 0; digits < 9; digits++) {
    const text = value.toExponential(digits);
    if (fitFloat(Number(text), kind) === value) return text;
  }
  return value.toExponential();
}

/** Reads element `i` of a text column as a value of `type`; undefined where the text is not one. */
export function textParser(vector: BytesVector, type: DataType): (i: number) => Scalar | undefined {
  const one = scalarParser(type, kindOf(type));
  return (i) => one(textAt(vector, i));
}

const INTEGER = /^[+-]?\d{1,40}$/;
const FLOAT = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const SPECIAL_FLOATS: ReadonlyMap<string, number> = new Map([
  ["nan", Number.NaN],
  ["inf", Number.POSITIVE_INFINITY],
  ["infinity", Number.POSITIVE_INFINITY],
]);
const TRUE = new Set(["t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"]);
const FALSE = new Set(["f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"]);

function scalarParser(type: DataType, kind: Kind): (text: string) => Scalar | undefined {
  if (isFloat(kind)) return (text) => parseFloatText(text, kind);
  switch (kind) {
    case "bool":
      return (text) => {
        const word = text.trim().toLowerCase();
        return TRUE.has(word) ? 1 : FALSE.has(word) ? 0 : undefined;
      };
    case "decimal":
      return (text) => parseDecimal(text, type);
    case "date32":
      return (text) => parseDate(text) ?? dateOfTimestamp(text);
    case "date64":
    case "timestamp":
      return (text) => parseInstant(text, type, kind);
    case "time": {
      const down = 10n ** BigInt(9 - unitDigits(type));
      const narrow = shapeOf(type).bitWidth === 32;
      return (text) => {
        const nanos = parseTime(text);
        if (nanos === undefined) return undefined;
        return narrow ? Number(nanos / down) : nanos / down;
      };
    }
    default:
      return (text) => (INTEGER.test(text) ? fitInteger(BigInt(text.replace("+", "")), kind) : undefined);
  }
}

function parseFloatText(text: string, kind: Kind): number | undefined {
  if (FLOAT.test(text)) return fitFloat(Number(text), kind);
  const special = SPECIAL_FLOATS.get(text.replace(/^[+-]/, "").toLowerCase());
  return special === undefined ? undefined : text.startsWith("-") ? -special : special;
}

function parseDecimal(text: string, type: DataType): bigint | undefined {
  const match = /^([+-]?)(\d{0,60})(?:\.(\d{0,60}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text.trim());
  if (!match || `${match[2]}${match[3] ?? ""}` === "") return undefined;
  const fraction = match[3] ?? "";
  const shift = (shapeOf(type).scale as number) - fraction.length + Number(match[4] ?? 0);
  const size = BigInt(`${match[2]}${fraction}`);
  if (shift > 80) return undefined;
  const scaled = shift >= 0 ? size * 10n ** BigInt(shift) : divideRound(size, 10n ** BigInt(-shift));
  return fitDecimal(match[1] === "-" ? -scaled : scaled, type);
}

function dateOfTimestamp(text: string): number | undefined {
  const parsed = parseTimestamp(text);
  if (parsed === undefined) return undefined;
  return Math.floor(Number(parsed.nanos / 1_000_000_000n) / 86_400);
}

function parseInstant(text: string, type: DataType, kind: Kind): bigint | undefined {
  const parsed = parseTimestamp(text);
  if (parsed === undefined) return undefined;
  const zone = shapeOf(type).timezone;
  let nanos = parsed.nanos;
  if (parsed.offset !== undefined) nanos -= BigInt(parsed.offset) * 1_000_000_000n;
  else if (zone) {
    const local = Number(nanos / 1_000_000_000n);
    nanos += BigInt(localToUtc(zone, local) - local) * 1_000_000_000n;
  }
  const units = nanos / 10n ** BigInt(9 - (kind === "date64" ? 3 : unitDigits(type)));
  return fitInteger(units, "int64") as bigint | undefined;
}
