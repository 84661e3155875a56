// What do 1,000 1-row appends in flight come to: kept up for two seconds, and started once by a program that was idle?
// The processes of the benchmark wait for each other, up to half a minute here, and come back with cold caches.
import { closedLoop, expectEqual, Recorder, timed } from "../measure.mjs";
import { row } from "../rows.mjs";

export const variants = {
  steady: { full: { appends: 1000, seconds: 2 }, small: { appends: 50, seconds: 0.1 } },
  burst: { full: { appends: 1000 }, small: { appends: 50 } },
};

export const setup = ({ create }) => create("t", [row(0)]);

export async function round({ state: table, size }) {
  let next = 1;
  const add = () => table.add([row(next++)]);
  const result =
    size.seconds === undefined ? await once(size.appends, add) : await closedLoop(size.appends, size.seconds, add);
  expectEqual(await table.countRows(), result.operations + 1, "rows after the appends");
  return result;
}

async function once(count, add) {
  const recorder = new Recorder();
  const { ms } = await timed(() => Promise.all(Array.from({ length: count }, () => recorder.record(add))));
  return recorder.result(ms);
}
