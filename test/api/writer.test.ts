/** The buffered writer: bounded, in order, nothing lost in silence. Commits end when the test says so. */
import { tableFromArrays } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { OpenTable } from "../../src/api/open-table.js";
import { BufferedWriter, type WriterOptions } from "../../src/api/writer.js";
import type { TableWrite, WriteResult } from "../../src/change/write.js";
import { connect, isTableError, TableError } from "../../src/index.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";

const row = (id: number) => ({ id });

/** A table whose writes are answered by the test. */
class Bench {
  readonly runtime = new HandRuntime();
  readonly writers = new Map<{ close(): Promise<void> }, () => boolean>();
  readonly settings = { runtime: this.runtime };
  /** Ids of the rows of each write, in order. */
  readonly writes: number[][] = [];
  #answers: { resolve: (result: WriteResult) => void; reject: (error: unknown) => void }[] = [];

  write(write: TableWrite): Promise<WriteResult> {
    const rows = write.kind === "append" ? (write.plainRows as { id: number }[] | undefined) : undefined;
    this.writes.push(rows?.map(({ id }) => id) ?? [-write.rows]);
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  }

  writer<A extends WriterOptions>(options: A): BufferedWriter<never> {
    return new BufferedWriter(this as unknown as OpenTable, options, () => true);
  }

  async commit(version = 2): Promise<void> {
    this.#answers.shift()?.resolve({ version, attempts: 1, rebases: 0, rowsAdded: 0, rowsUpdated: 0, rowsDeleted: 0 });
    await turn();
  }

  async refuse(error: unknown): Promise<void> {
    this.#answers.shift()?.reject(error);
    await turn();
  }
}

/** How a promise stands at the moment. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  const pending = Symbol("pending");
  await turn();
  const value = await Promise.race([
    promise.then(
      () => "done",
      (error: unknown) => (isTableError(error) ? error.code : String(error)),
    ),
    Promise.resolve(pending),
  ]);
  await turn();
  return value === pending ? "pending" : (value as string);
}

async function settledOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "done",
    (error: unknown) => (isTableError(error) ? error.code : String(error)),
  );
}

describe("buffers", () => {
  test("one takes rows while the other is committed, and calls wait when both are full", async () => {
    const bench = new Bench();
    const writer = bench.writer({ rows: 2 });
    const calls = [1, 2, 3, 4, 5, 6].map((id) => writer.write(row(id)));
    const states: string[] = [];
    for (const call of calls) {
      let state = "waits";
      void call.then(() => (state = "taken"));
      await turn();
      states.push(state);
    }
    expect(bench.writes).toEqual([[1, 2]]);
    expect(states).toEqual(["taken", "taken", "taken", "taken", "waits", "waits"]);
    await bench.commit();
    await Promise.all(calls);
    expect(bench.writes).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await bench.commit();
    await bench.commit();
    expect(bench.writes.flat()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("a call that comes when there is room again does not overtake one that waits", async () => {
    const bench = new Bench();
    const writer = bench.writer({ rows: 1 });
    for (const id of [1, 2, 3, 4]) void writer.write(row(id));
    for (let i = 0; i < 2; i++) {
      await bench.commit();
      void writer.write(row(10 + i));
    }
    for (let i = 0; i < 6; i++) await bench.commit();
    expect(bench.writes.flat()).toEqual([1, 2, 3, 4, 10, 11]);
  });

  test("are full by bytes too", async () => {
    const bench = new Bench();
    const writer = bench.writer({ bytes: 100 });
    void writer.write([{ id: 1, text: "x".repeat(60) }]);
    expect(bench.writes).toEqual([]);
    void writer.write([{ id: 2, text: "x".repeat(60) }]);
    await turn();
    expect(bench.writes).toEqual([[1, 2]]);
  });

  test("never hold rows longer than ms", async () => {
    const bench = new Bench();
    const writer = bench.writer({ ms: 20 });
    void writer.write(row(1));
    await bench.runtime.advance(19);
    void writer.write(row(2));
    expect(bench.writes).toEqual([]);
    await bench.runtime.advance(1);
    expect(bench.writes).toEqual([[1, 2]]);
    await bench.commit();
    expect(bench.runtime.pending).toBe(0);
  });

  test("join rows of neighbouring calls, and keep Arrow data in its place between them", async () => {
    const bench = new Bench();
    const writer = bench.writer({});
    void writer.write([row(1), row(2)]);
    void writer.write(row(3));
    void writer.write(tableFromArrays({ id: Float64Array.of(4, 5) }));
    void writer.write(row(6));
    const flushed = writer.flush();
    for (let i = 0; i < 3; i++) await bench.commit();
    await flushed;
    expect(bench.writes).toEqual([[1, 2, 3], [-2], [6]]);
  });
});

describe("acknowledgement", () => {
  test("on commit comes with the version and the rows of the call, and not before", async () => {
    const bench = new Bench();
    const writer = bench.writer({ rows: 3, acknowledge: "commit" });
    const one = writer.write(row(1));
    const two = writer.write([row(2), row(3)]);
    expect(await stateOf(one)).toBe("pending");
    await bench.commit(7);
    expect(await Promise.all([one, two])).toEqual([
      { version: 7, attempts: 1, rebases: 0, rowsAdded: 1 },
      { version: 7, attempts: 1, rebases: 0, rowsAdded: 2 },
    ]);
  });

  test("flush() waits for what was written before it, also for calls that wait, and not for later ones", async () => {
    const bench = new Bench();
    const writer = bench.writer({ rows: 1 });
    for (const id of [1, 2, 3]) void writer.write(row(id));
    let flushed = false;
    const flush = writer.flush().then(() => {
      flushed = true;
    });
    void writer.write(row(4));
    await bench.commit();
    await bench.commit();
    expect(flushed).toBe(false);
    await bench.commit();
    await flush;
    expect(bench.writes.flat().slice(0, 3)).toEqual([1, 2, 3]);
  });

  test("close() commits what is left and refuses what comes after", async () => {
    const bench = new Bench();
    const writer = bench.writer({});
    void writer.write(row(1));
    const closing = writer.close();
    expect(await settledOf(writer.write(row(2)))).toBe("CLOSED");
    await bench.commit();
    await closing;
    expect(bench.writes).toEqual([[1]]);
    expect(bench.writers.size).toBe(0);
  });
});

describe("a failed flush", () => {
  test("is told to the callers that wait for the commit, and to the next flush", async () => {
    const bench = new Bench();
    const writer = bench.writer({ rows: 2, acknowledge: "commit" });
    const lost = [writer.write(row(1)), writer.write(row(2))].map(settledOf);
    const kept = settledOf(writer.write(row(3)));
    await bench.refuse(new TableError("UNAVAILABLE", "disk full"));
    const flush = writer.flush();
    const told = settledOf(flush);
    await bench.commit();
    expect([...(await Promise.all(lost)), await kept, await told]).toEqual([
      "UNAVAILABLE",
      "UNAVAILABLE",
      "done",
      "UNAVAILABLE",
    ]);
    await writer.flush();
  });

  test("refuses further rows acknowledged on admission until flush or close has said how many were lost", async () => {
    const bench = new Bench();
    const writer = bench.writer({ rows: 2 });
    void writer.write([row(1), row(2)]);
    await bench.refuse(new TableError("UNAVAILABLE", "disk full"));
    expect(await settledOf(writer.write(row(3)))).toBe("UNAVAILABLE");
    const told = await writer.close().catch((error: unknown) => error);
    expect(told).toMatchObject({ code: "UNAVAILABLE", details: { rowsNotWritten: 2 } });
    expect((told as Error).message).toContain("disk full");
    expect(bench.writes).toEqual([[1, 2]]);
  });

  test("does not say that rows were not written when nobody knows", async () => {
    const bench = new Bench();
    const writer = bench.writer({});
    void writer.write(row(1));
    const told = writer.flush().catch((error: unknown) => error);
    await turn();
    await bench.refuse(new TableError("UNKNOWN_OUTCOME", "nobody knows"));
    expect(((await told) as Error).message).toContain("may not have been written");
  });

  test("for bad rows of one call loses only that call", async () => {
    const db = await connect("memory://");
    const table = await db.createTable("t", [{ id: 0, n: 0 }]);
    const writer = table.writer({ acknowledge: "commit" });
    const calls = [1, 2, 3, 4].map((id) => writer.write({ id, n: id === 3 ? "no number" : id }));
    const told = settledOf(writer.flush());
    expect(await Promise.all(calls.map(settledOf))).toEqual(["done", "done", "SCHEMA_MISMATCH", "done"]);
    expect(await told).toBe("SCHEMA_MISMATCH");
    expect(await table.countRows()).toBe(4);
  });
});

test("on a real table: 5,000 rows from 10 callers all arrive, once, in few commits", async () => {
  const db = await connect("memory://");
  const table = await db.createTable("t", [{ id: -1 }]);
  {
    const writer = table.writer({ rows: 1000 });
    await Promise.all(
      Array.from({ length: 10 }, async (_, caller) => {
        for (let i = 0; i < 500; i++) await writer.write({ id: caller * 1000 + i });
      }),
    );
    await writer.close();
  }
  const ids = (await table.query().toArray()).map(({ id }) => id as number);
  expect(new Set(ids).size).toBe(5001);
  expect(ids).toHaveLength(5001);
  expect(await table.version()).toBeLessThan(20);
});

test("closing the database commits what a forgotten writer holds", async () => {
  const db = await connect("memory://");
  const other = await db.createTable("t", [{ id: 0 }]);
  const writer = other.writer();
  await writer.write({ id: 1 });
  const before = other.writeQueueMetrics().commits;
  await db.close();
  expect(other.writeQueueMetrics().commits).toBe(before + 1);
  expect(await settledOf(writer.write({ id: 2 }))).toBe("CLOSED");
});

test("a writer refuses what it does not understand, and a table that does not take writes", async () => {
  const db = await connect("memory://");
  const table = await db.createTable("t", [{ id: 0 }]);
  expect(() => table.writer({ rows: 0 })).toThrow(/rows is 0/);
  const writer = table.writer();
  expect(await settledOf(writer.write("text" as never))).toBe("INVALID_ARGUMENT");
  await table.checkout(1);
  expect(() => table.writer()).toThrow(/cannot be modified/);
});
