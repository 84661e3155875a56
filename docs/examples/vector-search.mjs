// Exact nearest neighbours, with a filter that is applied before the search.
import assert from "node:assert/strict";
import { connect } from "joust";

const db = await connect("./data");
const documents = [
  { id: 1, kind: "note", vector: [0, 0] },
  { id: 2, kind: "note", vector: [1, 1] },
  { id: 3, kind: "mail", vector: [1.1, 1.1] },
  { id: 4, kind: "note", vector: [5, 5] },
];
const table = await db.createTable("documents", documents, { mode: "overwrite" });

const near = await table.vectorSearch([1.2, 1.2]).limit(2).toArray();
assert.deepEqual(
  near.map(({ id }) => id),
  [3, 2],
);

const notes = await table.vectorSearch([1.2, 1.2]).where("kind = 'note'").distanceType("cosine").limit(2).toArray();
assert.ok(notes.every(({ kind }) => kind === "note"));
for (const { id, _distance } of near) console.log(`document ${id} at distance ${_distance.toFixed(3)}`);
db.close();
