/**
 * One data file from record batches, for tables of data format 2.2, 2.1 and 2.0.
 *
 * A column's batches are encoded in runs: neighbours that are small are joined, so that pages stay large, and big ones
 * go out as they are. Refuses types that Lance files do not hold (NOT_SUPPORTED) and nulls where the schema has none.
 */
import type { Data, RecordBatch } from "apache-arrow";
import type { SchemaNode, TableSchema } from "../../../format/schema.js";
import { TableError } from "../../../support/errors.js";
import type { ColumnStatistics, EncodedDataFile } from "../../codec.js";
import { TYPE_ID } from "../../kernels/layout.js";
import { columnStatistics } from "../../statistics.js";
import { encodeStatistics } from "../statistics-buffer.js";
import { encodeArrayPages } from "./array-pages.js";
import type { Column } from "./column.js";
import { type ContainerVersion, encodeContainer } from "./container.js";
import { encodeDescriptor } from "./descriptor.js";
import { shredColumn } from "./leaf.js";
import type { EncodedColumn, EncodedPage } from "./page.js";
import { encodeLeaf } from "./pages.js";
import { readColumn } from "./read-column.js";
import { concatColumns } from "./slices.js";

/** Runs of small batches are joined up to this size. */
const RUN_BYTES_AIM = 8 * 1024 * 1024;

interface FileVersion extends ContainerVersion {
  /** What the manifest's DataFile says; the footer of 2.0 says 0.3. */
  readonly listed: readonly [major: number, minor: number];
  /** 2.0: a column of the file per schema node. */
  readonly isArray: boolean;
  readonly largeChunks: boolean;
  readonly holdsMaps: boolean;
}

const STRUCTURAL = { pageTypeUrl: "/lance.encodings21.PageLayout", isArray: false } as const;
const ARRAY = { pageTypeUrl: "/lance.encodings.ArrayEncoding", isArray: true } as const;
const VERSIONS: Readonly<Record<string, FileVersion>> = {
  "2.0": { major: 0, minor: 3, listed: [2, 0], ...ARRAY, largeChunks: false, holdsMaps: false },
  "2.1": { major: 2, minor: 1, listed: [2, 1], ...STRUCTURAL, largeChunks: false, holdsMaps: false },
  "2.2": { major: 2, minor: 2, listed: [2, 2], ...STRUCTURAL, largeChunks: true, holdsMaps: true },
};

/**
 * A data file of the table's version. @throws NOT_SUPPORTED for a version or type that is not written,
 * SCHEMA_MISMATCH for nulls in a field that has none.
 */
export function encodeLanceFile(
  batches: readonly RecordBatch[],
  schema: TableSchema,
  fileVersion = "2.2",
  fileName?: string,
): EncodedDataFile {
  const version = VERSIONS[fileVersion];
  if (!version) {
    throw new TableError("NOT_SUPPORTED", `Lance data files of version ${fileVersion} are not written; use 2.2.`);
  }
  const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  const filled = batches.filter((batch) => batch.numRows > 0);
  const columns: EncodedColumn[] = [];
  const statistics = new Map<number, ColumnStatistics>();
  for (const [i, node] of schema.nodes.entries()) {
    const parts = filled.map((batch) => batch.data.children[i]!);
    columns.push(...encodeColumn(node, parts, version));
    collectStatistics(node, parts, statistics);
  }
  const fields = schema.nodes.flatMap((node) => heldIds(node, version.isArray));
  const descriptor = encodeDescriptor(schema, rows);
  const globals = { descriptor, statistics: encodeStatistics(statistics) };
  const { chunks, sizeBytes } = encodeContainer(columns, { ...globals, fileName }, version);
  return {
    chunks,
    sizeBytes,
    rows,
    fields,
    columnIndices: fields.map((_, index) => index),
    majorVersion: version.listed[0],
    minorVersion: version.listed[1],
  };
}

/** Statistics of a column, and of the fields of structs of which none is null. */
function collectStatistics(node: SchemaNode, parts: readonly Data[], into: Map<number, ColumnStatistics>): void {
  const statistics = columnStatistics(node.field.type, parts);
  into.set(node.id, statistics);
  if ((node.field.type.typeId as number) !== TYPE_ID.struct || statistics.nullCount !== 0) return;
  for (const [i, child] of node.children.entries()) {
    collectStatistics(
      child,
      parts.map((part) => part.children[i]!),
      into,
    );
  }
}

/** Ids of the fields that have a column of the file: every node in 2.0, the leaves later. */
function heldIds(node: SchemaNode, isArray: boolean): number[] {
  const below = node.children.flatMap((child) => heldIds(child, isArray));
  return isArray || below.length === 0 ? [node.id, ...below] : below;
}

function encodeColumn(node: SchemaNode, parts: readonly Data[], version: FileVersion): EncodedColumn[] {
  if (!version.holdsMaps) refuseMaps(node, version);
  const { isArray, largeChunks } = version;
  const pages: EncodedPage[][] = heldIds(node, isArray).map(() => []);
  let firstRow = 0;
  for (const run of runsOf(parts.map((part) => readColumn(part, node.field.name)))) {
    if (isArray) encodeArrayPages(node, run, firstRow, pages.values() as Iterator<EncodedPage[], never>);
    else {
      for (const [i, leaf] of shredColumn(node, run).entries()) {
        pages[i]!.push(...encodeLeaf(leaf, firstRow, { largeChunks }));
      }
    }
    firstRow += run.length;
  }
  return pages.map((list) => ({ pages: list }));
}

function refuseMaps(node: SchemaNode, version: FileVersion): void {
  if ((node.field.type.typeId as number) === TYPE_ID.map) {
    throw new TableError(
      "NOT_SUPPORTED",
      `Column "${node.field.name}" is a map, which data format ${version.listed.join(".")} does not hold; use 2.2.`,
      { details: { fieldId: node.id } },
    );
  }
  for (const child of node.children) refuseMaps(child, version);
}

/** Neighbouring columns joined while they are small and, for dictionaries, the same. */
function runsOf(parts: readonly Column[]): Column[] {
  const runs: Column[] = [];
  let run: Column[] = [];
  let runBytes = 0;
  const close = () => {
    if (run.length > 0) runs.push(concatColumns(run));
    run = [];
    runBytes = 0;
  };
  for (const part of parts) {
    const bytes = sizeOf(part);
    if (runBytes + bytes > RUN_BYTES_AIM || (run[0] && !isSameDictionary(run[0], part))) close();
    run.push(part);
    runBytes += bytes;
  }
  close();
  return runs;
}

function sizeOf(column: Column): number {
  switch (column.kind) {
    case "null":
      return 0;
    case "bit":
      return column.length / 8;
    case "fixed":
      return column.bytes.length;
    case "variable":
      return (column.length + 1) * 4 + column.offsets[column.length]! - column.offsets[0]!;
    case "vector":
      return sizeOf(column.items);
    case "dictionary":
      return column.indices.bytes.length;
    case "list":
      return column.offsets.byteLength + sizeOf(column.items);
    case "struct":
      return column.children.reduce((sum, child) => sum + sizeOf(child), 0);
  }
}

function isSameDictionary(a: Column, b: Column): boolean {
  if (a.kind === "dictionary" && b.kind === "dictionary") return a.identity === b.identity;
  if (a.kind === "struct" && b.kind === "struct") {
    return a.children.every((child, i) => isSameDictionary(child, b.children[i]!));
  }
  return a.kind === "list" && b.kind === "list" ? isSameDictionary(a.items, b.items) : true;
}
