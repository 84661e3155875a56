// How long do 4 readers wait for a filtered read while one writer appends without a pause, and does it get its turn?
import { closedLoop } from "../measure.mjs";
import { rows } from "../rows.mjs";

const ROWS = 10_000;
const READERS = 4;

export const variants = { "": { full: { seconds: 2 }, small: { seconds: 0.1 } } };

export const setup = ({ create }) => create("t", rows(ROWS));

export async function round({ state: table, size }) {
  const [reads, writes] = await Promise.all([
    closedLoop(READERS, size.seconds, (reader, i) =>
      table
        .query()
        .where(`id = ${(i * 101 + reader * 17) % ROWS}`)
        .toArrow(),
    ),
    closedLoop(1, size.seconds, (_, i) => table.add(rows(10, ROWS + i * 10))),
  ]);
  return {
    ...reads,
    errors: reads.errors + writes.errors,
    firstError: reads.firstError ?? writes.firstError,
    facts: {
      appendsPerSecond: Math.round((writes.operations / writes.wallMs) * 1000),
      slowestAppendMs: Math.round(Math.max(...writes.samplesMs)),
    },
  };
}
