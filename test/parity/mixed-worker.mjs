/**
 * One writer of mixed.mjs: changes only its own rows and remembers what was acknowledged. Started by fork with
 * {root, side, index, operations, seed}; answers with what it believes to be in the table.
 */
import { connect, Index } from "@lancedb/lancedb";
import { joust } from "./joust.mjs";
import { chance } from "./random-tables.mjs";

/** Ids of one writer; nobody else uses them. */
const IDS_OF_WRITER = 10_000_000;
const DIMENSION = 8;
/** How often native tries an operation again that lost against another writer, as a program would. */
const NATIVE_TRIES = 20;

const job = JSON.parse(process.argv[2]);
const random = chance(job.seed * 97 + job.index);
const isNative = job.side === "native";
const database = isNative
  ? await connect(job.root, { readConsistencyInterval: 0 })
  : await joust.connect(job.root, { durability: job.durability });
const table = await database.openTable("t");

/** id → n, acknowledged; ids whose last change has no known outcome are in `doubtful`. */
const rows = new Map();
const doubtful = new Set();
const done = {};
const failures = [];
let nextId = job.index * IDS_OF_WRITER;
let columns = 0;

const rowOf = (id, n) => ({
  id,
  n,
  writer: job.index,
  vector: Array.from({ length: DIMENSION }, () => random.next()),
});
const fresh = (count) => Array.from({ length: count }, () => rowOf(nextId++, random.below(1000)));
/** Some own rows: a run of ids, which lie near each other, and so share fragments with other changes. */
function some() {
  const ids = [...rows.keys()];
  const start = random.below(Math.max(1, ids.length - 5));
  return ids.slice(start, start + 1 + random.below(8));
}

const OPERATIONS = {
  add: () => {
    const added = fresh(1 + random.below(20));
    return { ids: added.map(({ id }) => id), run: () => table.add(added), after: () => keep(added) };
  },
  delete: () => {
    const ids = some();
    if (ids.length === 0) return undefined;
    const after = () => {
      for (const id of ids) rows.delete(id);
    };
    return { ids, run: () => table.delete(`id IN (${ids.join()})`), after };
  },
  update: () => {
    const ids = some();
    if (ids.length === 0) return undefined;
    const n = random.below(1000);
    const after = () => {
      for (const id of ids) rows.set(id, n);
    };
    return { ids, run: () => table.update({ where: `id IN (${ids.join()})`, values: { n } }), after };
  },
  merge: () => {
    const source = [...some().map((id) => rowOf(id, random.below(1000))), ...fresh(1 + random.below(5))];
    // Native wants every column of the table in the source; columns that others added are not known here.
    const run = () => table.mergeInsert("id").whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(source);
    return { ids: source.map(({ id }) => id), run, after: () => keep(source), whole: true };
  },
};

const CHORES = {
  optimize: () => table.optimize(),
  // Nobody but native builds indices.
  index: () => (isNative ? table.createIndex(random.pick(["id", "n"]), { config: Index.btree() }) : table.optimize()),
  addColumns: () => table.addColumns([{ name: `extra${job.index}_${columns++}`, valueSql: "n + 1" }]),
  cleanup: () => table.optimize({ cleanupOlderThan: new Date(Date.now() - 2000) }),
};

function keep(changed) {
  for (const { id, n } of changed) rows.set(id, n);
}

/** True when the failure says that nothing was changed. */
function isDefinite(error) {
  return isNative
    ? /conflict|concurrent|Incompatible|preempted/i.test(error.message)
    : error.code !== "UNKNOWN_OUTCOME";
}

function note(kind, error) {
  const text = `${String(error.code ?? "")} ${String(error.message ?? error).replace(/\d{4,}|[0-9a-f-]{30,}/g, "#")}`;
  failures.push({ kind, text: text.trim().slice(0, 400) });
}

async function attempt(kind, operation) {
  for (let tries = 1; ; tries++) {
    try {
      await operation.run();
      operation.after();
      done[kind] = (done[kind] ?? 0) + 1;
      return;
    } catch (error) {
      note(kind, error);
      if (!isDefinite(error)) {
        for (const id of operation.ids) doubtful.add(id);
        return;
      }
      if (!isNative || tries === NATIVE_TRIES) return;
    }
  }
}

async function look() {
  const found = await table.query().where(`writer = ${job.index}`).select(["id", "n"]).toArray();
  const seen = new Map(found.map(({ id, n }) => [Number(id), Number(n)]));
  const wrong = [...rows].filter(([id, n]) => !doubtful.has(id) && seen.get(id) !== n);
  const extra = [...seen.keys()].filter((id) => !doubtful.has(id) && !rows.has(id));
  if (wrong.length + extra.length === 0 && found.length === seen.size) return;
  const lost = wrong.slice(0, 5).map(([id, n]) => `${id}: ${n} is ${seen.get(id)}`);
  failures.push({
    kind: "LOOK",
    text: `version ${await table.version()}: ${wrong.length} wrong (${lost}), ${extra.length} extra (${extra.slice(0, 5)}), ${found.length - seen.size} twice`,
  });
}

for (let i = 0; i < job.operations; i++) {
  if (job.chores && i % 25 === 24) {
    const kind = random.pick(Object.keys(CHORES));
    try {
      await CHORES[kind]();
      done[kind] = (done[kind] ?? 0) + 1;
    } catch (error) {
      note(kind, error);
    }
  }
  const kind = random.pick(["add", "add", "delete", "update", "merge"]);
  const operation = OPERATIONS[kind]() ?? OPERATIONS.add();
  await attempt(kind, operation);
  if (i % 50 === 49) await look().catch((error) => note("look", error));
}
await look().catch((error) => note("look", error));
await database.close();
process.send({ rows: [...rows], doubtful: [...doubtful], done, failures });
process.disconnect();
