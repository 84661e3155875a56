/** House rules that no linter knows: sizes, the injected world, the shape of types. */
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { at, filesIn, lineOf, parse, walk } from "./sources.js";

const FILE_LINES_MAX = 350;
const FUNCTION_LINES_MAX = 70;

const sources = filesIn("src");
const trees = sources.map(parse);

const mayTouchTheWorld = (path: string) => path.startsWith("src/store/") || path === "src/support/runtime.ts";

/** What reaches outside the process or changes from run to run; `support/runtime.ts` has a stand-in for each. */
const WORLD_MEMBERS = new Set([
  "Date.now",
  "Math.random",
  "performance.now",
  "crypto.randomUUID",
  "crypto.getRandomValues",
]);
const WORLD_CALLS = new Set(["setTimeout", "setInterval", "setImmediate", "fetch", "Date"]);
const WORLD_IMPORTS = new Set(["randomUUID", "randomBytes"]);
const WORLD_MODULES = /^(node:)?(fs|fs\/promises|timers|timers\/promises|child_process|net|http|https|dgram)$/;

function worldIn(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const own = namesDeclaredIn(file);
  walk(file, (node) => {
    if (ts.isPropertyAccessExpression(node) && WORLD_MEMBERS.has(node.getText())) {
      found.push(`${at(file, node)} ${node.getText()}`);
    } else if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      const { text } = node.expression;
      if (WORLD_CALLS.has(text) && !own.has(text)) found.push(`${at(file, node)} ${text}()`);
    } else if (ts.isNewExpression(node) && node.expression.getText() === "Date" && !node.arguments?.length) {
      found.push(`${at(file, node)} new Date()`);
    } else if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      if (node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return;
      if (WORLD_MODULES.test(node.moduleSpecifier.text)) found.push(`${at(file, node)} import`);
    } else if (ts.isImportSpecifier(node) && WORLD_IMPORTS.has(node.name.text)) {
      found.push(`${at(file, node)} import of ${node.name.text}`);
    }
  });
  return found;
}

/** Functions, variables and parameters that a file names itself: `fetch` of one's own is not the network. */
function namesDeclaredIn(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  walk(file, (node) => {
    const declares = ts.isFunctionDeclaration(node) || ts.isVariableDeclaration(node) || ts.isParameter(node);
    if (declares && node.name !== undefined && ts.isIdentifier(node.name)) names.add(node.name.text);
  });
  return names;
}

function functionsOver(file: ts.SourceFile, linesMax: number): string[] {
  const found: string[] = [];
  walk(file, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
    const lines = lineOf(file, node.end) - lineOf(file, node.getStart()) + 1;
    if (lines > linesMax) found.push(`${at(file, node)} has ${lines} lines`);
  });
  return found;
}

function unchecked(file: ts.SourceFile): string[] {
  const found: string[] = [];
  walk(file, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${at(file, node)} any`);
  });
  for (const match of file.text.matchAll(/@ts-(ignore|expect-error|nocheck)|biome-ignore|eslint-disable/g)) {
    found.push(`${file.fileName}:${lineOf(file, match.index)} ${match[0]}`);
  }
  return found;
}

describe("the searches below find what they are for", () => {
  const planted = (text: string) => parse({ path: "planted.ts", text });

  test.each([
    "Date.now();",
    "new Date();",
    "Math.random();",
    "performance.now();",
    "setTimeout(() => {}, 1);",
    "await fetch('x');",
    'import { readFile } from "node:fs/promises";',
    'import { randomUUID } from "node:crypto";',
  ])("%s is the world", (text) => {
    expect(worldIn(planted(text))).toHaveLength(1);
  });

  test.each([
    "new Date(ms);",
    'import type { Stats } from "node:fs";',
    "// Date.now()",
    "function fetch() {} fetch();",
  ])("%s is not", (text) => {
    expect(worldIn(planted(text))).toEqual([]);
  });

  test("a long function, a loose type and a silenced checker are seen", () => {
    const long = `const f = () => {\n${"g();\n".repeat(70)}};`;
    expect(functionsOver(planted(long), FUNCTION_LINES_MAX)).toHaveLength(1);
    expect(unchecked(planted("let x: any; // @ts-ignore"))).toHaveLength(2);
  });
});

describe("the source keeps to the house rules", () => {
  test("there is source to look at", () => {
    expect(sources.length).toBeGreaterThan(10);
  });

  test(`no file is longer than ${FILE_LINES_MAX} lines, because then it holds two nouns`, () => {
    const long = trees.map((file) => ({ path: file.fileName, lines: lineOf(file, file.text.trimEnd().length) }));
    expect(long.filter(({ lines }) => lines > FILE_LINES_MAX)).toEqual([]);
  });

  test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    expect(trees.flatMap((file) => functionsOver(file, FUNCTION_LINES_MAX))).toEqual([]);
  });

  test("clock, chance, timers and files are reached only through the runtime and the stores", () => {
    expect(trees.filter((file) => !mayTouchTheWorld(file.fileName)).flatMap(worldIn)).toEqual([]);
  });

  test("no type is any, and no checker is switched off", () => {
    expect(trees.flatMap(unchecked)).toEqual([]);
  });

  test("every file says first what it is for", () => {
    const silent = sources.filter(({ text }) => !/^(#!.*\n)?\/(\*\*|\/)/.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  test("nothing is exported by default, so that every name is the same everywhere", () => {
    const found: string[] = [];
    for (const file of trees) {
      walk(file, (node) => {
        if (ts.isExportAssignment(node)) found.push(at(file, node));
      });
    }
    expect(found).toEqual([]);
  });
});

describe("the tests keep to the house rules", () => {
  const tests = filesIn("test").map(parse);

  test("no test is skipped, focused or left to do", () => {
    const found: string[] = [];
    for (const file of tests) {
      walk(file, (node) => {
        if (!ts.isPropertyAccessExpression(node)) return;
        const [base] = node.getText().split(".");
        const isTest = base === "test" || base === "it" || base === "describe";
        if (isTest && /^(skip|skipIf|only|todo|fails)$/.test(node.name.text)) found.push(at(file, node));
      });
    }
    expect(found).toEqual([]);
  });
});
