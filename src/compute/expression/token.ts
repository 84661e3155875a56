/**
 * Text to tokens. Placeholders of bound values exist only as tokens, so no text can forge one.
 *
 * Refuses `$1`, `?`, `:name`, hexadecimal numbers, escape strings and dollar quotes by not knowing them.
 */
import { TableError } from "../../support/errors.js";
import { TEXT_BYTES_MAX } from "./limits.js";

export type Token =
  /** `text` is the name itself; `quoted` when it stood in backticks or double quotes. */
  | { readonly kind: "name"; readonly text: string; readonly quoted: boolean; readonly position: number }
  | { readonly kind: "number"; readonly text: string; readonly position: number }
  | { readonly kind: "string"; readonly text: string; readonly position: number }
  | { readonly kind: "bytes"; readonly text: string; readonly position: number }
  | { readonly kind: "symbol"; readonly text: string; readonly position: number }
  | { readonly kind: "value"; readonly value: unknown; readonly text: string; readonly position: number }
  | { readonly kind: "end"; readonly text: string; readonly position: number };

const NAME = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const SPACE = /(?:\s+|--[^\n]*)+/y;
const SYMBOL = /::|\|\||==|!=|<>|<=|>=|[=<>+\-*/%()[\],.;]/y;

/** An error that shows the text with a caret under the place. @param expected completes "Expected …". */
export function syntaxError(text: string, position: number, sentence: string): TableError {
  const lineStart = text.lastIndexOf("\n", position - 1) + 1;
  const lineEndFound = text.indexOf("\n", position);
  const lineEnd = lineEndFound < 0 ? text.length : lineEndFound;
  const from = Math.max(lineStart, position - 60);
  const to = Math.min(lineEnd, position + 60);
  const lead = from > lineStart ? "…" : "";
  const tail = to < lineEnd ? "…" : "";
  const shown = text.slice(from, to).replaceAll("\t", " ").replaceAll("\r", " ");
  const pad = " ".repeat(lead.length + position - from);
  const message = `The expression is not valid: ${sentence}\n  ${lead}${shown}${tail}\n  ${pad}^`;
  return new TableError("INVALID_ARGUMENT", message, { details: { position } });
}

/** The text that error messages show for a template: its parts with a mark for every value. */
export function templateText(parts: readonly string[]): string {
  let text = parts[0] ?? "";
  for (let k = 1; k < parts.length; k++) text += `\${${k}}${parts[k]}`;
  return text;
}

/**
 * The tokens of `parts` with a value token between each two, ending with an "end" token.
 * Positions count UTF-16 units of `templateText(parts)`. @throws INVALID_ARGUMENT
 */
export function tokenize(parts: readonly string[], values: readonly unknown[]): readonly Token[] {
  const text = templateText(parts);
  if (text.length > TEXT_BYTES_MAX || Buffer.byteLength(text) > TEXT_BYTES_MAX) {
    const message = `An expression may have at most ${TEXT_BYTES_MAX} bytes; bind long values instead of writing them.`;
    throw new TableError("INVALID_ARGUMENT", message, { details: { limitBytes: TEXT_BYTES_MAX } });
  }
  const tokens: Token[] = [];
  let base = 0;
  for (let k = 0; k < parts.length; k++) {
    const part = parts[k] as string;
    scanPart(part, base, text, tokens);
    base += part.length;
    if (k + 1 < parts.length) {
      const mark = `\${${k + 1}}`;
      tokens.push({ kind: "value", value: values[k], text: mark, position: base });
      base += mark.length;
    }
  }
  tokens.push({ kind: "end", text: "", position: text.length });
  return tokens;
}

function scanPart(part: string, base: number, text: string, tokens: Token[]): void {
  let at = 0;
  while (at < part.length) {
    const position = base + at;
    const char = part[at] as string;
    SPACE.lastIndex = at;
    if (SPACE.test(part)) {
      at = SPACE.lastIndex;
    } else if (part.startsWith("/*", at)) {
      const close = part.indexOf("*/", at + 2);
      if (close < 0) throw syntaxError(text, position, "this comment is never closed with */.");
      at = close + 2;
    } else if (char === "'" || char === "`" || char === '"') {
      const end = quotedEnd(part, at, char);
      if (end < 0) throw syntaxError(text, position, `this ${char} is never closed.`);
      const inner = part.slice(at + 1, end - 1).replaceAll(char + char, char);
      if (char === "'") tokens.push({ kind: "string", text: inner, position });
      else if (inner === "") throw syntaxError(text, position, "a quoted name must not be empty.");
      else tokens.push({ kind: "name", text: inner, quoted: true, position });
      at = end;
    } else if ((char === "x" || char === "X") && part[at + 1] === "'") {
      at = scanBytes(part, at, position, text, tokens);
    } else {
      at = scanPlain(part, at, position, text, tokens);
    }
  }
}

/** The end of a quoted run that starts at `at` (doubled quotes stand for one), or -1. */
function quotedEnd(part: string, at: number, quote: string): number {
  let from = at + 1;
  for (;;) {
    const close = part.indexOf(quote, from);
    if (close < 0) return -1;
    if (part[close + 1] !== quote) return close + 1;
    from = close + 2;
  }
}

function scanBytes(part: string, at: number, position: number, text: string, tokens: Token[]): number {
  const end = quotedEnd(part, at + 1, "'");
  const digits = end < 0 ? "" : part.slice(at + 2, end - 1);
  if (end < 0) throw syntaxError(text, position, "this ' is never closed.");
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw syntaxError(text, position, "expected pairs of hexadecimal digits in x'…'.");
  }
  tokens.push({ kind: "bytes", text: digits, position });
  return end;
}

function scanPlain(part: string, at: number, position: number, text: string, tokens: Token[]): number {
  NAME.lastIndex = at;
  const name = NAME.exec(part);
  if (name) {
    tokens.push({ kind: "name", text: name[0], quoted: false, position });
    return at + name[0].length;
  }
  NUMBER.lastIndex = at;
  const number = NUMBER.exec(part);
  if (number) {
    tokens.push({ kind: "number", text: number[0], position });
    return at + number[0].length;
  }
  SYMBOL.lastIndex = at;
  const symbol = SYMBOL.exec(part);
  if (!symbol) {
    const hint = part[at] === "$" || part[at] === "?" || part[at] === ":" ? "; bind values with a tagged template" : "";
    throw syntaxError(text, position, `unexpected character ${JSON.stringify(part[at])}${hint}.`);
  }
  tokens.push({ kind: "symbol", text: symbol[0], position });
  return at + symbol[0].length;
}
