/** Random tables and random changes to them, said once and done by native LanceDB or by this package. */
import { createRequire } from "node:module";
import * as arrow from "apache-arrow";
import { randomColumn, randomType } from "./random-tables.mjs";

// Native tells fields by instanceof, and loads the CommonJS build.
const required = createRequire(import.meta.url)("apache-arrow");
const field = (name, type) => new arrow.Field(name, type, true);

/** Columns that steps refer to; the others are of any type and only carried along. */
const FIXED = [
  field("id", new arrow.Int32()),
  field("n", new arrow.Int32()),
  field("s", new arrow.Utf8()),
  field("vector", new arrow.FixedSizeList(4, field("item", new arrow.Float32()))),
];

/** What a table is like from its first to its last version. */
export function randomPlan(random) {
  const version = random.pick(["2.2", "2.2", "2.1", "2.0"]);
  const count = random.below(4);
  const others = Array.from({ length: count }, (_, i) => field(`c${i}`, randomType(random, version)));
  return {
    version,
    stableRowIds: random.below(4) === 0,
    v2Names: random.below(8) !== 0,
    schema: new arrow.Schema([...FIXED, ...others]),
    nextId: 0,
    names: 0,
  };
}

/** Rows with these ids for the columns that the table has now. */
function rowsFor(random, plan, ids) {
  const rows = ids.length;
  const columns = plan.schema.fields.map(({ name, type }) => {
    if (name === "id") return arrow.vectorFromArray(ids, type).data[0];
    if (name === "n") {
      const values = ids.map(() => (random.below(6) === 0 ? null : random.below(20) - 5));
      return arrow.vectorFromArray([...values, 0], type).slice(0, rows).data[0];
    }
    return randomColumn(random, type, rows, plan.version !== "2.0").data[0];
  });
  const struct = new arrow.Struct(plan.schema.fields);
  const data = arrow.makeData({ type: struct, length: rows, nullCount: 0, children: columns });
  return new arrow.Table(plan.schema, [new arrow.RecordBatch(plan.schema, data)]);
}

export function newRows(random, plan) {
  const rows = random.pick([1, 3, 20, 150, 700]);
  const first = plan.nextId;
  plan.nextId += rows;
  return rowsFor(
    random,
    plan,
    Array.from({ length: rows }, (_, i) => first + i),
  );
}

/** A condition on columns that are always there. */
export function randomFilter(random, plan) {
  const a = random.below(plan.nextId + 1);
  const b = random.below(plan.nextId + 1);
  return random.pick([
    `id >= ${Math.min(a, b)} AND id < ${Math.max(a, b)}`,
    `id % ${2 + random.below(5)} = ${random.below(2)}`,
    `n = ${random.below(10)}`,
    "n IS NULL",
    "n > 3 OR s IS NULL",
    `id IN (${a}, ${b}, 1)`,
    "s LIKE 'v%1'",
    `NOT (n < 2) AND id <> ${a}`,
  ]);
}

const STEPS = {
  add: (random, plan) => {
    const rows = newRows(random, plan);
    return { text: `add ${rows.numRows} rows`, run: (table) => table.add(rows) };
  },
  delete: (random, plan) => {
    const filter = randomFilter(random, plan);
    return { text: `delete ${filter}`, run: (table) => table.delete(filter) };
  },
  update: (random, plan) => {
    const where = randomFilter(random, plan);
    const valuesSql = random.pick([
      { n: "n + 1" },
      { s: "'new'" },
      { n: "NULL" },
      { n: "id % 7", s: "concat('x', s)" },
    ]);
    return { text: `update ${where} ${JSON.stringify(valuesSql)}`, run: (table) => table.update({ where, valuesSql }) };
  },
  merge: (random, plan) => {
    const known = new Set(Array.from({ length: random.below(30) }, () => random.below(plan.nextId + 1)));
    const first = plan.nextId + 1;
    const fresh = random.below(20);
    plan.nextId += fresh + 1;
    const rows = rowsFor(random, plan, [...known, ...Array.from({ length: fresh + 1 }, (_, i) => first + i)]);
    const how = random.pick(["upsert", "insert", "update", "replace"]);
    const run = (table) => {
      let merge = table.mergeInsert("id");
      if (how !== "insert") merge = merge.whenMatchedUpdateAll();
      if (how !== "update") merge = merge.whenNotMatchedInsertAll();
      if (how === "replace") merge = merge.whenNotMatchedBySourceDelete({ where: "id % 11 = 3" });
      return merge.execute(rows);
    };
    return { text: `merge ${how} ${rows.numRows} rows`, run };
  },
  overwrite: (random, plan) => {
    const rows = newRows(random, plan);
    return { text: `overwrite with ${rows.numRows} rows`, run: (table) => table.add(rows, { mode: "overwrite" }) };
  },
  addColumn: (random, plan) => {
    const name = `x${plan.names++}`;
    const valueSql = random.pick(["n * 2", "concat(s, '!')", "id", "n > 3"]);
    const type = { "n * 2": new arrow.Int32(), id: new arrow.Int32(), "n > 3": new arrow.Bool() }[valueSql];
    const run = (table) => table.addColumns([{ name, valueSql }]);
    return { text: `add column ${name} = ${valueSql}`, run, after: () => grow(plan, name, type ?? new arrow.Utf8()) };
  },
  addNulls: (_random, plan) => {
    const name = `x${plan.names++}`;
    const run = (table) => table.addColumns([new required.Field(name, new required.Utf8(), true)]);
    return { text: `add column ${name} of nulls`, run, after: () => grow(plan, name, new arrow.Utf8()) };
  },
  rename: (random, plan) => {
    const old = loose(random, plan);
    const rename = `x${plan.names++}`;
    if (old === undefined) return undefined;
    const run = (table) => table.alterColumns([{ path: old.name, rename }]);
    const after = () => replaceColumn(plan, old.name, field(rename, old.type));
    return { text: `rename ${old.name} to ${rename}`, run, after };
  },
  cast: (random, plan) => {
    const old = loose(random, plan);
    if (old === undefined || old.type.typeId !== arrow.Type.Int || old.type.bitWidth !== 32 || !old.type.isSigned)
      return undefined;
    const run = (table) => table.alterColumns([{ path: old.name, dataType: new required.Int64() }]);
    return {
      text: `cast ${old.name}`,
      run,
      after: () => replaceColumn(plan, old.name, field(old.name, new arrow.Int64())),
    };
  },
  drop: (random, plan) => {
    const old = loose(random, plan);
    if (old === undefined) return undefined;
    return {
      text: `drop ${old.name}`,
      run: (table) => table.dropColumns([old.name]),
      after: () => replaceColumn(plan, old.name),
    };
  },
  optimize: () => ({ text: "optimize", run: (table) => table.optimize() }),
  tag: (random) => {
    const name = `t${random.below(3)}`;
    return {
      text: `tag ${name}`,
      run: async (table) => {
        const tags = await table.tags();
        const known = await tags.list();
        const version = await table.version();
        if (name in known) await tags.update(name, version);
        else await tags.create(name, version);
      },
    };
  },
  restore: (random, plan) => {
    const back = random.below(4);
    const saved = plan.history;
    if (saved === undefined || saved.length === 0) return undefined;
    const target = saved[Math.max(0, saved.length - 1 - back)];
    return {
      text: `restore the state after step ${target.step}`,
      run: async (table, name) => {
        await table.checkout(target.versions[name]);
        await table.restore();
        await table.checkoutLatest();
      },
      after: () => {
        plan.schema = target.schema;
      },
    };
  },
};

/** Only native does these, whoever's turn it is. */
const NATIVE_STEPS = {
  index: (random) => {
    const column = random.pick(["id", "n", "s"]);
    return { text: `index ${column}`, run: (table) => table.createIndex(column), optional: true };
  },
};

const WEIGHTS = { add: 5, delete: 4, update: 4, merge: 4, overwrite: 1, addColumn: 2, addNulls: 1, rename: 1, cast: 1 };
const LOTTERY = Object.keys(STEPS).flatMap((name) => Array(WEIGHTS[name] ?? 1).fill(name));

/** The next change: `run(table, name)` on a table of either side, `after()` once when it is done. */
export function randomStep(random, plan) {
  if (random.below(12) === 0) {
    const name = random.pick(Object.keys(NATIVE_STEPS));
    return { ...NATIVE_STEPS[name](random, plan), nativeOnly: true };
  }
  for (;;) {
    const step = STEPS[random.pick(LOTTERY)](random, plan);
    if (step !== undefined) return step;
  }
}

/** A column that no other step refers to. */
function loose(random, plan) {
  const names = new Set(FIXED.map(({ name }) => name));
  return random.pick(plan.schema.fields.filter(({ name }) => !names.has(name)));
}

function grow(plan, name, type) {
  plan.schema = new arrow.Schema([...plan.schema.fields, field(name, type)]);
}

function replaceColumn(plan, name, ...by) {
  plan.schema = new arrow.Schema(plan.schema.fields.flatMap((one) => (one.name === name ? by : [one])));
}
