/** Names of types in CAST, `::` and typed literals: the list that LanceDB accepts, nothing else. */
import type { SqlTypeName, TypeName } from "./ast.js";
import { SQL_TYPE_NAMES } from "./ast.js";
import type { Token } from "./token.js";

/** What this file needs of the parser. */
interface TokenReader {
  peek(ahead?: number): Token;
  next(): Token;
  takeSymbol(text: string): boolean;
  takeWord(word: string): boolean;
  expectSymbol(text: string): void;
  fail(sentence: string, token?: Token): Error;
}

const ALIASES: ReadonlyMap<string, SqlTypeName> = new Map<string, SqlTypeName>([
  ...SQL_TYPE_NAMES.filter((name) => !name.includes(" ")).map((name) => [name, name] as const),
  ["integer", "int"],
  ["datetime", "timestamp"],
]);

const UNSIGNED: ReadonlySet<SqlTypeName> = new Set(["tinyint", "smallint", "int", "bigint"]);
const TIMESTAMP_DIGITS: ReadonlySet<number> = new Set([0, 3, 6, 9]);

export function parseTypeName(reader: TokenReader): TypeName;
export function parseTypeName(reader: TokenReader, options: { readonly optional: true }): TypeName | undefined;
export function parseTypeName(reader: TokenReader, options?: { readonly optional: true }): TypeName | undefined {
  const token = reader.peek();
  const plain = token.kind === "name" && !token.quoted ? ALIASES.get(token.text.toLowerCase()) : undefined;
  if (plain === undefined) {
    if (options?.optional) return undefined;
    throw reader.fail(`expected one of the types ${SQL_TYPE_NAMES.join(", ")}.`);
  }
  // Without a string to follow this is a column or a function that has the name of a type.
  if (options?.optional && !leadsToString(reader)) return undefined;
  reader.next();
  const args = reader.takeSymbol("(") ? typeArguments(reader) : [];
  if (UNSIGNED.has(plain) && args.length === 0 && reader.takeWord("unsigned")) {
    return { name: `${plain} unsigned` as SqlTypeName, args };
  }
  check(reader, token, plain, args);
  return { name: plain, args };
}

function leadsToString(reader: TokenReader): boolean {
  let ahead = 1;
  const opens = reader.peek(ahead);
  if (opens.kind === "symbol" && opens.text === "(") {
    while (reader.peek(ahead).kind === "number" || "(,".includes(reader.peek(ahead).text || " ")) ahead++;
    const closes = reader.peek(ahead);
    if (closes.kind !== "symbol" || closes.text !== ")") return false;
    ahead++;
  } else if (opens.kind === "name" && !opens.quoted && opens.text.toLowerCase() === "unsigned") {
    ahead++;
  }
  return reader.peek(ahead).kind === "string";
}

function typeArguments(reader: TokenReader): number[] {
  const args: number[] = [];
  do {
    const token = reader.next();
    if (token.kind !== "number" || !/^\d{1,3}$/.test(token.text)) {
      throw reader.fail("expected a small whole number as argument of a type.", token);
    }
    args.push(Number(token.text));
  } while (reader.takeSymbol(","));
  reader.expectSymbol(")");
  return args;
}

function check(reader: TokenReader, token: Token, name: SqlTypeName, args: readonly number[]): void {
  const [first = -1, second = -1] = args;
  if (name === "decimal") {
    if (args.length !== 2 || first < 1 || first > 38 || second > first) {
      throw reader.fail("expected decimal(precision, scale) with precision 1 to 38 and scale up to precision.", token);
    }
  } else if (name === "timestamp") {
    if (args.length > 1 || (args.length === 1 && !TIMESTAMP_DIGITS.has(first))) {
      throw reader.fail("expected timestamp with 0, 3, 6 or 9 digits.", token);
    }
  } else if (args.length > 0) {
    throw reader.fail(`the type ${name} takes no arguments.`, token);
  }
}
