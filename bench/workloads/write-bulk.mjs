// How many rows per second does one write of a large Arrow table store, and how many bytes are on disk afterwards?
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expectEqual, timed } from "../measure.mjs";
import { bulkTable } from "../rows.mjs";

export const variants = { "": { full: { rows: 1_000_000 }, small: { rows: 1_000 } } };

export const setup = ({ size }) => bulkTable(size.rows);

export async function round({ create, dir, state: data, size }) {
  const { value: table, ms } = await timed(() => create("t", data));
  expectEqual(await table.countRows(), size.rows, "rows after the write");
  return { samplesMs: [ms], operations: size.rows, wallMs: ms, errors: 0, facts: { bytes: bytesIn(dir) } };
}

function bytesIn(dir) {
  const names = readdirSync(dir, { recursive: true });
  return names
    .map((name) => statSync(join(dir, name)))
    .reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0);
}
