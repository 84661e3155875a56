import * as arrow from "apache-arrow";
import { describe, expect, it } from "vitest";
import { arrowCodec } from "../../src/data/arrow/codec.js";
import { FileBytes, WHOLE_FILE_BYTES_MAX } from "../../src/data/byte-source.js";
import type { FragmentCodec } from "../../src/data/codec.js";
import { FileCache } from "../../src/data/file-cache.js";
import { openFragment } from "../../src/data/fragment.js";
import { schemaOf } from "../../src/data/held-columns.js";
import type { Fragment } from "../../src/format/fragment.js";
import { deletionPath } from "../../src/format/layout.js";
import type { ObjectStore, ReadHandle } from "../../src/store/contract.js";
import { memoryStore } from "../../src/store/memory.js";
import { TableError } from "../../src/support/errors.js";
import { collect, type Row, sampleTable } from "../compute/sample-table.js";

const SCHEMA = new arrow.Schema([
  new arrow.Field("id", new arrow.Int32(), true),
  new arrow.Field("s", new arrow.Utf8(), true),
  new arrow.Field(
    "st",
    new arrow.Struct([new arrow.Field("x", new arrow.Int32(), true), new arrow.Field("y", new arrow.Utf8(), true)]),
    true,
  ),
]);
const ROWS: Row[] = Array.from({ length: 20 }, (_, i) => ({
  id: i,
  s: i % 3 === 0 ? null : `s${i}`,
  st: i % 4 === 0 ? null : { x: i, y: `y${i}` },
}));

async function opened(
  files: readonly (readonly string[])[],
  change: (fragment: Fragment) => Fragment = (same) => same,
) {
  const table = await sampleTable(SCHEMA, [{ rows: ROWS, files, deleted: [2, 5] }]);
  const fragment = change(table.source.fragments.at(0));
  const cache = new FileCache({ store: table.store, codecs: [arrowCodec] });
  return { ...table, cache, fragment, reader: openFragment(cache, fragment, table.schema) };
}

describe("a fragment of several files", () => {
  it("gives ranges and offsets in physical order, deleted rows among them", async () => {
    const { reader, schema } = await opened([["s"], ["id", "st"]]);
    expect((await collect(reader.read({ schema }))).map(({ id, s }) => [id, s])).toEqual(
      ROWS.map(({ id, s }) => [id, s]),
    );
    const range = await collect(reader.read({ schema, rows: { start: 4, end: 9 }, batchRows: 2 }));
    expect(range.map(({ id }) => id)).toEqual([4, 5, 6, 7, 8]);
    const some = await collect(reader.read({ schema, rows: { offsets: Uint32Array.of(0, 7, 19) } }));
    expect(some.map(({ s }) => s)).toEqual([null, "s7", "s19"]);
    expect((await reader.deletions())?.toArray()).toEqual(Uint32Array.of(2, 5));
  });

  it("joins files whose batches end at different rows", async () => {
    const { store, fragment, schema } = await opened([["s"], ["id", "st"]]);
    const uneven: FragmentCodec = {
      ...arrowCodec,
      open: async (source, file, table) => {
        const reader = await arrowCodec.open(source, file, table);
        const batchRows = file.path.endsWith("-0.arrow") ? 3 : 5;
        return {
          rows: reader.rows,
          statistics: () => undefined,
          read: (request) => reader.read({ ...request, batchRows }),
        };
      },
    };
    const reader = openFragment(new FileCache({ store, codecs: [uneven] }), fragment, schema);
    expect((await collect(reader.read({ schema }))).map(({ id, s }) => [id, s])).toEqual(
      ROWS.map(({ id, s }) => [id, s]),
    );
  });

  it("reads a column that no file holds as NULL, and ignores a dead field of a file", async () => {
    const kill = (fragment: Fragment): Fragment => {
      const [file] = fragment.files;
      return { ...fragment, files: [{ ...file!, fields: file!.fields.map((id) => (id === 1 ? -2 : id)) }] };
    };
    const { reader, schema } = await opened([["id", "s"]], kill);
    const rows = await collect(reader.read({ schema }));
    expect(rows).toEqual(ROWS.map(({ id }) => ({ id, s: null, st: null })));
    expect((await reader.statistics(schema)).get(1)).toEqual({ nullCount: 20 });
  });

  it("joins a struct whose children lie in two files, and makes missing children NULL", async () => {
    const { reader, schema, store, fragment, cache } = await opened([["id", "st"]]);
    const st = schema.nodes[2]!;
    const z = { id: 90, field: new arrow.Field("z", new arrow.Float64(), true), children: [] };
    const missing = { ...z, id: 91, field: new arrow.Field("w", new arrow.Utf8(), true) };
    const node = (children: typeof st.children) => {
      return {
        id: st.id,
        children,
        field: new arrow.Field("st", new arrow.Struct(children.map(({ field }) => field)), true),
      };
    };
    const added = schemaOf([node([z])], schema.arrow);
    const zs = ROWS.map((row, i) => (row.st === null ? null : { z: i / 2 }));
    const data = arrow.vectorFromArray(zs, added.nodes[0]!.field.type as arrow.Struct).data[0]!;
    const encoded = await arrowCodec.encode(
      [
        new arrow.RecordBatch(
          added.arrow,
          arrow.makeData({ type: new arrow.Struct(added.arrow.fields), length: 20, nullCount: 0, children: [data] }),
        ),
      ],
      added,
    );
    await store.write("data/late.arrow", encoded.chunks, { durable: false });
    const grown = { ...fragment, files: [...fragment.files, { ...encoded, path: "late.arrow" }] };
    const wide = schemaOf([node([missing, ...st.children, z])], schema.arrow);
    const rows: unknown[] = [];
    for await (const batch of openFragment(cache, grown, wide).read({ schema: wide, batchRows: 7 })) {
      rows.push(...Array.from(batch.getChildAt(0)!, (value) => value?.toJSON() ?? null));
    }
    expect(rows).toEqual(ROWS.map((row, i) => (row.st === null ? null : { w: null, ...(row.st as object), z: i / 2 })));
    expect(reader.rows).toBe(20);
  });
});

describe("files that are not as the manifest says", () => {
  it("a data file that a cleanup removed is SNAPSHOT_EXPIRED with its path, for footers and for batches", async () => {
    const { reader, schema, store, dataPaths } = await opened([["id", "s", "st"]]);
    await store.delete(dataPaths[0]!);
    const expired = { code: "SNAPSHOT_EXPIRED", details: { path: dataPaths[0] } };
    await expect(collect(reader.read({ schema }))).rejects.toMatchObject(expired);
    await expect(reader.statistics(schema)).rejects.toMatchObject(expired);
  });

  it("a deletion file that is gone is SNAPSHOT_EXPIRED too, and one with other rows than listed CORRUPT", async () => {
    const gone = await opened([["id"]]);
    const path = deletionPath(0, gone.fragment.deletionFile!);
    await gone.store.delete(path);
    await expect(gone.reader.deletions()).rejects.toMatchObject({ code: "SNAPSHOT_EXPIRED", details: { path } });
    const wrong = await opened([["id"]], (fragment) => ({
      ...fragment,
      deletionFile: { ...fragment.deletionFile!, deletedRows: 3 },
    }));
    await expect(wrong.reader.deletions()).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("an I/O error stays what it is and is not kept: the next read succeeds", async () => {
    const { store, fragment, schema } = await opened([["id", "s", "st"]]);
    let failures = 1;
    const flaky: ObjectStore = {
      ...bound(store),
      get: (path) => (failures-- > 0 ? Promise.reject(new TableError("UNAVAILABLE", "disk")) : store.get(path)),
    };
    const reader = openFragment(new FileCache({ store: flaky, codecs: [arrowCodec] }), fragment, schema);
    await expect(collect(reader.read({ schema }))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await collect(reader.read({ schema }))).toHaveLength(20);
  });

  it("other row counts and sizes than listed are CORRUPT", async () => {
    const rows = await opened([["id"]], (fragment) => ({ ...fragment, physicalRows: 21 }));
    await expect(collect(rows.reader.read({ schema: rows.schema }))).rejects.toMatchObject({ code: "CORRUPT" });
    const size = await opened([["id"]], (fragment) => ({
      ...fragment,
      files: [{ ...fragment.files[0]!, sizeBytes: 100 }],
    }));
    await expect(collect(size.reader.read({ schema: size.schema }))).rejects.toMatchObject({ code: "CORRUPT" });
  });

  it("formats that are not known are NOT_SUPPORTED", async () => {
    const ending = await opened([["id"]], (fragment) => ({
      ...fragment,
      files: [{ ...fragment.files[0]!, path: "a.orc" }],
    }));
    await expect(collect(ending.reader.read({ schema: ending.schema }))).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
  });

  it("a size of 0 means unknown", async () => {
    const { reader, schema } = await opened([["id"]], (fragment) => ({
      ...fragment,
      files: [{ ...fragment.files[0]!, sizeBytes: 0 }],
    }));
    expect(await collect(reader.read({ schema }))).toHaveLength(20);
  });
});

describe("caches of files", () => {
  it("an older version reads columns of a file that a newer version no longer knows", async () => {
    const { cache, fragment, schema } = await opened([["id", "s"]]);
    const [file] = fragment.files;
    const newer = { ...fragment, files: [{ ...file!, fields: file!.fields.map((id) => (id === 1 ? -2 : id)) }] };
    const dropped = schemaOf([schema.nodes[0]!], schema.arrow);
    expect(await collect(openFragment(cache, newer, dropped).read({ schema: dropped }))).toHaveLength(20);
    const [row] = await collect(openFragment(cache, fragment, schema).read({ schema, rows: { start: 1, end: 2 } }));
    expect(row).toMatchObject({ id: 1, s: "s1" });
  });

  it("readers at the same time share one request, and the bytes kept stay below the bound", async () => {
    const { store, fragment, schema } = await opened([["id", "s"]]);
    const cache = new FileCache({ store, codecs: [arrowCodec] });
    await Promise.all(Array.from({ length: 8 }, () => openFragment(cache, fragment, schema).statistics(schema)));
    expect(cache.counters.requests).toBe(1);
    const tiny = new FileCache({ store, codecs: [arrowCodec], cacheBytesMax: 100 });
    await openFragment(tiny, fragment, schema).statistics(schema);
    await openFragment(tiny, fragment, schema).statistics(schema);
    expect(tiny.counters.requests).toBe(2);
  });
});

describe("bytes of a large file", () => {
  const size = WHOLE_FILE_BYTES_MAX * 3;
  const content = Uint8Array.from({ length: size }, (_, i) => (i * 31) >>> 8);

  async function large() {
    const plain = memoryStore();
    await plain.write("data/x", [content], { durable: false });
    const handles = { open: 0, closed: 0 };
    const store: ObjectStore = {
      ...bound(plain),
      open: async (path): Promise<ReadHandle> => {
        const handle = await plain.open(path);
        handles.open++;
        return {
          path,
          sizeBytes: handle.sizeBytes,
          identity: handle.identity,
          read: (start, end) => handle.read(start, end),
          close: () => {
            handles.closed++;
            return handle.close();
          },
        };
      },
    };
    const counters = { requests: 0, bytes: 0 };
    return { bytes: await FileBytes.open(store, "data/x", size, counters), counters, handles, plain };
  }

  it("close ranges of one turn become one request, far and large ones stay alone", async () => {
    const { bytes, counters, handles } = await large();
    const ranges = [
      [5000, 9000],
      [100, 200],
      [9000, 9001],
      [2_000_000, 2_000_100],
      [300_000, 1_200_000],
    ] as const;
    const parts = await Promise.all(ranges.map(([start, end]) => bytes.read(start, end)));
    for (const [i, [start, end]] of ranges.entries()) {
      expect(Buffer.compare(parts[i]!, content.subarray(start, end))).toBe(0);
      expect(parts[i]!.byteOffset).toBe(0);
    }
    expect(counters).toEqual({ requests: 3, bytes: 8901 + 100 + 900_000 });
    expect(handles).toEqual({ open: 1, closed: 1 });
  });

  it("the file is open between acquire and release and closed behind them", async () => {
    const { bytes, handles } = await large();
    bytes.acquire();
    await bytes.read(0, 10);
    await bytes.read(20, 30);
    expect(handles).toEqual({ open: 1, closed: 0 });
    await bytes.release();
    expect(handles).toEqual({ open: 1, closed: 1 });
  });

  it("one that is gone is SNAPSHOT_EXPIRED, one that shrank CORRUPT, and neither breaks later reads", async () => {
    const { bytes, plain } = await large();
    await plain.delete("data/x");
    await expect(bytes.read(0, 10)).rejects.toMatchObject({ code: "SNAPSHOT_EXPIRED", details: { path: "data/x" } });
    await plain.write("data/x", [content.subarray(0, size - 1)], { durable: false });
    await expect(bytes.read(0, 10)).rejects.toMatchObject({ code: "CORRUPT" });
    await plain.replace("data/x", [content], { durable: false });
    expect(await bytes.read(0, 10)).toEqual(content.slice(0, 10));
  });
});

/** A store whose methods can be spread into another object. */
function bound(store: ObjectStore): ObjectStore {
  return {
    scheme: store.scheme,
    display: store.display,
    get: (path) => store.get(path),
    open: (path) => store.open(path),
    head: (path) => store.head(path),
    list: (directory, options) => store.list(directory, options),
    write: (path, chunks, options) => store.write(path, chunks, options),
    replace: (path, chunks, options) => store.replace(path, chunks, options),
    create: (path, chunks, options) => store.create(path, chunks, options),
    stage: (path, chunks, options) => store.stage(path, chunks, options),
    sync: (paths) => store.sync(paths),
    delete: (path) => store.delete(path),
    deleteTree: (directory) => store.deleteTree(directory),
    probe: () => store.probe(),
    close: () => store.close(),
  };
}
