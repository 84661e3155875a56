/** The tables of fixtures/format, as files in memory, and what native LanceDB says about them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseManifestName, VERSIONS } from "../../src/format/layout.js";

const ROOT = fileURLToPath(new URL("../../fixtures/format", import.meta.url));

export interface ExpectedVersion {
  readonly version: number;
  readonly rows: number;
  readonly schema: readonly (readonly [name: string, type: string, nullable: boolean])[];
}

export interface ExpectedTable {
  readonly versions: readonly ExpectedVersion[];
  readonly ids?: readonly number[];
  readonly tags?: Readonly<Record<string, { readonly version: number; readonly manifestSize: number }>>;
  /** id, row id, created version, last updated version */
  readonly rows?: readonly (readonly [number, number, number, number])[];
}

export const expected = JSON.parse(readFileSync(join(ROOT, "expected.json"), "utf8")) as Readonly<
  Record<string, ExpectedTable>
>;

export const TABLES = Object.keys(expected);

/** The bytes of a file below a table's directory. */
export function read(table: string, path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(ROOT, `${table}.lance`, path)));
}

/** Paths below a table's directory, "" for all of them. */
export function list(table: string, directory = ""): string[] {
  const root = join(ROOT, `${table}.lance`);
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** Version and path of every manifest of the main branch, ascending. */
export function manifests(table: string): { readonly version: number; readonly path: string }[] {
  return list(table, VERSIONS)
    .flatMap((path) => {
      const parsed = parseManifestName(path.slice(VERSIONS.length + 1));
      return parsed === undefined ? [] : [{ version: parsed.version, path }];
    })
    .sort((a, b) => a.version - b.version);
}
