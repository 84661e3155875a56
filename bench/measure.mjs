// Clocks, percentiles and closed loops: the few measuring tools that all workloads share.
import { performance } from "node:perf_hooks";

/** Runs `action` and returns its value with the milliseconds it took. */
export async function timed(action) {
  const start = performance.now();
  const value = await action();
  return { value, ms: performance.now() - start };
}

/** The value below which `share` of the samples lie (nearest rank). */
export function percentile(samples, share) {
  if (samples.length === 0) return Number.NaN;
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export const median = (samples) => percentile(samples, 0.5);

/** Collects latencies and failures of operations that may run side by side. */
export class Recorder {
  samplesMs = [];
  /** How long the callers of failed operations waited. */
  failedMs = [];
  errors = 0;
  firstError = undefined;

  /** Returns true when the operation was acknowledged. A failed one counts as an error and gives no sample. */
  async record(action) {
    const start = performance.now();
    try {
      await action();
    } catch (error) {
      this.errors++;
      this.failedMs.push(performance.now() - start);
      this.firstError ??= String(error?.message ?? error).slice(0, 300);
      return false;
    }
    this.samplesMs.push(performance.now() - start);
    return true;
  }

  result(wallMs, { operations = this.samplesMs.length, ...facts } = {}) {
    const { samplesMs, failedMs, errors, firstError } = this;
    return { samplesMs, failedMs, operations, wallMs, errors, firstError, facts };
  }
}

/** One caller, `count` operations one after the other. */
export async function sequence(count, operation) {
  const recorder = new Recorder();
  const { ms } = await timed(async () => {
    for (let i = 0; i < count; i++) await recorder.record(() => operation(i));
  });
  return recorder.result(ms);
}

/**
 * `writers` callers in one process, each with one operation in flight, until `seconds` are over.
 * `operation(writer, i)`: i counts the operations of that writer from 0.
 */
export async function closedLoop(writers, seconds, operation) {
  const recorder = new Recorder();
  const { ms } = await timed(async () => {
    const end = performance.now() + seconds * 1000;
    const caller = async (writer) => {
      for (let i = 0; performance.now() < end; i++) await recorder.record(() => operation(writer, i));
    };
    await Promise.all(Array.from({ length: writers }, (_, writer) => caller(writer)));
  });
  return recorder.result(ms);
}

/** A small repeatable source of numbers in [0, 1), so that both engines get the same data and questions. */
export function lottery(seed = 1) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Fails the round when the table does not hold what was acknowledged: a fast wrong answer is no result. */
export function expectEqual(actual, expected, what) {
  if (Number(actual) !== Number(expected)) throw new Error(`${what}: ${actual}, expected ${expected}`);
}
