/**
 * A scan's windows, read by the threads of a pool, their answers in scan order.
 *
 * Few windows are under way at once, which bounds the memory. A window whose thread died is read here instead. When the
 * consumer or the signal ends the scan, windows under way stop at the next chance, and are waited for: after that no
 * thread reads files of this version any more.
 */
import { isTableError } from "../../support/errors.js";
import { rowsPerWindow, scanWindows } from "../pieces.js";
import type { ScanSource, Window } from "../plan.js";
import { readAhead } from "../read-ahead.js";
import { type StopSignal, throwIfAborted } from "../stop.js";
import { newMetrics, type ScanMetrics, WindowReader } from "../window-reader.js";
import { unpackBatch } from "./columns.js";
import { type Answer, answering, answerSchema, type Job, requestsOf } from "./job.js";
import { encodeShape, type PackedAnswer, type Task, thawError } from "./message.js";
import type { TableReaders } from "./pool.js";

export interface DispatchOptions {
  readonly signal?: AbortSignal;
  readonly metrics?: ScanMetrics;
  /** How many rows will be consumed at most. */
  readonly rowsWanted?: number;
}

/** An answer, and the fragment that it is about. */
export interface WindowAnswer extends Answer {
  readonly window: Window;
}

interface Dispatch {
  readonly source: ScanSource;
  readonly readers: TableReaders;
  readonly task: Omit<Task, "window">;
  readonly unpack: (answer: PackedAnswer) => Answer;
  readonly readHere: (window: Window) => Promise<Answer>;
  readonly signal: StopSignal | undefined;
  readonly metrics: ScanMetrics;
}

/** The threads, if the scan reads so much that they help: more than one window. */
export function readersFor(source: ScanSource, job: Job, rowsWanted?: number): TableReaders | undefined {
  if (source.readers === undefined) return undefined;
  const requests = requestsOf(source, job);
  const filtered = requests.some(({ filter }) => filter !== undefined);
  const needed = filtered ? undefined : rowsWanted;
  const rows = Math.min(source.fragments.rowCount(), needed ?? Number.POSITIVE_INFINITY);
  return rows > rowsPerWindow(requests) ? source.readers : undefined;
}

/**
 * The answers of all windows in scan order; windows that statistics rule out have none.
 * @throws SNAPSHOT_EXPIRED, CORRUPT, NOT_SUPPORTED, UNAVAILABLE, CANCELED or the signal's own error
 */
export async function* inThreads(
  source: ScanSource,
  readers: TableReaders,
  job: Job,
  { signal, metrics = newMetrics(), rowsWanted }: DispatchOptions = {},
): AsyncGenerator<WindowAnswer, void, undefined> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const dispatch = prepare(source, readers, job, stop, signal, metrics);
  const requests = requestsOf(source, job);
  const [only] = requests.length === 1 ? requests : [];
  const judge = new WindowReader(source, source.fragments.rowCount(), { ...(only ?? requests[0]!), metrics });
  const windows = scanWindows(source, requests, rowsWanted);
  metrics.fragments += source.fragments.length;
  const answers = readAhead(windows, readers.pool.tasksMax, async (window): Promise<WindowAnswer | undefined> => {
    throwIfAborted(signal);
    if (only !== undefined && (await judge.isPruned(window.fragment))) return undefined;
    return { ...(await readWindow(dispatch, window)), window };
  });
  const end = () => Atomics.store(stop, 0, 1);
  signal?.addEventListener("abort", end);
  try {
    for (let next = await answers.next(); next.done !== true; next = await answers.next()) {
      throwIfAborted(signal);
      if (next.value !== undefined) yield next.value;
    }
  } finally {
    end();
    signal?.removeEventListener("abort", end);
    await answers.return();
  }
}

function prepare(
  source: ScanSource,
  readers: TableReaders,
  job: Job,
  stop: Task["stop"],
  signal: StopSignal | undefined,
  metrics: ScanMetrics,
): Dispatch {
  const rows = source.fragments.rowCount();
  const { pool, directory } = readers;
  const shape = encodeShape({ root: pool.root, directory, source, rows, job });
  const schema = answerSchema(source, job);
  let answer: ((window: Window) => Promise<Answer>) | undefined;
  return {
    source,
    readers,
    task: { scan: pool.nextScan(), shape, stop },
    unpack: ({ rows: count, batches, ranked }) => {
      return { rows: count, ranked, batches: batches.map((batch) => unpackBatch(batch, schema!)) };
    },
    readHere: (window) => {
      answer ??= answering({ source, rows, metrics, ...(signal === undefined ? {} : { signal }) }, job);
      return answer(window);
    },
    signal,
    metrics,
  };
}

async function readWindow(dispatch: Dispatch, window: Window): Promise<Answer> {
  const { source, readers, metrics, signal } = dispatch;
  // Threads know the table's own directory only.
  if (window.fragment.files.some(({ baseId }) => baseId !== undefined)) return await dispatch.readHere(window);
  try {
    const answer = await readers.pool.run({ ...dispatch.task, window });
    if ("error" in answer) {
      throwIfAborted(signal);
      throw thawError(answer.error);
    }
    metrics.windows += answer.windows;
    metrics.rowsScanned += answer.rowsScanned;
    metrics.rowsMatched += answer.rows;
    source.cache.counters.requests += answer.requests;
    source.cache.counters.bytes += answer.bytes;
    return dispatch.unpack(answer);
  } catch (error) {
    if (!isTableError(error, "CLOSED")) throw error;
    throwIfAborted(signal);
    return await dispatch.readHere(window);
  }
}
