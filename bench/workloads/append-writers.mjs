// How many 1-row appends per second are acknowledged to many callers of one process, and how long does each wait?
import { closedLoop, expectEqual } from "../measure.mjs";
import { row } from "../rows.mjs";

const variant = (writers) => ({ full: { writers, seconds: 2 }, small: { writers, seconds: 0.1 } });

export const variants = { 4: variant(4), 16: variant(16), 64: variant(64) };

export const setup = ({ create }) => create("t", [row(0)]);

export async function round({ state: table, size }) {
  const result = await closedLoop(size.writers, size.seconds, (writer, i) => table.add([row(writer * 1e6 + i)]));
  expectEqual(await table.countRows(), result.operations + 1, "rows after the appends");
  return result;
}
