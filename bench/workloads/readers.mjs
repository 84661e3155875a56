// How much faster are filtered scans, counts and searches of a large table in reader threads (`readers: n`)?
// LanceDB has threads of its own and no such option: its figure is the same for every number of readers.
// The question is asked for some seconds first: each thread compiles its own code, which takes about 40 scans.
import { openEngine } from "../engines.mjs";
import { closedLoop, expectEqual } from "../measure.mjs";
import { bulkTable } from "../rows.mjs";

const ALL = 5_000_000;
const PART = 500_000;

const variant = (readers, ask) => ({
  full: { rows: ALL, part: PART, seconds: 3, warmUpSeconds: 6, readers, ask },
  small: { rows: 40_000, part: 20_000, seconds: 0.1, warmUpSeconds: 0.1, readers, ask },
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
  const expected = await ASKS[size.ask](made);
  const table = engine === "joust" ? await withReaders() : made;
  await closedLoop(1, size.warmUpSeconds, () => ASKS[size.ask](table));
  return { table, expected };

  async function withReaders() {
    await db.close();
    const connectOptions = { readers: size.readers, maintenance: { auto: false } };
    const reopened = await openEngine(engine, dir, { ...options, connectOptions });
    return reopened.db.openTable("t");
  }
}

export async function round({ state: { table, expected }, size }) {
  const result = await closedLoop(1, size.seconds, async () => {
    expectEqual(await ASKS[size.ask](table), expected, "rows found");
  });
  return { ...result, operations: result.operations * size.rows };
}
