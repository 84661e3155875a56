/** Scans, searches and counts in reader threads: the same answers, errors with their codes, and no thread left behind. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import * as arrow from "apache-arrow";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { OpenTable } from "../../src/api/open-table.js";
import { settingsOf } from "../../src/api/options.js";
import { windowRows } from "../../src/compute/plan.js";
import { packBatch, unpackBatch } from "../../src/compute/readers/columns.js";
import { freezeError, thawError } from "../../src/compute/readers/message.js";
import { ReaderPool } from "../../src/compute/readers/pool.js";
import { scan } from "../../src/compute/scan.js";
import { newMetrics } from "../../src/compute/window-reader.js";
import { type Selection, Table, TableError } from "../../src/index.js";
import { localStore } from "../../src/store/local.js";

const DIST = new URL("../../dist/", import.meta.url);
const ENTRY = new URL("compute/readers/entry.js", DIST);
const ROWS = 60_000;
const FRAGMENTS = 3;
const settings = settingsOf({ durability: "relaxed", maintenance: { auto: false } });

function rowsFrom(first: number): arrow.Table {
  const id = (i: number) => first + i;
  const columns = {
    id: arrow.makeVector(Int32Array.from({ length: ROWS }, (_, i) => id(i))),
    value: arrow.makeVector(
      Float64Array.from({ length: ROWS }, (_, i) => (Math.imul(id(i), 2654435761) >>> 0) / 2 ** 32),
    ),
    kind: arrow.vectorFromArray(
      Array.from({ length: ROWS }, (_, i) => (i % 11 === 0 ? null : `kind ${id(i) % 97}`)),
      new arrow.Utf8(),
    ),
    even: arrow.vectorFromArray(
      Array.from({ length: ROWS }, (_, i) => (i % 7 === 0 ? null : id(i) % 2 === 0)),
      new arrow.Bool(),
    ),
    vector: vectors(first),
  };
  return new arrow.Table(columns);
}

function vectors(first: number): arrow.Vector {
  const width = 4;
  const values = Float32Array.from(
    { length: ROWS * width },
    (_, i) => (Math.imul(first * width + i, 40503) & 1023) / 8,
  );
  const child = arrow.makeData({ type: new arrow.Float32(), length: values.length, nullCount: 0, data: values });
  const type = new arrow.FixedSizeList(width, new arrow.Field("item", new arrow.Float32(), true));
  return arrow.makeVector(arrow.makeData({ type, length: ROWS, nullCount: 0, child }));
}

let root: string;
let pool: ReaderPool;
let alone: Table;
let shared: Table;
const made: ReaderPool[] = [];

function poolOf(entry: URL = ENTRY, threads = 2): ReaderPool {
  const one = new ReaderPool({ root, threads, entry });
  made.push(one);
  return one;
}

function openIn(readers: ReaderPool | undefined): { readonly open: OpenTable; readonly table: Table } {
  const open = new OpenTable("t", localStore(root), settings, readers);
  return { open, table: new Table(open, () => true) };
}

/** An entry that does something else with its tasks than reading. */
function entryOf(source: string): URL {
  const path = join(root, `entry-${made.length}.mjs`);
  writeFileSync(path, source);
  return pathToFileURL(path);
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "joust-readers-"));
  const { connect } = await import("../../src/index.js");
  const db = await connect(root, { durability: "relaxed", maintenance: { auto: false } });
  const table = await db.createTable("t", rowsFrom(0));
  for (let i = 1; i < FRAGMENTS; i++) await table.add(rowsFrom(i * ROWS));
  await table.delete("id % 1000 = 3 OR (id > 70000 AND id < 70100)");
  await db.close();
  pool = poolOf();
  alone = openIn(undefined).table;
  shared = openIn(pool).table;
});

afterEach(async () => {
  for (const one of made.splice(0)) if (one !== pool) await one.close();
});

afterAll(async () => {
  await pool.close();
  rmSync(root, { recursive: true, force: true });
});

const FILTERS = [
  undefined,
  "value < 0.5",
  "value < 0.001",
  "kind = 'kind 7' AND even",
  "id >= 59990 AND id < 60020",
  "even IS NULL OR kind LIKE 'kind 1%'",
  "id > 1000000",
  "_rowid % 3 = 1 AND value > 0.9",
] as const;
const SELECTIONS: readonly (Selection | undefined)[] = [
  undefined,
  ["id"],
  ["vector", "kind"],
  { one: "1", text: "'x'", twice: "id * 2", upper: "upper(kind)", gone: "CAST(NULL AS bigint)" },
];

interface Asked {
  readonly where: string | undefined;
  readonly select: Selection | undefined;
  readonly order: "value" | "kind" | undefined;
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  readonly rowId: boolean;
}

function ask(table: Table, { where, select, order, limit, offset, rowId }: Asked): Promise<arrow.Table> {
  const query = table.query();
  if (where !== undefined) query.where(where);
  if (select !== undefined) query.select(select);
  if (order !== undefined) query.orderBy({ columnName: order });
  if (limit !== undefined) query.limit(limit);
  if (offset !== undefined) query.offset(offset);
  if (rowId) query.withRowId();
  return query.toArrow();
}

/** Schema, number of rows, and every value of every column, whatever the batches are. */
function contentOf(table: arrow.Table): unknown {
  const columns = table.schema.fields.map((field, i) => {
    const column = table.getChildAt(i)!;
    const values: unknown[] = [];
    const step = Math.max(1, Math.floor(table.numRows / 500));
    for (let row = 0; row < table.numRows; row += step) values.push(String(column.get(row)));
    return [String(field), column.nullCount, values];
  });
  return { rows: table.numRows, columns };
}

describe("scans in threads", () => {
  test("give what one thread gives, in the same order, whatever is asked for", async () => {
    const asked = fc.record<Asked>({
      where: fc.constantFrom(...FILTERS),
      select: fc.constantFrom(...SELECTIONS),
      order: fc.constantFrom(undefined, undefined, "value", "kind"),
      limit: fc.constantFrom(undefined, undefined, 0, 3, 25_000, 140_000),
      offset: fc.constantFrom(undefined, undefined, 5, 65_000),
      rowId: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(asked, async (one) => {
        expect(contentOf(await ask(shared, one))).toEqual(contentOf(await ask(alone, one)));
      }),
      { numRuns: 40 },
    );
  });

  test("order rows well when the first window has exactly as many as are wanted", async () => {
    const limit = await alone.countRows("id < 20000");
    for (const order of ["value", "kind"] as const) {
      const one = { where: "id < 20000 OR id > 90000", order, limit, select: ["id"], offset: undefined, rowId: false };
      const readers = openIn(poolOf(ENTRY, 1)).table;
      expect(contentOf(await ask(readers, one))).toEqual(contentOf(await ask(alone, one)));
    }
  });

  test("count, and search for vectors, as one thread does, ties included", async () => {
    for (const where of FILTERS) {
      if (where !== undefined) expect(await shared.countRows(where)).toBe(await alone.countRows(where));
      const near = (table: Table) => {
        const query = table
          .vectorSearch([1, 2, 3, 4])
          .addQueryVector([100, 90, 80, 70])
          .limit(30)
          .offset(2)
          .withRowId();
        return (where === undefined ? query : query.where(where)).toArrow();
      };
      expect(contentOf(await near(shared))).toEqual(contentOf(await near(alone)));
    }
  });

  test("say what they read in the threads", async () => {
    const plan = await openIn(poolOf()).table.query().select(["id"]).where("value < 0.5").analyzePlan();
    expect(plan).toMatch(/fragments=3, fragments_pruned=0, windows=3, rows_scanned=180000/);
    const bytes = Number(/bytes_read=(\d+)/.exec(plan)?.[1]);
    expect(bytes).toBeGreaterThan(3 * ROWS * 8);
    const none = await openIn(poolOf()).table.query().where("id > 1000000").analyzePlan();
    expect(none).toMatch(/fragments_pruned=3, windows=0, rows_scanned=0, rows_matched=0/);
  });

  test("batches own memory that nobody else has: overwriting a result changes no later one", async () => {
    const once = {
      where: "value < 0.5",
      select: ["id", "value"],
      order: undefined,
      limit: undefined,
      offset: undefined,
    };
    const first = await ask(shared, { ...once, rowId: false });
    const before = contentOf(first);
    for (const batch of first.batches) for (const column of batch.data.children) (column.values as Int32Array).fill(7);
    expect(contentOf(await ask(shared, { ...once, rowId: false }))).toEqual(before);
  });
});

describe("the end of a scan in threads", () => {
  async function sourceOf(readers: ReaderPool) {
    const { open } = openIn(readers);
    return open.source(await open.shared.refresh());
  }

  test("a consumer that leaves gets no more windows than the read-ahead allows", async () => {
    const readers = poolOf(ENTRY, 1);
    const source = await sourceOf(readers);
    const runs = vi.spyOn(readers, "run");
    for await (const batch of scan(source, { batchRows: 100 })) {
      expect(batch.numRows).toBe(100);
      break;
    }
    expect(runs.mock.calls.length).toBeLessThanOrEqual(readers.tasksMax + 1);
    expect(source.fragments.rowCount()).toBeGreaterThan((readers.tasksMax + 1) * windowRows(source.schema));
    await Promise.all(runs.mock.results.map(({ value }) => value));
  });

  test("a signal ends the scan with CANCELED or its own error, and nothing of it runs afterwards", async () => {
    const source = await sourceOf(pool);
    const stop = new AbortController();
    const seen = async () => {
      for await (const _ of scan(source, { signal: stop.signal, batchRows: 1000 })) stop.abort(new Error("enough"));
    };
    await expect(seen()).rejects.toMatchObject({ code: "CANCELED", cause: { message: "enough" } });
    const late = new TableError("TIMEOUT", "too late");
    const metrics = newMetrics();
    const ended = scan(source, { signal: AbortSignal.abort(late) }, metrics).next();
    await expect(ended).rejects.toBe(late);
    expect(metrics.windows).toBe(0);
  });
});

describe("threads that fail", () => {
  const COUNT = "value < 0.5";

  test("a thread that dies while it reads costs time, not the answer", async () => {
    const dying = poolOf(entryOf(`export default (task) => { if (task) process.exit(3); };`));
    expect(await openIn(dying).table.countRows(COUNT)).toBe(await alone.countRows(COUNT));
  });

  test("a thread that throws where nobody catches it costs time, not the answer", async () => {
    const source = `export default (task) => task && new Promise(() => setImmediate(() => { throw new Error("x"); }));`;
    expect(await openIn(poolOf(entryOf(source))).table.countRows(COUNT)).toBe(await alone.countRows(COUNT));
  });

  test("threads that die and cannot be replaced leave no scan waiting", async () => {
    const flag = join(root, "died");
    const source = `import { existsSync, writeFileSync } from "node:fs";
      if (existsSync(${JSON.stringify(flag)})) throw new Error("not again");
      export default (task) => { if (task) { writeFileSync(${JSON.stringify(flag)}, ""); process.exit(1); } };`;
    // One thread, so that a window is still waiting for one.
    const dying = poolOf(entryOf(source), 1);
    expect(await openIn(dying).table.countRows(COUNT)).toBe(await alone.countRows(COUNT));
    expect(existsSync(flag)).toBe(true);
  });

  test("threads that cannot be started are UNAVAILABLE, and the error names the file", async () => {
    const { table } = openIn(poolOf(new URL("nowhere.js", ENTRY)));
    await expect(table.countRows(COUNT)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      details: { entry: expect.stringContaining("nowhere.js") },
    });
  });

  test("a pool that is closed under a scan leaves the rest of it to this thread", async () => {
    const closing = poolOf();
    const { table } = openIn(closing);
    const expected = contentOf(await alone.query().select(["id"]).toArrow());
    const running = table.query().select(["id"]).toArrow();
    await closing.close();
    expect(contentOf(await running)).toEqual(expected);
    expect(contentOf(await table.query().select(["id"]).toArrow())).toEqual(expected);
  });

  test("damage and missing files are reported with code, path and offset, as without threads", async () => {
    const data = join(root, "t.lance", "data");
    const path = join(data, readdirSync(data)[0]!);
    const bytes = await readFile(path);
    const failure = async (table: Table) => {
      const error: unknown = await table.toArrow().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TableError);
      return error as TableError;
    };
    try {
      const damaged = Buffer.from(bytes);
      damaged[5000]! ^= 1;
      await writeFile(path, damaged);
      const [here, there] = [await failure(openIn(undefined).table), await failure(openIn(poolOf()).table)];
      expect(there).toMatchObject({ code: "CORRUPT", message: here.message, details: here.details });
      rmSync(path);
      const [missing, missingThere] = [await failure(openIn(undefined).table), await failure(openIn(poolOf()).table)];
      expect(missing).toMatchObject({ code: "CORRUPT", message: expect.stringContaining("is missing") });
      expect(missingThere).toMatchObject({ code: "CORRUPT", message: missing.message, details: missing.details });
    } finally {
      await writeFile(path, bytes);
    }
  });

  test("errors keep code, message and details on their way, strange ones become INTERNAL", () => {
    const given = new TableError("CORRUPT", "broken", { details: { path: "a", offset: 3n } });
    const thawed = thawError(structuredClone(freezeError(given)));
    expect(thawed).toMatchObject({ code: "CORRUPT", message: "broken", details: { path: "a", offset: 3n } });
    expect(thawError(freezeError("nonsense"))).toMatchObject({ code: "INTERNAL", retry: "never" });
  });
});

describe("columns on their way", () => {
  test("every type keeps its values, and its memory moves without a copy", () => {
    const list = new arrow.List(new arrow.Field("item", new arrow.Int16(), true));
    const dictionary = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8());
    const struct = new arrow.Struct([new arrow.Field("a", new arrow.Int32(), true), new arrow.Field("b", list, true)]);
    const columns = {
      wide: arrow.vectorFromArray([1n, null, -3n], new arrow.Int64()),
      text: arrow.vectorFromArray(["ä", null, ""], new arrow.Utf8()),
      bool: arrow.vectorFromArray([true, null, false], new arrow.Bool()),
      list: arrow.vectorFromArray([[1, 2], null, []], list),
      dictionary: arrow.vectorFromArray(["x", "y", null], dictionary),
      struct: arrow.vectorFromArray([{ a: 1, b: [1] }, null, { a: 3, b: null }], struct),
      nothing: arrow.vectorFromArray([null, null, null], new arrow.Null()),
    };
    const [batch] = new arrow.Table(columns).batches as [arrow.RecordBatch];
    for (const part of [batch, batch.slice(1, 3)]) {
      const before = contentOf(new arrow.Table([part]));
      const moved = new Set<ArrayBufferLike>();
      const packed = packBatch(part, moved);
      const sent = structuredClone(packed, { transfer: part === batch ? [] : ([...moved] as ArrayBuffer[]) });
      expect(contentOf(new arrow.Table([unpackBatch(sent, part.schema)]))).toEqual(before);
      expect(moved.size).toBeGreaterThan(10);
      if (part !== batch) for (const buffer of moved) expect((buffer as ArrayBuffer).byteLength).toBe(0);
    }
  });
});

test("threads keep no process alive, also when nobody closes anything", { timeout: 60_000 }, async () => {
  const program = `import { connect } from ${JSON.stringify(new URL("index.js", DIST).href)};
    const db = await connect(${JSON.stringify(root)}, { readers: 2, maintenance: { auto: false } });
    const table = await db.openTable("t");
    const rows = await table.query().select(["id"]).where("value < 0.5").toArrow();
    console.log(rows.numRows);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  expect(stdout.trim()).toBe(String(await alone.countRows("value < 0.5")));
});
