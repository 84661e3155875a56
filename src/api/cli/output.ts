/**
 * What the command prints: aligned tables for people, JSON for programs, one line for an error, progress while it works.
 *
 * Results go to stdout, everything else to stderr. Text out of a table is shown with its control characters escaped, so
 * that no stored value can steer a terminal.
 */
import { styleText } from "node:util";
import { systemRuntime } from "../../support/runtime.js";

type Style = Parameters<typeof styleText>[0];

const CELL_CHARACTERS_MAX = 40;
/** How often progress is told, milliseconds. */
const PROGRESS_MS = 100;
/** The same where nobody can overwrite a line. */
const PROGRESS_LOG_MS = 5_000;

export interface Column {
  readonly title: string;
  /** Numbers stand on the right. */
  readonly right?: boolean;
}

/** Prints one line of a result. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints what is no part of the result. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Colored, if a person looks at it and did not ask for none (NO_COLOR). */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const { NO_COLOR, TERM } = process.env;
  const plain = !stream.isTTY || (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb";
  return plain ? text : styleText(style, text, { validateStream: false });
}

/** Rows in aligned columns under their titles. */
export function printTable(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => lengthOf(row[i] ?? ""))));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const space = " ".repeat(Math.max(0, widths[i]! - lengthOf(cell)));
        return columns[i]?.right ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  say(paint("bold", line(columns.map(({ title }) => title))));
  for (const row of rows) say(line(row));
}

/** JSON with what JSON does not know: large integers, NaN and infinities as text, bytes as base64, vectors as lists. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, plainValue, indent);
}

export function printJson(value: unknown): void {
  say(toJson(value, 2));
}

/** A value of a row in one short line. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return "null";
  const text = typeof value === "string" ? value : value instanceof Date ? value.toISOString() : scalarText(value);
  const shown = escapeControl(text);
  const characters = [...shown];
  return characters.length <= CELL_CHARACTERS_MAX ? shown : `${characters.slice(0, CELL_CHARACTERS_MAX - 1).join("")}…`;
}

export function count(number: number): string {
  return number.toLocaleString("en-US");
}

export function bytes(number: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = number;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** "1 row", "2 rows". */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Text in one line, control characters visible. */
export function escapeControl(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Tells how far long work has come: in place on a terminal, now and then elsewhere. */
export class Progress {
  #toldMs = systemRuntime.monotonicMs();
  #shown = false;

  tell(line: string): void {
    const { isTTY } = process.stderr;
    const nowMs = systemRuntime.monotonicMs();
    if (nowMs - this.#toldMs < (isTTY ? PROGRESS_MS : PROGRESS_LOG_MS)) return;
    this.#toldMs = nowMs;
    this.#shown = isTTY;
    process.stderr.write(isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  }

  /** Takes the line away before something else is printed. */
  clear(): void {
    if (this.#shown) process.stderr.write("\r\u001b[K");
    this.#shown = false;
  }
}

function scalarText(value: unknown): string {
  return typeof value === "object" ? toJson(value) : String(value);
}

function lengthOf(text: string): number {
  return [...text].length;
}

function plainValue(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return isTypedArray(value) ? Array.from(value) : value;
}

function isTypedArray(value: unknown): value is ArrayLike<unknown> {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}
