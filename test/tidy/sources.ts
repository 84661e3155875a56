/** The source and test files of the project, as text and as syntax trees, for the tests that read code as data. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface SourceText {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** All TypeScript files below `folder` that people wrote; generated ones end in `_pb.ts`. */
export function filesIn(folder: string): SourceText[] {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith("_pb.ts"))
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => !path.includes("node_modules/"))
    .sort()
    .map((path) => ({ path, text: readFileSync(`${ROOT}${path}`, "utf8") }));
}

export const parse = ({ path, text }: SourceText) => ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);

/** Calls `visit` for every node of a file, parents first. */
export function walk(file: ts.SourceFile, visit: (node: ts.Node) => void): void {
  const step = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, step);
  };
  step(file);
}

/** The one-based line on which `position` lies. */
export const lineOf = (file: ts.SourceFile, position: number) => file.getLineAndCharacterOfPosition(position).line + 1;

export const at = (file: ts.SourceFile, node: ts.Node) => `${file.fileName}:${lineOf(file, node.getStart())}`;
