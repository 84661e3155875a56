/**
 * One process of the mixed run: every kind of write and read, on rows of its own, whose content it knows, on counters
 * that all processes increase, and on keys that all of them upsert. Says at the end what was acknowledged.
 */
import { connect } from "joust";
import { chanceOf } from "./chance.mjs";
import { run, say } from "./say.mjs";

const ROWS_MIN = 100;
const ROWS_MAX = 500;
const RANGE = 1_000_000;

await run(async ({ dir, worker, forMs, counters, sharedKeys, options }) => {
  const chance = chanceOf(worker);
  const db = await connect(dir, options);
  const table = await db.openTable("t");
  const model = new Map();
  const increments = new Map();
  const upserts = [];
  const done = {};
  let nextId = worker * RANGE;
  const own = `id >= ${worker * RANGE} AND id < ${(worker + 1) * RANGE}`;

  const expectRows = (count, expected, what) => {
    if (count !== expected) say({ wrong: `${what}: ${count} rows where ${expected} were expected` });
  };
  const anyId = () => chance.pick([...model.keys()]);
  const operations = {
    async add() {
      if (model.size >= ROWS_MAX) return;
      const rows = Array.from({ length: 1 + chance.below(10) }, () => ({ id: nextId++, n: chance.below(1000) }));
      await table.add(rows);
      for (const { id, n } of rows) model.set(id, n);
    },
    async update() {
      const from = anyId();
      const { rowsUpdated } = await table.update({
        where: `id >= ${from} AND id < ${from + 5} AND ${own}`,
        valuesSql: { n: "n + 1" },
      });
      let expected = 0;
      for (let id = from; id < from + 5; id++) {
        if (!model.has(id)) continue;
        model.set(id, model.get(id) + 1);
        expected++;
      }
      expectRows(rowsUpdated, expected, "update");
    },
    async delete() {
      if (model.size <= ROWS_MIN) return;
      const id = anyId();
      const { numDeletedRows } = await table.delete(`id = ${id}`);
      model.delete(id);
      expectRows(numDeletedRows, 1, "delete");
    },
    async mergeInsert() {
      const rows = [
        { id: anyId(), n: chance.below(1000) },
        { id: nextId++, n: chance.below(1000) },
      ];
      const merge = table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll();
      const { numUpdatedRows, numInsertedRows } = await merge.execute(rows);
      for (const { id, n } of rows) model.set(id, n);
      expectRows(numUpdatedRows, 1, "mergeInsert, matched");
      expectRows(numInsertedRows, 1, "mergeInsert, new");
    },
    async increment() {
      const id = -1 - chance.below(counters);
      const { rowsUpdated } = await table.update({ where: `id = ${id}`, valuesSql: { n: "n + 1" } });
      increments.set(id, (increments.get(id) ?? 0) + 1);
      expectRows(rowsUpdated, 1, "increment");
    },
    async upsertShared() {
      const id = chance.below(sharedKeys);
      const n = worker * RANGE + upserts.length;
      const merge = table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll();
      const { version } = await merge.execute([{ id, n }]);
      upserts.push([version, id, n]);
    },
    async read() {
      const rows = (await table.query().where(own).toArray()).map(({ id, n }) => `${id} ${n}`).sort();
      const expected = [...model].map(([id, n]) => `${id} ${n}`).sort();
      if (rows.join() !== expected.join()) say({ wrong: `own rows: ${rows.length}, expected ${expected.length}` });
      expectRows(await table.countRows(own), expected.length, "countRows");
    },
    async travel() {
      const handle = await db.openTable("t");
      const { version } = chance.pick(await handle.listVersions());
      try {
        await handle.checkout(version);
      } catch (error) {
        if (error.code === "NOT_FOUND") return;
        throw error;
      }
      const read = async () =>
        (await handle.query().toArray())
          .map(({ id, n }) => `${id} ${n}`)
          .sort()
          .join();
      const first = await read();
      if ((await read()) !== first) say({ wrong: `version ${version} changed while it was checked out` });
      handle.close();
    },
  };
  const kinds = [
    "add",
    "add",
    "update",
    "update",
    "delete",
    "mergeInsert",
    "increment",
    "upsertShared",
    "read",
    "travel",
  ];

  while (model.size < ROWS_MIN) await operations.add();
  say({ ready: true });
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    const kind = chance.pick(kinds);
    try {
      await operations[kind]();
    } catch (error) {
      error.message = `${kind}: ${error.message}`;
      error.stack = `${kind}: ${error.stack}`;
      throw error;
    }
    done[kind] = (done[kind] ?? 0) + 1;
  }
  const { conflicts } = db.metrics().tables.get("t");
  await db.close();
  say({ done, model: [...model], increments: [...increments], upserts, lostRaces: conflicts.lostRaces });
});
