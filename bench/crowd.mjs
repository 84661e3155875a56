// Several processes at work on one table: starts them, lets all go at the same moment, gathers what they saw.
import { fork } from "node:child_process";
import { once } from "node:events";
import { percentile, timed } from "./measure.mjs";

const WRITER = new URL("./writer.mjs", import.meta.url);
const READY_MS = 60_000;

/**
 * Runs `task` of writer.mjs in `processes` processes. They work for `warmUpSeconds` first, as a round that is not counted
 * does for workloads of one process: new processes compile code for seconds. Then the clock starts for all at once.
 * Answers one result for the crowd: all samples, all errors, the acknowledged operations of each process, and those of
 * the warm-up as `before`, which may go to a table of its own.
 */
export async function crowd({ engine, dir, options, processes, task, seconds, warmUpSeconds, warmUpTable = "t" }) {
  const children = Array.from({ length: processes }, (_, index) =>
    fork(WRITER, [JSON.stringify({ engine, dir, options, task, index, processes })], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    }),
  );
  try {
    const order = (what) => {
      for (const child of children) child.send(what);
      return Promise.all(children.map((child) => answer(child)));
    };
    await order({ open: warmUpTable });
    const warm = await order({ seconds: warmUpSeconds });
    // Counters begin anew.
    await order({ open: "t" });
    const { value: parts, ms } = await timed(() => order({ seconds }));
    return {
      before: warm.reduce((sum, part) => sum + part.samplesMs.length, 0),
      samplesMs: parts.flatMap((part) => part.samplesMs),
      operations: parts.reduce((sum, part) => sum + part.samplesMs.length, 0),
      wallMs: ms,
      errors: parts.reduce((sum, part) => sum + part.errors, 0),
      firstError: parts.find((part) => part.firstError)?.firstError,
      facts: {
        slowestShareOfMean: fairness(parts.map((part) => part.samplesMs.length)),
        worstP99Ms: worst(parts.map((part) => [...part.samplesMs, ...part.failedMs])),
        ...resolutions(parts.flatMap(({ conflicts }) => conflicts ?? [])),
      },
    };
  } finally {
    for (const child of children) child.kill();
  }
}

/** Acknowledged operations of the slowest process, as a share of the mean: 1 is fair, 0 is starvation. */
function fairness(counts) {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return mean === 0 ? 0 : Math.round((Math.min(...counts) / mean) * 100) / 100;
}

/**
 * The p99 of the process that waited longest, failed calls included. The p99 of all calls is that of whoever makes most
 * of them: a process that waits for seconds makes next to none (coordinated omission).
 */
function worst(waits) {
  return Math.round(Math.max(...waits.map((ms) => percentile(ms, 0.99))) * 10) / 10;
}

/**
 * What conflicts cost the process that resolved most of them, from the version that won to the next encoded manifest,
 * and for the disk before that. Only ours keeps these clocks.
 */
function resolutions(processes) {
  const [most] = processes.toSorted((a, b) => b.resolution.count - a.resolution.count);
  if (most === undefined) return {};
  const { count, p50Ms, p95Ms, p99Ms } = most.resolution;
  return {
    resolutions: count,
    resolutionP50Ms: p50Ms,
    resolutionP95Ms: p95Ms,
    resolutionP99Ms: p99Ms,
    resolutionDiskP50Ms: most.resolutionDisk.p50Ms,
  };
}

async function answer(child) {
  const signal = AbortSignal.timeout(READY_MS);
  const died = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`a writer process ended with code ${code} before it answered`);
  });
  died.catch(() => {});
  const [message] = await Promise.race([once(child, "message", { signal }), died]);
  if (message.error) throw new Error(message.error);
  return message;
}
