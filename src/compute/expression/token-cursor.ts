/** A place in a list of tokens, and the questions that a parser asks there. */
import type { TableError } from "../../support/errors.js";
import { syntaxError, type Token } from "./token.js";

export class TokenCursor {
  readonly tokens: readonly Token[];
  readonly text: string;
  protected at = 0;

  constructor(tokens: readonly Token[], text: string) {
    this.tokens = tokens;
    this.text = text;
  }

  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)] as Token;
  }

  next(): Token {
    const token = this.peek();
    this.at++;
    return token;
  }

  fail(sentence: string, token: Token = this.peek()): TableError {
    return syntaxError(this.text, token.position, sentence);
  }

  unexpected(expected: string): TableError {
    const token = this.peek();
    const found = token.kind === "end" ? "the end of the text" : `"${token.text}"`;
    return this.fail(`expected ${expected}, found ${found}.`);
  }

  isSymbol(text: string): boolean {
    const token = this.peek();
    return token.kind === "symbol" && token.text === text;
  }

  takeSymbol(text: string): boolean {
    if (!this.isSymbol(text)) return false;
    this.at++;
    return true;
  }

  expectSymbol(text: string): void {
    if (!this.takeSymbol(text)) throw this.unexpected(`"${text}"`);
  }

  /** True when the token is this unquoted word, in any letter case. */
  isWord(word: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === "name" && !token.quoted && token.text.toLowerCase() === word;
  }

  takeWord(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.at++;
    return true;
  }

  protected expectWord(word: string): void {
    if (!this.takeWord(word)) throw this.unexpected(word.toUpperCase());
  }
}
