/** Dates, times, instants and zones as text and back, in the proleptic Gregorian calendar without leap seconds. */
import { TableError } from "../../support/errors.js";

const SECONDS_PER_DAY = 86_400;

/** Days since 1970-01-01 of a civil date. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

export function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

const DATE = /^([+-]?\d{4,6})-(\d{2})-(\d{2})$/;
const TIME = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?$/;
const TIMESTAMP =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)\s*(Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/;

/** Days since 1970, or undefined when the text is not a date. */
export function parseDate(text: string): number | undefined {
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const days = daysFromCivil(year, month, day);
  const back = civilFromDays(days);
  return back.year === year && back.month === month && back.day === day ? days : undefined;
}

/** Nanoseconds since midnight, or undefined. */
export function parseTime(text: string): bigint | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const nanos = BigInt((match[4] ?? "").padEnd(9, "0"));
  return BigInt(hour * 3600 + minute * 60 + second) * 1_000_000_000n + nanos;
}

/** Nanoseconds since 1970 as written; `offset` in seconds when the text names one. */
export function parseTimestamp(text: string): { nanos: bigint; offset: number | undefined } | undefined {
  const match = TIMESTAMP.exec(text.trim());
  if (!match) return undefined;
  const days = parseDate(match[1] as string);
  const time = match[2] === undefined ? 0n : parseTime(match[2]);
  if (days === undefined || time === undefined) return undefined;
  const nanos = BigInt(days * SECONDS_PER_DAY) * 1_000_000_000n + time;
  return { nanos, offset: match[3] === undefined ? undefined : fixedOffset(match[3]) };
}

/** Seconds east of UTC for "Z", "UTC", "+05:30", "-08"; undefined for the name of a region. */
function fixedOffset(zone: string): number | undefined {
  if (/^(z|utc|gmt|etc\/utc)$/i.test(zone)) return 0;
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  if (!match) return undefined;
  const seconds = Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60;
  return match[1] === "-" ? -seconds : seconds;
}

const REGIONS = new Map<string, Intl.DateTimeFormat>();

function region(zone: string): Intl.DateTimeFormat {
  const known = REGIONS.get(zone);
  if (known) return known;
  try {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    REGIONS.set(zone, format);
    return format;
  } catch (cause) {
    throw new TableError("NOT_SUPPORTED", `The time zone ${JSON.stringify(zone)} is not known here.`, { cause });
  }
}

/** Seconds east of UTC that `zone` keeps at the instant `utc` (seconds since 1970). @throws NOT_SUPPORTED */
export function zoneOffset(zone: string, utc: number): number {
  const fixed = fixedOffset(zone);
  if (fixed !== undefined) return fixed;
  const parts = new Map(
    region(zone)
      .formatToParts(utc * 1000)
      .map((part) => [part.type as string, part.value]),
  );
  const at = (name: string) => Number(parts.get(name));
  const year = parts.get("era") === "BC" ? 1 - at("year") : at("year");
  const days = daysFromCivil(year, at("month"), at("day"));
  return days * SECONDS_PER_DAY + at("hour") * 3600 + at("minute") * 60 + at("second") - utc;
}

/** The instant at which clocks in `zone` show `local` (seconds since 1970 as if in UTC). */
export function localToUtc(zone: string, local: number): number {
  const guess = local - zoneOffset(zone, local);
  return local - zoneOffset(zone, guess);
}

export function formatDate(days: number): string {
  const { year, month, day } = civilFromDays(days);
  const digits = String(Math.abs(year)).padStart(4, "0");
  const sign = year < 0 ? "-" : year > 9999 ? "+" : "";
  return `${sign}${digits}-${pad2(month)}-${pad2(day)}`;
}

/** `units` since midnight, each 10^-digits seconds, with as many thousandths groups as it needs. */
export function formatTime(units: bigint, digits: number): string {
  const perSecond = 10n ** BigInt(digits);
  const seconds = Number(units / perSecond);
  const rest = units % perSecond;
  const clock = `${pad2(Math.floor(seconds / 3600))}:${pad2(Math.floor(seconds / 60) % 60)}:${pad2(seconds % 60)}`;
  if (rest === 0n) return clock;
  const fraction = rest.toString().padStart(digits, "0").padEnd(9, "0");
  const kept = fraction.endsWith("000000") ? 3 : fraction.endsWith("000") ? 6 : 9;
  return `${clock}.${fraction.slice(0, kept)}`;
}

/** ISO 8601; with the zone's offset ("Z" for UTC) when there is a zone. */
export function formatTimestamp(units: bigint, digits: number, zone: string | undefined): string {
  const perSecond = 10n ** BigInt(digits);
  const utc = floorDivide(units, perSecond);
  const rest = units - utc * perSecond;
  const offset = zone === undefined ? 0 : zoneOffset(zone, Number(utc));
  const local = Number(utc) + offset;
  const days = Math.floor(local / SECONDS_PER_DAY);
  const time = BigInt(local - days * SECONDS_PER_DAY) * perSecond + rest;
  const suffix = zone === undefined ? "" : offset === 0 ? "Z" : formatOffset(offset);
  return `${formatDate(days)}T${formatTime(time, digits)}${suffix}`;
}

function formatOffset(offset: number): string {
  const size = Math.abs(offset);
  return `${offset < 0 ? "-" : "+"}${pad2(Math.floor(size / 3600))}:${pad2(Math.floor(size / 60) % 60)}`;
}

export function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

function pad2(value: number): string {
  return String(value).padStart(2, "0");
}
