// How many rows per second does a scan of a large table deliver: all columns, two columns, and through filters?
import { expectEqual, sequence } from "../measure.mjs";
import { bulkTable } from "../rows.mjs";

const ALL = 1_000_000;
const SMALL = 1_000;

/** `share`: the part of the rows that the filter keeps, where it is known exactly. */
const variant = (query, share) => ({
  full: { rows: ALL, times: 10, query, expected: share === undefined ? undefined : ALL * share },
  small: { rows: SMALL, times: 2, query, expected: share === undefined ? undefined : SMALL * share },
});

export const variants = {
  all: variant({}, 1),
  "two-columns": variant({ select: ["id", "value"] }, 1),
  "filter-half": variant({ where: "value < 0.5" }),
  "filter-text": variant({ where: "kind = 'kind 007'" }, 0.001),
  "filter-range": variant({ where: "id >= 500 AND id < 510" }),
  "filter-count": variant({ where: "value < 0.25 AND kind LIKE 'kind 1%'" }),
};

export const keepsTable = true;

export const setup = async ({ create, size }) => create("t", await bulkTable(size.rows));

export async function round({ state: table, size }) {
  const result = await sequence(size.times, async () => {
    let query = table.query();
    if (size.query.select) query = query.select(size.query.select);
    if (size.query.where) query = query.where(size.query.where);
    const found = await query.toArrow();
    if (size.expected !== undefined) expectEqual(found.numRows, size.expected, "rows found");
  });
  return { ...result, operations: size.times * size.rows };
}
