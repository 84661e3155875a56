/** The contract of the write queue, sentence by sentence, with a clock that the test moves and a commit that it ends. */
import { describe, expect, test } from "vitest";
import {
  type GroupOutcome,
  QUEUE_DEFAULTS,
  type QueuedWrite,
  type QueueOptions,
  WriteQueue,
} from "../../src/commit/queue.js";
import { TableError } from "../../src/support/errors.js";
import { HandRuntime, turn } from "../support/hand-runtime.js";

interface TestWrite extends QueuedWrite {
  readonly name: string;
}

const write = (name: string, more: Partial<QueuedWrite> = {}): TestWrite => ({
  name,
  rows: 1,
  sizeBytes: 1,
  alone: false,
  ...more,
});

/** A queue whose groups end only when the test says so, with the name of each write as its answer. */
class Bench {
  readonly runtime = new HandRuntime();
  readonly groups: string[][] = [];
  readonly queue: WriteQueue<TestWrite, string>;
  #finish: ((outcome: GroupOutcome<string> | Error) => void)[] = [];
  #writes: (readonly TestWrite[])[] = [];

  constructor(options: Partial<QueueOptions> = {}) {
    this.queue = new WriteQueue(this.runtime, { ...QUEUE_DEFAULTS, ...options }, (group) => {
      this.groups.push(group.map((one) => one.name));
      this.#writes.push(group);
      return new Promise((resolve, reject) => {
        this.#finish.push((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
      });
    });
  }

  /** Submits, and remembers how it ended. */
  submit(name: string, options = {}, more: Partial<QueuedWrite> = {}): { readonly end: Promise<string> } {
    const end = this.queue.submit(write(name, more), options).then(
      (value) => `done ${value}`,
      (error: unknown) => {
        const phase = (error as TableError).details?.phase;
        return `${(error as TableError).code ?? error}${phase === undefined ? "" : ` ${phase}`}`;
      },
    );
    return { end };
  }

  /** Ends the group under way: every write succeeds but those that `errors` names. */
  async finish(errors: Readonly<Record<string, Error>> = {}): Promise<void> {
    const group = this.#writes.shift() ?? [];
    this.#finish.shift()?.(
      group.map(({ name }) => (errors[name] === undefined ? { value: name } : { error: errors[name] })),
    );
    await turn();
  }

  /** Fails the commit of the group under way as a whole. */
  async fail(error: Error): Promise<void> {
    this.#writes.shift();
    this.#finish.shift()?.(error);
    await turn();
  }
}

describe("groups", () => {
  test("writes that arrive during a commit form the next group, in order of arrival", async () => {
    const bench = new Bench();
    const a = bench.submit("a");
    await turn();
    const rest = ["b", "c", "d"].map((name) => bench.submit(name));
    await turn();
    expect(bench.groups).toEqual([["a"]]);
    await bench.finish();
    expect(bench.groups).toEqual([["a"], ["b", "c", "d"]]);
    await bench.finish();
    expect(await Promise.all([a, ...rest].map((one) => one.end))).toEqual(["done a", "done b", "done c", "done d"]);
    expect(bench.queue.metrics).toMatchObject({ executions: 4, commits: 4, groupedBatches: 1, depth: 0 });
  });

  test("nobody is answered before the commit that carries the write has ended", async () => {
    const bench = new Bench();
    let answered = false;
    void bench.submit("a").end.then(() => {
      answered = true;
    });
    await turn();
    expect(bench.groups).toHaveLength(1);
    expect(answered).toBe(false);
    await bench.finish();
    expect(answered).toBe(true);
  });

  test("a write that commits alone splits its neighbours, and nothing overtakes it", async () => {
    const bench = new Bench();
    bench.submit("a");
    bench.submit("b");
    bench.submit("schema", {}, { alone: true });
    bench.submit("c");
    for (let i = 0; i < 3; i++) {
      await turn();
      await bench.finish();
    }
    expect(bench.groups).toEqual([["a", "b"], ["schema"], ["c"]]);
  });

  test.each([
    ["maxBatch", { maxBatch: 2 }, {}],
    ["maxGroupRows", { maxGroupRows: 10 }, { rows: 5 }],
    ["maxGroupBytes", { maxGroupBytes: 100 }, { sizeBytes: 50 }],
  ])("%s bounds a group", async (_, options, more) => {
    const bench = new Bench(options);
    for (const name of ["a", "b", "c"]) bench.submit(name, {}, more);
    await turn();
    await bench.finish();
    expect(bench.groups).toEqual([["a", "b"], ["c"]]);
  });

  test("a write larger than the bound of a group is executed all the same, alone", async () => {
    const bench = new Bench({ maxGroupRows: 10 });
    bench.submit("large", {}, { rows: 11 });
    bench.submit("b");
    await turn();
    await bench.finish();
    expect(bench.groups).toEqual([["large"], ["b"]]);
  });

  test("without strict group commit every write commits alone", async () => {
    const bench = new Bench({ strictGroupCommit: false });
    bench.submit("a");
    bench.submit("b");
    await turn();
    await bench.finish();
    expect(bench.groups).toEqual([["a"], ["b"]]);
  });

  test("maxGroupDelayMs holds a group back for company", async () => {
    const bench = new Bench({ maxGroupDelayMs: 5 });
    bench.submit("a");
    await bench.runtime.advance(4);
    bench.submit("b");
    expect(bench.groups).toEqual([]);
    await bench.runtime.advance(1);
    expect(bench.groups).toEqual([["a", "b"]]);
  });

  test("a bad write gets its own error, and the others of its group their answers", async () => {
    const bench = new Bench();
    const ends = ["a", "bad", "c"].map((name) => bench.submit(name).end);
    await turn();
    await bench.finish({ bad: new TableError("SCHEMA_MISMATCH", "x") });
    expect(await Promise.all(ends)).toEqual(["done a", "SCHEMA_MISMATCH", "done c"]);
    expect(bench.queue.metrics).toMatchObject({ commits: 2, failures: 1 });
  });

  test("when the commit of a group fails, every write of it gets that error, and the next group goes on", async () => {
    const bench = new Bench();
    const ends = ["a", "b"].map((name) => bench.submit(name).end);
    await turn();
    const next = bench.submit("c");
    await bench.fail(new TableError("UNAVAILABLE", "x"));
    await bench.finish();
    expect(await Promise.all([...ends, next.end])).toEqual(["UNAVAILABLE", "UNAVAILABLE", "done c"]);
  });

  test("a caller who writes again as soon as it is answered is never forgotten, however soon that is", async () => {
    for (let hops = 0; hops < 12; hops++) {
      const bench = new Bench();
      let second: Promise<string> | undefined;
      const first = bench.queue.submit(write("a")).then(async () => {
        for (let hop = 0; hop < hops; hop++) await undefined;
        second = bench.submit("b").end;
      });
      await turn();
      await bench.finish();
      await first;
      await turn();
      expect(bench.groups, `after ${hops} turns`).toEqual([["a"], ["b"]]);
      await bench.finish();
      expect(await second).toBe("done b");
    }
  });

  test("syncs of a group are saved for every acknowledged write but the first", async () => {
    const bench = new Bench();
    for (const name of ["a", "b", "bad"]) bench.submit(name);
    await turn();
    bench.queue.metrics.physicalSyncs += 4;
    await bench.finish({ bad: new Error("x") });
    expect(bench.queue.metrics).toMatchObject({ physicalSyncs: 4, estimatedSyncsSaved: 4 });
  });
});

describe("time limits", () => {
  test("a write whose time is over before it starts is not executed and says that it was queued", async () => {
    const bench = new Bench();
    bench.submit("a");
    await turn();
    const late = bench.submit("late", { timeoutMs: 10 });
    await bench.runtime.advance(10);
    expect(await late.end).toBe("TIMEOUT queued");
    await bench.finish();
    expect(bench.groups).toEqual([["a"]]);
    expect(bench.queue.metrics).toMatchObject({ timeouts: 1, executions: 1, depth: 0 });
  });

  test("a write that has started gets its definite answer, whatever the time", async () => {
    const bench = new Bench();
    const a = bench.submit("a", { timeoutMs: 10 });
    await turn();
    await bench.runtime.advance(1000);
    await bench.finish();
    expect(await a.end).toBe("done a");
    expect(bench.runtime.pending).toBe(0);
  });

  test("the default holds where a call says nothing", async () => {
    const bench = new Bench({ defaultTimeoutMs: 10 });
    bench.submit("a", { timeoutMs: 1000 });
    await turn();
    const late = bench.submit("late");
    await bench.runtime.advance(10);
    expect(await late.end).toBe("TIMEOUT queued");
  });

  test("0 starts at once or fails at once", async () => {
    const bench = new Bench();
    const a = bench.submit("a", { timeoutMs: 0 });
    const b = bench.submit("b", { timeoutMs: 0 });
    expect(await b.end).toBe("TIMEOUT queued");
    expect(bench.queue.metrics).toMatchObject({ timeouts: 1, admissions: 1 });
    await turn();
    await bench.finish();
    expect(await a.end).toBe("done a");
  });

  test.each([-1, Number.NaN])("%s is no time", async (timeoutMs) => {
    const bench = new Bench();
    expect(await bench.submit("a", { timeoutMs }).end).toBe("INVALID_ARGUMENT");
    expect(bench.groups).toEqual([]);
  });
});

describe("signals", () => {
  test("withdraw a write that waits", async () => {
    const bench = new Bench();
    bench.submit("a");
    await turn();
    const controller = new AbortController();
    const b = bench.submit("b", { signal: controller.signal });
    controller.abort();
    expect(await b.end).toBe("CANCELED queued");
    await bench.finish();
    expect(bench.groups).toEqual([["a"]]);
    expect(bench.queue.metrics).toMatchObject({ cancellations: 1, depth: 0 });
  });

  test("that were given before the call refuse it", async () => {
    const bench = new Bench();
    expect(await bench.submit("a", { signal: AbortSignal.abort() }).end).toBe("CANCELED queued");
    await turn();
    expect(bench.groups).toEqual([]);
    expect(bench.queue.metrics.cancellations).toBe(1);
  });

  test("during the commit never pretend that nothing happened", async () => {
    const bench = new Bench();
    const controller = new AbortController();
    const a = bench.submit("a", { signal: controller.signal });
    await turn();
    controller.abort();
    await bench.finish();
    expect(await a.end).toBe("done a");
    expect(bench.queue.metrics.cancellations).toBe(0);
  });
});

describe("a full queue", () => {
  test("lets writes wait outside, in order, and timeouts and signals reach them there", async () => {
    const bench = new Bench({ capacity: 1 });
    bench.submit("a");
    await turn();
    bench.submit("b");
    const controller = new AbortController();
    const late = bench.submit("late", { timeoutMs: 5 });
    const canceled = bench.submit("canceled", { signal: controller.signal });
    const c = bench.submit("c");
    const d = bench.submit("d");
    expect(bench.queue.metrics).toMatchObject({ depth: 1, admissions: 2 });
    controller.abort();
    await bench.runtime.advance(5);
    expect([await late.end, await canceled.end]).toEqual(["TIMEOUT queued", "CANCELED queued"]);
    for (let i = 0; i < 4; i++) await bench.finish();
    expect([await c.end, await d.end]).toEqual(["done c", "done d"]);
    expect(bench.groups).toEqual([["a"], ["b"], ["c"], ["d"]]);
    expect(bench.queue.metrics).toMatchObject({ admissions: 4, rejections: 0 });
  });

  test("lets in who waits outside as soon as another withdraws, and nobody who came later", async () => {
    const bench = new Bench({ capacity: 1 });
    bench.submit("a");
    await turn();
    const controller = new AbortController();
    bench.submit("b", { signal: controller.signal });
    const c = bench.submit("c");
    controller.abort();
    bench.submit("d");
    for (let i = 0; i < 3; i++) await bench.finish();
    expect(bench.groups).toEqual([["a"], ["c"], ["d"]]);
    expect(await c.end).toBe("done c");
  });

  test("refuses with QUEUE_FULL when asked to, without a trace", async () => {
    const bench = new Bench({ capacity: 1, whenFull: "reject" });
    bench.submit("a");
    await turn();
    bench.submit("b");
    const c = bench.submit("c");
    expect(await c.end).toBe("QUEUE_FULL");
    await bench.finish();
    await bench.finish();
    expect(bench.groups).toEqual([["a"], ["b"]]);
    expect(bench.queue.metrics.rejections).toBe(1);
  });

  test("is no reason to wait for who has no time", async () => {
    const bench = new Bench({ capacity: 1 });
    bench.submit("a");
    await turn();
    bench.submit("b");
    expect(await bench.submit("c", { timeoutMs: 0 }).end).toBe("QUEUE_FULL");
  });
});

describe("closing", () => {
  test("answers everything that was taken, also what waited outside, and refuses what comes after", async () => {
    const bench = new Bench({ capacity: 1 });
    const ends = [bench.submit("a").end];
    await turn();
    ends.push(bench.submit("b").end, bench.submit("outside").end);
    let closed = false;
    const closing = bench.queue.close().then(() => {
      closed = true;
    });
    const after = bench.submit("after");
    expect(await after.end).toBe("QUEUE_CLOSED");
    await bench.finish();
    await bench.finish();
    expect(closed).toBe(false);
    await bench.finish();
    await closing;
    expect(await Promise.all(ends)).toEqual(["done a", "done b", "done outside"]);
    expect(bench.queue.metrics).toMatchObject({ rejections: 1, depth: 0 });
  });
});

test("the time from the call to the start is measured", async () => {
  const bench = new Bench();
  bench.submit("a");
  await turn();
  bench.submit("b");
  await bench.runtime.advance(40);
  await bench.finish();
  expect(bench.queue.waits.summary()).toMatchObject({ count: 2, maxMs: 40 });
});
