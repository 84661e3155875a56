/** Rows that cannot all become files: the files that were begun are gone when the failure is told. */
import { Field, Int32, RecordBatch, Schema, vectorFromArray } from "apache-arrow";
import { expect, test } from "vitest";
import { FRAGMENT_ROWS_MAX, type StageContext, stageRows } from "../../src/change/stage.js";
import { StagedStream } from "../../src/change/staged-stream.js";
import type { FragmentCodec } from "../../src/data/codec.js";
import type { TableSchema } from "../../src/format/schema.js";
import { memoryStore } from "../../src/store/memory.js";

const SCHEMA = new Schema([new Field("id", new Int32(), false)]);

/** A batch that says how many rows it has; whoever reads them here does not care which. */
function batchOf(rows: number): RecordBatch {
  const one = new RecordBatch({ id: vectorFromArray([1], new Int32()).data[0]! });
  return new Proxy(one, { get: (target, key) => (key === "numRows" ? rows : Reflect.get(target, key)) });
}

/** Stages into memory with a codec that fails at its second file. */
function failing() {
  const store = memoryStore("");
  let encoded = 0;
  const codec = {
    extension: "arrow",
    async encode() {
      if (++encoded === 2) throw new Error("a value does not fit");
      const file = { fields: [0], columnIndices: [0], majorVersion: 0, minorVersion: 0, sizeBytes: 1, rows: 1 };
      return { ...file, chunks: [Uint8Array.of(1)] };
    },
  } as Pick<FragmentCodec, "extension" | "encode"> as FragmentCodec;
  let named = 0;
  const context: StageContext = {
    store,
    nameFile: (extension) => `file-${named++}.${extension}`,
    codec,
    schema: { arrow: SCHEMA, fields: [] } as Partial<TableSchema> as TableSchema,
    durable: false,
    encode: {},
  };
  const written = () => named;
  return { store, context, written };
}

const PARTS = [batchOf(FRAGMENT_ROWS_MAX), batchOf(FRAGMENT_ROWS_MAX)];

async function* streamed() {
  yield* PARTS;
}

test.each([
  ["staged in one go", (context: StageContext) => stageRows(PARTS, context)],
  ["of a stream that is all there", (context: StageContext) => new StagedStream(context).consume(PARTS)],
  ["of a stream", (context: StageContext) => new StagedStream(context).consume(streamed())],
] as const)("rows %s, of which the second file cannot be encoded, leave no first one", async (_how, stage) => {
  const { store, context, written } = failing();
  await expect(stage(context)).rejects.toThrow("a value does not fit");
  expect(written(), "files that were begun").toBe(2);
  expect(await store.list("data")).toEqual([]);
});
