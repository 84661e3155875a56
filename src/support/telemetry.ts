/**
 * What the package tells about itself: histograms of durations, and events for whoever listens.
 *
 * Recording allocates nothing. A histogram has 16 buckets for each doubling of the value, so that a quantile is at most
 * one sixteenth above the true one. Events go out on `node:diagnostics_channel` and cost a look at a flag when nobody
 * listens.
 */
import { tracingChannel } from "node:diagnostics_channel";

/** Quantiles of durations in milliseconds, each at most 6.25 % above the true value; all 0 when nothing was recorded. */
export interface Durations {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const SUB_BITS = 4;
const SUBS = 1 << SUB_BITS;
const MICROS_MAX = 2 ** 32 - 1;
const BUCKETS = bucketOf(MICROS_MAX) + 1;

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  record(ms: number): void {
    const micros = Math.min(MICROS_MAX, Math.max(0, Math.ceil(ms * 1000)));
    const bucket = bucketOf(micros);
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#count++;
    this.#sumMs += ms;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** The value that a share of what was recorded does not exceed. */
  quantileMs(share: number): number {
    let left = Math.max(1, Math.ceil(share * this.#count));
    if (this.#count === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket]!;
      if (left <= 0) return Math.min(this.#maxMs, upperMicros(bucket) / 1000);
    }
    return this.#maxMs;
  }

  summary(): Durations {
    return {
      count: this.#count,
      meanMs: this.#count === 0 ? 0 : this.#sumMs / this.#count,
      p50Ms: this.quantileMs(0.5),
      p95Ms: this.quantileMs(0.95),
      p99Ms: this.quantileMs(0.99),
      maxMs: this.#maxMs,
    };
  }

  /** Adds what another histogram has recorded. */
  merge(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#counts[bucket] = this.#counts[bucket]! + other.#counts[bucket]!;
    }
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }
}

/** Values below 32 µs have a bucket each; above, 16 buckets share each doubling. */
function bucketOf(micros: number): number {
  if (micros < 2 * SUBS) return micros;
  const shift = 31 - SUB_BITS - Math.clz32(micros);
  return (shift + 1) * SUBS + (micros >>> shift) - SUBS;
}

/** The greatest value of a bucket, microseconds. */
function upperMicros(bucket: number): number {
  if (bucket < 2 * SUBS) return bucket;
  const shift = Math.floor(bucket / SUBS) - 1;
  return ((bucket % SUBS) + SUBS + 1) * 2 ** shift - 1;
}

/** Commits as seen from outside: `tracing:joust:commit:*`. Messages carry table, writes and, at the end, the version. */
export const commitChannel = tracingChannel<CommitMessage>("joust:commit");
/** Reads from their first to their last batch: `tracing:joust:read:*`. */
export const readChannel = tracingChannel<ReadMessage>("joust:read");

export interface CommitMessage {
  readonly table: string;
  /** Writes that share the commit. */
  readonly writes: number;
  version?: number;
  attempts?: number;
}

export interface ReadMessage {
  readonly table: string;
  readonly version: number;
}
