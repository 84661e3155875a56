// How many rows per second does one write of a large Arrow table store?
import { expectEqual, timed } from "../measure.mjs";
import { bulkTable } from "../rows.mjs";

export const variants = { "": { full: { rows: 1_000_000 }, small: { rows: 1_000 } } };

export const setup = ({ size }) => bulkTable(size.rows);

export async function round({ create, state: data, size }) {
  const { value: table, ms } = await timed(() => create("t", data));
  expectEqual(await table.countRows(), size.rows, "rows after the write");
  return { samplesMs: [ms], operations: size.rows, wallMs: ms, errors: 0, facts: {} };
}
