// Insert what is new, update what is known, and remove what the source no longer has, in one commit.
import assert from "node:assert/strict";
import { connect } from "joust";

const db = await connect("./data");
const users = [
  { id: 1, name: "Ada" },
  { id: 2, name: "Grace" },
  { id: 3, name: "Edsger" },
];
const table = await db.createTable("users", users, { mode: "overwrite" });

const result = await table
  .mergeInsert("id")
  .whenMatchedUpdateAll()
  .whenNotMatchedInsertAll()
  .whenNotMatchedBySourceDelete()
  .execute([
    { id: 2, name: "Grace Hopper" },
    { id: 4, name: "Barbara" },
  ]);

console.log(`${result.numInsertedRows} inserted, ${result.numUpdatedRows} updated, ${result.numDeletedRows} deleted`);
const found = await table.query().orderBy({ columnName: "id" }).toArray();
assert.deepEqual(
  found.map(({ id, name }) => [id, name]),
  [
    [2, "Grace Hopper"],
    [4, "Barbara"],
  ],
);
db.close();
