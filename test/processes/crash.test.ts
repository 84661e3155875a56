/**
 * Writers are killed with SIGKILL at random moments, again and again, on one table. The oracle is what they printed:
 * every acknowledged id is there once, every other intended id once or not at all, every version opens.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { connect } from "../../src/index.js";
import { type Line, start } from "./crew.js";

const KILLS = Number(process.env.KILLS ?? 50);
const WRITERS = 2;
const dir = mkdtempSync(join(tmpdir(), "joust-crash-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A small generator, so that the moments of a failing run can be had again with SEED. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test(`writers killed ${KILLS} times lose no acknowledged row and leave a table that opens`, {
  timeout: 240_000,
}, async () => {
  const seed = Number(process.env.SEED ?? Math.floor(performance.timeOrigin) % 1_000_000);
  const random = chance(seed);
  const db = await connect(dir);
  const table = await db.createTable("crash", [{ id: -1, worker: -1, n: 0 }]);
  const said: Line[] = [];
  for (let round = 0; round < KILLS / WRITERS; round++) {
    const writers = Array.from({ length: WRITERS }, (_, i) =>
      start({ dir, table: "crash", kind: "append", worker: round * WRITERS + i, count: 100_000 }),
    );
    for (const writer of writers) {
      const wanted = 1 + Math.floor(random() * 12);
      await until(() => writer.lines.filter((line) => line.ack !== undefined).length >= wanted);
      const spin = performance.now() + random() * 3;
      while (performance.now() < spin);
      writer.process.kill("SIGKILL");
    }
    for (const writer of writers) {
      await writer.ended;
      said.push(...writer.lines);
    }
    const ids = (await table.query().select(["id"]).toArray()).map((row) => row.id as number);
    const present = new Set(ids);
    expect(ids.length, `a row is there twice (SEED=${seed})`).toBe(present.size);
    const acked = said.flatMap((line) => (line.ack === undefined ? [] : [line.ack]));
    expect(
      acked.filter((id) => !present.has(id)),
      `acknowledged rows are lost (SEED=${seed})`,
    ).toEqual([]);
    const intended = new Set(said.flatMap((line) => (line.intent === undefined ? [] : [line.intent])));
    expect(
      ids.filter((id) => id !== -1 && !intended.has(id)),
      `rows nobody wrote (SEED=${seed})`,
    ).toEqual([]);
  }
  const versions = (await table.listVersions()).map((version) => version.version);
  expect(versions).toEqual(Array.from({ length: versions.length }, (_, i) => i + 1));
  for (const version of versions.slice(-20)) {
    await table.checkout(version);
    expect((await table.query().toArray()).length).toBe(await table.countRows());
  }
});
