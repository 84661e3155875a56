// Does a 1-row append cost more when the table already has many fragments?
import { sequence } from "../measure.mjs";
import { row } from "../rows.mjs";

const variant = (fragments) => ({ full: { fragments, appends: 100 }, small: { fragments: 10, appends: 5 } });

export const variants = { 100: variant(100), 3000: variant(3000) };

export const keepsTable = true;

/** A compaction would take the fragments away that this is about. */
export const connectOptions = { maintenance: { auto: false } };

export async function setup({ create, size }) {
  const table = await create("t", [row(0)]);
  for (let i = 1; i < size.fragments; i++) await table.add([row(i)]);
  return table;
}

export const round = ({ state: table, size }) => sequence(size.appends, (i) => table.add([row(i)]));
