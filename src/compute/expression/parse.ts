/**
 * Text to expression: a Pratt parser for the filter dialect of LanceDB (docs/compatibility.md lists it).
 *
 * Refuses what the dialect lacks (CASE, INTERVAL, subqueries, `$1`, `IN ()`) and, other than LanceDB, any text that
 * is left over at the end: a filter is understood whole or not at all.
 */
import { TableError } from "../../support/errors.js";
import type { Expression, Literal, TypeName } from "./ast.js";
import { literalOf, negativeNumber, numberLiteral } from "./constant.js";
import { DEPTH_MAX, LIST_ITEMS_MAX, TERMS_MAX } from "./limits.js";
import { BIND, RESERVED, SYMBOLS } from "./operators.js";
import { type Token, templateText, tokenize } from "./token.js";
import { TokenCursor } from "./token-cursor.js";
import { parseTypeName } from "./type-name.js";

/** The expression that `text` stands for. @throws INVALID_ARGUMENT with a caret under the place; details: position */
export function parseExpression(text: string): Expression {
  return parseTemplate([text], []);
}

/**
 * An expression with bound values: `parts[0] values[0] parts[1] …`, as a tagged template delivers them. A value may be
 * null, boolean, number, bigint, string, Date, Uint8Array or an array of these; it never becomes text.
 * @throws INVALID_ARGUMENT
 */
export function parseTemplate(parts: readonly string[], values: readonly unknown[]): Expression {
  if (parts.length !== values.length + 1 || parts.some((part) => typeof part !== "string")) {
    throw new TableError("INVALID_ARGUMENT", "A filter must be a string or a tagged template with one value per gap.");
  }
  const parser = new Parser(tokenize(parts, values), templateText(parts));
  return parser.whole();
}

class Parser extends TokenCursor {
  private depth = 0;
  private terms = 0;

  whole(): Expression {
    const expression = this.expression(0);
    while (this.takeSymbol(";"));
    if (this.peek().kind !== "end") throw this.unexpected("an operator or the end of the text");
    return expression;
  }

  private expression(bind: number): Expression {
    const outer = this.depth;
    this.deeper();
    let left = this.prefix();
    for (;;) {
      this.term();
      const step = this.infix(left, bind);
      if (step === undefined) break;
      // A flat chain of AND or OR grows wide; everything else makes the tree one level deeper.
      if (step.kind !== "and" && step.kind !== "or") this.deeper();
      left = step;
    }
    this.depth = outer;
    return left;
  }

  private deeper(): void {
    if (++this.depth > DEPTH_MAX) throw this.fail(`an expression may be at most ${DEPTH_MAX} levels deep.`);
  }

  private term(): void {
    if (++this.terms > TERMS_MAX) {
      throw this.fail(`an expression may have at most ${TERMS_MAX} terms; use IN for long lists.`);
    }
  }

  /** One step of the operator loop, or undefined when the next token binds no tighter than `bind`. */
  private infix(left: Expression, bind: number): Expression | undefined {
    const token = this.peek();
    if (token.kind === "symbol") {
      if (token.text === "::" && bind < BIND.cast) {
        this.at++;
        return { kind: "cast", input: left, type: this.typeName(), safe: false };
      }
      const symbol = SYMBOLS.get(token.text);
      if (symbol === undefined || symbol.bind <= bind) return undefined;
      this.at++;
      return symbol.build(left, this.expression(symbol.bind));
    }
    if (token.kind !== "name" || token.quoted) return undefined;
    if (bind < BIND.or && this.isWord("or")) return this.chain("or", left, BIND.or);
    if (bind < BIND.and && this.isWord("and")) return this.chain("and", left, BIND.and);
    if (bind < BIND.is && this.takeWord("is")) return this.isTest(left);
    const negated = this.isWord("not");
    const word = this.peek(negated ? 1 : 0);
    if (word.kind !== "name" || word.quoted) return undefined;
    return this.wordOperator(left, bind, word.text.toLowerCase(), negated);
  }

  private wordOperator(left: Expression, bind: number, word: string, negated: boolean): Expression | undefined {
    const skip = negated ? 2 : 1;
    if ((word === "like" || word === "ilike") && bind < BIND.like) {
      this.at += skip;
      const pattern = this.expression(BIND.like);
      return { kind: "like", negated, caseless: word === "ilike", input: left, pattern, escape: this.escape() };
    }
    if (word === "in" && bind < BIND.compare) {
      this.at += skip;
      return this.inList(left, negated);
    }
    if (word === "between" && bind < BIND.compare) {
      this.at += skip;
      const low = this.expression(BIND.compare);
      this.expectWord("and");
      return { kind: "between", negated, input: left, low, high: this.expression(BIND.compare) };
    }
    return undefined;
  }

  private chain(kind: "and" | "or", first: Expression, bind: number): Expression {
    const terms = [first];
    while (this.takeWord(kind)) {
      this.term();
      terms.push(this.expression(bind));
    }
    return { kind, terms };
  }

  private isTest(input: Expression): Expression {
    const negated = this.takeWord("not");
    for (const test of ["null", "true", "false"] as const) {
      if (this.takeWord(test)) return { kind: "is", test, negated, input };
    }
    throw this.unexpected("NULL, TRUE or FALSE");
  }

  private escape(): string {
    if (!this.takeWord("escape")) return "\\";
    const token = this.next();
    if (token.kind !== "string" || [...token.text].length !== 1) {
      throw this.fail("expected exactly one character in quotes after ESCAPE.", token);
    }
    return token.text;
  }

  private inList(input: Expression, negated: boolean): Expression {
    const token = this.peek();
    if (token.kind === "value" && Array.isArray(token.value)) {
      this.at++;
      const array = this.boundValue(token) as Extract<Literal, { kind: "array" }>;
      // Nothing is in an empty list: FALSE for every row, also where the input is NULL.
      if (array.items.length === 0) return { kind: "boolean", value: negated };
      return { kind: "in", negated, input, list: array.items };
    }
    this.expectSymbol("(");
    const list: Expression[] = [];
    do {
      if (list.length >= LIST_ITEMS_MAX) throw this.fail(`a list may have at most ${LIST_ITEMS_MAX} items.`);
      list.push(this.listItem());
    } while (this.takeSymbol(","));
    this.expectSymbol(")");
    return { kind: "in", negated, input, list };
  }

  /** One item of an IN list; plain literals do not count as terms. */
  private listItem(): Expression {
    const terms = this.terms;
    const item = this.expression(0);
    if (item.kind === "integer" || item.kind === "string" || item.kind === "float") this.terms = terms;
    return item;
  }

  private typeName(): TypeName {
    return parseTypeName(this);
  }

  private prefix(): Expression {
    if (this.takeWord("not")) return { kind: "not", input: this.expression(BIND.not) };
    if (this.isSymbol("-")) {
      this.at++;
      const start = this.at;
      const input = this.expression(BIND.multiply);
      const plain = this.tokens[start]?.kind === "number" && this.at === start + 1;
      return plain ? negativeNumber(input) : { kind: "negate", input };
    }
    return this.postfix(this.primary());
  }

  /** `.name`, `['name']` and `[index]` after a column or any other value. */
  private postfix(input: Expression): Expression {
    let left = input;
    for (let level = 0; ; level++) {
      if (level > DEPTH_MAX) throw this.fail(`an expression may be at most ${DEPTH_MAX} levels deep.`);
      if (this.takeSymbol(".")) {
        const token = this.next();
        if (token.kind !== "name") throw this.fail("expected the name of a field after the dot.", token);
        left = { kind: "field", input: left, name: token.text };
      } else if (this.takeSymbol("[")) {
        const index = this.expression(0);
        this.expectSymbol("]");
        left =
          index.kind === "string"
            ? { kind: "field", input: left, name: index.value }
            : { kind: "element", input: left, index };
      } else {
        return left;
      }
    }
  }

  private primary(): Expression {
    const token = this.peek();
    switch (token.kind) {
      case "number":
        this.at++;
        return numberLiteral(token.text);
      case "string":
        this.at++;
        return { kind: "string", value: token.text };
      case "bytes":
        this.at++;
        return { kind: "bytes", value: new Uint8Array(Buffer.from(token.text, "hex")) };
      case "value":
        this.at++;
        return this.boundValue(token);
      case "name":
        return this.named(token);
      default:
        if (this.takeSymbol("(")) {
          const inner = this.expression(0);
          this.expectSymbol(")");
          return inner;
        }
        if (this.isSymbol("[")) return this.arrayLiteral();
        throw this.unexpected("a value, a column or (");
    }
  }

  private named(token: Extract<Token, { kind: "name" }>): Expression {
    const after = this.peek(1);
    const opensCall = after.kind === "symbol" && after.text === "(";
    if (token.quoted) {
      this.at++;
      return { kind: "column", name: token.text, exact: true };
    }
    const word = token.text.toLowerCase();
    if (word === "null" || word === "true" || word === "false") {
      this.at++;
      return word === "null" ? { kind: "null" } : { kind: "boolean", value: word === "true" };
    }
    if (RESERVED.has(word)) throw this.unexpected("a value or a column (quote names that are words of SQL)");
    if (opensCall && (word === "cast" || word === "try_cast")) return this.castCall(word === "try_cast");
    if (word === "array" && after.kind === "symbol" && after.text === "[") {
      this.at++;
      return this.arrayLiteral();
    }
    const typed = this.typedLiteral();
    if (typed !== undefined) return typed;
    this.at++;
    if (!opensCall) return { kind: "column", name: token.text, exact: false };
    return { kind: "call", name: word, args: this.callArguments() };
  }

  /** `date '2024-01-01'`, `decimal(10,2) '1.5'`: a type directly before a string. */
  private typedLiteral(): Expression | undefined {
    const start = this.at;
    const type = parseTypeName(this, { optional: true });
    const token = this.peek();
    if (type !== undefined && token.kind === "string") {
      this.at++;
      return { kind: "cast", input: { kind: "string", value: token.text }, type, safe: false };
    }
    this.at = start;
    return undefined;
  }

  private castCall(safe: boolean): Expression {
    this.at += 2;
    const input = this.expression(0);
    this.expectWord("as");
    const type = this.typeName();
    this.expectSymbol(")");
    return { kind: "cast", input, type, safe };
  }

  private callArguments(): readonly Expression[] {
    this.expectSymbol("(");
    const args: Expression[] = [];
    if (this.takeSymbol(")")) return args;
    do args.push(this.expression(0));
    while (this.takeSymbol(","));
    this.expectSymbol(")");
    return args;
  }

  private arrayLiteral(): Expression {
    this.expectSymbol("[");
    const items: Literal[] = [];
    if (this.takeSymbol("]")) return { kind: "array", items };
    do {
      if (items.length >= LIST_ITEMS_MAX) throw this.fail(`a list may have at most ${LIST_ITEMS_MAX} items.`);
      items.push(this.arrayItem());
    } while (this.takeSymbol(","));
    this.expectSymbol("]");
    return { kind: "array", items };
  }

  private arrayItem(): Literal {
    const token = this.next();
    if (token.kind === "string") return { kind: "string", value: token.text };
    if (token.kind === "number") return numberLiteral(token.text);
    if (token.kind === "bytes") return { kind: "bytes", value: new Uint8Array(Buffer.from(token.text, "hex")) };
    if (token.kind === "value") return this.boundValue(token);
    if (token.kind === "symbol" && token.text === "-" && this.peek().kind === "number") {
      return negativeNumber(numberLiteral(this.next().text)) as Literal;
    }
    const word = token.kind === "name" && !token.quoted ? token.text.toLowerCase() : "";
    if (word === "null") return { kind: "null" };
    if (word === "true" || word === "false") return { kind: "boolean", value: word === "true" };
    throw this.fail("expected a literal value as item of a list.", token);
  }

  private boundValue(token: Extract<Token, { kind: "value" }>): Literal {
    const literal = literalOf(token.value);
    if (literal !== undefined) return literal;
    throw this.fail(
      "this bound value must be null, a boolean, number, bigint, string, valid Date, Uint8Array or an array of these.",
      token,
    );
  }
}
