/** What a closed handle or connection leaves usable: nothing; and what was begun before is ended first. */
import { beforeEach, expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { connected, freshDirectory, rowsOf } from "./places.js";

let directory: string;
beforeEach(() => {
  directory = freshDirectory();
});

test.each(["table", "connection"])("tags and branches of a closed %s refuse every call", async (what) => {
  // Another connection keeps the database open behind the closed one.
  const stays = await connected(directory);
  const db = await connected(directory);
  const table = await db.createTable("t", [{ id: 1 }]);
  const [tags, branches] = [await table.tags(), await table.branches()];
  await tags.create("one", 1);
  await branches.create("side");
  if (what === "table") table.close();
  else await db.close();
  const calls = [
    () => branches.list(),
    () => branches.create("other"),
    () => branches.checkout("side"),
    () => branches.delete("side"),
    () => tags.list(),
    () => tags.getVersion("one"),
    () => tags.create("two", 1),
    () => tags.update("one", 1),
    () => tags.delete("one"),
    () => table.sync(),
    async () => table.verify().toArray(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "CLOSED" });
  const again = await stays.openTable("t");
  expect(Object.keys(await (await again.tags()).list())).toEqual(["one"]);
  expect(Object.keys(await (await again.branches()).list())).toEqual(["side"]);
});

test("a snapshot of a closed connection is closed", async () => {
  const stays = await connected(directory);
  const db = await connected(directory);
  const snapshot = await (await db.createTable("t", [{ id: 1 }])).snapshot();
  expect([snapshot.isOpen(), await snapshot.countRows()]).toEqual([true, 1]);
  await db.close();
  expect(snapshot.isOpen()).toBe(false);
  await expect(snapshot.countRows()).rejects.toMatchObject({ code: "CLOSED" });
  await expect(snapshot.query().toArray()).rejects.toMatchObject({ code: "CLOSED" });
  expect(stays.isOpen()).toBe(true);
});

test("closing one of two connections waits for the writes that were called on it", async () => {
  const stays = await connected(directory);
  const db = await connected(directory);
  const table = await db.createTable("t", [{ id: 0 }]);
  let answers = 0;
  const writes = [1, 2, 3].map((id) => table.add([{ id }]).then(() => answers++));
  const direct = table.add([{ id: 4 }], { direct: true }).then(() => answers++);
  await db.close();
  expect(answers).toBe(4);
  await Promise.all([...writes, direct]);
  expect(await (await stays.openTable("t")).countRows()).toBe(5);
});

test("closing one of two connections writes what its buffered writers hold, and leaves those of the other alone", async () => {
  const stays = await connected(directory);
  const db = await connected(directory);
  const table = await db.createTable("t", [{ id: 0 }]);
  const theirs = (await stays.openTable("t")).writer({ ms: 60_000 });
  await theirs.write({ id: 2 });
  const mine = table.writer({ ms: 60_000 });
  await mine.write({ id: 1 });
  await db.close();
  await expect(mine.write({ id: 3 })).rejects.toMatchObject({ code: "CLOSED" });
  const open = await stays.openTable("t");
  expect((await rowsOf(open)).map(({ id }) => id)).toEqual([0, 1]);
  expect(theirs.bufferedRows).toBe(1);
  await theirs.close();
  expect(await open.countRows()).toBe(3);
});

test("close, called twice or at once, ends once", async () => {
  const stays = await connected(directory);
  const db = await connect(directory);
  await db.createTable("t", [{ id: 1 }]);
  await Promise.all([db.close(), db.close()]);
  await db.close();
  expect(await (await stays.openTable("t")).countRows()).toBe(1);
});
