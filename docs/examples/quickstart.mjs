import { connect } from "joust";

const db = await connect("./data");
const fruit = [
  { item: "apple", count: 3 },
  { item: "pear", count: 5 },
  { item: "fig", count: 9 },
];
const stock = await db.createTable("stock", fruit, { mode: "overwrite" });
await Promise.all([
  stock.add([{ item: "plum", count: 7 }]),
  stock.update({ where: "item = 'apple'", valuesSql: { count: "count + 1" } }),
  stock.delete("item = 'pear'"),
]);
console.log(await stock.query().where("count > 3").select(["item", "count"]).toArray());
await stock.checkout(1); // the past stays readable
console.log(await stock.countRows(), "rows in version 1");
