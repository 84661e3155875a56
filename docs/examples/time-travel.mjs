// Every write makes a version. Old ones stay readable, can be named, and can be brought back.
import assert from "node:assert/strict";
import { connect } from "joust";

const db = await connect("./data");
const prices = await db.createTable("prices", [{ item: "apple", price: 10 }], { mode: "overwrite" });
const tags = await prices.tags();
await tags.create("opening", await prices.version());

await prices.update({ where: "item = 'apple'", values: { price: 12 } });
await prices.add([{ item: "pear", price: 8 }]);
assert.equal(await prices.countRows(), 2);

// A handle that is checked out reads one version, whatever others write. It cannot write itself.
const past = await db.openTable("prices");
await past.checkout("opening");
const [apple] = await past.query().toArray();
assert.equal(apple.price, 10);
await assert.rejects(past.add([{ item: "plum", price: 1 }]));

// Bringing an old version back is a new version: nothing is lost.
await past.restore();
await prices.checkoutLatest();
assert.equal(await prices.countRows(), 1);

for (const { version, timestamp } of await prices.listVersions()) console.log(version, timestamp.toISOString());
db.close();
