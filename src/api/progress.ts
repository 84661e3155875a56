/** Progress of a write, in LanceDB's shape. */
import type { WriteProgress } from "./results.js";

/** Told how much has been written so far. */
export type Report = (rows: number, sizeBytes: number, done?: boolean) => void;

const NOBODY: Report = () => {};

/** What the callback throws is logged and never reaches the write. */
export function reporter(callback: ((progress: WriteProgress) => void) | undefined, clockMs: () => number): Report {
  if (callback === undefined) return NOBODY;
  const startedMs = clockMs();
  let last = { rows: 0, sizeBytes: 0 };
  return (rows, sizeBytes, done = false) => {
    last = { rows: Math.max(last.rows, rows), sizeBytes: Math.max(last.sizeBytes, sizeBytes) };
    try {
      callback({
        outputRows: last.rows,
        outputBytes: last.sizeBytes,
        ...(done ? { totalRows: last.rows } : {}),
        elapsedSeconds: (clockMs() - startedMs) / 1000,
        activeTasks: done ? 0 : 1,
        totalTasks: 1,
        done,
      });
    } catch (error) {
      console.warn("The progress callback of add() threw:", error);
    }
  };
}
