// Who does what, as plain values: which rows each writer appends in which batch, and what happens to a batch later.
// Everything the processes do follows from this, so that the result can be proved afterwards.

/** Rows per append, so that every run of some size makes hundreds of commits. */
export const batchRows = (rows) => Math.max(50, Math.min(10_000, Math.ceil(rows / 400)));

/** The share of writer `index`: rows `from` to `to`. */
export function share(rows, writers, index) {
  const at = (part) => Math.floor((rows * part) / writers);
  return { from: at(index), to: at(index + 1) };
}

/** The batches of writer `index`: ranges of row ids, and a number that no other batch has. */
export function batches(rows, writers, index) {
  const { from, to } = share(rows, writers, index);
  const size = batchRows(rows);
  const count = Math.ceil((to - from) / size);
  return Array.from({ length: count }, (_, i) => ({
    batch: i * writers + index,
    from: from + i * size,
    to: Math.min(to, from + (i + 1) * size),
  }));
}

const CHANGES = [
  {
    kind: "update",
    where: (batch) => `batch = ${batch} AND delay >= 60`,
    valuesSql: { penalty: "penalty + delay * 2", revision: "revision + 1" },
    matches: (delay) => delay >= 60,
    apply: (row) => ({ penalty: row.penalty + row.delay * 2, revision: row.revision + 1 }),
  },
  {
    kind: "delete",
    where: (batch) => `batch = ${batch} AND distance < 200`,
    matches: (_, distance) => distance < 200,
  },
  {
    kind: "update",
    where: (batch) => `batch = ${batch} AND distance >= 2000 AND delay < 0`,
    valuesSql: { penalty: "penalty + delay", revision: "revision + 1" },
    matches: (delay, distance) => distance >= 2000 && delay < 0,
    apply: (row) => ({ penalty: row.penalty + row.delay, revision: row.revision + 1 }),
  },
];

/** What the changing process does to a batch once it is committed: every third batch, one kind after the other. */
export const changeOf = (batch) => (batch % 3 === 0 ? CHANGES[(batch / 3) % CHANGES.length] : undefined);

/** How many batches a writer appends before it adds them to the row that all writers share. */
export const TALLY_EVERY = 5;
