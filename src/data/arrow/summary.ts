/**
 * What a data file says of itself beside its format's own metadata, as JSON under the key "joust": rows per batch, and
 * per column (depth-first) its field id and statistics. Whole numbers of 64 bits are written as text. docs/format.md.
 */
import type { Data, DataType, Int, Time } from "apache-arrow";
import type { DataFile } from "../../format/fragment.js";
import type { SchemaNode } from "../../format/schema.js";
import { corrupt } from "../checksums.js";
import type { ColumnStatistics, Scalar } from "../codec.js";
import { TYPE_ID } from "../kernels/layout.js";
import { columnStatistics } from "../statistics.js";

export const SUMMARY_KEY = "joust";

export interface ColumnSummary {
  readonly id: number;
  readonly statistics: ColumnStatistics | undefined;
}

/** Field ids and statistics of columns and their children, depth-first. Items of lists have no statistics. */
export function summarize(nodes: readonly SchemaNode[], columns: readonly (readonly Data[])[]): ColumnSummary[] {
  const out: ColumnSummary[] = [];
  for (const [i, node] of nodes.entries()) addSummary(out, node, columns[i]!, false);
  return out;
}

function addSummary(
  out: ColumnSummary[],
  node: SchemaNode,
  chunks: readonly Data[] | undefined,
  parentHasNulls: boolean,
): void {
  const type = node.field.type as DataType;
  const statistics = chunks === undefined ? undefined : columnStatistics(type, chunks);
  // A child under a null parent reads as null whatever its own bits say.
  out.push({ id: node.id, statistics: parentHasNulls ? withoutNullCount(statistics) : statistics });
  const isStruct = (type.typeId as number) === TYPE_ID.struct;
  const hasNulls = parentHasNulls || (statistics?.nullCount ?? 1) > 0;
  for (const [i, child] of node.children.entries()) {
    const below = isStruct ? chunks?.map((chunk) => chunk.children[i]!.slice(0, chunk.length)) : undefined;
    addSummary(out, child, below, hasNulls);
  }
}

function withoutNullCount(statistics: ColumnStatistics | undefined): ColumnStatistics | undefined {
  if (statistics === undefined) return undefined;
  const { min, max } = statistics;
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

type JsonColumn = readonly [id: number, nullCount?: number | null, min?: unknown, max?: unknown];

export function encodeSummary(batchRows: readonly number[], columns: readonly ColumnSummary[]): string {
  const rows = columns.map(({ id, statistics }): JsonColumn => {
    if (statistics === undefined) return [id];
    const { nullCount, min, max } = statistics;
    if (min === undefined && max === undefined) return [id, nullCount ?? null];
    return [id, nullCount ?? null, toJson(min), toJson(max)];
  });
  return JSON.stringify({ version: 1, batchRows, columns: rows });
}

function toJson(value: Scalar | undefined): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value ?? null;
}

export interface Summary {
  readonly batchRows: readonly number[];
  readonly columns: readonly ColumnSummary[];
}

/** The summary of a file whose columns have these types, depth-first; undefined when the text makes no sense. */
export function decodeSummary(text: string, types: readonly DataType[]): Summary | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { version, batchRows, columns } = json as { version?: unknown; batchRows?: unknown; columns?: unknown };
  if (version !== 1 || !Array.isArray(batchRows) || !Array.isArray(columns)) return undefined;
  if (columns.length !== types.length || !batchRows.every(isCount)) return undefined;
  if (!columns.every((column) => Array.isArray(column) && Number.isInteger(column[0]))) return undefined;
  return {
    batchRows,
    columns: columns.map((column: JsonColumn, i) => ({ id: column[0], statistics: fromJson(column, types[i]!) })),
  };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0x7fffffff;
}

function fromJson([, nullCount, min, max]: JsonColumn, type: DataType): ColumnStatistics | undefined {
  if (nullCount === undefined) return undefined;
  const low = scalarOf(min, type);
  const high = scalarOf(max, type);
  return {
    ...(low === undefined ? {} : { min: low }),
    ...(high === undefined ? {} : { max: high }),
    ...(isCount(nullCount) ? { nullCount } : {}),
  };
}

function scalarOf(json: unknown, type: DataType): Scalar | undefined {
  const id = type.typeId as number;
  if (id === TYPE_ID.bool) return typeof json === "boolean" ? json : undefined;
  if (id === TYPE_ID.utf8 || id === TYPE_ID.largeUtf8) return typeof json === "string" ? json : undefined;
  if (typeof json === "string" && is64Bit(type)) return /^-?\d{1,20}$/.test(json) ? BigInt(json) : undefined;
  if (json === "Infinity" || json === "-Infinity") return Number(json);
  return typeof json === "number" ? json : undefined;
}

function is64Bit(type: DataType): boolean {
  const id = type.typeId as number;
  if (id === TYPE_ID.int || id === TYPE_ID.time) return (type as Int | Time).bitWidth === 64;
  return id === TYPE_ID.timestamp || id === TYPE_ID.duration || id === TYPE_ID.date;
}

/** Field id → position in the file's own schema. @throws CORRUPT */
export function placesOf(path: string, file: DataFile, count: number): ReadonlyMap<number, number> {
  const places = new Map<number, number>();
  for (const [i, id] of file.fields.entries()) {
    const place = file.columnIndices[i];
    if (place === undefined || place < 0 || place >= count) {
      throw corrupt(path, 0, `the manifest puts field ${id} at column ${place}, and the file has ${count}`);
    }
    if (id >= 0) places.set(id, place);
  }
  return places;
}
