/** What all soak runs share: a place on disk, one line of progress, one line of figures, and the exit code. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRESS_MS = 500;
let saidMs = 0;

/** Rewrites one line on a terminal; elsewhere says nothing. */
export function progress(text) {
  if (!process.stderr.isTTY || performance.now() - saidMs < PROGRESS_MS) return;
  saidMs = performance.now();
  process.stderr.write(`\r\x1b[K${text}`);
}

/** Runs `main` on a fresh directory, which is removed when it is over. */
export async function inScratch(main) {
  const dir = mkdtempSync(join(tmpdir(), "joust-soak-"));
  try {
    return await main(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The last line: figures as JSON; then whatever failed. Sets the exit code. @param failures true for what went wrong */
export function finish(name, figures, failures) {
  const failed = Object.keys(failures).filter((what) => failures[what]);
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  for (const what of failed) console.log(`FAIL ${name}: ${what}`);
  console.log(`${failed.length === 0 ? "ok  " : "FAIL"} ${name} ${JSON.stringify(figures)}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

/** The line that fits the points best, by least squares: its slope, and the standard error of that. */
export function lineOf(points) {
  const n = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (variance === 0) return { slope: 0, error: 0 };
  const slope = covariance / variance;
  const rest = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  return { slope, error: n > 2 ? Math.sqrt(rest / (n - 2) / variance) : 0 };
}

/** The lowest of each `count` points in a row. */
export function lowest(points, count) {
  const found = [];
  for (let start = 0; start < points.length; start += count) {
    found.push(points.slice(start, start + count).reduce((least, point) => (point[1] < least[1] ? point : least)));
  }
  return found;
}
