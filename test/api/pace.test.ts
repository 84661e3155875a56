import { expect, test } from "vitest";
import { connect } from "../../src/index.js";

test("readers that never wait for anything leave timers and writers their turn", async () => {
  const db = await connect("memory://");
  const table = await db.createTable("t", [{ id: 1, n: 0 }]);
  const state = { reading: true, reads: 0 };
  const readers = [1, 2, 3, 4].map(async () => {
    while (state.reading) {
      await table.query().where("id = 1").toArray();
      state.reads++;
      // Without its turn the timer below never comes; the test must end all the same.
      if (state.reads > 20_000) throw new Error("the timer was starved");
    }
  });
  const appended = table.add([{ id: 2, n: 0 }]);
  const ticked = new Promise<void>((resolve) => setTimeout(resolve, 5));
  await Promise.race([Promise.all([appended, ticked]), Promise.all(readers)]);
  state.reading = false;
  await Promise.all(readers);
  expect(await table.countRows()).toBe(2);
});
