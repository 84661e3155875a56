// How much faster are filtered scans, counts and searches of a large table in reader threads (`readers: n`)?
// LanceDB has threads of its own and no such option: its figure is the same for every number of readers.
import { openEngine } from "../engines.mjs";
import { expectEqual, sequence } from "../measure.mjs";
import { bulkTable } from "../rows.mjs";

const ALL = 5_000_000;
const PART = 500_000;

const variant = (readers, ask) => ({
  full: { rows: ALL, part: PART, times: 3, readers, ask },
  small: { rows: 40_000, part: 20_000, times: 1, readers, ask },
});

const ASKS = {
  filter: async (table) => (await table.query().select(["id", "value"]).where(FILTER).toArrow()).numRows,
  wide: async (table) => (await table.query().where("value < 0.1").toArrow()).numRows,
  count: (table) => table.countRows(FILTER),
  nearest: async (table) => (await table.vectorSearch(QUESTION).select(["id"]).limit(10).toArrow()).numRows,
};
const FILTER = "value < 0.5 AND kind LIKE 'kind 1%'";
const QUESTION = new Array(32).fill(0.5);

export const variants = Object.fromEntries(
  Object.keys(ASKS).flatMap((ask) => [0, 1, 2].map((readers) => [`${ask}-${readers}`, variant(readers, ask)])),
);

export const keepsTable = true;

export async function setup({ create, db, dir, engine, size, options }) {
  const part = await bulkTable(size.part);
  const made = await create("t", part);
  for (let rows = size.part; rows < size.rows; rows += size.part) await made.add(part);
  if (engine !== "joust") return { table: made, expected: await ASKS[size.ask](made) };
  const expected = await ASKS[size.ask](made);
  await db.close();
  const reopened = await openEngine(engine, dir, {
    ...options,
    connectOptions: { readers: size.readers, maintenance: { auto: false } },
  });
  return { table: await reopened.db.openTable("t"), expected };
}

export async function round({ state: { table, expected }, size }) {
  const result = await sequence(size.times, async () => {
    expectEqual(await ASKS[size.ask](table), expected, "rows found");
  });
  return { ...result, operations: size.times * size.rows };
}
