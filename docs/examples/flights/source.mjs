// The input: flight records of the vega-datasets package, as typed arrays.
import { readFileSync } from "node:fs";
import { Field, Float32, Int32, makeData, RecordBatch, Schema, Struct, Table, tableFromIPC } from "apache-arrow";

const DATA = new URL("../data/", import.meta.resolve("vega-datasets"));
const HOUR_US = 3_600_000_000;
const DAY_US = 24 * HOUR_US;

/** How many flights there are to write. */
export const SOURCE_ROWS = { small: 200_000, large: 3_000_000 };

/** The columns of every table in this example; `penalty` and `revision` belong to the process that changes rows. */
export const schema = new Schema([
  ...["id", "batch", "delay", "distance"].map((name) => new Field(name, new Int32(), false)),
  new Field("time", new Float32(), false),
  ...["penalty", "revision"].map((name) => new Field(name, new Int32(), false)),
]);

/**
 * Flights `from` (inclusive) to `to` (exclusive): delay in minutes, distance in miles, time in hours of the day.
 * The large source is read with a parquet reader, because it is a Parquet file.
 */
export async function readFlights({ large, from, to }) {
  if (large) return readParquetFlights(from, to);
  const table = tableFromIPC(readFileSync(new URL("flights-200k.arrow", DATA))).slice(from, to);
  const column = (name) => table.getChild(name).toArray();
  return {
    delay: Int32Array.from(column("delay")),
    distance: Int32Array.from(column("distance")),
    time: column("time"),
  };
}

async function readParquetFlights(from, to) {
  const { readParquet } = await import("parquet-wasm");
  const options = { columns: ["date", "delay", "distance"], offset: from, limit: to - from };
  const stream = readParquet(readFileSync(new URL("flights-3m.parquet", DATA)), options).intoIPCStream();
  const table = tableFromIPC(stream);
  const small = (name) => Int32Array.from(table.getChild(name).toArray(), Number);
  const hours = Float32Array.from(table.getChild("date").data.flatMap((data) => Array.from(data.values, hourOfDay)));
  return { delay: small("delay"), distance: small("distance"), time: hours };
}

const hourOfDay = (date) => (Number(date) % DAY_US) / HOUR_US;

/** One batch as an Arrow table: rows `from` to `to` of `flights`, whose first row has the id `firstId`. */
export function batchTable(flights, { from, to, firstId, batch }) {
  const length = to - from;
  const columns = [
    Int32Array.from({ length }, (_, i) => firstId + from + i),
    new Int32Array(length).fill(batch),
    flights.delay.slice(from, to),
    flights.distance.slice(from, to),
    flights.time.slice(from, to),
    new Int32Array(length),
    new Int32Array(length),
  ];
  const children = columns.map((data, i) => makeData({ type: schema.fields[i].type, length, nullCount: 0, data }));
  const data = makeData({ type: new Struct(schema.fields), length, nullCount: 0, children });
  return new Table(schema, [new RecordBatch(schema, data)]);
}
