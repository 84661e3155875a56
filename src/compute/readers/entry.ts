/**
 * What a reader thread runs: windows of immutable fragments, read from the local disk, filtered and projected here.
 *
 * Data files, deletion vectors and columns of filters are cached in the thread. Results leave by moving their memory;
 * nothing that a cache keeps is among them.
 */
import { move, transferableSymbol, valueSymbol } from "piscina";
import { CODECS } from "../../data/codecs.js";
import { FileCache } from "../../data/file-cache.js";
import { readerFiles } from "../../store/files.js";
import { localStore } from "../../store/local.js";
import { within } from "../../store/within.js";
import { LruCache } from "../../support/lru-cache.js";
import type { Window } from "../plan.js";
import type { StopSignal } from "../stop.js";
import { newMetrics, type ScanMetrics } from "../window-reader.js";
import { packBatch } from "./columns.js";
import { type Answer, answering } from "./job.js";
import { decodeShape, freezeError, type PackedAnswer, type ScanShape, type Task, type TaskAnswer } from "./message.js";

/** Tables whose caches a thread keeps. */
const TABLES_MAX = 8;
/** Scans that a thread remembers. */
const SCANS_MAX = 64;

interface Scan {
  readonly cache: FileCache;
  readonly metrics: ScanMetrics;
  readonly answer: (window: Window) => Promise<Answer>;
}

const caches = new LruCache<string, FileCache>(TABLES_MAX);
const scans = new LruCache<number, Scan>(SCANS_MAX);

/** Reads one window; without a task it only shows that the thread runs. */
export default async function readWindow(task: Task | undefined): Promise<unknown> {
  if (task === undefined) return undefined;
  try {
    const scan = scanOf(task);
    const { rows, batches, ranked } = await scan.answer(task.window);
    const moved = new Set<ArrayBufferLike>();
    const packed = batches.map((batch) => packBatch(batch, moved));
    for (const { distances, offsets } of ranked.flat(2)) moved.add(distances.buffer).add(offsets.buffer);
    const answer: PackedAnswer = { rows, batches: packed, ranked, ...takeCosts(scan) };
    return move({ [transferableSymbol]: [...moved], [valueSymbol]: answer });
  } catch (error) {
    return { error: freezeError(error) } satisfies TaskAnswer;
  }
}

function scanOf({ scan, shape, stop }: Task): Scan {
  let known = scans.get(scan);
  if (known === undefined) {
    known = openScan(decodeShape(shape), stop);
    scans.set(scan, known);
  }
  return known;
}

function openScan({ root, directory, source, rows, job }: ScanShape, stop: Task["stop"]): Scan {
  let cache = caches.get(directory);
  if (cache === undefined) {
    cache = new FileCache({ store: within(localStore(root, { files: readerFiles() }), directory), codecs: CODECS });
    caches.set(directory, cache);
  }
  const metrics = newMetrics();
  const signal: StopSignal = {
    get aborted() {
      return Atomics.load(stop, 0) !== 0;
    },
    reason: undefined,
  };
  return { cache, metrics, answer: answering({ source: { ...source, cache }, rows, signal, metrics }, job) };
}

/** What was spent since the last answer. */
function takeCosts({ cache, metrics }: Scan) {
  const { requests, bytes } = cache.counters;
  const { rowsScanned, windows } = metrics;
  Object.assign(cache.counters, { requests: 0, bytes: 0 });
  Object.assign(metrics, newMetrics());
  return { rowsScanned, windows, requests, bytes };
}
