/** One writer process of the process tests: does its job on a table and prints a line for each intent and each answer. */
import { writeSync } from "node:fs";
import { connect } from "joust";

const job = JSON.parse(process.argv[2]);
// Synchronous, so that a line that was printed is in the pipe whatever happens to this process next.
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);

const jobs = {
  /** Appends `count` rows one by one; ids are unique over all workers. */
  async append(table) {
    for (let i = 0; i < job.count; i++) {
      const id = job.worker * 1_000_000 + i;
      say({ intent: id });
      const { version, attempts, rebases } = await table.add([{ id, worker: job.worker, n: 0 }]);
      say({ ack: id, version, attempts, rebases });
    }
  },
  /** Adds 1 to `n` of the row of this worker, or of the shared row. */
  async increment(table) {
    for (let i = 0; i < job.count; i++) {
      const { version, rowsUpdated, attempts } = await table.update({
        where: `id = ${job.row}`,
        valuesSql: { n: "n + 1" },
      });
      say({ ack: i, version, rowsUpdated, attempts });
    }
  },
  /** Deletes the rows `from` up to `to`, one by one. */
  async delete(table) {
    for (let id = job.from; id < job.to; id++) {
      const { version, numDeletedRows } = await table.delete(`id = ${id}`);
      say({ ack: id, version, numDeletedRows });
    }
  },
  /** Adds rows of its own, changes each and deletes every third, one by one. */
  async churn(table) {
    for (let i = 0; i < job.count; i++) {
      const id = job.worker * 1_000_000 + i;
      await table.add([{ id, worker: job.worker, n: 0 }]);
      await table.update({ where: `id = ${id}`, valuesSql: { n: "n + 1" } });
      if (i % 3 === 0) await table.delete(`id = ${id}`);
      say({ ack: id });
    }
  },
  /** Compacts again and again for `forMs`. */
  async compact(table) {
    for (const end = performance.now() + job.forMs; performance.now() < end; ) {
      const { compaction } = await table.optimize({ targetRowsPerFragment: job.targetRows });
      say({ removed: compaction.fragmentsRemoved, added: compaction.fragmentsAdded });
    }
  },
  /** Upserts the same keys as every other worker. */
  async upsert(table) {
    for (let round = 0; round < job.count; round++) {
      const rows = Array.from({ length: job.keys }, (_, id) => ({ id, worker: job.worker, n: round }));
      const merge = table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll();
      const { version, numInsertedRows, numUpdatedRows } = await merge.execute(rows);
      say({ ack: round, version, numInsertedRows, numUpdatedRows });
    }
  },
};

try {
  const db = await connect(job.dir, job.options ?? {});
  const table = await db.openTable(job.table);
  say({ ready: job.worker });
  await jobs[job.kind](table);
  if (!job.forget) await db.close();
} catch (error) {
  say({ error: error.code ?? "?", message: error.message });
  process.exitCode = 1;
}
