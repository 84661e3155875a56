// What happens when a program starts 1,000 1-row appends at once and waits for all of them?
import { expectEqual, Recorder, timed } from "../measure.mjs";
import { row } from "../rows.mjs";

export const variants = { "": { full: { appends: 1000 }, small: { appends: 50 } } };

export const setup = ({ create }) => create("t", [row(0)]);

export async function round({ state: table, size }) {
  const recorder = new Recorder();
  const { ms } = await timed(() =>
    Promise.all(Array.from({ length: size.appends }, (_, i) => recorder.record(() => table.add([row(i + 1)])))),
  );
  const result = recorder.result(ms);
  expectEqual(await table.countRows(), result.operations + 1, "rows after the appends");
  return result;
}
