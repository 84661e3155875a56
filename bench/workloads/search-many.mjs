// Exact searches for many vectors: one call for all of them (`searchMany`), or one call for each?
// LanceDB gets one query with all vectors where we get searchMany.
import { expectEqual, sequence } from "../measure.mjs";
import { vectors, vectorTable } from "../rows.mjs";

const variant = (together, rows) => ({
  full: { rows, dimension: 128, searches: 32, times: 2, together },
  small: { rows: 500, dimension: 8, searches: 3, times: 1, together },
});

// 100,000 vectors of 512 bytes stay in memory, 400,000 do not.
export const variants = {
  "together-100k": variant(true, 100_000),
  "apart-100k": variant(false, 100_000),
  "together-400k": variant(true, 400_000),
  "apart-400k": variant(false, 400_000),
};

export const keepsTable = true;

export async function setup({ create, size, engine }) {
  const table = await create("t", await vectorTable(size.rows, size.dimension));
  return { table, engine, questions: vectors(size.searches, size.dimension) };
}

const ask = (table, question) => table.vectorSearch(question).select(["id", "_distance"]).limit(10);

async function searchAll({ table, engine, questions }, together) {
  if (!together) {
    let rows = 0;
    for (const question of questions) rows += (await ask(table, question).toArrow()).numRows;
    return rows;
  }
  if (engine !== "joust") {
    const query = ask(table, questions[0]);
    for (const question of questions.slice(1)) query.addQueryVector(question);
    return (await query.toArrow()).numRows;
  }
  const found = await table.searchMany(questions.map((question) => ask(table, question)));
  return found.reduce((sum, { numRows }) => sum + numRows, 0);
}

export async function round({ state, size }) {
  const result = await sequence(size.times, async () => {
    expectEqual(await searchAll(state, size.together), 10 * size.searches, "neighbours found");
  });
  return { ...result, operations: size.times * size.searches };
}
