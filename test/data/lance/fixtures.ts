/** The data files that native LanceDB wrote, what is in them, and ways to read and compare. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { DataType, Field, RecordBatch, Vector } from "apache-arrow";
import * as arrow from "apache-arrow";
import { typeOf } from "../../../fixtures/generate/lance/arrow-columns.mjs";
import { COLUMNS, type ColumnCase, type Nulls, type Version } from "../../../fixtures/generate/lance/cases.mjs";
import type { ByteSource, DataFileReader, ReadRequest } from "../../../src/data/codec.js";
import { openLanceFile } from "../../../src/data/lance/decode/reader.js";
import type { DataFile } from "../../../src/format/fragment.js";
import type { SchemaNode, TableSchema } from "../../../src/format/schema.js";

const directory = new URL("../../../fixtures/lance/", import.meta.url);

export interface Fixture {
  readonly name: string;
  readonly version: Version;
  readonly rows: number;
  readonly nulls: Nulls;
  readonly sizeBytes: number;
  readonly columns: readonly string[];
  readonly refused: readonly { readonly column: string; readonly because: string }[];
  readonly fields: readonly number[];
  readonly columnIndices: readonly number[];
  readonly major: number;
  readonly minor: number;
}

export const FIXTURES: readonly Fixture[] = JSON.parse(readFileSync(new URL("catalogue.json", directory), "utf8"));

export function bytesOf(fixture: Fixture): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gunzipSync(readFileSync(new URL(`${fixture.name}.lance.gz`, directory))));
}

export function casesOf(fixture: Fixture): ColumnCase[] {
  return fixture.columns.map((name) => COLUMNS.find((one) => one.name === name)!);
}

/** True for types whose children have ids: fixed-size lists of plain values are leaves. */
function hasChildren(type: DataType): boolean {
  return type.typeId !== 16 && (type.children?.length ?? 0) > 0;
}

/** Ids depth first from 0, as native gives them. */
export function schemaOf(columns: readonly ColumnCase[]): TableSchema {
  let next = 0;
  const toNode = (field: Field): SchemaNode => {
    const id = next++;
    const children = hasChildren(field.type) ? (field.type.children as Field[]).map(toNode) : [];
    return { id, field, children };
  };
  const fields = columns.map((one) => new arrow.Field(one.name, typeOf(arrow, one.type) as DataType, true));
  return { arrow: new arrow.Schema(fields), nodes: fields.map(toNode) };
}

/** A source that counts what is read of it. */
export class MemorySource implements ByteSource {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  reads = 0;
  readBytes = 0;

  constructor(path: string, bytes: Uint8Array<ArrayBuffer>) {
    this.path = path;
    this.bytes = bytes;
  }

  get sizeBytes(): number {
    return this.bytes.byteLength;
  }

  async read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(start >= 0 && start <= end && end <= this.bytes.byteLength)) throw new Error(`read [${start}, ${end})`);
    this.reads++;
    this.readBytes += end - start;
    return this.bytes.slice(start, end);
  }
}

export function dataFileOf(fixture: Fixture): DataFile {
  return {
    path: `${fixture.name}.lance`,
    fields: fixture.fields,
    columnIndices: fixture.columnIndices,
    majorVersion: fixture.major,
    minorVersion: fixture.minor,
    sizeBytes: fixture.sizeBytes,
  };
}

export interface OpenFixture {
  readonly reader: DataFileReader;
  readonly source: MemorySource;
  readonly schema: TableSchema;
}

export async function openFixture(fixture: Fixture, bytes = bytesOf(fixture)): Promise<OpenFixture> {
  const source = new MemorySource(`${fixture.name}.lance`, bytes);
  const schema = schemaOf(casesOf(fixture));
  return { reader: await openLanceFile(source, dataFileOf(fixture), schema), source, schema };
}

/** The schema of some columns of another, in the order given. */
export function project(schema: TableSchema, names: readonly string[]): TableSchema {
  const nodes = names.map((name) => schema.nodes.find((node) => node.field.name === name)!);
  return { arrow: new arrow.Schema(nodes.map((node) => node.field)), nodes };
}

export async function readAll(reader: DataFileReader, request: ReadRequest): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  for await (const batch of reader.read(request)) batches.push(batch);
  return batches;
}

/** The values of one column over all batches, as plain values of cases.mjs. */
export function columnValues(batches: readonly RecordBatch[], position: number, type: ColumnCase["type"]): unknown[] {
  return batches.flatMap((batch) => plainValues(batch.getChildAt(position)!, type));
}

function plainValues(vector: Vector, type: ColumnCase["type"]): unknown[] {
  const out: unknown[] = [];
  for (let i = 0; i < vector.length; i++) out.push(plain(vector, i, type));
  return out;
}

function plain(vector: Vector, row: number, type: ColumnCase["type"]): unknown {
  if (!vector.isValid(row)) return null;
  const value = vector.get(row);
  switch (type.kind) {
    case "list":
    case "fixed-list":
      return plainValues(value as Vector, type.child as ColumnCase["type"]);
    case "struct": {
      const fields = type.fields as readonly { name: string; type: ColumnCase["type"] }[];
      const children = vector.type.children as readonly Field[];
      return Object.fromEntries(
        children.map(({ name }, i) => {
          const field = fields.find((one) => one.name === name)!;
          return [name, plain(vector.getChildAt(i)!, row, field.type)];
        }),
      );
    }
    case "map":
      return [...(value as Iterable<[unknown, unknown]>)];
    case "decimal":
      return wideInteger(value as Uint32Array);
    case "date":
    case "time":
    case "timestamp":
    case "duration":
      return rawInteger(vector, row);
    case "binary":
    case "large-binary":
    case "fixed-binary":
      return Uint8Array.from(value as Uint8Array);
    default:
      return value;
  }
}

function wideInteger(words: Uint32Array): bigint {
  let value = 0n;
  for (let i = words.length - 1; i >= 0; i--) value = (value << 32n) | BigInt(words[i]!);
  return BigInt.asIntN(words.length * 32, value);
}

/** The stored number of a date or time, whatever apache-arrow makes of it. */
function rawInteger(vector: Vector, row: number): unknown {
  const data = vector.data[0]!;
  const values = data.values as BigInt64Array | Int32Array;
  return values[row];
}
