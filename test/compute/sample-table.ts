/** Small tables in memory for tests of the read path: fragments of several files, deletions, a store that counts. */
import * as arrow from "apache-arrow";
import type { ScanSource } from "../../src/compute/plan.js";
import { arrowCodec } from "../../src/data/arrow/codec.js";
import { FileCache } from "../../src/data/file-cache.js";
import { schemaOf } from "../../src/data/held-columns.js";
import { makeBatch } from "../../src/data/kernels/batches.js";
import { encodeDeletionVector } from "../../src/format/deletion-file.js";
import { DeletionVector } from "../../src/format/deletion-vector.js";
import type { DataFile, DeletionFile, Fragment } from "../../src/format/fragment.js";
import { FragmentList } from "../../src/format/fragment-list.js";
import { deletionPath } from "../../src/format/layout.js";
import { fieldsFromSchema, schemaFromFields, type TableSchema } from "../../src/format/schema.js";
import type { ObjectStore } from "../../src/store/contract.js";
import { memoryStore } from "../../src/store/memory.js";

export type Row = Record<string, unknown>;

export interface FragmentSpec {
  readonly rows: readonly Row[];
  /** Names of the columns of every file; a column in no file reads as NULL. One file with all columns by default. */
  readonly files?: readonly (readonly string[])[];
  /** Offsets of deleted rows. */
  readonly deleted?: readonly number[];
  readonly id?: number;
}

export interface SampleTable {
  readonly source: ScanSource;
  readonly store: ObjectStore;
  readonly schema: TableSchema;
  readonly dataPaths: readonly string[];
  /** Live rows in scan order, columns in no file NULL, with `_rowid`. */
  readonly rows: readonly Row[];
}

export function tableSchema(schema: arrow.Schema): TableSchema {
  return schemaFromFields(fieldsFromSchema(schema, 0), new Map());
}

function columnOf(type: arrow.DataType, values: readonly unknown[]): arrow.Data {
  if (values.length === 0) return arrow.makeData({ type: new arrow.Null(), length: 0 });
  return arrow.vectorFromArray(values as unknown[], type as arrow.Utf8).data[0]!;
}

export async function sampleTable(
  arrowSchema: arrow.Schema,
  specs: readonly FragmentSpec[],
  wrap: (store: ObjectStore) => ObjectStore = (store) => store,
): Promise<SampleTable> {
  const schema = tableSchema(arrowSchema);
  const plain = memoryStore();
  const fragments: Fragment[] = [];
  const rows: Row[] = [];
  const dataPaths: string[] = [];
  for (const [index, spec] of specs.entries()) {
    const id = spec.id ?? index;
    const files: DataFile[] = [];
    for (const [part, names] of (spec.files ?? [arrowSchema.fields.map(({ name }) => name)]).entries()) {
      const nodes = schema.nodes.filter((node) => names.includes(node.field.name));
      const held = schemaOf(nodes, schema.arrow);
      const columns = nodes.map(({ field }) =>
        columnOf(
          field.type,
          spec.rows.map((row) => row[field.name] ?? null),
        ),
      );
      const encoded = await arrowCodec.encode([makeBatch(held.arrow, columns, spec.rows.length)], held);
      const path = `f${id}-${part}.arrow`;
      dataPaths.push(`data/${path}`);
      await plain.write(`data/${path}`, encoded.chunks, { durable: false });
      const { fields, columnIndices, majorVersion, minorVersion, sizeBytes } = encoded;
      files.push({ path, fields, columnIndices, majorVersion, minorVersion, sizeBytes });
    }
    const deletionFile = await writeDeletions(plain, id, spec.deleted ?? []);
    fragments.push({
      id,
      files,
      physicalRows: spec.rows.length,
      ...(deletionFile === undefined ? {} : { deletionFile }),
    });
    for (const row of liveRows(spec, id, arrowSchema)) rows.push(row);
  }
  const store = wrap(plain);
  const cache = new FileCache({ store, codecs: [arrowCodec] });
  const source = { fragments: FragmentList.from(fragments), schema, cache };
  return { source, store: plain, schema, rows, dataPaths };
}

async function writeDeletions(store: ObjectStore, id: number, deleted: readonly number[]) {
  if (deleted.length === 0) return undefined;
  const vector = DeletionVector.of(deleted);
  const file: DeletionFile = { kind: "bitmap", readVersion: 1, id: BigInt(id) + 5n, deletedRows: vector.size };
  await store.write(deletionPath(id, file), [encodeDeletionVector(vector)], { durable: false });
  return file;
}

function liveRows(spec: FragmentSpec, id: number, schema: arrow.Schema): Row[] {
  const held = new Set((spec.files ?? [schema.fields.map(({ name }) => name)]).flat());
  const deleted = new Set(spec.deleted ?? []);
  return spec.rows.flatMap((row, offset) => {
    if (deleted.has(offset)) return [];
    const live: Row = {};
    for (const { name } of schema.fields) live[name] = held.has(name) ? (row[name] ?? null) : null;
    return [{ ...live, _rowid: BigInt(id) * 2n ** 32n + BigInt(offset) }];
  });
}

/** The rows of batches as plain objects. */
export async function collect(batches: AsyncIterable<arrow.RecordBatch>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) {
    const columns = batch.schema.fields.map((_, i) => batch.getChildAt(i)!);
    for (let row = 0; row < batch.numRows; row++) {
      rows.push(Object.fromEntries(batch.schema.fields.map(({ name }, i) => [name, plain(columns[i]!.get(row))])));
    }
  }
  return rows;
}

function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  return Array.from(value as Iterable<unknown>);
}
