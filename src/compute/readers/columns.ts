/**
 * Batches as plain values that a message can carry: the buffers of the columns, and where each begins and ends.
 *
 * The memory itself moves with the message; whoever packs a batch must not use it again. Types do not travel: both
 * sides know the schema.
 */
import { Data, type DataType, type RecordBatch, type Schema, Vector } from "apache-arrow";
import { makeBatch } from "../../data/kernels/batches.js";
import { buffersOf } from "../../data/kernels/column.js";
import { childrenOf } from "../../data/kernels/layout.js";

type View = ArrayBufferView;

export interface PackedColumn {
  readonly length: number;
  readonly offset: number;
  readonly nullCount: number;
  /** Offsets, values, validity. */
  readonly buffers: readonly (View | undefined)[];
  readonly children: readonly PackedColumn[];
  readonly dictionary?: readonly PackedColumn[];
}

export interface PackedBatch {
  readonly rows: number;
  readonly columns: readonly PackedColumn[];
}

/** @param moved collects the memory that has to move with the message */
export function packBatch(batch: RecordBatch, moved: Set<ArrayBufferLike>): PackedBatch {
  return { rows: batch.numRows, columns: batch.data.children.map((column) => packColumn(column, moved)) };
}

function packColumn(data: Data, moved: Set<ArrayBufferLike>): PackedColumn {
  const views = [data.valueOffsets, data.values, data.nullBitmap] as (View | null | undefined)[];
  const dictionary = data.dictionary?.data.map((chunk) => packColumn(chunk as Data, moved));
  return {
    length: data.length,
    offset: data.offset,
    nullCount: data.nullCount,
    buffers: views.map((view) => packView(view ?? undefined, moved)),
    children: data.children.map((child) => packColumn(child, moved)),
    ...(dictionary === undefined ? {} : { dictionary }),
  };
}

function packView(view: View | undefined, moved: Set<ArrayBufferLike>): View | undefined {
  if (view === undefined) return undefined;
  // What is empty may lie in memory that others use, and would take all of it along.
  if (view.byteLength === 0) return new (view.constructor as new (length: number) => View)(0);
  moved.add(view.buffer);
  return view;
}

export function unpackBatch(packed: PackedBatch, schema: Schema): RecordBatch {
  const columns = packed.columns.map((column, i) => unpackColumn(column, schema.fields[i]!.type));
  return makeBatch(schema, columns, packed.rows);
}

function unpackColumn(packed: PackedColumn, type: DataType): Data {
  const fields = childrenOf(type);
  const children = packed.children.map((child, i) => unpackColumn(child, fields[i]!.type));
  const words = (type as DataType & { readonly dictionary?: DataType }).dictionary;
  const dictionary =
    packed.dictionary === undefined || words === undefined
      ? undefined
      : new Vector(packed.dictionary.map((chunk) => unpackColumn(chunk, words)));
  const [offsets, values, validity] = packed.buffers;
  const buffers = buffersOf(offsets, values, validity);
  return new Data(type, packed.offset, packed.length, packed.nullCount, buffers, children, dictionary);
}
