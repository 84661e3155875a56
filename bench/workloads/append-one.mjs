// How long does one acknowledged 1-row append take when nobody else writes?
import { expectEqual, sequence } from "../measure.mjs";
import { row } from "../rows.mjs";

export const variants = { "": { full: { appends: 200 }, small: { appends: 5 } } };

export const setup = ({ create }) => create("t", [row(0)]);

export async function round({ state: table, size }) {
  const result = await sequence(size.appends, (i) => table.add([row(i + 1)]));
  expectEqual(await table.countRows(), result.operations + 1, "rows after the appends");
  return result;
}
