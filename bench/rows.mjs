// The data that workloads write: plain rows for small writes, Arrow tables for bulk.
import * as arrow from "apache-arrow";
import { lottery } from "./measure.mjs";

export const row = (id) => ({ id, name: `row ${id}`, value: 0 });

export const rows = (count, from = 0) => Array.from({ length: count }, (_, i) => row(from + i));

/** A row as an Arrow table. */
export const columns = ({ id, name, value }) =>
  new arrow.Table({
    id: arrow.vectorFromArray([id], new arrow.Float64()),
    name: arrow.vectorFromArray([name], new arrow.Utf8()),
    value: arrow.vectorFromArray([value], new arrow.Float64()),
  });

const BULK_DIMENSION = 32;

/**
 * `count` rows of id (Int64, ascending), value (Float64, uniform in [0, 1)), kind (Utf8, 1,000 different) and
 * vector (FixedSizeList<Float32>[32]).
 */
export function bulkTable(count) {
  const chance = lottery(7);
  const ids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i));
  const values = Float64Array.from({ length: count }, chance);
  const kinds = utf8Data(count, (i) => `kind ${String((i * 7919) % 1000).padStart(3, "0")}`);
  return tableOf([
    ["id", arrow.makeData({ type: new arrow.Int64(), length: count, nullCount: 0, data: ids })],
    ["value", arrow.makeData({ type: new arrow.Float64(), length: count, nullCount: 0, data: values })],
    ["kind", kinds],
    ["vector", vectorData(count, BULK_DIMENSION)],
  ]);
}

/** `count` rows of id (Int64) and vector (FixedSizeList<Float32>[dimension], uniform). */
export function vectorTable(count, dimension) {
  const ids = BigInt64Array.from({ length: count }, (_, i) => BigInt(i));
  return tableOf([
    ["id", arrow.makeData({ type: new arrow.Int64(), length: count, nullCount: 0, data: ids })],
    ["vector", vectorData(count, dimension)],
  ]);
}

function vectorData(count, dimension) {
  const floats = Float32Array.from({ length: count * dimension }, lottery(11));
  const child = arrow.makeData({ type: new arrow.Float32(), length: floats.length, nullCount: 0, data: floats });
  const type = new arrow.FixedSizeList(dimension, new arrow.Field("item", new arrow.Float32(), true));
  return arrow.makeData({ type, length: count, nullCount: 0, child });
}

export const vectors = (count, dimension) => {
  const chance = lottery(13);
  return Array.from({ length: count }, () => Float32Array.from({ length: dimension }, chance));
};

function utf8Data(count, text) {
  const texts = Array.from({ length: count }, (_, i) => text(i));
  const data = new TextEncoder().encode(texts.join(""));
  const valueOffsets = new Int32Array(count + 1);
  for (let i = 0; i < count; i++) valueOffsets[i + 1] = valueOffsets[i] + texts[i].length;
  return arrow.makeData({ type: new arrow.Utf8(), length: count, nullCount: 0, valueOffsets, data });
}

function tableOf(columns) {
  const schema = new arrow.Schema(columns.map(([name, data]) => new arrow.Field(name, data.type, true)));
  const length = columns[0][1].length;
  const children = columns.map(([, data]) => data);
  const data = arrow.makeData({ type: new arrow.Struct(schema.fields), length, nullCount: 0, children });
  return new arrow.Table(schema, [new arrow.RecordBatch(schema, data)]);
}
