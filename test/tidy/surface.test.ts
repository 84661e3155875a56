/** The public surface, written down: a name that appears, disappears or changes its type has to be meant. */
import ts from "typescript";
import { expect, test } from "vitest";
import { ROOT } from "./sources.js";

/** One line per exported name, and one per public member of an exported class, inherited ones included. */
function publicSurface(): string[] {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const program = ts.createProgram([`${ROOT}src/index.ts`], { ...options, noLib: true, types: [] });
  const checker = program.getTypeChecker();
  const index = program.getSourceFile(`${ROOT}src/index.ts`);
  const module = index && checker.getSymbolAtLocation(index);
  if (module === undefined) return [];
  return checker
    .getExportsOfModule(module)
    .flatMap((symbol) => linesOf(symbol, checker))
    .sort();
}

function linesOf(exported: ts.Symbol, checker: ts.TypeChecker): string[] {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined) return [`${exported.name}: not found`];
  const kind = ts.SyntaxKind[declaration.kind].replace("Declaration", "").toLowerCase();
  const lines = [`${exported.name}: ${kind}`];
  if (ts.isClassDeclaration(declaration)) {
    for (const member of checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))) {
      const [where] = member.declarations ?? [];
      if (where === undefined || !ts.isClassElement(where) || where.name === undefined) continue;
      if (ts.isPrivateIdentifier(where.name)) continue;
      if (ts.getCombinedModifierFlags(where) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) continue;
      lines.push(`${exported.name}.${where.name.getText()}${parametersOf(where)}`);
    }
  }
  return [...new Set(lines)];
}

const parametersOf = (member: ts.ClassElement) =>
  ts.isMethodDeclaration(member)
    ? `(${member.parameters.map(({ name, questionToken }) => `${name.getText()}${questionToken ? "?" : ""}`).join(", ")})`
    : "";

test("the package exports what test/tidy/surface.txt says, and nothing else", async () => {
  const surface = publicSurface();
  expect(surface.length).toBeGreaterThan(0);
  await expect(`${surface.join("\n")}\n`).toMatchFileSnapshot("./surface.txt");
});
