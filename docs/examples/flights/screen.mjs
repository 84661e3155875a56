// What the terminal shows: a live line that redraws itself on a terminal, and plain lines everywhere else.
import { stripVTControlCharacters, styleText } from "node:util";

const PLAIN_EVERY_MS = 1000;

const terminal = process.stdout.isTTY === true;
const colours = terminal && !process.env.NO_COLOR && process.env.TERM !== "dumb";

export const style = (format, text) => (colours ? styleText(format, text) : text);
export const number = (value) => value.toLocaleString("en-US");
export const print = (text = "") => process.stdout.write(`${text}\n`);
export const heading = (text) => print(`\n${style("bold", text)}`);

export const bar = (share, width = 20) => {
  const full = Math.round(Math.min(1, share) * width);
  return `${style("cyan", "█".repeat(full))}${style("dim", "░".repeat(width - full))}`;
};

/** A line that is drawn again and again; on a log it is printed once a second instead. */
export class LiveLine {
  #printedMs = 0;

  draw(text, { last = false } = {}) {
    if (terminal) {
      process.stdout.write(`\r\x1b[2K${clip(text, (process.stdout.columns ?? 100) - 1)}${last ? "\n" : ""}`);
      return;
    }
    const now = performance.now();
    if (!last && now - this.#printedMs < PLAIN_EVERY_MS) return;
    this.#printedMs = now;
    print(text);
  }
}

/** A line too wide for the terminal loses its colours with its end, because a cut must not split an escape code. */
function clip(text, width) {
  const plain = stripVTControlCharacters(text);
  return plain.length <= width ? text : plain.slice(0, width);
}

/** Lines of cells, the first column to the left, the others to the right. */
export function columns(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("   "),
  );
}
